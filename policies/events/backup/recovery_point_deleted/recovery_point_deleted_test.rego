package events.backup.recovery_point_deleted_test

import data.events.backup.recovery_point_deleted.findings

point := "arn:aws:backup:eu-west-1:111122223333:recovery-point:7f1c2a44-90d3-4c1e-8d62-0c5f7d1b9e21"

vault := "arn:aws:backup:eu-west-1:111122223333:backup-vault:securecart-vault"

deletion := {
	"event": {
		"eventSource": "backup.amazonaws.com",
		"eventName": "DeleteRecoveryPoint",
		"awsRegion": "eu-west-1",
		"recipientAccountId": "111122223333",
		"userIdentity": {"type": "IAMUser"},
		"requestParameters": {"backupVaultName": "securecart-vault", "recoveryPointArn": point},
	},
	"principal": {
		"kind": "iam_user",
		"name": "ines",
		"arn": "arn:aws:iam::111122223333:user/ines",
		"session": null,
		"invoked_by": null,
		"flags": {"agent": false, "break_glass": false, "service_linked": false},
	},
	"account": {"id": "111122223333"},
}

with_event(change) := object.union(deletion, {"event": change})

with_principal(change) := object.union(deletion, {"principal": change})

only(found) := finding if {
	count(found) == 1
	some finding in found
}

test_a_deletion_by_hand_contains_the_actor_and_holds_the_vault if {
	finding := only(findings) with input as deletion
	finding.propose == ["contain", "freeze"]
	finding.resource == vault
	finding.evidence == {"denied": false, "recovery_point": point}
	finding.message == concat("", ["`ines` deleted recovery point `", point, "` from vault `securecart-vault`"])
}

test_a_role_session_is_named_with_its_session if {
	found := findings with input as with_principal({"kind": "assumed_role", "name": "deploy", "session": "run-7"})
	startswith(only(found).message, "`deploy/run-7` deleted")
}

test_a_principal_without_name_is_named_by_what_is_known_of_it if {
	root := with_principal({"kind": "root", "name": null, "arn": "arn:aws:iam::111122223333:root"})
	startswith(only(findings).message, "`arn:aws:iam::111122223333:root` deleted") with input as root
	unknown := with_principal({"kind": "unknown", "name": null, "arn": null})
	startswith(only(findings).message, "`unknown` deleted") with input as unknown
	nobody := object.remove(deletion, ["principal"])
	startswith(only(findings).message, "`unknown` deleted") with input as nobody
}

test_a_refused_try_is_told_but_not_answered if {
	refused := with_event({
		"errorCode": "AccessDeniedException",
		"requestParameters": null,
		"denied": {"principal": null, "action": "backup:DeleteRecoveryPoint", "resource": point},
	})
	finding := only(findings) with input as refused
	finding.propose == []
	finding.evidence == {"denied": true, "recovery_point": point}
	not finding.resource
	endswith(finding.message, "and was refused")
}

test_a_try_refused_on_the_vault_names_the_vault if {
	refused := with_event({
		"errorCode": "AccessDenied",
		"requestParameters": null,
		"denied": {"principal": null, "action": null, "resource": vault},
	})
	finding := only(findings) with input as refused
	finding.resource == vault
	finding.evidence.recovery_point == null
}

test_a_try_that_a_legal_hold_refused_is_told if {
	held := with_event({"errorCode": "InvalidRequestException"})
	only(findings).propose == [] with input as held
}

test_a_call_that_failed_for_want_of_a_point_is_silent if {
	count(findings) == 0 with input as with_event({"errorCode": "ResourceNotFoundException"})
	count(findings) == 0 with input as with_event({"errorCode": "ThrottlingException"})
}

test_an_empty_error_code_is_success if {
	only(findings).evidence.denied == false with input as with_event({"errorCode": null})
	only(findings).evidence.denied == false with input as with_event({"errorCode": ""})
}

test_the_end_of_a_lifecycle_is_silent if {
	count(findings) == 0 with input as with_principal({"invoked_by": "backup.amazonaws.com"})
	role := "arn:aws:iam::111122223333:role/aws-service-role/backup.amazonaws.com/AWSServiceRoleForBackup"
	count(findings) == 0 with input as with_principal({"kind": "service_linked_role", "arn": role})
}

test_another_service_in_between_does_not_excuse if {
	only(findings) with input as with_principal({"invoked_by": "cloudformation.amazonaws.com"})
}

test_an_approved_principal_is_silent if {
	count(findings) == 0 with input as deletion with data.approved.may_delete_recovery_points as [deletion.principal.arn]
	count(findings) == 1 with input as deletion with data.approved.may_delete_recovery_points as ["arn:aws:iam::111122223333:role/other"]
}

test_break_glass_is_held_but_never_contained if {
	only(findings).propose == ["freeze"] with input as with_principal({"flags": {"break_glass": true}})
}

test_a_service_is_never_contained if {
	only(findings).propose == ["freeze"] with input as with_principal({"kind": "service"})
	only(findings).propose == ["freeze"] with input as with_principal({"flags": {"service_linked": true}})
}

test_the_agent_does_not_answer_itself if {
	only(findings).propose == [] with input as with_principal({"flags": {"agent": true}})
}

test_missing_or_wrong_parameters_still_fire if {
	every parameters in [null, "", [], {"backupVaultName": 7, "recoveryPointArn": []}] {
		found := findings with input as with_event({"requestParameters": parameters})
		not only(found).resource
		only(found).evidence.recovery_point == null
		only(found).message == "`ines` deleted a recovery point"
	}
}

test_a_vault_without_a_point_is_named if {
	pointless := with_event({"requestParameters": {"recoveryPointArn": null}})
	finding := only(findings) with input as pointless
	endswith(finding.message, "a recovery point from vault `securecart-vault`")
}

test_a_vault_in_another_partition_gets_its_arn if {
	chinese := with_event({"awsRegion": "cn-north-1"})
	startswith(only(findings).resource, "arn:aws-cn:backup:cn-north-1:111122223333:") with input as chinese
	federal := with_event({"awsRegion": "us-gov-west-1"})
	startswith(only(findings).resource, "arn:aws-us-gov:backup:us-gov-west-1:") with input as federal
}

test_the_account_watched_stands_in_for_a_missing_recipient if {
	unaddressed := object.union(deletion, {"event": {"recipientAccountId": null}})
	only(findings).resource == vault with input as unaddressed
}

test_other_events_are_silent if {
	count(findings) == 0 with input as with_event({"eventName": "DescribeRecoveryPoint"})
	count(findings) == 0 with input as with_event({"eventSource": "s3.amazonaws.com"})
	count(findings) == 0 with input as {}
}
