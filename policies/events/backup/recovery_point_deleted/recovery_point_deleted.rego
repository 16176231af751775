package events.backup.recovery_point_deleted

import data.lib.event
import data.lib.recovery_point

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
#   approved: may_delete_recovery_points
#   runbook: docs/runbooks/recovery_point_deleted.md
findings contains object.union(recovery_point.target, finding) if {
	_by_hand
	event.succeeded
	finding := {
		"message": $"`{event.actor}` deleted {recovery_point.named}",
		"propose": ["contain", "freeze"],
		"evidence": {"denied": false, "recovery_point": recovery_point.arn},
	}
}

findings contains object.union(recovery_point.target, finding) if {
	_by_hand
	_refused
	finding := {
		"message": $"`{event.actor}` tried to delete {recovery_point.named} and was refused",
		"propose": [],
		"evidence": {"denied": true, "recovery_point": recovery_point.arn},
	}
}

_by_hand if {
	input.event.eventSource == "backup.amazonaws.com"
	input.event.eventName == "DeleteRecoveryPoint"
	not _lifecycle
}

# AWS Backup deletes what has expired every day. That spares nobody, it is another
# event: only AWS can write `invokedBy` and create roles under `/aws-service-role/`.
_lifecycle if input.principal.invoked_by == "backup.amazonaws.com"

_lifecycle if contains(input.principal.arn, ":role/aws-service-role/backup.amazonaws.com/")

_refused if event.denied

# A legal hold or a vault lock refuses with these codes.
_refused if input.event.errorCode in {"InvalidParameterValueException", "InvalidRequestException"}
