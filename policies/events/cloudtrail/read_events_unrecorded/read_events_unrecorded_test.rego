package events.cloudtrail.read_events_unrecorded_test

import data.events.cloudtrail.read_events_unrecorded.findings
import data.lib.testing

basic(selectors) := testing.call("cloudtrail.amazonaws.com:PutEventSelectors", {
	"trailName": "main",
	"eventSelectors": selectors,
})

writes := basic([{"readWriteType": "WriteOnly", "includeManagementEvents": true}])

test_dropping_reads_restores_without_containing if {
	finding := testing.only(findings) with input as writes
	finding.propose == ["restore"]
	finding.resource == "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"
	finding.message == "`ines` narrowed trail `main`, losing read events"
}

test_the_advanced_spelling_is_the_same if {
	fields := [{"field": "eventCategory", "equals": ["Management"]}, {"field": "readOnly", "equals": ["false"]}]
	advanced := {"event": {"requestParameters": {"advancedEventSelectors": [{"fieldSelectors": fields}]}}}
	count(findings) == 1 with input as testing.changed(writes, advanced)
}

test_what_drops_more_or_nothing_is_not_this_rule_s if {
	count(findings) == 0 with input as basic([])
	count(findings) == 0 with input as basic([{}])
	count(findings) == 0 with input as basic([{"readWriteType": "ReadOnly"}])
	count(findings) == 0 with input as testing.call("cloudtrail.amazonaws.com:PutEventSelectors", null)
}

test_refused_changes_and_other_events_are_silent if {
	count(findings) == 0 with input as testing.refused(writes)
	count(findings) == 0 with input as testing.changed(writes, {"event": {"eventName": "GetEventSelectors"}})
	count(findings) == 0 with input as {}
}
