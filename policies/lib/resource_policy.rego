# METADATA
# title: What a resource policy means, whatever the order and spelling of its parts
package lib.resource_policy

import data.lib.iam_policy

# METADATA
# title: The statements in one spelling
# description: >-
#   Equal sets mean equal policies. A policy whose statements cannot be found is a set of itself, equal to nothing else.
meaning(policy) := {_canonical(statement, policy) | some statement in iam_policy.as_array(policy.Statement)} if {
	iam_policy.as_array(policy.Statement)
} else := {policy}

# METADATA
# title: Statements, short enough for an alert
names(statements) := sort([_name(statement) | some statement in statements])

# `Sid` is a label. `Version` decides only how variables are read, so it belongs to each statement.
_canonical(statement, policy) := object.union(
	{key: _element(key, value) |
		some key, value in statement
		key != "Sid"
	},
	{"Version": object.get(policy, "Version", "2008-10-17")},
) if {
	is_object(statement)
} else := statement

_element("Effect", value) := value

_element(key, value) := _set(value, true) if key in {"Action", "NotAction"}

_element(key, value) := _set(value, false) if key in {"Resource", "NotResource"}

_element(key, value) := _principals(value) if key in {"Principal", "NotPrincipal"}

_element("Condition", value) := _conditions(value)

_element(key, value) := value if {
	not key in {
		"Action", "Condition", "Effect", "NotAction",
		"NotPrincipal", "NotResource", "Principal", "Resource",
	}
}

_set(value, caseless) := {_text(item, caseless) | some item in value} if {
	is_array(value)
} else := {_text(value, caseless)}

_text(value, true) := lower(value) if {
	is_string(value)
} else := value

_text(value, false) := json.marshal(value) if {
	not is_string(value)
} else := value

# `"*"` is short for `{"AWS": "*"}`, and a root, in whichever partition, stands for its account.
_principals(value) := {"AWS": {"*"}} if {
	value == "*"
} else := {kind: {_account(item) | some item in _set(who, false)} |
	some kind, who in value
}

_account(principal) := parts[4] if {
	parts := split(principal, ":")
	[parts[0], parts[2], parts[5]] == ["arn", "iam", "root"]
} else := principal

_conditions(value) := {operator: _keys(keys) | some operator, keys in value}

_keys(keys) := {lower(key): _set(values, false) | some key, values in keys}

_name(statement) := concat(" ", array.concat([_effect(statement)], sort([action | some action in _actions(statement)])))

_effect(statement) := statement.Effect if {
	is_string(statement.Effect)
} else := "unreadable statement"

_actions(statement) := statement.Action if {
	is_set(statement.Action)
} else := {$"all but {action}" | some action in statement.NotAction}
