package events.SERVICE.RULE_test

import data.events.SERVICE.RULE.findings
import data.lib.testing

called := testing.call("SERVICE.amazonaws.com:EVENT", {})

test_the_call_is_found if {
	finding := testing.only(findings) with input as called
	finding.propose == []
	finding.message == "`ines` called `EVENT`"
}

test_a_refused_call_is_reported_and_answered_by_nothing if {
	finding := testing.only(findings) with input as testing.refused(called)
	finding.propose == []
	finding.evidence == {"denied": true}
}

test_other_events_are_silent if {
	count(findings) == 0 with input as testing.call("SERVICE.amazonaws.com:Other", {})
	count(findings) == 0 with input as {}
}
