package resources.s3.lifecycle

import data.lib.bucket
import data.lib.lifecycle

# METADATA
# entrypoint: true
# title: Lifecycle of a protected bucket is not as declared
# description: Lifecycle rules delete data without an API call, so a wrong rule is a silent mass deletion.
# schemas:
#   - input: schema.bucket
# custom:
#   id: BKT-02
#   severity: critical
#   mode: enforce
#   kind: bucket
#   controls:
#     - ISO 27001:2022 A.8.13
#     - ISO 27001:2022 A.8.10
#     - PCI DSS 4.0.1 10.5.1
#     - PCI DSS 4.0.1 3.2.1
#     - NIST CSF 2.0 PR.DS-11
#     - SOC 2 A1.2
#     - SOC 2 C1.2
#     - GDPR 5(1)(e)
#     - GDPR 32
#     - Security Hub S3.10
#     - Security Hub S3.13
#   attack: [T1490, T1485.001]
#   runbook: docs/runbooks/lifecycle.md
findings contains finding if {
	input.resource.kind == "bucket"
	lifecycle.declared
	count(_added) + count(_missing) > 0
	finding := {
		"message": $"lifecycle of bucket `{bucket.name}` is not as declared: {concat("; ", _differences)}",
		"resource": input.resource.arn,
		"propose": ["restore"],
		"evidence": {"added": _added, "missing": _missing},
	}
}

_wanted := lifecycle.effects(input.desired.lifecycle)

_added := sort([lifecycle.sentence(effect) | some effect in (lifecycle.live - _wanted)])

_missing := sort([lifecycle.sentence(effect) | some effect in (_wanted - lifecycle.live)])

_differences := array.concat([$"added: {text}" | some text in _added], [$"missing: {text}" | some text in _missing])
