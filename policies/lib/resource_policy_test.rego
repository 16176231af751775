package lib.resource_policy_test

import data.lib.resource_policy

allow(change) := {"Version": "2012-10-17", "Statement": [object.union(
	{
		"Sid": "One",
		"Effect": "Allow",
		"Principal": {"AWS": "222233334444"},
		"Action": "backup:CopyIntoBackupVault",
		"Resource": "*",
	},
	change,
)]}

same(change) if resource_policy.meaning(allow(change)) == resource_policy.meaning(allow({}))

test_spelling_and_labels_mean_the_same if {
	same({"Sid": "Two"})
	same({"Action": ["BACKUP:copyintobackupvault"], "Resource": ["*"]})
	every partition in ["aws", "aws-cn", "aws-us-gov"] {
		same({"Principal": {"AWS": [$"arn:{partition}:iam::222233334444:root"]}})
	}
	resource_policy.meaning({"Statement": allow({}).Statement[0], "Version": "2012-10-17"}) == resource_policy.meaning(allow({}))
}

test_every_part_of_a_statement_counts if {
	every change in [
		{"Effect": "Deny"},
		{"Principal": "*"},
		{"Principal": {"AWS": "arn:aws:iam::222233334444:user/root"}},
		{"Principal": {"AWS": "arn:aws:iam::555566667777:root"}},
		{"Action": "backup:DeleteRecoveryPoint"},
		{"Resource": "arn:aws:backup:eu-west-1:111122223333:recovery-point:1"},
		{"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
		{"Unknown": 1},
	] {
		not same(change)
	}
	not resource_policy.meaning(object.remove(allow({}), ["Version"])) == resource_policy.meaning(allow({}))
}

test_what_has_no_statements_means_itself if {
	resource_policy.meaning({"Statement": 7}) == {{"Statement": 7}}
}

test_statements_are_named_by_effect_and_actions if {
	resource_policy.names(resource_policy.meaning(allow({}))) == ["Allow backup:copyintobackupvault"]
	all_but := resource_policy.meaning({"Statement": [{"Effect": "Allow", "NotAction": "s3:Get*"}]})
	resource_policy.names(all_but) == ["Allow all but s3:get*"]
	resource_policy.names({"text"}) == ["unreadable statement"]
}
