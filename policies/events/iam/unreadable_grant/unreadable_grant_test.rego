package events.iam.unreadable_grant_test

import data.events.iam.unreadable_grant.findings
import data.lib.testing

call(name, parameters) := testing.call($"iam.amazonaws.com:{name}", parameters)

readable := `{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`

test_parameters_too_large_for_cloudtrail_contain if {
	hidden := {"omitted": true, "originalSize": 122341, "reason": "requestParameters too large"}
	finding := testing.only(findings) with input as call("PutRolePolicy", hidden)
	finding.propose == ["contain"]
	finding.evidence == {"grantee": "somebody", "omitted_bytes": 122341}
}

test_a_document_that_cannot_be_read_contains if {
	every document in ["not json", "%7B%22", 7, `{"Statement": []}`] {
		found := findings with input as call("PutUserPolicy", {"userName": "kim", "policyDocument": document})
		testing.only(found).propose == ["contain"]
		testing.only(found).evidence == {"grantee": "user `kim`", "unreadable": true}
	}
}

test_a_version_that_cannot_be_read_contains_only_once_it_is_the_default if {
	testing.only(findings).propose == [] with input as call("CreatePolicyVersion", {"policyDocument": "not json"})
	default_version := {"policyDocument": "not json", "setAsDefault": true}
	testing.only(findings).propose == ["contain"] with input as call("CreatePolicyVersion", default_version)
}

test_a_record_without_the_rights_is_reported_and_answered_by_nothing if {
	every parameters in [null, {}, "x", {"userName": "mallory"}] {
		testing.only(findings).propose == [] with input as call("PutUserPolicy", parameters)
	}
	testing.only(findings).propose == [] with input as call("AttachRolePolicy", {"roleName": "r", "policyArn": 7})
}

test_what_can_be_read_is_silent_whatever_it_says if {
	count(findings) == 0 with input as call("PutUserPolicy", {"policyDocument": readable})
	count(findings) == 0 with input as call("AttachUserPolicy", {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"})
}

test_calls_that_did_not_succeed_are_silent if {
	count(findings) == 0 with input as testing.refused(call("PutUserPolicy", null))
}

test_other_events_are_silent if {
	count(findings) == 0 with input as call("DetachUserPolicy", null)
	count(findings) == 0 with input as {}
}
