package events.cloudtrail.trail_stopped

import data.lib.event

# METADATA
# entrypoint: true
# title: Trail stopped, deleted or narrowed
# description: Somebody stopped CloudTrail from recording, or from recording everything that matters.
# schemas:
#   - input: schema.event
# custom:
#   id: LOG-01
#   severity: critical
#   mode: enforce
#   events:
#     - cloudtrail.amazonaws.com:DeleteTrail
#     - cloudtrail.amazonaws.com:PutEventSelectors
#     - cloudtrail.amazonaws.com:StopLogging
#     - cloudtrail.amazonaws.com:UpdateTrail
#   controls:
#     - ISO 27001:2022 A.8.15
#     - ISO 27001:2022 A.8.16
#     - ISO 27001:2022 A.5.28
#     - PCI DSS 4.0.1 10.2.1.6
#     - PCI DSS 4.0.1 10.3.2
#     - PCI DSS 4.0.1 10.7.2
#     - NIST CSF 2.0 PR.PS-04
#     - NIST CSF 2.0 DE.CM-09
#     - SOC 2 CC7.1
#     - SOC 2 CC7.2
#     - CIS AWS 3.0 3.1
#     - CIS AWS 5.0 3.1
#     - GDPR 32(1)(d)
#     - Security Hub CloudTrail.1
#   attack: [T1562.008, T1685.002]
#   runbook: docs/runbooks/trail_stopped.md
findings contains object.union(_target, finding) if {
	_outside_allow_list
	event.succeeded
	count(_harm) > 0
	finding := {
		"message": $"`{event.actor}` {_deed} {_trail}{_losing}",
		"propose": event.proposable(_answer),
		"evidence": {"denied": false, "lost": _lost},
	}
}

# CloudTrail logs no parameters of a denied call: a change that was refused counts
# unless the record shows that it was harmless.
findings contains object.union(_target, finding) if {
	_outside_allow_list
	event.denied
	count(_harm) > 0
	finding := {
		"message": $"`{event.actor}` tried `{input.event.eventName}` on {_trail} and was refused",
		"propose": [],
		"evidence": {"denied": true},
	}
}

_outside_allow_list if {
	input.event.eventSource == "cloudtrail.amazonaws.com"
	_deed
	not event.approved("may_change_trails")
}

_deed := {
	"DeleteTrail": "deleted",
	"PutEventSelectors": "narrowed",
	"StopLogging": "stopped",
	"UpdateTrail": "narrowed",
}[input.event.eventName]

# Each harm names what is lost and whether it is the actor who must be stopped.
# Reads alone are lost by honest cost saving too.
_harm contains {"lost": "all events", "contain": true} if input.event.eventName in {"StopLogging", "DeleteTrail"}

_harm contains {"lost": lost, "contain": true} if {
	input.event.eventName == "UpdateTrail"
	some field, lost in {
		"enableLogFileValidation": "log file validation",
		"includeGlobalServiceEvents": "events of global services",
		"isMultiRegionTrail": "events of other Regions",
		"isOrganizationTrail": "events of other accounts",
	}
	event.parameters[field] in {false, "false"}
}

_harm contains {"lost": $"delivery to its bucket (now `{bucket}`)", "contain": true} if {
	input.event.eventName == "UpdateTrail"
	bucket := event.parameters.s3BucketName
	not _ours(bucket)
}

_harm contains {"lost": "management events", "contain": true} if {
	_selects
	count(_management) == 0
}

_harm contains {"lost": "write events", "contain": true} if {
	_selects
	count(_management) > 0
	not "write" in _recorded
}

_harm contains {"lost": "read events", "contain": false} if {
	_selects
	count(_management) > 0
	not "read" in _recorded
}

_harm contains {"lost": $"events left out by `{filter}`", "contain": true} if {
	_selects
	every selector in _management {
		count(selector.filters) > 0
	}
	some selector in _management
	some filter in selector.filters
}

_harm contains {"lost": "what the record does not show", "contain": false} if {
	input.event.eventName == "PutEventSelectors"
	not _selects
}

_harm contains {"lost": "what the record does not show", "contain": false} if {
	input.event.eventName == "UpdateTrail"
	not _names_trail
}

_ours(bucket) if bucket in data.approved.log_buckets

_names_trail if is_string(event.parameters.name)

_selects if _basic

_selects if _advanced

_basic := event.parameters.eventSelectors if {
	is_array(event.parameters.eventSelectors)
	not _advanced
}

_advanced := event.parameters.advancedEventSelectors if {
	is_array(event.parameters.advancedEventSelectors)
	count(event.parameters.advancedEventSelectors) > 0
}

# The selectors that record management events: what each records and what it
# filters out. A trail records what any of its selectors records.
_management contains {"records": records, "filters": filters} if {
	some selector in _basic
	not object.get(selector, "includeManagementEvents", true) in {false, "false"}
	kind := object.get(selector, "readWriteType", "All")
	records := {"All": ["read", "write"], "ReadOnly": ["read"], "WriteOnly": ["write"]}[kind]
	filters := [source | some source in object.get(selector, "excludeManagementEventSources", [])]
}

_management contains {"records": records, "filters": filters} if {
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

_recorded := {kind | some selector in _management; some kind in selector.records}

_lost := sort([harm.lost | some harm in _harm])

_losing := "" if {
	_lost == ["all events"]
} else := $", losing {concat(", ", _lost)}"

_answer := ["contain", "restore"] if {
	some harm in _harm
	harm.contain
} else := ["restore"]

# StopLogging and its like take a name or an ARN.
_name := event.parameters.name if {
	is_string(event.parameters.name)
} else := event.parameters.trailName if {
	is_string(event.parameters.trailName)
} else := input.event.denied.resource if {
	contains(input.event.denied.resource, ":trail/")
}

_trail := $"trail `{_name}`" if {
	_name
} else := "a trail"

_target := {"resource": _name} if {
	startswith(_name, "arn:")
} else := {"resource": event.arn("cloudtrail", $"trail/{_name}")} if {
	_name
} else := {}
