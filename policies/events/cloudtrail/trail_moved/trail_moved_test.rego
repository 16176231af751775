package events.cloudtrail.trail_moved_test

import data.events.cloudtrail.trail_moved.findings
import data.lib.testing

to(bucket) := testing.call("cloudtrail.amazonaws.com:UpdateTrail", {"name": "main", "s3BucketName": bucket})

test_a_bucket_that_is_not_ours_contains_and_restores if {
	finding := testing.only(findings) with input as to("elsewhere")
	finding.propose == ["contain", "restore"]
	finding.resource == "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"
	finding.message == "`ines` made trail `main` deliver to bucket `elsewhere`, which is not ours"
	finding.evidence == {"bucket": "elsewhere", "denied": false}
}

test_a_refused_move_is_reported_and_answered_by_nothing if {
	finding := testing.only(findings) with input as testing.refused(to("elsewhere"))
	finding.propose == []
	finding.evidence.denied == true
}

test_a_bucket_of_ours_is_silent if {
	count(findings) == 0 with input as to("central-logs") with data.approved.log_buckets as ["central-logs"]
	count(findings) == 1 with input as to("central-logs-2") with data.approved.log_buckets as ["central-logs"]
}

test_other_updates_and_events_are_silent if {
	every bucket in [null, 7] {
		count(findings) == 0 with input as to(bucket)
	}
	count(findings) == 0 with input as testing.call("cloudtrail.amazonaws.com:UpdateTrail", null)
	count(findings) == 0 with input as testing.call("cloudtrail.amazonaws.com:CreateTrail", {"s3BucketName": "elsewhere"})
	count(findings) == 0 with input as {}
}
