package lib.recovery_point_test

import data.lib.recovery_point
import data.lib.testing

point := "arn:aws:backup:eu-west-1:111122223333:recovery-point:7f1c2a44-90d3-4c1e-8d62-0c5f7d1b9e21"

deletion(parameters) := testing.call("backup.amazonaws.com:DeleteRecoveryPoint", parameters)

refused(resource) := testing.changed(deletion(null), {"event": {"denied": {"action": null, "resource": resource}}})

test_both_are_named_by_the_parameters if {
	whole := deletion({"backupVaultName": "main", "recoveryPointArn": point})
	recovery_point.arn == point with input as whole
	recovery_point.target == {"resource": testing.vault_arn("main")} with input as whole
	recovery_point.named == $"recovery point `{point}` from vault `main`" with input as whole
}

test_what_is_missing_is_left_out if {
	recovery_point.named == "a recovery point from vault `main`" with input as deletion({"backupVaultName": "main"})
	recovery_point.named == $"recovery point `{point}`" with input as deletion({"recoveryPointArn": point})
	every parameters in [null, "", [], {"backupVaultName": 7, "recoveryPointArn": []}] {
		recovery_point.named == "a recovery point" with input as deletion(parameters)
		recovery_point.target == {} with input as deletion(parameters)
		recovery_point.arn == null with input as deletion(parameters)
	}
}

test_a_denied_call_says_what_it_was_about if {
	recovery_point.arn == point with input as refused(point)
	recovery_point.target == {} with input as refused(point)
	recovery_point.arn == null with input as refused(testing.vault_arn("main"))
	recovery_point.target.resource == testing.vault_arn("main") with input as refused(testing.vault_arn("main"))
}
