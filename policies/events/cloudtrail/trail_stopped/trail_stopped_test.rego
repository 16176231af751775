package events.cloudtrail.trail_stopped_test

import data.events.cloudtrail.trail_stopped.findings

trail := "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"

call(name, parameters) := {
	"event": {
		"eventSource": "cloudtrail.amazonaws.com",
		"eventName": name,
		"awsRegion": "eu-west-1",
		"recipientAccountId": "111122223333",
		"requestParameters": parameters,
	},
	"principal": {
		"kind": "iam_user",
		"name": "ines",
		"arn": "arn:aws:iam::111122223333:user/ines",
		"flags": {"agent": false, "break_glass": false, "service_linked": false},
	},
	"account": {"id": "111122223333"},
}

refused(name, parameters) := object.union(call(name, parameters), {"event": {"errorCode": "AccessDeniedException"}})

only(found) := finding if {
	count(found) == 1
	some finding in found
}

lost(name, parameters) := only(found).evidence.lost if found := findings with input as call(name, parameters)

update(change) := lost("UpdateTrail", object.union({"name": "main"}, change))

select(selectors) := lost("PutEventSelectors", {"trailName": "main", "eventSelectors": selectors})

advanced(selectors) := lost("PutEventSelectors", {"trailName": "main", "advancedEventSelectors": selectors})

silent(name, parameters) if count(findings) == 0 with input as call(name, parameters)

management := {"field": "eventCategory", "equals": ["Management"]}

data_events := {"field": "eventCategory", "equals": ["Data"]}

test_stopping_contains_and_restores if {
	finding := only(findings) with input as call("StopLogging", {"name": "main"})
	finding.propose == ["contain", "restore"]
	finding.resource == trail
	finding.message == "`ines` stopped trail `main`"
	finding.evidence == {"denied": false, "lost": ["all events"]}
}

test_deleting_contains_and_restores if {
	finding := only(findings) with input as call("DeleteTrail", {"name": trail})
	finding.propose == ["contain", "restore"]
	finding.resource == trail
}

test_a_trail_of_another_account_keeps_its_arn if {
	foreign := "arn:aws:cloudtrail:us-east-1:999988887777:trail/org"
	only(findings).resource == foreign with input as call("StopLogging", {"name": foreign})
}

test_a_stop_without_a_name_still_fires if {
	every parameters in [null, {}, {"name": 7}] {
		found := findings with input as call("StopLogging", parameters)
		not only(found).resource
		only(found).message == "`ines` stopped a trail"
	}
}

test_each_way_to_narrow_a_trail_is_seen if {
	update({"isMultiRegionTrail": false}) == ["events of other Regions"]
	update({"isMultiRegionTrail": "false"}) == ["events of other Regions"]
	update({"includeGlobalServiceEvents": false}) == ["events of global services"]
	update({"enableLogFileValidation": false}) == ["log file validation"]
	update({"isOrganizationTrail": false}) == ["events of other accounts"]
	update({"s3BucketName": "elsewhere"}) == ["delivery to its bucket (now `elsewhere`)"]
	count(update({"isMultiRegionTrail": false, "enableLogFileValidation": false})) == 2
}

test_a_known_log_bucket_is_silent if {
	changed := call("UpdateTrail", {"name": "main", "s3BucketName": "central-logs"})
	count(findings) == 0 with input as changed with data.approved.log_buckets as ["central-logs"]
}

test_an_update_that_widens_is_silent if {
	silent("UpdateTrail", {"name": "main", "isMultiRegionTrail": true, "enableLogFileValidation": true})
	silent("UpdateTrail", {"name": "main", "kmsKeyId": "alias/logs"})
}

test_full_selectors_are_silent if {
	silent("PutEventSelectors", {"trailName": "main", "eventSelectors": [{"readWriteType": "All", "includeManagementEvents": true}]})
	silent("PutEventSelectors", {"trailName": "main", "eventSelectors": [{}]})
	silent("PutEventSelectors", {"trailName": "main", "eventSelectors": [
		{"readWriteType": "ReadOnly", "includeManagementEvents": true},
		{"readWriteType": "WriteOnly", "includeManagementEvents": true, "excludeManagementEventSources": []},
	]})
	silent("PutEventSelectors", {"trailName": "main", "advancedEventSelectors": [{"fieldSelectors": [management]}]})
}

test_dropping_management_events_is_seen if {
	select([]) == ["management events"]
	select([{"readWriteType": "All", "includeManagementEvents": false}]) == ["management events"]
	advanced([{"fieldSelectors": [data_events]}]) == ["management events"]
	advanced([{"name": "nothing"}]) == ["management events"]
}

test_dropping_writes_is_seen if {
	select([{"readWriteType": "ReadOnly", "includeManagementEvents": true}]) == ["write events"]
	advanced([{"fieldSelectors": [management, {"field": "readOnly", "equals": ["true"]}]}]) == ["write events"]
	advanced([{"fieldSelectors": [management, {"field": "readOnly", "notEquals": ["false"]}]}]) == ["write events"]
}

test_dropping_only_reads_restores_without_containing if {
	selectors := [{"readWriteType": "WriteOnly", "includeManagementEvents": true}]
	finding := only(findings) with input as call("PutEventSelectors", {"trailName": "main", "eventSelectors": selectors})
	finding.propose == ["restore"]
	finding.evidence.lost == ["read events"]
	advanced([{"fieldSelectors": [management, {"field": "readOnly", "equals": ["false"]}]}]) == ["read events"]
}

test_leaving_out_a_service_is_seen if {
	select([{"includeManagementEvents": true, "excludeManagementEventSources": ["kms.amazonaws.com"]}]) == ["events left out by `kms.amazonaws.com`"]
	advanced([{"fieldSelectors": [management, {"field": "eventSource", "notEquals": ["kms.amazonaws.com"]}]}]) == ["events left out by `eventSource kms.amazonaws.com`"]
	advanced([{"fieldSelectors": [management, {"field": "userIdentity.arn", "startsWith": ["x"]}]}]) == ["events left out by `userIdentity.arn`"]
}

test_a_second_selector_without_filter_makes_up_for_the_first if {
	silent("PutEventSelectors", {"trailName": "main", "eventSelectors": [
		{"excludeManagementEventSources": ["kms.amazonaws.com"]},
		{"readWriteType": "All"},
	]})
}

test_selectors_that_cannot_be_read_restore_without_containing if {
	every parameters in [null, {"trailName": "main"}, {"trailName": "main", "eventSelectors": "all"}] {
		only(findings).propose == ["restore"] with input as call("PutEventSelectors", parameters)
	}
	every parameters in [null, {}, {"omitted": true, "originalSize": 200000}] {
		only(findings).propose == ["restore"] with input as call("UpdateTrail", parameters)
	}
	only(findings).propose == ["restore"] with input as call("PutEventSelectors", {"omitted": true, "originalSize": 200000})
}

test_a_refused_change_is_told_but_not_answered if {
	every name in ["StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"] {
		found := findings with input as refused(name, null)
		only(found).propose == []
		only(found).evidence == {"denied": true}
	}
	named := object.union(refused("StopLogging", null), {"event": {"denied": {"resource": trail}}})
	only(findings).resource == trail with input as named
}

test_a_refused_change_known_to_be_harmless_is_silent if {
	count(findings) == 0 with input as refused("UpdateTrail", {"name": "main", "isMultiRegionTrail": true})
}

test_a_trail_that_does_not_exist_is_silent if {
	missing := object.union(call("StopLogging", {"name": "main"}), {"event": {"errorCode": "TrailNotFoundException"}})
	count(findings) == 0 with input as missing
}

test_an_approved_principal_is_silent if {
	count(findings) == 0 with input as call("StopLogging", {"name": "main"}) with data.approved.may_change_trails as ["arn:aws:iam::111122223333:user/ines"]
}

test_break_glass_is_restored_but_not_contained if {
	stop := object.union(call("StopLogging", {"name": "main"}), {"principal": {"flags": {"break_glass": true}}})
	only(findings).propose == ["restore"] with input as stop
}

test_the_agent_does_not_answer_its_own_undo if {
	stop := object.union(call("StopLogging", {"name": "main"}), {"principal": {"flags": {"agent": true}}})
	only(findings).propose == [] with input as stop
}

test_other_events_are_silent if {
	silent("StartLogging", {"name": "main"})
	count(findings) == 0 with input as {}
}
