package events.iam.destructive_grant_test

import data.events.iam.destructive_grant.findings

person := {
	"kind": "iam_user",
	"name": "ines",
	"arn": "arn:aws:iam::111122223333:user/ines",
	"session": null,
	"invoked_by": null,
	"flags": {"agent": false, "break_glass": false, "service_linked": false},
}

call(name, parameters) := {
	"event": {
		"eventSource": "iam.amazonaws.com",
		"eventName": name,
		"awsRegion": "us-east-1",
		"requestParameters": parameters,
	},
	"principal": person,
	"account": {"id": "111122223333"},
}

inline(document) := call("PutUserPolicy", {"userName": "mallory", "policyName": "p", "policyDocument": document})

allow(action) := json.marshal({
	"Version": "2012-10-17",
	"Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}],
})

statements(list) := json.marshal({"Version": "2012-10-17", "Statement": list})

only(found) := finding if {
	count(found) == 1
	some finding in found
}

rights(action) := only(found).evidence.rights if found := findings with input as inline(allow(action))

silent(document) if count(findings) == 0 with input as inline(document)

test_all_rights_contain_the_actor if {
	finding := only(findings) with input as inline(allow("*"))
	finding.propose == ["contain"]
	finding.evidence.denied == false
	finding.evidence.grantee == "user `mallory`"
	finding.evidence.rights_in_all == 84
	count(finding.evidence.rights) == 8
	finding.message == "`ines` gave user `mallory` the right to `backup:DeleteRecoveryPoint` and 83 more destructive actions"
}

test_all_rights_written_with_a_colon_are_all_rights if {
	only(findings).evidence.rights_in_all == 84 with input as inline(allow("*:*"))
}

test_one_right_is_named if {
	finding := only(findings) with input as inline(allow("backup:DeleteRecoveryPoint"))
	finding.message == "`ines` gave user `mallory` the right to `backup:DeleteRecoveryPoint`"
}

test_actions_match_whatever_their_case if rights("BACKUP:deleterecoverypoint") == ["backup:DeleteRecoveryPoint"]

test_a_whole_service_matches if "backup:DeleteRecoveryPoint" in rights("backup:*")

test_a_prefix_matches if rights("s3:PutLifecycle*") == ["s3:PutLifecycleConfiguration"]

test_a_star_inside_matches if rights("backup:*VaultLock*") == [
	"backup:DeleteBackupVaultLockConfiguration",
	"backup:PutBackupVaultLockConfiguration",
]

test_a_question_mark_matches if rights("kms:?isableKey") == ["kms:DisableKey"]

test_a_question_mark_before_a_final_star_matches if rights("kms:D?sable*") == ["kms:DisableKey"]

test_a_wildcard_in_the_service_matches if rights("back?p:DeleteRecoveryPoint") == ["backup:DeleteRecoveryPoint"]

test_one_of_many_actions_is_enough if rights(["s3:GetObject", "kms:DisableKey"]) == ["kms:DisableKey"]

test_harmless_actions_are_silent if {
	silent(allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"]))
	silent(allow("backup:Get*"))
	silent(allow("backup:StartBackupJob"))
	silent(allow("ec2:Describe*"))
	silent(allow("nonsense"))
	silent(allow("backup:"))
}

test_a_single_statement_needs_no_array if {
	document := json.marshal({"Statement": {"Effect": "Allow", "Action": ["rbin:*"], "Resource": "*"}})
	only(findings).evidence.rights_in_all == 3 with input as inline(document)
}

test_everything_but_a_little_is_nearly_everything if {
	document := statements([{"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"}])
	finding := only(findings) with input as inline(document)
	finding.evidence.rights_in_all == 70
}

test_everything_but_what_destroys_is_silent if {
	document := statements([{"Effect": "Allow", "NotAction": "*", "Resource": "*"}])
	silent(document)
}

test_denials_grant_nothing if {
	silent(statements([{"Effect": "Deny", "Action": "*", "Resource": "*"}]))
	silent(statements([{"Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "*"}]))
}

test_a_flat_denial_wins_over_the_allow_beside_it if {
	silent(statements([
		{"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
		{"Effect": "Deny", "NotAction": "s3:GetObject", "Resource": ["*"]},
	]))
}

test_a_denial_with_condition_or_of_some_resources_wins_nothing if {
	wide := {"Effect": "Allow", "Action": "rbin:*", "Resource": "*"}
	conditional := {
		"Effect": "Deny",
		"Action": "rbin:*",
		"Resource": "*",
		"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}},
	}
	elsewhere := {"Effect": "Deny", "Action": "rbin:*", "Resource": "arn:aws:rbin:eu-west-1:111122223333:rule/x"}
	every narrow in [conditional, elsewhere] {
		only(findings).evidence.rights_in_all == 3 with input as inline(statements([wide, narrow]))
	}
}

test_an_encoded_document_is_read if {
	document := "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22backup%3A%2a%22%2C%22Resource%22%3A%22%C3%A9%2A%22%7D%5D%7D"
	"backup:DeleteRecoveryPoint" in only(findings).evidence.rights with input as inline(document)
}

test_a_document_that_is_an_object_is_read if {
	only(findings).evidence.rights == ["kms:DisableKey"] with input as inline({"Statement": {
		"Effect": "Allow",
		"Action": "kms:DisableKey",
		"Resource": "*",
	}})
}

test_a_document_that_cannot_be_read_is_a_violation if {
	every document in [
		"not json", "", "[]", "\"text\"", "%7B%22", "%", "{}", 7, [],
		`{"Statement": []}`, `{"Statement": 7}`, `{"Statement": ["x"]}`, `{"Statement": [7]}`,
		`{"Statement": [{"Effect": "allow", "Action": "*"}]}`,
		`{"Statement": [{"Effect": "Allow"}]}`,
		`{"Statement": [{"Effect": "Allow", "Action": 7}]}`,
		`{"Statement": [{"Effect": "Allow", "Action": []}]}`,
		`{"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", null]}]}`,
		`{"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "NotAction": "s3:PutObject"}]}`,
	] {
		found := findings with input as inline(document)
		only(found).propose == ["contain"]
		only(found).evidence.unreadable == true
	}
}

test_parameters_too_large_for_cloudtrail_are_a_violation if {
	hidden := {"omitted": true, "originalSize": 122341, "reason": "requestParameters too large"}
	finding := only(findings) with input as call("PutRolePolicy", hidden)
	finding.propose == ["contain"]
	finding.evidence.omitted_bytes == 122341
	finding.evidence.grantee == "somebody"
}

test_a_record_without_the_document_is_told_but_not_answered if {
	every parameters in [null, {}, "x", {"userName": "mallory"}] {
		only(findings).propose == [] with input as call("PutUserPolicy", parameters)
	}
	only(findings).propose == [] with input as call("AttachRolePolicy", {"roleName": "r", "policyArn": 7})
}

test_dangerous_managed_policies_are_a_violation if {
	every name in ["AdministratorAccess", "AWSBackupFullAccess", "AmazonS3FullAccess", "PowerUserAccess", "IAMFullAccess"] {
		arn := concat("", ["arn:aws:iam::aws:policy/", name])
		only(findings).propose == ["contain"] with input as call("AttachUserPolicy", {"userName": "mallory", "policyArn": arn})
	}
	chinese := {"roleName": "r", "policyArn": "arn:aws-cn:iam::aws:policy/job-function/DatabaseAdministrator"}
	finding := only(findings) with input as call("AttachRolePolicy", chinese)
	startswith(finding.message, "`ines` gave role `r` managed policy `job-function/DatabaseAdministrator`, which allows")
}

test_other_managed_policies_are_silent if {
	every arn in [
		"arn:aws:iam::aws:policy/ReadOnlyAccess",
		"arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3",
		"arn:aws:iam::111122223333:policy/AdministratorAccess",
		"",
	] {
		count(findings) == 0 with input as call("AttachGroupPolicy", {"groupName": "g", "policyArn": arn})
	}
}

test_a_policy_version_contains_only_once_it_is_the_default if {
	version := {"policyArn": "arn:aws:iam::111122223333:policy/p", "policyDocument": allow("*")}
	only(findings).propose == [] with input as call("CreatePolicyVersion", version)
	only(findings).propose == [] with input as call("CreatePolicyVersion", object.union(version, {"setAsDefault": false}))
	every truth in [true, "true"] {
		found := findings with input as call("CreatePolicyVersion", object.union(version, {"setAsDefault": truth}))
		only(found).propose == ["contain"]
		only(found).evidence.grantee == "policy `arn:aws:iam::111122223333:policy/p`"
	}
}

test_a_new_policy_with_such_rights_contains if {
	finding := only(findings) with input as call("CreatePolicy", {"policyName": "p", "policyDocument": allow("rbin:*")})
	finding.propose == ["contain"]
	finding.evidence.grantee == "policy `p`"
}

test_a_group_is_named if {
	parameters := {"groupName": "ops", "policyName": "p", "policyDocument": allow("rbin:*")}
	only(findings).evidence.grantee == "group `ops`" with input as call("PutGroupPolicy", parameters)
}

refused(name, parameters) := object.union(call(name, parameters), {"event": {
	"errorCode": "AccessDenied",
	"denied": {"action": "iam:PutUserPolicy", "principal": null, "resource": "arn:aws:iam::111122223333:user/mallory"},
}})

test_a_refused_grant_is_told_but_not_answered if {
	finding := only(findings) with input as refused("PutUserPolicy", null)
	finding.propose == []
	finding.evidence == {"denied": true, "grantee": "`arn:aws:iam::111122223333:user/mallory`"}
}

test_a_refused_grant_known_to_be_harmless_is_silent if {
	count(findings) == 0 with input as refused("PutUserPolicy", {"userName": "u", "policyDocument": allow("s3:GetObject")})
	attachment := {"userName": "u", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
	count(findings) == 0 with input as refused("AttachUserPolicy", attachment)
}

test_a_grant_that_failed_otherwise_is_silent if {
	failed := object.union(inline(allow("*")), {"event": {"errorCode": "MalformedPolicyDocumentException"}})
	count(findings) == 0 with input as failed
}

test_an_approved_principal_is_silent if {
	count(findings) == 0 with input as inline(allow("*")) with data.approved.may_grant_destructive_rights as [person.arn]
}

test_break_glass_is_told_but_not_contained if {
	only(findings).propose == [] with input as object.union(inline(allow("*")), {"principal": {"flags": {"break_glass": true}}})
}

test_other_events_are_silent if {
	count(findings) == 0 with input as call("DetachUserPolicy", {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"})
	count(findings) == 0 with input as {}
}
