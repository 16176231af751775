package resources.backup.vault_policy_test

import data.lib.testing
import data.resources.backup.vault_policy.findings

vault(live, desired) := testing.vault("securecart-vault", {"policy": live, "locked": false}, desired)

guard := {
	"Sid": "KeepPoints",
	"Effect": "Deny",
	"Principal": "*",
	"Action": ["backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle"],
	"Resource": "*",
	"Condition": {"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/backup-admin"}},
}

copy_in := {
	"Effect": "Allow",
	"Principal": {"AWS": "arn:aws:iam::222233334444:root"},
	"Action": "backup:CopyIntoBackupVault",
	"Resource": "*",
}

policy(statements) := {"Version": "2012-10-17", "Statement": statements}

same(live, wanted) if count(findings) == 0 with input as vault(live, {"policy": wanted})

differs(live, wanted) if count(findings) == 1 with input as vault(live, {"policy": wanted})

test_the_declared_policy_is_silent if same(policy([guard, copy_in]), policy([guard, copy_in]))

test_order_does_not_matter if same(policy([copy_in, guard]), policy([guard, copy_in]))

test_spelling_does_not_matter if {
	same(policy([guard]), policy(guard))
	same(policy([copy_in]), policy([object.union(copy_in, {"Action": ["BACKUP:copyintobackupvault"], "Resource": ["*"]})]))
	same(policy([copy_in]), policy([object.union(copy_in, {"Principal": {"AWS": ["222233334444"]}})]))
	same(policy([guard]), policy([object.union(guard, {"Principal": {"AWS": "*"}, "Sid": "Other"})]))
	same(policy([guard]), policy([object.union(guard, {"Action": ["backup:UpdateRecoveryPointLifecycle", "backup:DeleteRecoveryPoint"]})]))
	keys := {"ArnNotEquals": {"AWS:principalarn": ["arn:aws:iam::111122223333:role/backup-admin"]}}
	same(policy([guard]), policy([object.union(object.remove(guard, ["Condition"]), {"Condition": keys})]))
	quoted := {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
	plain := {"Condition": {"Bool": {"aws:SecureTransport": false}}}
	same(policy([object.union(copy_in, quoted)]), policy([object.union(copy_in, plain)]))
}

test_a_removed_policy_is_restored if {
	finding := testing.only(findings) with input as vault(null, {"policy": policy([copy_in])})
	finding == {
		"message": "vault `securecart-vault` has no access policy any more",
		"resource": "arn:aws:backup:eu-west-1:111122223333:backup-vault:securecart-vault",
		"propose": ["restore"],
		"evidence": {"added": [], "missing": ["Allow backup:copyintobackupvault"]},
	}
}

test_a_policy_that_is_no_document_counts_as_removed if {
	differs("{}", policy([guard]))
	count(findings) == 1 with input as testing.vault("v", {}, {"policy": policy([guard])})
}

test_a_changed_policy_names_what_changed if {
	opened := {"Effect": "Allow", "Principal": "*", "NotAction": "backup:CreateBackupVault", "Resource": "*"}
	finding := testing.only(findings) with input as vault(policy([guard, opened]), {"policy": policy([guard, copy_in])})
	finding.propose == ["restore"]
	finding.evidence == {
		"added": ["Allow all but backup:createbackupvault"],
		"missing": ["Allow backup:copyintobackupvault"],
	}
}

test_every_part_of_a_statement_counts if {
	every change in [
		{"Effect": "Allow"},
		{"Principal": {"AWS": "arn:aws:iam::999988887777:root"}},
		{"Action": "backup:DeleteRecoveryPoint"},
		{"Resource": "arn:aws:backup:eu-west-1:111122223333:recovery-point:1"},
		{"Condition": {"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/other"}}},
		{"Unknown": 1},
	] {
		differs(policy([object.union(guard, change)]), policy([guard]))
	}
	differs(policy([object.remove(guard, ["Condition"])]), policy([guard]))
	differs({"Version": "2008-10-17", "Statement": [guard]}, policy([guard]))
	same({"Statement": [guard]}, {"Version": "2008-10-17", "Statement": [guard]})
}

test_a_policy_without_statements_differs if {
	differs({}, policy([guard]))
	differs({"Statement": "none"}, policy([guard]))
	differs(policy(["text"]), policy([guard]))
	differs(policy([{"Effect": 7, "Action": [7]}]), policy([guard]))
}

test_a_vault_that_declares_no_policy_is_silent if {
	every desired in [null, {}, {"policy": null}, {"copies": []}] {
		count(findings) == 0 with input as vault(null, desired)
	}
	count(findings) == 0 with input as {}
}
