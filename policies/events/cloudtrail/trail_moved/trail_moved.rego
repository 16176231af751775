package events.cloudtrail.trail_moved

import data.lib.event
import data.lib.trail

# METADATA
# entrypoint: true
# title: Trail delivers to a bucket that is not ours
# description: The log goes where nobody of us reads it, and where whoever owns the bucket can change it.
# schemas:
#   - input: schema.event
# custom:
#   id: LOG-14
#   severity: critical
#   mode: enforce
#   events: ["cloudtrail.amazonaws.com:UpdateTrail"]
#   controls:
#     - ISO 27001:2022 A.8.15
#     - ISO 27001:2022 A.5.28
#     - PCI DSS 4.0.1 10.3.2
#     - NIST CSF 2.0 PR.PS-04
#     - SOC 2 CC7.2
#     - Security Hub CloudTrail.6
#   attack: [T1562.008, T1685.002, T1537]
#   approved: may_change_trails
#   runbook: docs/runbooks/trail_stopped.md
findings contains object.union(trail.target, finding) if {
	_moved
	event.succeeded
	finding := {
		"message": $"`{event.actor}` made {trail.named} deliver to bucket `{_bucket}`, which is not ours",
		"propose": ["contain", "restore"],
		"evidence": {"denied": false, "bucket": _bucket},
	}
}

findings contains object.union(trail.target, finding) if {
	_moved
	event.denied
	finding := {
		"message": $"`{event.actor}` tried to make {trail.named} deliver to bucket `{_bucket}` and was refused",
		"propose": [],
		"evidence": {"denied": true, "bucket": _bucket},
	}
}

_moved if {
	input.event.eventSource == "cloudtrail.amazonaws.com"
	input.event.eventName == "UpdateTrail"
	is_string(_bucket)
	not _ours
}

_bucket := event.parameters.s3BucketName

_ours if _bucket in data.approved.log_buckets
