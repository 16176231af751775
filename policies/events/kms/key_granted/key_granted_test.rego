package events.kms.key_granted_test

import data.events.kms.key_granted.findings
import data.lib.testing

key := "arn:aws:kms:eu-west-1:111122223333:key/2d9c31f4-5b1e-4f0a-9a77-7d2f5e8c4b10"

to(grantee) := testing.call("kms.amazonaws.com:CreateGrant", {
	"keyId": key,
	"granteePrincipal": grantee,
	"operations": ["Decrypt"],
})

outsider := "arn:aws:iam::999988887777:role/x"

test_a_grant_to_an_outsider_contains if {
	finding := testing.only(findings) with input as to(outsider)
	finding.propose == ["contain"]
	finding.resource == key
	finding.evidence == {"denied": false, "grantee": outsider, "operations": ["Decrypt"]}
	finding.message == $"`ines` granted the use of key `{key}` to outsider `{outsider}`"
	testing.only(findings) with input as to("*")
}

test_a_grant_to_ourselves_or_to_aws_is_silent if {
	every grantee in [
		"arn:aws:iam::111122223333:role/x",
		"arn:aws:sts::222233334444:assumed-role/r/s",
		"ec2.eu-west-1.amazonaws.com",
		"AWS Internal",
		7,
		null,
	] {
		count(findings) == 0 with input as to(grantee)
	}
	count(findings) == 0 with input as testing.call("kms.amazonaws.com:CreateGrant", null)
}

test_a_grant_that_a_service_made_is_silent if {
	count(findings) == 0 with input as testing.by(to(outsider), {"invoked_by": "rds.amazonaws.com"})
}

test_a_refused_grant_counts_only_when_it_names_an_outsider if {
	testing.only(findings).propose == [] with input as testing.refused(to(outsider))
	count(findings) == 0 with input as testing.refused(testing.call("kms.amazonaws.com:CreateGrant", null))
}

test_a_key_that_protects_nothing_is_silent if {
	count(findings) == 0 with input as to(outsider) with data.protected.keys as ["arn:other"]
}

test_other_events_are_silent if {
	count(findings) == 0 with input as testing.changed(to(outsider), {"event": {"eventName": "RetireGrant"}})
	count(findings) == 0 with input as {}
}
