package events.iam.destructive_grant_test

import data.events.iam.destructive_grant.findings
import data.lib.testing

call(name, parameters) := testing.call($"iam.amazonaws.com:{name}", parameters)

inline(document) := call("PutUserPolicy", {"userName": "mallory", "policyName": "p", "policyDocument": document})

allow(action) := json.marshal({
	"Version": "2012-10-17",
	"Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}],
})

test_all_rights_contain_the_actor if {
	finding := testing.only(findings) with input as inline(allow("*"))
	finding.propose == ["contain"]
	finding.evidence.denied == false
	finding.evidence.grantee == "user `mallory`"
	finding.evidence.rights_in_all == 84
	count(finding.evidence.rights) == 8
	finding.message == "`ines` gave user `mallory` the right to `backup:DeleteRecoveryPoint` and 83 more destructive actions"
}

test_one_right_is_named if {
	finding := testing.only(findings) with input as inline(allow("kms:DisableKey"))
	finding.message == "`ines` gave user `mallory` the right to `kms:DisableKey`"
	finding.evidence.rights == ["kms:DisableKey"]
}

test_harmless_actions_are_silent if {
	count(findings) == 0 with input as inline(allow(["s3:GetObject", "s3:PutObject"]))
	count(findings) == 0 with input as inline(allow("backup:Get*"))
}

test_each_call_that_writes_a_policy_counts if {
	every name in ["CreatePolicy", "PutGroupPolicy", "PutRolePolicy", "PutUserPolicy"] {
		testing.only(findings).propose == ["contain"] with input as call(name, {"policyDocument": allow("rbin:*")})
	}
}

test_a_policy_version_contains_only_once_it_is_the_default if {
	version := {"policyArn": "arn:aws:iam::111122223333:policy/p", "policyDocument": allow("*")}
	testing.only(findings).propose == [] with input as call("CreatePolicyVersion", version)
	in_force := object.union(version, {"setAsDefault": true})
	testing.only(findings).propose == ["contain"] with input as call("CreatePolicyVersion", in_force)
}

test_what_cannot_be_read_is_another_rule_s if {
	every document in ["not json", {}, null] {
		count(findings) == 0 with input as inline(document)
	}
	count(findings) == 0 with input as call("PutUserPolicy", {"omitted": true})
}

test_a_refused_grant_is_reported_and_answered_by_nothing if {
	finding := testing.only(findings) with input as testing.refused(call("PutUserPolicy", null))
	finding.propose == []
	finding.evidence == {"denied": true, "grantee": "somebody"}
	count(findings) == 1 with input as testing.refused(inline("not json"))
}

test_a_refused_grant_known_to_be_harmless_is_silent if {
	count(findings) == 0 with input as testing.refused(inline(allow("s3:GetObject")))
}

test_a_grant_that_failed_otherwise_is_silent if {
	failed := {"event": {"errorCode": "MalformedPolicyDocumentException"}}
	count(findings) == 0 with input as testing.changed(inline(allow("*")), failed)
}

test_other_events_are_silent if {
	count(findings) == 0 with input as call("AttachUserPolicy", {"policyDocument": allow("*")})
	count(findings) == 0 with input as testing.changed(inline(allow("*")), {"event": {"eventSource": "sso.amazonaws.com"}})
	count(findings) == 0 with input as {}
}
