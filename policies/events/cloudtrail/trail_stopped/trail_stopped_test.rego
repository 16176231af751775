package events.cloudtrail.trail_stopped_test

import data.events.cloudtrail.trail_stopped.findings
import data.lib.testing

trail := "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"

call(name, parameters) := testing.call($"cloudtrail.amazonaws.com:{name}", parameters)

test_stopping_contains_and_restores if {
	finding := testing.only(findings) with input as call("StopLogging", {"name": "main"})
	finding.propose == ["contain", "restore"]
	finding.resource == trail
	finding.message == "`ines` stopped trail `main`"
	finding.evidence == {"denied": false, "lost": ["all events"]}
}

test_deleting_contains_and_restores if {
	finding := testing.only(findings) with input as call("DeleteTrail", {"name": trail})
	finding.propose == ["contain", "restore"]
	finding.resource == trail
}

test_a_stop_without_a_name_still_fires if {
	every parameters in [null, {}, {"name": 7}] {
		found := findings with input as call("StopLogging", parameters)
		not testing.only(found).resource
		testing.only(found).message == "`ines` stopped a trail"
	}
}

test_a_refused_call_is_reported_and_answered_by_nothing if {
	every name in ["StopLogging", "DeleteTrail"] {
		found := findings with input as testing.refused(call(name, null))
		testing.only(found).propose == []
		testing.only(found).evidence == {"denied": true}
	}
}

test_a_trail_that_does_not_exist_is_silent if {
	missing := {"event": {"errorCode": "TrailNotFoundException"}}
	count(findings) == 0 with input as testing.changed(call("StopLogging", {"name": "main"}), missing)
}

test_other_events_are_silent if {
	count(findings) == 0 with input as call("StartLogging", {"name": "main"})
	count(findings) == 0 with input as {}
}
