package events.cloudtrail.trail_stopped

import data.lib.event
import data.lib.trail

# METADATA
# entrypoint: true
# title: Trail stopped or deleted
# description: Somebody stopped CloudTrail from recording. It also blinds Keepwatch, which hears of calls through a trail.
# schemas:
#   - input: schema.event
# custom:
#   id: LOG-01
#   severity: critical
#   mode: enforce
#   events:
#     - cloudtrail.amazonaws.com:DeleteTrail
#     - cloudtrail.amazonaws.com:StopLogging
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
#   approved: may_change_trails
#   runbook: docs/runbooks/trail_stopped.md
findings contains object.union(trail.target, finding) if {
	_done
	event.succeeded
	finding := {
		"message": $"`{event.actor}` {_done} {trail.named}",
		"propose": ["contain", "restore"],
		"evidence": {"denied": false, "lost": ["all events"]},
	}
}

findings contains object.union(trail.target, finding) if {
	_done
	event.denied
	finding := {
		"message": $"`{event.actor}` tried `{input.event.eventName}` on {trail.named} and was refused",
		"propose": [],
		"evidence": {"denied": true},
	}
}

_done := {"DeleteTrail": "deleted", "StopLogging": "stopped"}[input.event.eventName] if {
	input.event.eventSource == "cloudtrail.amazonaws.com"
}
