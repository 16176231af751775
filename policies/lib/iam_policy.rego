# METADATA
# title: What an IAM or key policy document says, however it is written down
package lib.iam_policy

# METADATA
# title: The statements of a document
# description: Undefined when it cannot be read. A rule must then fire, because what it cannot read it cannot clear.
statements(raw) := found if {
	found := as_array(_document(raw).Statement)
	count(found) > 0
	every statement in found {
		_well_formed(statement)
	}
}

# METADATA
# title: The destructive actions that statements allow
# description: Those of `data.destructive.actions`. A deny without condition on every resource wins over any allow beside it.
destructive(found) := allowed - denied if {
	allowed := {action |
		some statement in found
		statement.Effect == "Allow"
		some action in _reach(statement)
	}
	denied := {action |
		some statement in found
		statement.Effect == "Deny"
		as_array(statement.Resource) == ["*"]
		object.get(statement, "Condition", {}) == {}
		some action in _reach(statement)
	}
}

# METADATA
# title: One or many as an array
# description: Where IAM takes one or many, it takes one without a list. Undefined for what is neither text, object nor list.
as_array(value) := value if is_array(value)

as_array(value) := [value] if is_string(value)

as_array(value) := [value] if is_object(value)

_document(raw) := raw if is_object(raw)

_document(raw) := json.unmarshal(text) if {
	is_string(raw)
	text := _plain(raw)
	json.is_valid(text)
}

# Some responses and older records carry the document URL-encoded.
_plain(raw) := raw if not startswith(raw, "%")

_plain(raw) := urlquery.decode(raw) if startswith(raw, "%")

_well_formed(statement) if {
	statement.Effect in {"Allow", "Deny"}
	count(_patterns(statement)) > 0
}

_patterns(statement) := [lower(pattern) | some pattern in _strings(statement.Action)] if not statement.NotAction

_patterns(statement) := [lower(pattern) | some pattern in _strings(statement.NotAction)] if not statement.Action

_strings(value) := found if {
	found := as_array(value)
	every item in found {
		is_string(item)
	}
}

_reach(statement) := _matched(statement) if statement.Action

_reach(statement) := _all - _matched(statement) if statement.NotAction

_all := {action | some actions in data.destructive.actions; some action in actions}

_matched(statement) := {action |
	some pattern in _patterns(statement)
	some action in _covered(pattern)
}

# An exact name costs one look-up. A regular expression is compiled at each
# evaluation, so only patterns that need one come that far.
_covered(pattern) := _all if {
	pattern in {"*", "*:*"}
} else := {action} if {
	parts := split(pattern, ":")
	action := data.destructive.actions[parts[0]][parts[1]]
} else := {action |
	parts := split(pattern, ":")
	count(parts) == 2
	some service, actions in data.destructive.actions
	_like(parts[0], service)
	some name, action in actions
	_like(parts[1], name)
}

_like(pattern, text) if pattern == text

_like(pattern, text) if {
	_prefix(pattern)
	startswith(text, trim_suffix(pattern, "*"))
}

_like(pattern, text) if {
	not _prefix(pattern)
	_wild(pattern)
	glob.match(pattern, null, text)
}

_prefix(pattern) if {
	endswith(pattern, "*")
	indexof(pattern, "*") == count(pattern) - 1
	not contains(pattern, "?")
}

_wild(pattern) if contains(pattern, "*")

_wild(pattern) if contains(pattern, "?")
