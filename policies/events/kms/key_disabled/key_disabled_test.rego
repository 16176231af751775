package events.kms.key_disabled_test

import data.events.kms.key_disabled.findings

key := "arn:aws:kms:eu-west-1:111122223333:key/2d9c31f4-5b1e-4f0a-9a77-7d2f5e8c4b10"

call(name, parameters) := {
	"event": {
		"eventSource": "kms.amazonaws.com",
		"eventName": name,
		"awsRegion": "eu-west-1",
		"recipientAccountId": "111122223333",
		"requestParameters": parameters,
		"resources": [{"ARN": key, "accountId": "111122223333", "type": "AWS::KMS::Key"}],
	},
	"principal": {
		"kind": "iam_user",
		"name": "ines",
		"arn": "arn:aws:iam::111122223333:user/ines",
		"flags": {"agent": false, "break_glass": false, "service_linked": false},
	},
	"account": {"id": "111122223333"},
}

without_resources(document) := object.union(document, {"event": {"resources": []}})

refused(name, parameters) := object.union(call(name, parameters), {"event": {"errorCode": "AccessDenied"}})

only(found) := finding if {
	count(found) == 1
	some finding in found
}

policy(statement) := call("PutKeyPolicy", {
	"keyId": key,
	"policyName": "default",
	"policy": json.marshal({"Version": "2012-10-17", "Statement": [own, statement]}),
})

own := {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}

lets_in(principal) := {"Effect": "Allow", "Principal": principal, "Action": "kms:Decrypt", "Resource": "*"}

outsiders(statement) := only(found).evidence.outsiders if found := findings with input as policy(statement)

silent(document) if count(findings) == 0 with input as document

test_scheduling_deletion_contains_and_restores if {
	finding := only(findings) with input as call("ScheduleKeyDeletion", {"keyId": "2d9c31f4", "pendingWindowInDays": 7})
	finding.propose == ["contain", "restore"]
	finding.resource == key
	finding.evidence == {"denied": false, "pending_days": 7}
	finding.message == concat("", ["`ines` scheduled the deletion of key `", key, "` in 7 days"])
}

test_a_deletion_without_parameters_still_fires if {
	every parameters in [null, {}, {"pendingWindowInDays": "7"}] {
		only(findings).resource == key with input as call("ScheduleKeyDeletion", parameters)
	}
}

test_disabling_contains_and_restores if {
	only(findings).propose == ["contain", "restore"] with input as call("DisableKey", {"keyId": key})
}

test_deleted_material_is_beyond_restoring if {
	only(findings).propose == ["contain"] with input as call("DeleteImportedKeyMaterial", {"keyId": key})
}

test_without_resources_the_key_is_found_in_the_parameters if {
	only(findings).resource == key with input as without_resources(call("DisableKey", {"keyId": key}))
	bare := without_resources(call("DisableKey", {"keyId": "2d9c31f4-5b1e-4f0a-9a77-7d2f5e8c4b10"}))
	only(findings).resource == key with input as bare
}

test_an_alias_names_the_key_without_an_arn if {
	found := findings with input as without_resources(call("DisableKey", {"keyId": "alias/backup"}))
	not only(found).resource
	only(found).message == "`ines` disabled key `alias/backup`"
	nameless := findings with input as without_resources(call("DisableKey", null))
	only(nameless).message == "`ines` disabled a key"
}

test_a_policy_that_lets_an_outsider_in_contains if {
	finding := only(findings) with input as policy(lets_in({"AWS": "arn:aws:iam::999988887777:root"}))
	finding.propose == ["contain"]
	finding.evidence.outsiders == ["arn:aws:iam::999988887777:root"]
}

test_every_spelling_of_an_outsider_is_seen if {
	outsiders(lets_in({"AWS": "999988887777"})) == ["999988887777"]
	outsiders(lets_in("*")) == ["*"]
	outsiders(lets_in({"AWS": "*"})) == ["*"]
	outsiders(lets_in({"AWS": ["111122223333", "arn:aws:iam::999988887777:user/x"]})) == ["arn:aws:iam::999988887777:user/x"]
	outsiders({"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:user/x"}, "Action": "kms:*"}) == ["*"]
	outsiders(lets_in({"AWS": "arn:aws"})) == ["arn:aws"]
}

test_our_own_principals_are_silent if {
	silent(policy(lets_in({"AWS": ["111122223333", "arn:aws:iam::111122223333:role/x"]})))
	silent(policy(lets_in({"AWS": "arn:aws:iam::222233334444:root"})))
	silent(policy(lets_in({"Service": "backup.amazonaws.com"})))
	silent(policy(lets_in({"AWS": "AROAEXAMPLEEXAMPLE123"})))
	silent(policy({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}))
}

test_everybody_within_our_account_or_organisation_is_silent if {
	silent(near({"kms:CallerAccount": "111122223333"}))
	silent(near({"aws:PrincipalAccount": ["111122223333", "222233334444"]}))
	count(findings) == 1 with input as near({"kms:CallerAccount": ["111122223333", "999988887777"]})
	count(findings) == 1 with input as near({"aws:PrincipalOrgID": "o-other"})
	count(findings) == 0 with input as near({"aws:PrincipalOrgID": "o-ours"}) with data.approved.organisations as ["o-ours"]
	count(findings) == 1 with input as near({"kms:ViaService": "s3.eu-west-1.amazonaws.com"})
}

near(keys) := policy(object.union(lets_in("*"), {"Condition": {"StringEquals": keys}}))

test_bypassing_the_lockout_check_contains if {
	bypass := {"event": {"requestParameters": {"bypassPolicyLockoutSafetyCheck": true}}}
	finding := only(findings) with input as object.union(policy(own), bypass)
	finding.evidence.bypassed_lockout_check == true
	finding.propose == ["contain"]
}

test_a_policy_that_cannot_be_read_contains if {
	every parameters in [{"policy": "not json"}, {"policy": "{}"}, {"omitted": true, "originalSize": 110000}] {
		only(findings).evidence.unreadable == true with input as call("PutKeyPolicy", parameters)
	}
}

test_a_record_without_policy_is_told_but_not_answered if {
	only(findings).propose == [] with input as call("PutKeyPolicy", null)
}

test_a_grant_to_an_outsider_contains if {
	grant := {"keyId": key, "granteePrincipal": "arn:aws:iam::999988887777:role/x", "operations": ["Decrypt"]}
	finding := only(findings) with input as call("CreateGrant", grant)
	finding.propose == ["contain"]
	finding.evidence == {"denied": false, "grantee": "arn:aws:iam::999988887777:role/x", "operations": ["Decrypt"]}
	only(findings) with input as call("CreateGrant", {"granteePrincipal": "*"})
}

test_a_grant_to_ourselves_or_to_aws_is_silent if {
	every grantee in ["arn:aws:iam::111122223333:role/x", "arn:aws:sts::222233334444:assumed-role/r/s", "ec2.eu-west-1.amazonaws.com", "AWS Internal", 7, null] {
		silent(call("CreateGrant", {"keyId": key, "granteePrincipal": grantee}))
	}
	silent(call("CreateGrant", null))
}

test_a_grant_that_a_service_made_is_silent if {
	grant := call("CreateGrant", {"granteePrincipal": "arn:aws:iam::999988887777:role/x"})
	silent(object.union(grant, {"principal": {"invoked_by": "rds.amazonaws.com"}}))
}

test_a_refused_try_is_told_but_not_answered if {
	every name in ["ScheduleKeyDeletion", "DisableKey", "DeleteImportedKeyMaterial", "PutKeyPolicy"] {
		found := findings with input as refused(name, null)
		only(found).propose == []
		only(found).evidence == {"denied": true}
	}
	only(findings).resource == key with input as object.union(
		without_resources(refused("DisableKey", null)),
		{"event": {"denied": {"resource": key}}},
	)
}

test_a_refused_grant_counts_only_when_it_names_an_outsider if {
	silent(refused("CreateGrant", null))
	only(findings).propose == [] with input as refused("CreateGrant", {"granteePrincipal": "arn:aws:iam::999988887777:role/x"})
}

test_a_call_that_failed_otherwise_is_silent if {
	silent(object.union(call("DisableKey", {"keyId": key}), {"event": {"errorCode": "NotFoundException"}}))
}

test_with_a_list_only_its_keys_count if {
	disable := call("DisableKey", {"keyId": key})
	count(findings) == 1 with input as disable with data.protected.keys as [key]
	count(findings) == 0 with input as disable with data.protected.keys as ["arn:aws:kms:eu-west-1:111122223333:key/other"]
	unnamed := without_resources(call("DisableKey", {"keyId": "alias/backup"}))
	count(findings) == 1 with input as unnamed with data.protected.keys as [key]
}

test_an_approved_principal_is_silent if {
	count(findings) == 0 with input as call("DisableKey", null) with data.approved.may_disable_keys as ["arn:aws:iam::111122223333:user/ines"]
}

test_break_glass_is_restored_but_not_contained if {
	only(findings).propose == ["restore"] with input as object.union(call("DisableKey", null), {"principal": {"flags": {"break_glass": true}}})
}

test_other_events_are_silent if {
	silent(call("Decrypt", {"encryptionContext": {}}))
	silent({})
}
