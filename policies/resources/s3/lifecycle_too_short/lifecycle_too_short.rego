package resources.s3.lifecycle_too_short

import data.lib.bucket
import data.lib.lifecycle

# METADATA
# entrypoint: true
# title: Lifecycle of a bucket deletes sooner than its class allows
# description: Lifecycle rules delete data without an API call, so a rule that deletes too soon is a silent mass deletion.
# schemas:
#   - input: schema.bucket
# custom:
#   id: BKT-21
#   severity: critical
#   mode: enforce
#   kind: bucket
#   controls:
#     - ISO 27001:2022 A.8.13
#     - ISO 27001:2022 A.8.10
#     - PCI DSS 4.0.1 10.5.1
#     - NIST CSF 2.0 PR.DS-11
#     - SOC 2 A1.2
#     - GDPR 32
#     - Security Hub S3.10
#     - Security Hub S3.13
#   attack: [T1490, T1485.001]
#   runbook: docs/runbooks/lifecycle.md
findings contains finding if {
	count(_too_soon) > 0
	finding := {
		"message": $"lifecycle of bucket `{bucket.name}` deletes too soon for class `{input.desired.class}`: {concat("; ", sort(_too_soon))}",
		"resource": input.resource.arn,
		"propose": ["restore"],
		"evidence": {"class": input.desired.class, "too_soon": sort(_too_soon)},
	}
}

_too_soon contains $"current versions must not expire: {lifecycle.sentence(effect)}" if {
	lifecycle.class.current_versions_expire == false
	some effect in lifecycle.live
	effect.does == "expire"
}

_too_soon contains $"sooner than after {_least} days: {lifecycle.sentence(effect)}" if {
	some effect in lifecycle.live
	effect.does == "expire"
	effect.days < _least
}

_too_soon contains $"sooner than after {_least_noncurrent} days: {lifecycle.sentence(effect)}" if {
	some effect in lifecycle.live
	effect.does == "expire noncurrent versions"
	effect.days < _least_noncurrent
}

_least := lifecycle.class.expiration_days if {
	lifecycle.class.expiration_days
} else := lifecycle.class.shortest_expiration_days

_least_noncurrent := lifecycle.class.noncurrent_days if {
	lifecycle.class.noncurrent_days
} else := lifecycle.class.shortest_noncurrent_days
