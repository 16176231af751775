package events.cloudtrail.read_events_unrecorded

import data.lib.event
import data.lib.event_selectors
import data.lib.trail

# METADATA
# entrypoint: true
# title: Trail no longer records reads
# description: Looking around leaves no trace any more. Honest cost saving does the same, so nobody is contained.
# schemas:
#   - input: schema.event
# custom:
#   id: LOG-13
#   severity: medium
#   mode: enforce
#   events: ["cloudtrail.amazonaws.com:PutEventSelectors"]
#   controls:
#     - ISO 27001:2022 A.8.15
#     - PCI DSS 4.0.1 10.2.1.6
#     - NIST CSF 2.0 PR.PS-04
#     - SOC 2 CC7.2
#     - Security Hub CloudTrail.1
#   attack: [T1562.008, T1685.002]
#   approved: may_change_trails
#   runbook: docs/runbooks/trail_stopped.md
findings contains object.union(trail.target, finding) if {
	input.event.eventSource == "cloudtrail.amazonaws.com"
	input.event.eventName == "PutEventSelectors"
	event.succeeded
	count(event_selectors.management) > 0
	not "read" in event_selectors.recorded
	finding := {
		"message": $"`{event.actor}` narrowed {trail.named}, losing read events",
		"propose": ["restore"],
		"evidence": {"lost": ["read events"]},
	}
}
