package events.cloudtrail.event_selectors_narrowed_test

import data.events.cloudtrail.event_selectors_narrowed.findings
import data.lib.testing

call(parameters) := testing.call("cloudtrail.amazonaws.com:PutEventSelectors", parameters)

basic(selectors) := call({"trailName": "main", "eventSelectors": selectors})

advanced(selectors) := call({"trailName": "main", "advancedEventSelectors": selectors})

lost(document) := testing.only(found).evidence.lost if found := findings with input as document

management := {"field": "eventCategory", "equals": ["Management"]}

test_dropping_management_events_is_seen if {
	lost(basic([])) == ["management events"]
	lost(basic([{"readWriteType": "All", "includeManagementEvents": false}])) == ["management events"]
	lost(advanced([{"fieldSelectors": [{"field": "eventCategory", "equals": ["Data"]}]}])) == ["management events"]
	lost(advanced([{"name": "nothing"}])) == ["management events"]
}

test_dropping_writes_is_seen if {
	lost(basic([{"readWriteType": "ReadOnly", "includeManagementEvents": true}])) == ["write events"]
	lost(advanced([{"fieldSelectors": [management, {"field": "readOnly", "equals": ["true"]}]}])) == ["write events"]
}

test_leaving_out_a_service_is_seen if {
	out := {"includeManagementEvents": true, "excludeManagementEventSources": ["kms.amazonaws.com"]}
	lost(basic([out])) == ["events left out by `kms.amazonaws.com`"]
	finding := testing.only(findings) with input as basic([out])
	finding.propose == ["contain", "restore"]
	finding.resource == "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"
	finding.message == "`ines` narrowed trail `main`, losing events left out by `kms.amazonaws.com`"
}

test_full_selectors_are_silent if {
	count(findings) == 0 with input as basic([{"readWriteType": "All", "includeManagementEvents": true}])
	count(findings) == 0 with input as basic([{"readWriteType": "ReadOnly"}, {"readWriteType": "WriteOnly"}])
	count(findings) == 0 with input as advanced([{"fieldSelectors": [management]}])
}

test_dropping_only_reads_is_another_rule_s if {
	count(findings) == 0 with input as basic([{"readWriteType": "WriteOnly", "includeManagementEvents": true}])
}

test_selectors_that_cannot_be_read_restore_without_containing if {
	every parameters in [null, {"trailName": "main"}, {"eventSelectors": "all"}, {"omitted": true, "originalSize": 200000}] {
		testing.only(findings).propose == ["restore"] with input as call(parameters)
	}
}

test_a_refused_change_is_reported_and_answered_by_nothing if {
	finding := testing.only(findings) with input as testing.refused(call(null))
	finding.propose == []
	finding.evidence == {"denied": true}
}

test_a_refused_change_known_to_be_harmless_is_silent if {
	count(findings) == 0 with input as testing.refused(basic([{}]))
}

test_other_events_are_silent if {
	count(findings) == 0 with input as testing.call("cloudtrail.amazonaws.com:GetEventSelectors", {"eventSelectors": []})
	count(findings) == 0 with input as {}
}
