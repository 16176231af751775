package lib.event_test

import data.lib.event
import data.lib.testing

deletion := testing.call("backup.amazonaws.com:DeleteBackupVault", {"backupVaultName": "main"})

test_a_call_without_error_code_succeeded if {
	every code in [null, ""] {
		event.succeeded with input as testing.changed(deletion, {"event": {"errorCode": code}})
	}
	event.succeeded with input as deletion
	not event.denied with input as deletion
}

test_a_call_that_was_refused_is_denied if {
	event.denied with input as testing.refused(deletion)
	not event.succeeded with input as testing.refused(deletion)
}

test_what_the_agent_read_from_the_message_is_a_denial_too if {
	event.denied with input as testing.changed(deletion, {"event": {"errorCode": "Odd", "denied": {"action": null}}})
}

test_a_call_that_failed_otherwise_neither_succeeded_nor_was_denied if {
	failed := testing.changed(deletion, {"event": {"errorCode": "ThrottlingException"}})
	not event.succeeded with input as failed
	not event.denied with input as failed
}

test_parameters_are_an_object_whatever_was_recorded if {
	event.parameters.backupVaultName == "main" with input as deletion
	every odd in [null, "", [], 7] {
		event.parameters == {} with input as testing.changed(deletion, {"event": {"requestParameters": odd}})
	}
}

test_parameters_too_large_are_omitted if {
	event.omitted with input as testing.call("iam.amazonaws.com:PutRolePolicy", {"omitted": true, "originalSize": 122341})
	not event.omitted with input as deletion
}

test_the_actor_is_named_by_what_is_known if {
	event.actor == "ines" with input as deletion
	event.actor == "deploy/run-7" with input as testing.by(deletion, {"name": "deploy", "session": "run-7"})
	root := {"kind": "root", "name": null, "arn": "arn:aws:iam::111122223333:root"}
	event.actor == "arn:aws:iam::111122223333:root" with input as testing.by(deletion, root)
	event.actor == "unknown" with input as testing.by(deletion, {"kind": "unknown", "name": null, "arn": null})
	event.actor == "unknown" with input as object.remove(deletion, ["principal"])
}

test_only_a_service_is_a_service if {
	event.by_service with input as testing.by(deletion, {"invoked_by": "rds.amazonaws.com"})
	every other in [null, "amazonaws.com", "rds.amazonaws.com.example.org"] {
		not event.by_service with input as testing.by(deletion, {"invoked_by": other})
	}
}

test_an_arn_is_of_the_partition_region_and_account_of_the_act if {
	event.arn("backup", "backup-vault:main") == testing.vault_arn("main") with input as deletion
	chinese := testing.changed(deletion, {"event": {"awsRegion": "cn-north-1"}})
	startswith(event.arn("backup", "x"), "arn:aws-cn:backup:cn-north-1:111122223333:") with input as chinese
	federal := testing.changed(deletion, {"event": {"awsRegion": "us-gov-west-1"}})
	startswith(event.arn("backup", "x"), "arn:aws-us-gov:backup:us-gov-west-1:") with input as federal
}

test_the_account_watched_stands_in_for_a_missing_recipient if {
	unaddressed := testing.changed(deletion, {"event": {"recipientAccountId": null}, "account": {"id": "222233334444"}})
	event.account == "222233334444" with input as unaddressed
}
