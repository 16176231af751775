package resources.dynamodb.deletion_protection

import data.lib.table

# METADATA
# entrypoint: true
# title: Deletion protection of a protected table is off
# description: One call deletes the table, and its point-in-time recovery with it.
# schemas:
#   - input: schema.table
# custom:
#   id: DDB-02
#   severity: high
#   mode: enforce
#   kind: table
#   controls:
#     - ISO 27001:2022 A.8.14
#     - NIST CSF 2.0 PR.IR-03
#     - SOC 2 A1.2
#     - GDPR 32
#     - Security Hub DynamoDB.6
#   attack: [T1485]
#   runbook: docs/runbooks/deletion_protection.md
findings contains finding if {
	input.resource.kind == "table"
	input.resource.live.status != "DELETING"
	input.desired.deletion_protection == true
	not input.resource.live.deletion_protection
	finding := {
		"message": $"deletion protection of table `{table.name}` is off",
		"resource": input.resource.arn,
		"propose": ["restore"],
		"evidence": {"deletion_protection": false},
	}
}
