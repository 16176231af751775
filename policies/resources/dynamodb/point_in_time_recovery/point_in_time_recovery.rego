package resources.dynamodb.point_in_time_recovery

import data.lib.table

# METADATA
# entrypoint: true
# title: Point-in-time recovery of a protected table is off or too short
# description: What lies before the window is gone at once; to widen the window again does not bring it back.
# schemas:
#   - input: schema.table
# custom:
#   id: DDB-01
#   severity: critical
#   mode: enforce
#   kind: table
#   controls:
#     - ISO 27001:2022 A.8.13
#     - PCI DSS 4.0.1 12.10.1
#     - NIST CSF 2.0 PR.DS-11
#     - SOC 2 A1.2
#     - GDPR 32
#     - Security Hub DynamoDB.2
#   attack: [T1490]
#   runbook: docs/runbooks/point_in_time_recovery.md
findings contains finding if {
	input.resource.kind == "table"
	input.resource.live.status != "DELETING"
	_days < input.desired.recovery_days
	finding := {
		"message": $"point-in-time recovery of table `{table.name}` {_found}, not {input.desired.recovery_days} day(s)",
		"resource": input.resource.arn,
		"propose": ["restore"],
		"evidence": {"recovery_days": _days},
	}
}

_days := input.resource.live.recovery_days if {
	is_number(input.resource.live.recovery_days)
} else := 0

_found := "is off" if {
	_days == 0
} else := $"reaches back {_days} day(s)"
