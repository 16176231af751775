package lib.trail_test

import data.lib.testing
import data.lib.trail

arn := "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"

call(parameters) := testing.call("cloudtrail.amazonaws.com:StopLogging", parameters)

test_a_trail_is_named_by_name_or_arn if {
	every parameters in [{"name": "main"}, {"trailName": "main"}, {"name": arn}] {
		trail.target == {"resource": arn} with input as call(parameters)
	}
	trail.named == "trail `main`" with input as call({"name": "main"})
}

test_a_trail_of_another_account_keeps_its_arn if {
	foreign := "arn:aws:cloudtrail:us-east-1:999988887777:trail/org"
	trail.target.resource == foreign with input as call({"name": foreign})
}

test_a_trail_that_is_not_named_is_no_target if {
	every parameters in [null, {}, {"name": 7}] {
		trail.target == {} with input as call(parameters)
		trail.named == "a trail" with input as call(parameters)
	}
}

test_a_denied_call_names_its_trail if {
	refused := testing.changed(call(null), {"event": {"denied": {"resource": arn}}})
	trail.target.resource == arn with input as refused
	bucket := testing.changed(call(null), {"event": {"denied": {"resource": "arn:aws:s3:::logs"}}})
	trail.target == {} with input as bucket
}
