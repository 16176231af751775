package events.SERVICE.RULE

import data.lib.event

# METADATA
# entrypoint: true
# title: What happened, in one line
# description: Who may not do what, and why it matters.
# schemas:
#   - input: schema.event
# custom:
#   id: NEW-ID
#   severity: medium
#   mode: observe
#   events: ["SERVICE.amazonaws.com:EventName"]
#   controls: []
#   attack: []
#   runbook: docs/runbooks/RULE.md
findings contains finding if {
	input.event.eventName == "EventName"
	event.succeeded
	finding := {
		"message": concat("", ["`", event.actor, "` did it"]),
		"propose": [],
	}
}
