package resources.s3.versioning

import data.lib.bucket

# METADATA
# entrypoint: true
# title: Versioning of a protected bucket is off
# description: Without versions an overwrite or a delete destroys the only copy.
# schemas:
#   - input: schema.bucket
# custom:
#   id: BKT-01
#   severity: critical
#   mode: enforce
#   kind: bucket
#   controls:
#     - ISO 27001:2022 A.8.13
#     - ISO 27001:2022 A.8.10
#     - PCI DSS 4.0.1 10.5.1
#     - NIST CSF 2.0 PR.DS-11
#     - NIST CSF 2.0 PR.DS-01
#     - SOC 2 A1.2
#     - CIS AWS 3.0 2.1.2
#     - CIS AWS 5.0 2.1.2
#     - GDPR 32
#     - Security Hub S3.14
#   attack: [T1490, T1485.001]
#   runbook: docs/runbooks/versioning.md
findings contains finding if {
	input.resource.kind == "bucket"
	input.desired.versioning == "Enabled"
	_live != "Enabled"
	finding := {
		"message": $"versioning of bucket `{bucket.name}` is {_found}, not on",
		"resource": input.resource.arn,
		"propose": ["restore"],
		"evidence": {"versioning": _live},
	}
}

_live := object.get(input.resource.live, "versioning", null)

_found := "suspended" if {
	_live == "Suspended"
} else := "off" if {
	_live == "Unversioned"
} else := "unknown"
