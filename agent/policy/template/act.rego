package acts.SERVICE.RULE

import data.lib.act

# METADATA
# entrypoint: true
# title: What happened, in one line
# description: Who may not do what, and why it matters.
# schemas:
#   - input: schema.act
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
	act.succeeded
	finding := {
		"message": concat("", ["`", act.actor, "` did it"]),
		"propose": [],
	}
}
