package lib.iam_policy_test

import data.lib.iam_policy

document(statement) := json.marshal({"Version": "2012-10-17", "Statement": statement})

allow(action) := {"Effect": "Allow", "Action": action, "Resource": "*"}

rights(statement) := iam_policy.destructive(iam_policy.statements(document(statement)))

test_all_rights_are_all_destructive_actions if {
	count(rights(allow("*"))) == 84
	rights(allow("*:*")) == rights(allow("*"))
}

test_actions_match_whatever_their_case if rights(allow("BACKUP:deleterecoverypoint")) == {"backup:DeleteRecoveryPoint"}

test_wildcards_match_where_iam_says if {
	"backup:DeleteRecoveryPoint" in rights(allow("backup:*"))
	rights(allow("s3:PutLifecycle*")) == {"s3:PutLifecycleConfiguration"}
	rights(allow("kms:?isableKey")) == {"kms:DisableKey"}
	rights(allow("kms:D?sable*")) == {"kms:DisableKey"}
	rights(allow("back?p:DeleteRecoveryPoint")) == {"backup:DeleteRecoveryPoint"}
	rights(allow("backup:*VaultLock*")) == {
		"backup:DeleteBackupVaultLockConfiguration",
		"backup:PutBackupVaultLockConfiguration",
	}
}

test_one_of_many_actions_is_enough if rights(allow(["s3:GetObject", "kms:DisableKey"])) == {"kms:DisableKey"}

test_harmless_actions_grant_nothing_that_destroys if {
	every action in [["s3:GetObject", "s3:DeleteObject"], "backup:Get*", "ec2:Describe*", "nonsense", "backup:"] {
		rights(allow(action)) == set()
	}
}

test_everything_but_a_little_is_nearly_everything if {
	all_but := {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"}
	count(rights(all_but)) == 70
	rights({"Effect": "Allow", "NotAction": "*", "Resource": "*"}) == set()
}

test_a_flat_denial_wins_over_the_allow_beside_it if {
	deny := {"Effect": "Deny", "NotAction": "s3:GetObject", "Resource": ["*"]}
	rights([allow("s3:*"), deny]) == set()
	rights([deny]) == set()
}

test_a_denial_with_condition_or_of_some_resources_wins_nothing if {
	narrow := {"Effect": "Deny", "Action": "rbin:*", "Resource": "arn:aws:rbin:eu-west-1:111122223333:rule/x"}
	conditional := {
		"Effect": "Deny",
		"Action": "rbin:*",
		"Resource": "*",
		"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}},
	}
	every denial in [narrow, conditional] {
		count(rights([allow("rbin:*"), denial])) == 3
	}
}

test_an_encoded_document_is_read if {
	encoded := "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22backup%3A%2a%22%2C%22Resource%22%3A%22%C3%A9%2A%22%7D%5D%7D"
	[statement] := iam_policy.statements(encoded)
	statement.Resource == "é*"
	"backup:DeleteRecoveryPoint" in iam_policy.destructive([statement])
}

test_an_encoded_document_with_a_broken_escape_cannot_be_read if {
	every encoded in ["%", "%7B%22", "%7B%zz%7D", "%7", "%7B%2"] {
		not iam_policy.statements(encoded)
	}
}

test_a_document_that_is_an_object_is_read if {
	iam_policy.statements({"Statement": allow("kms:DisableKey")}) == [allow("kms:DisableKey")]
}

test_a_document_that_iam_would_refuse_cannot_be_read if {
	every odd in [
		"not json", "", "[]", "\"text\"", "{}", 7, [],
		`{"Statement": []}`, `{"Statement": 7}`, `{"Statement": ["x"]}`, `{"Statement": [7]}`,
	] {
		not iam_policy.statements(odd)
	}
	every statement in [
		{"Effect": "allow", "Action": "*"},
		{"Effect": "Allow"},
		{"Effect": "Allow", "Action": 7},
		{"Effect": "Allow", "Action": []},
		{"Effect": "Allow", "Action": ["s3:GetObject", null]},
		{"Effect": "Allow", "Action": "s3:GetObject", "NotAction": "s3:PutObject"},
	] {
		not iam_policy.statements({"Statement": [statement]})
	}
}

test_one_or_many_is_an_array if {
	iam_policy.as_array("a") == ["a"]
	iam_policy.as_array({"a": 1}) == [{"a": 1}]
	iam_policy.as_array(["a", "b"]) == ["a", "b"]
	not iam_policy.as_array(7)
}
