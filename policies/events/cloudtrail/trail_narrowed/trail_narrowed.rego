package events.cloudtrail.trail_narrowed

import data.lib.event
import data.lib.trail

# METADATA
# entrypoint: true
# title: Trail narrowed
# description: Somebody changed a trail so that it misses Regions, accounts or services, or proves nothing any more.
# schemas:
#   - input: schema.event
# custom:
#   id: LOG-11
#   severity: high
#   mode: enforce
#   events: ["cloudtrail.amazonaws.com:UpdateTrail"]
#   controls:
#     - ISO 27001:2022 A.8.15
#     - ISO 27001:2022 A.5.28
#     - PCI DSS 4.0.1 10.3.2
#     - NIST CSF 2.0 PR.PS-04
#     - SOC 2 CC7.2
#     - CIS AWS 3.0 3.1
#     - CIS AWS 5.0 3.1
#     - Security Hub CloudTrail.4
#   attack: [T1562.008, T1685.002]
#   approved: may_change_trails
#   runbook: docs/runbooks/trail_stopped.md
findings contains object.union(trail.target, finding) if {
	_update
	event.succeeded
	count(_lost) > 0
	finding := {
		"message": $"`{event.actor}` narrowed {trail.named}, losing {concat(", ", _lost)}",
		"propose": ["contain", "restore"],
		"evidence": {"denied": false, "lost": _lost},
	}
}

findings contains object.union(trail.target, finding) if {
	_update
	event.succeeded
	not _shown
	finding := {
		"message": $"`{event.actor}` changed {trail.named} in a way that the record does not show",
		"propose": ["restore"],
		"evidence": {"denied": false, "lost": ["what the record does not show"]},
	}
}

# CloudTrail logs no parameters of a denied call: it counts unless they are there and harmless.
findings contains object.union(trail.target, finding) if {
	_update
	event.denied
	not _harmless
	finding := {
		"message": $"`{event.actor}` tried to change {trail.named} and was refused",
		"propose": [],
		"evidence": {"denied": true},
	}
}

_update if {
	input.event.eventSource == "cloudtrail.amazonaws.com"
	input.event.eventName == "UpdateTrail"
}

_shown if is_string(event.parameters.name)

_harmless if {
	_shown
	count(_lost) == 0
}

_lost := sort([lost |
	some field, lost in {
		"enableLogFileValidation": "log file validation",
		"includeGlobalServiceEvents": "events of global services",
		"isMultiRegionTrail": "events of other Regions",
		"isOrganizationTrail": "events of other accounts",
	}
	event.parameters[field] in {false, "false"}
])
