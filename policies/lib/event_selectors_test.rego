package lib.event_selectors_test

import data.lib.event_selectors
import data.lib.testing

call(parameters) := testing.call("cloudtrail.amazonaws.com:PutEventSelectors", parameters)

basic(selectors) := call({"trailName": "main", "eventSelectors": selectors})

advanced(fields) := call({"trailName": "main", "advancedEventSelectors": [{"fieldSelectors": fields}]})

management := {"field": "eventCategory", "equals": ["Management"]}

test_everything_is_recorded_unless_it_is_left_out if {
	event_selectors.recorded == {"read", "write"} with input as basic([{}])
	event_selectors.recorded == {"read", "write"} with input as advanced([management])
	event_selectors.recorded == set() with input as basic([])
	event_selectors.recorded == set() with input as basic([{"includeManagementEvents": "false"}])
	event_selectors.recorded == set() with input as advanced([{"field": "eventCategory", "equals": ["Data"]}])
}

test_one_kind_alone_is_read_in_either_spelling if {
	event_selectors.recorded == {"read"} with input as basic([{"readWriteType": "ReadOnly"}])
	event_selectors.recorded == {"write"} with input as basic([{"readWriteType": "WriteOnly"}])
	event_selectors.recorded == {"read"} with input as advanced([management, {"field": "readOnly", "equals": ["true"]}])
	event_selectors.recorded == {"write"} with input as advanced([management, {"field": "readOnly", "notEquals": ["true"]}])
}

test_what_is_left_out_is_named if {
	kms := {"excludeManagementEventSources": ["kms.amazonaws.com"]}
	event_selectors.left_out == {"kms.amazonaws.com"} with input as basic([kms])
	source := {"field": "eventSource", "notEquals": ["kms.amazonaws.com"]}
	event_selectors.left_out == {"eventSource kms.amazonaws.com"} with input as advanced([management, source])
	actor := {"field": "userIdentity.arn", "startsWith": ["x"]}
	event_selectors.left_out == {"userIdentity.arn"} with input as advanced([management, actor])
	event_selectors.left_out == set() with input as basic([kms, {"readWriteType": "All"}])
}

test_selectors_that_are_not_shown_are_not_known if {
	every parameters in [null, {"trailName": "main"}, {"eventSelectors": "all"}, {"omitted": true}] {
		not event_selectors.known with input as call(parameters)
	}
	event_selectors.known with input as basic([])
}
