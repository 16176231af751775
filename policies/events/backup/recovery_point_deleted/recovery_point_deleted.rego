package events.backup.recovery_point_deleted

import data.lib.event

# METADATA
# entrypoint: true
# title: Recovery point deleted by hand
# description: Somebody other than AWS Backup's own lifecycle deleted a recovery point, or tried to.
# schemas:
#   - input: schema.event
# custom:
#   id: BKP-01
#   severity: critical
#   mode: enforce
#   events: ["backup.amazonaws.com:DeleteRecoveryPoint"]
#   controls:
#     - ISO 27001:2022 A.8.13
#     - ISO 27001:2022 A.5.33
#     - PCI DSS 4.0.1 9.4.1.1
#     - PCI DSS 4.0.1 12.10.1
#     - NIST CSF 2.0 PR.DS-11
#     - NIST CSF 2.0 RS.MI-01
#     - SOC 2 A1.2
#     - SOC 2 CC7.4
#     - GDPR 32(1)(b)
#     - GDPR 32(1)(c)
#   attack: [T1490, T1485]
#   runbook: docs/runbooks/recovery_point_deleted.md
findings contains object.union(_vault, finding) if {
	_by_hand
	event.succeeded
	finding := {
		"message": $"`{event.actor}` deleted {_point}",
		"propose": event.proposable(["contain", "freeze"]),
		"evidence": {"denied": false, "recovery_point": _point_arn},
	}
}

findings contains object.union(_vault, finding) if {
	_by_hand
	_refused
	finding := {
		"message": $"`{event.actor}` tried to delete {_point} and was refused",
		"propose": [],
		"evidence": {"denied": true, "recovery_point": _point_arn},
	}
}

_by_hand if {
	input.event.eventSource == "backup.amazonaws.com"
	input.event.eventName == "DeleteRecoveryPoint"
	not _lifecycle
	not event.approved("may_delete_recovery_points")
}

# Deleting what has expired is AWS Backup's daily work. Nobody else can write
# `invokedBy`, nor create a role under `/aws-service-role/`.
_lifecycle if input.principal.invoked_by == "backup.amazonaws.com"

_lifecycle if contains(input.principal.arn, ":role/aws-service-role/backup.amazonaws.com/")

_refused if event.denied

# A legal hold or a vault lock refuses in these words.
_refused if input.event.errorCode in {"InvalidParameterValueException", "InvalidRequestException"}

_vault := {"resource": event.arn("backup", $"backup-vault:{_vault_name}")} if {
	_vault_name
} else := {"resource": input.event.denied.resource} if {
	contains(input.event.denied.resource, ":backup-vault:")
} else := {}

_vault_name := event.parameters.backupVaultName if is_string(event.parameters.backupVaultName)

_point_arn := event.parameters.recoveryPointArn if {
	is_string(event.parameters.recoveryPointArn)
} else := input.event.denied.resource if {
	is_string(input.event.denied.resource)
	not contains(input.event.denied.resource, ":backup-vault:")
} else := null

_point := $"recovery point `{_point_arn}` from vault `{_vault_name}`" if {
	_point_arn != null
	_vault_name
} else := $"recovery point `{_point_arn}`" if {
	_point_arn != null
} else := $"a recovery point from vault `{_vault_name}`" if {
	_vault_name
} else := "a recovery point"
