package events.backup.recovery_point_deleted_test

import data.events.backup.recovery_point_deleted.findings
import data.lib.testing

point := "arn:aws:backup:eu-west-1:111122223333:recovery-point:7f1c2a44-90d3-4c1e-8d62-0c5f7d1b9e21"

deletion := testing.call("backup.amazonaws.com:DeleteRecoveryPoint", {
	"backupVaultName": "securecart-vault",
	"recoveryPointArn": point,
})

failed(code) := testing.changed(deletion, {"event": {"errorCode": code}})

test_a_deletion_by_hand_contains_the_actor_and_freezes_the_vault if {
	finding := testing.only(findings) with input as deletion
	finding.propose == ["contain", "freeze"]
	finding.resource == testing.vault_arn("securecart-vault")
	finding.evidence == {"denied": false, "recovery_point": point}
	finding.message == $"`ines` deleted recovery point `{point}` from vault `securecart-vault`"
}

test_a_deletion_without_parameters_still_fires if {
	every parameters in [null, "", [], {"backupVaultName": 7, "recoveryPointArn": []}] {
		found := findings with input as testing.call("backup.amazonaws.com:DeleteRecoveryPoint", parameters)
		testing.only(found).message == "`ines` deleted a recovery point"
	}
}

test_a_refused_call_is_reported_and_answered_by_nothing if {
	finding := testing.only(findings) with input as testing.refused(deletion)
	finding.propose == []
	finding.evidence == {"denied": true, "recovery_point": point}
	endswith(finding.message, "and was refused")
}

test_a_call_that_a_legal_hold_or_a_lock_refused_is_reported if {
	every code in ["InvalidRequestException", "InvalidParameterValueException"] {
		testing.only(findings).propose == [] with input as failed(code)
	}
}

test_a_call_that_failed_for_want_of_a_point_is_silent if {
	count(findings) == 0 with input as failed("ResourceNotFoundException")
	count(findings) == 0 with input as failed("ThrottlingException")
}

test_the_end_of_a_lifecycle_is_silent if {
	count(findings) == 0 with input as testing.by(deletion, {"invoked_by": "backup.amazonaws.com"})
	role := "arn:aws:iam::111122223333:role/aws-service-role/backup.amazonaws.com/AWSServiceRoleForBackup"
	count(findings) == 0 with input as testing.by(deletion, {"kind": "service_linked_role", "arn": role})
}

test_another_service_in_between_does_not_excuse if {
	testing.only(findings) with input as testing.by(deletion, {"invoked_by": "cloudformation.amazonaws.com"})
}

test_whoever_it_was_the_rule_proposes_the_same if {
	every flag in ["agent", "break_glass", "service_linked"] {
		testing.only(findings).propose == ["contain", "freeze"] with input as testing.by(deletion, {"flags": {flag: true}})
	}
}

test_other_events_are_silent if {
	count(findings) == 0 with input as testing.call("backup.amazonaws.com:DescribeRecoveryPoint", {})
	count(findings) == 0 with input as testing.call("s3.amazonaws.com:DeleteRecoveryPoint", {})
	count(findings) == 0 with input as {}
}
