package lib.grant_test

import data.lib.grant
import data.lib.testing

call(name, parameters) := testing.call($"iam.amazonaws.com:{name}", parameters)

test_whoever_receives_is_named if {
	grant.grantee == "user `kim`" with input as call("PutUserPolicy", {"userName": "kim", "policyName": "p"})
	grant.grantee == "group `ops`" with input as call("PutGroupPolicy", {"groupName": "ops", "policyName": "p"})
	grant.grantee == "role `r`" with input as call("AttachRolePolicy", {"roleName": "r", "policyArn": "a"})
	grant.grantee == "policy `p`" with input as call("CreatePolicy", {"policyName": "p"})
	grant.grantee == "policy `a`" with input as call("CreatePolicyVersion", {"policyArn": "a"})
	grant.grantee == "somebody" with input as call("PutUserPolicy", null)
}

test_a_denied_call_names_its_receiver if {
	refused := testing.changed(call("PutUserPolicy", null), {"event": {"denied": {"resource": "arn:x"}}})
	grant.grantee == "`arn:x`" with input as refused
}

test_a_version_contains_only_once_it_is_the_default if {
	grant.response == [] with input as call("CreatePolicyVersion", {"setAsDefault": false})
	grant.response == [] with input as call("CreatePolicyVersion", null)
	grant.response == ["contain"] with input as call("CreatePolicyVersion", {"setAsDefault": "true"})
	grant.response == ["contain"] with input as call("CreatePolicy", {"policyName": "p"})
}

test_a_call_writes_a_document_or_attaches_one_or_neither if {
	grant.writes_document with input as call("CreatePolicyVersion", {})
	not grant.attaches with input as call("CreatePolicyVersion", {})
	grant.attaches with input as call("AttachGroupPolicy", {})
	not grant.writes_document with input as call("AttachGroupPolicy", {})
	not grant.attaches with input as call("DetachUserPolicy", {})
	not grant.writes_document with input as testing.call("s3.amazonaws.com:PutUserPolicy", {})
}
