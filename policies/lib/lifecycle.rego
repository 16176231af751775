# METADATA
# title: What lifecycle rules do, whatever their number, order and names
package lib.lifecycle

# METADATA
# title: The effects of the rules that a bucket has
live := effects(object.get(input.resource.live, "lifecycle", []))

# METADATA
# title: The strategy declares each rule
# description: What is declared is exact and goes before the class, which speaks for buckets that declare none.
declared if is_array(input.desired.lifecycle)

# METADATA
# title: What the bucket's class asks for
# description: Undefined where rules are declared, and for a class that `data.lifecycle` does not have.
class := data.lifecycle[input.desired.class] if {
	input.resource.kind == "bucket"
	not declared
}

# METADATA
# title: The effects of rules
# description: One entry for each thing that an enabled rule does.
effects(rules) := {effect |
	some rule in rules
	rule.status == "Enabled"
	some effect in _does(rule)
}

# METADATA
# title: An effect, for a sentence
sentence(effect) := $"{effect.does} {effect.when} {_under(effect.prefix)}{_only(effect.filter)}"

_does(rule) := array.concat(array.concat(_after_days(rule), _on_date(rule)), _moves(rule))

_after_days(rule) := [effect |
	some field, does in {
		"abort_incomplete_days": "drop incomplete uploads",
		"expiration_days": "expire",
		"noncurrent_days": "expire noncurrent versions",
	}
	days := rule[field]
	is_number(days)
	effect := _effect(rule, does, days, $"after {_span(days)}{_but(field, rule)}")
]

_on_date(rule) := [_effect(rule, "expire", 0, $"on {rule.expiration_date}")] if {
	is_string(rule.expiration_date)
} else := []

_moves(rule) := [effect |
	some field, does in {"transitions": "move", "noncurrent_transitions": "move noncurrent versions"}
	some step in rule[field]
	effect := _effect(rule, $"{does} to {step.storage_class}", step.days, $"after {_span(step.days)}")
]

_effect(rule, does, days, when) := {
	"does": does,
	"days": days,
	"when": when,
	"prefix": _prefix(rule),
	"filter": _filter(rule),
}

# What else narrows a rule: one that spares large objects is not one for all.
_filter(rule) := {field: rule[field] |
	some field in ["tags", "larger_than", "smaller_than"]
	not rule[field] in [null, {}]
}

_only(filter) := "" if {
	filter == {}
} else := $", only where {json.marshal(filter)}"

_span(days) := "1 day" if {
	days == 1
} else := $"{days} days"

_but(field, rule) := $" but for the newest {rule.newer_noncurrent_versions}" if {
	field == "noncurrent_days"
	is_number(rule.newer_noncurrent_versions)
	rule.newer_noncurrent_versions > 0
} else := ""

_prefix(rule) := rule.prefix if {
	is_string(rule.prefix)
} else := ""

_under("") := "in the whole bucket"

_under(prefix) := $"under `{prefix}`" if prefix != ""
