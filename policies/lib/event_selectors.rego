# METADATA
# title: What a trail records after `PutEventSelectors`
# description: Basic and advanced selectors say the same things in two ways. A trail records what any of its selectors records.
package lib.event_selectors

import data.lib.event

# METADATA
# title: The record shows the selectors
known if _basic

known if _advanced

# METADATA
# title: The selectors that record management events
# description: Of each, whether it records reads and writes, and what it leaves out.
management contains {"records": records, "filters": filters} if {
	some selector in _basic
	not object.get(selector, "includeManagementEvents", true) in {false, "false"}
	kind := object.get(selector, "readWriteType", "All")
	records := {"All": ["read", "write"], "ReadOnly": ["read"], "WriteOnly": ["write"]}[kind]
	filters := [source | some source in object.get(selector, "excludeManagementEventSources", [])]
}

management contains {"records": records, "filters": filters} if {
	some selector in _advanced
	some category in selector.fieldSelectors
	category.field == "eventCategory"
	"Management" in category.equals
	records := [kind | some kind, value in {"read": "true", "write": "false"}; _passes(selector, value)]
	filters := [name |
		some other in selector.fieldSelectors
		not other.field in {"eventCategory", "readOnly"}
		name := concat(" ", array.concat([other.field], object.get(other, "notEquals", [])))
	]
}

# METADATA
# title: Whether reads and writes are recorded
recorded := {kind | some selector in management; some kind in selector.records}

# METADATA
# title: What is left out of every management event
# description: Event sources, or fields of advanced selectors. A second selector without a filter makes up for the first.
left_out contains filter if {
	every selector in management {
		count(selector.filters) > 0
	}
	some selector in management
	some filter in selector.filters
}

_basic := event.parameters.eventSelectors if {
	is_array(event.parameters.eventSelectors)
	not _advanced
}

_advanced := event.parameters.advancedEventSelectors if {
	is_array(event.parameters.advancedEventSelectors)
	count(event.parameters.advancedEventSelectors) > 0
}

_passes(selector, value) if {
	every field in selector.fieldSelectors {
		_lets_through(field, value)
	}
}

_lets_through(field, _) if field.field != "readOnly"

_lets_through(field, value) if value in field.equals

_lets_through(field, value) if {
	field.notEquals
	not value in field.notEquals
}
