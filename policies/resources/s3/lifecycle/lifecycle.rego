package resources.s3.lifecycle

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
	_declared
	count(_added) + count(_missing) > 0
	finding := {
		"message": $"lifecycle of bucket `{_name}` is not as declared: {concat("; ", _differences)}",
		"resource": input.resource.arn,
		"propose": ["restore"],
		"evidence": {"added": _added, "missing": _missing},
	}
}

# A declared lifecycle is exact and goes first. The class speaks for buckets that
# declare none, and there `restore` means the last approved baseline.
findings contains finding if {
	input.resource.kind == "bucket"
	not _declared
	count(_violations) > 0
	finding := {
		"message": $"lifecycle of bucket `{_name}` does not fit class `{input.desired.class}`: {concat("; ", sort(_violations))}",
		"resource": input.resource.arn,
		"propose": ["restore"],
		"evidence": {"class": input.desired.class, "violations": sort(_violations)},
	}
}

# A class that nobody specified guards nothing: somebody misspelt it.
findings contains finding if {
	input.resource.kind == "bucket"
	not _declared
	is_string(input.desired.class)
	not _spec
	finding := {
		"message": $"bucket `{_name}` is of class `{input.desired.class}`, which has no lifecycle spec",
		"resource": input.resource.arn,
		"propose": [],
		"evidence": {"class": input.desired.class},
	}
}

_declared if is_array(input.desired.lifecycle)

_live := lifecycle.effects(object.get(input.resource.live, "lifecycle", []))

_wanted := lifecycle.effects(input.desired.lifecycle)

_added := sort([lifecycle.sentence(effect) | some effect in _live; not effect in _wanted])

_missing := sort([lifecycle.sentence(effect) | some effect in _wanted; not effect in _live])

_differences := array.concat([$"added: {text}" | some text in _added], [$"missing: {text}" | some text in _missing])

_spec := data.lifecycle[input.desired.class]

_violations contains $"current versions must not expire: {lifecycle.sentence(effect)}" if {
	_spec.current_versions_expire == false
	some effect in _live
	effect.does == "expire"
}

_violations contains $"sooner than after {_soonest} days: {lifecycle.sentence(effect)}" if {
	some effect in _live
	effect.does == "expire"
	effect.days < _soonest
}

_violations contains $"sooner than after {_shortest} days: {lifecycle.sentence(effect)}" if {
	some effect in _live
	effect.does == "expire noncurrent versions"
	effect.days < _shortest
}

_violations contains $"missing: expire noncurrent versions after {_spec.noncurrent_days} days in the whole bucket" if {
	days := _spec.noncurrent_days
	every effect in _live {
		[effect.does, effect.days, effect.prefix] != ["expire noncurrent versions", days, ""]
	}
}

_violations contains $"missing: expire after {_spec.expiration_days} days" if {
	days := _spec.expiration_days
	every effect in _live {
		[effect.does, effect.days] != ["expire", days]
	}
}

_violations contains $"missing: {does} after {step.days} days" if {
	step := _spec.transition
	does := $"move to {step.storage_class}"
	every effect in _live {
		[effect.does, effect.days] != [does, step.days]
	}
}

_soonest := _spec.expiration_days if {
	_spec.expiration_days
} else := _spec.shortest_expiration_days

_shortest := _spec.noncurrent_days if {
	_spec.noncurrent_days
} else := _spec.shortest_noncurrent_days

_name := trim_prefix(input.resource.arn, "arn:aws:s3:::")
