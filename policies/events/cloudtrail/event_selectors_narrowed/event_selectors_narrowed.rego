package events.cloudtrail.event_selectors_narrowed

import data.lib.event
import data.lib.event_selectors
import data.lib.trail

# METADATA
# entrypoint: true
# title: Event selectors leave out what an attack leaves behind
# description: Somebody set a trail to record no management events, no writes, or not those of some service.
# schemas:
#   - input: schema.event
# custom:
#   id: LOG-12
#   severity: high
#   mode: enforce
#   events: ["cloudtrail.amazonaws.com:PutEventSelectors"]
#   controls:
#     - ISO 27001:2022 A.8.15
#     - ISO 27001:2022 A.8.16
#     - PCI DSS 4.0.1 10.2.1.6
#     - PCI DSS 4.0.1 10.7.2
#     - NIST CSF 2.0 PR.PS-04
#     - SOC 2 CC7.2
#     - Security Hub CloudTrail.1
#   attack: [T1562.008, T1685.002]
#   approved: may_change_trails
#   runbook: docs/runbooks/trail_stopped.md
findings contains object.union(trail.target, finding) if {
	_change
	event.succeeded
	count(_lost) > 0
	lost := sort(_lost)
	finding := {
		"message": $"`{event.actor}` narrowed {trail.named}, losing {concat(", ", lost)}",
		"propose": ["contain", "restore"],
		"evidence": {"denied": false, "lost": lost},
	}
}

findings contains object.union(trail.target, finding) if {
	_change
	event.succeeded
	not event_selectors.known
	finding := {
		"message": $"`{event.actor}` changed the selectors of {trail.named} in a way that the record does not show",
		"propose": ["restore"],
		"evidence": {"denied": false, "lost": ["what the record does not show"]},
	}
}

# CloudTrail logs no parameters of a denied call: it counts unless they are there and harmless.
findings contains object.union(trail.target, finding) if {
	_change
	event.denied
	not _harmless
	finding := {
		"message": $"`{event.actor}` tried to change the selectors of {trail.named} and was refused",
		"propose": [],
		"evidence": {"denied": true},
	}
}

_change if {
	input.event.eventSource == "cloudtrail.amazonaws.com"
	input.event.eventName == "PutEventSelectors"
}

_harmless if {
	event_selectors.known
	count(_lost) == 0
}

_lost contains "management events" if {
	event_selectors.known
	count(event_selectors.management) == 0
}

_lost contains "write events" if {
	count(event_selectors.management) > 0
	not "write" in event_selectors.recorded
}

_lost contains $"events left out by `{filter}`" if some filter in event_selectors.left_out
