package events.kms.key_disabled_test

import data.events.kms.key_disabled.findings
import data.lib.testing

key := "arn:aws:kms:eu-west-1:111122223333:key/2d9c31f4-5b1e-4f0a-9a77-7d2f5e8c4b10"

call(name, parameters) := testing.changed(
	testing.call($"kms.amazonaws.com:{name}", parameters),
	{"event": {"resources": [{"ARN": key, "accountId": "111122223333", "type": "AWS::KMS::Key"}]}},
)

test_scheduling_deletion_contains_and_restores if {
	finding := testing.only(findings) with input as call("ScheduleKeyDeletion", {"keyId": "2d9c31f4", "pendingWindowInDays": 7})
	finding.propose == ["contain", "restore"]
	finding.resource == key
	finding.evidence == {"denied": false, "pending_days": 7}
	finding.message == $"`ines` scheduled the deletion of key `{key}` in 7 days"
}

test_a_deletion_without_parameters_still_fires if {
	every parameters in [null, {}, {"pendingWindowInDays": "7"}] {
		testing.only(findings).resource == key with input as call("ScheduleKeyDeletion", parameters)
	}
}

test_disabling_contains_and_restores if {
	finding := testing.only(findings) with input as call("DisableKey", {"keyId": key})
	finding.propose == ["contain", "restore"]
	finding.evidence == {"denied": false}
}

test_deleted_material_is_beyond_restoring if {
	testing.only(findings).propose == ["contain"] with input as call("DeleteImportedKeyMaterial", {"keyId": key})
}

test_a_refused_call_is_reported_and_answered_by_nothing if {
	every name in ["ScheduleKeyDeletion", "DisableKey", "DeleteImportedKeyMaterial"] {
		found := findings with input as testing.refused(call(name, null))
		testing.only(found).propose == []
		testing.only(found).evidence == {"denied": true}
	}
}

test_a_call_that_failed_otherwise_is_silent if {
	failed := testing.changed(call("DisableKey", {"keyId": key}), {"event": {"errorCode": "NotFoundException"}})
	count(findings) == 0 with input as failed
}

test_a_key_that_protects_nothing_is_silent if {
	count(findings) == 1 with input as call("DisableKey", {"keyId": key}) with data.protected.keys as [key]
	count(findings) == 0 with input as call("DisableKey", {"keyId": key}) with data.protected.keys as ["arn:other"]
}

test_other_events_are_silent if {
	count(findings) == 0 with input as call("Decrypt", {"encryptionContext": {}})
	count(findings) == 0 with input as {}
}
