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
#   events: ["SERVICE.amazonaws.com:EVENT"]
#   controls: []
#   attack: []
#   runbook: docs/runbooks/RULE.md
findings contains finding if {
	_concerns_us
	event.succeeded
	finding := {
		"message": $"`{event.actor}` called `{input.event.eventName}`",
		"propose": [],
		"evidence": {"denied": false},
	}
}

# Most services log no parameters of a denied call. What was refused is reported and answered by nothing.
findings contains finding if {
	_concerns_us
	event.denied
	finding := {
		"message": $"`{event.actor}` tried `{input.event.eventName}` and was refused",
		"propose": [],
		"evidence": {"denied": true},
	}
}

_concerns_us if {
	input.event.eventSource == "SERVICE.amazonaws.com"
	input.event.eventName == "EVENT"
}
