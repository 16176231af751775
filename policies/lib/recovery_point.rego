# METADATA
# title: Which recovery point, and in which vault
# description: What a call to AWS Backup is about, from its parameters or from the message of a denied call.
package lib.recovery_point

import data.lib.event

# METADATA
# title: The name of the vault
vault_name := event.parameters.backupVaultName if is_string(event.parameters.backupVaultName)

# METADATA
# title: The vault as the resource of a finding
# description: Empty when the record does not name it.
target := {"resource": event.arn("backup", $"backup-vault:{vault_name}")} if {
	vault_name
} else := {"resource": input.event.denied.resource} if {
	contains(input.event.denied.resource, ":backup-vault:")
} else := {}

# METADATA
# title: The ARN of the recovery point, or `null`
arn := event.parameters.recoveryPointArn if {
	is_string(event.parameters.recoveryPointArn)
} else := input.event.denied.resource if {
	is_string(input.event.denied.resource)
	not contains(input.event.denied.resource, ":backup-vault:")
} else := null

# METADATA
# title: The recovery point, for a sentence
named := $"recovery point `{arn}` from vault `{vault_name}`" if {
	arn != null
	vault_name
} else := $"recovery point `{arn}`" if {
	arn != null
} else := $"a recovery point from vault `{vault_name}`" if {
	vault_name
} else := "a recovery point"
