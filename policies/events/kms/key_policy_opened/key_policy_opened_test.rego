package events.kms.key_policy_opened_test

import data.events.kms.key_policy_opened.findings
import data.lib.testing

key := "arn:aws:kms:eu-west-1:111122223333:key/2d9c31f4-5b1e-4f0a-9a77-7d2f5e8c4b10"

call(parameters) := testing.call("kms.amazonaws.com:PutKeyPolicy", parameters)

policy(statement) := call({
	"keyId": key,
	"policyName": "default",
	"policy": json.marshal({"Version": "2012-10-17", "Statement": [own, statement]}),
})

own := {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}

outsider := object.union(own, {"Principal": {"AWS": "arn:aws:iam::999988887777:root"}})

test_a_policy_that_lets_an_outsider_in_contains if {
	finding := testing.only(findings) with input as policy(outsider)
	finding.propose == ["contain"]
	finding.resource == key
	finding.evidence == {"denied": false, "outsiders": ["arn:aws:iam::999988887777:root"]}
	finding.message == $"`ines` put a policy on key `{key}` that lets outsiders in: arn:aws:iam::999988887777:root"
}

test_our_own_principals_are_silent if {
	count(findings) == 0 with input as policy(own)
	count(findings) == 0 with input as policy(object.union(own, {"Principal": {"Service": "backup.amazonaws.com"}}))
}

test_bypassing_the_lockout_check_contains if {
	bypass := {"event": {"requestParameters": {"bypassPolicyLockoutSafetyCheck": true}}}
	finding := testing.only(findings) with input as testing.changed(policy(own), bypass)
	finding.evidence.bypassed_lockout_check == true
	finding.propose == ["contain"]
}

test_a_policy_that_cannot_be_read_contains if {
	every parameters in [{"policy": "not json"}, {"policy": "{}"}, {"omitted": true, "originalSize": 110000}] {
		finding := testing.only(findings) with input as call(parameters)
		finding.propose == ["contain"]
		finding.evidence.unreadable == true
	}
}

test_a_record_without_policy_is_reported_and_answered_by_nothing if {
	testing.only(findings).propose == [] with input as call(null)
}

test_a_refused_call_is_reported_unless_it_is_known_to_be_harmless if {
	testing.only(findings).evidence == {"denied": true} with input as testing.refused(call(null))
	testing.only(findings).propose == [] with input as testing.refused(policy(outsider))
	count(findings) == 0 with input as testing.refused(policy(own))
}

test_a_key_that_protects_nothing_is_silent if {
	count(findings) == 0 with input as policy(outsider) with data.protected.keys as ["arn:other"]
}

test_other_events_are_silent if {
	count(findings) == 0 with input as testing.call("kms.amazonaws.com:GetKeyPolicy", {"keyId": key})
	count(findings) == 0 with input as {}
}
