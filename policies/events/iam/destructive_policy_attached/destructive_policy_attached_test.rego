package events.iam.destructive_policy_attached_test

import data.events.iam.destructive_policy_attached.findings
import data.lib.testing

attach(kind, policy) := testing.call($"iam.amazonaws.com:Attach{kind}Policy", {"roleName": "r", "policyArn": policy})

test_policies_that_can_destroy_contain_the_actor if {
	every name in ["AdministratorAccess", "AWSBackupFullAccess", "AmazonS3FullAccess", "PowerUserAccess", "IAMFullAccess"] {
		testing.only(findings).propose == ["contain"] with input as attach("Role", $"arn:aws:iam::aws:policy/{name}")
	}
}

test_each_receiver_counts_and_so_does_each_partition if {
	every kind in ["Group", "Role", "User"] {
		count(findings) == 1 with input as attach(kind, "arn:aws:iam::aws:policy/AdministratorAccess")
	}
	finding := testing.only(findings) with input as attach("Role", "arn:aws-cn:iam::aws:policy/job-function/DatabaseAdministrator")
	startswith(finding.message, "`ines` gave role `r` managed policy `job-function/DatabaseAdministrator`, which allows")
	finding.evidence.grantee == "role `r`"
}

test_other_policies_are_silent if {
	every policy in [
		"arn:aws:iam::aws:policy/ReadOnlyAccess",
		"arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3",
		"arn:aws:iam::111122223333:policy/AdministratorAccess",
		"",
		7,
	] {
		count(findings) == 0 with input as attach("Group", policy)
	}
}

test_a_refused_attachment_is_reported_unless_it_is_known_to_be_harmless if {
	unshown := testing.call("iam.amazonaws.com:AttachUserPolicy", null)
	testing.only(findings).evidence == {"denied": true, "grantee": "somebody"} with input as testing.refused(unshown)
	testing.only(findings).propose == [] with input as testing.refused(attach("Role", "arn:aws:iam::aws:policy/AdministratorAccess"))
	count(findings) == 0 with input as testing.refused(attach("Role", "arn:aws:iam::aws:policy/ReadOnlyAccess"))
}

test_other_events_are_silent if {
	detached := {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
	count(findings) == 0 with input as testing.call("iam.amazonaws.com:DetachUserPolicy", detached)
	count(findings) == 0 with input as {}
}
