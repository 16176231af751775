package resources.s3.lifecycle_incomplete

import data.lib.bucket
import data.lib.lifecycle

# METADATA
# entrypoint: true
# title: Lifecycle of a bucket lacks what its class asks for
# description: Nothing is lost, but data stays where it should not. A class that nobody specified guards nothing.
# schemas:
#   - input: schema.bucket
# custom:
#   id: BKT-22
#   severity: medium
#   mode: enforce
#   kind: bucket
#   controls:
#     - ISO 27001:2022 A.8.10
#     - PCI DSS 4.0.1 3.2.1
#     - SOC 2 C1.2
#     - GDPR 5(1)(e)
#     - Security Hub S3.13
#   attack: []
#   runbook: docs/runbooks/lifecycle.md
findings contains finding if {
	count(_missing) > 0
	finding := {
		"message": $"lifecycle of bucket `{bucket.name}` lacks what class `{input.desired.class}` asks for: {concat("; ", sort(_missing))}",
		"resource": input.resource.arn,
		"propose": ["restore"],
		"evidence": {"class": input.desired.class, "missing": sort(_missing)},
	}
}

findings contains finding if {
	input.resource.kind == "bucket"
	not lifecycle.declared
	is_string(input.desired.class)
	not lifecycle.class
	finding := {
		"message": $"bucket `{bucket.name}` is of class `{input.desired.class}`, which `data.lifecycle` does not have",
		"resource": input.resource.arn,
		"propose": [],
		"evidence": {"class": input.desired.class},
	}
}

_missing contains $"expire noncurrent versions after {days} days in the whole bucket" if {
	days := lifecycle.class.noncurrent_days
	every effect in lifecycle.live {
		[effect.does, effect.days, effect.prefix] != ["expire noncurrent versions", days, ""]
	}
}

_missing contains $"expire after {days} days" if {
	days := lifecycle.class.expiration_days
	every effect in lifecycle.live {
		[effect.does, effect.days] != ["expire", days]
	}
}

_missing contains $"{does} after {step.days} days" if {
	step := lifecycle.class.transition
	does := $"move to {step.storage_class}"
	every effect in lifecycle.live {
		[effect.does, effect.days] != [does, step.days]
	}
}
