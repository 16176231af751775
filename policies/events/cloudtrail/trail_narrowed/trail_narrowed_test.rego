package events.cloudtrail.trail_narrowed_test

import data.events.cloudtrail.trail_narrowed.findings
import data.lib.testing

update(change) := testing.call("cloudtrail.amazonaws.com:UpdateTrail", object.union({"name": "main"}, change))

unshown := testing.call("cloudtrail.amazonaws.com:UpdateTrail", null)

lost(change) := testing.only(found).evidence.lost if found := findings with input as update(change)

test_each_way_to_narrow_a_trail_is_seen if {
	lost({"isMultiRegionTrail": false}) == ["events of other Regions"]
	lost({"isMultiRegionTrail": "false"}) == ["events of other Regions"]
	lost({"includeGlobalServiceEvents": false}) == ["events of global services"]
	lost({"enableLogFileValidation": false}) == ["log file validation"]
	lost({"isOrganizationTrail": false}) == ["events of other accounts"]
	count(lost({"isMultiRegionTrail": false, "enableLogFileValidation": false})) == 2
}

test_narrowing_contains_and_restores if {
	finding := testing.only(findings) with input as update({"isMultiRegionTrail": false})
	finding.propose == ["contain", "restore"]
	finding.resource == "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"
	finding.message == "`ines` narrowed trail `main`, losing events of other Regions"
}

test_an_update_that_widens_is_silent if {
	count(findings) == 0 with input as update({"isMultiRegionTrail": true, "enableLogFileValidation": true})
	count(findings) == 0 with input as update({"kmsKeyId": "alias/logs"})
}

test_an_update_that_cannot_be_read_restores_without_containing if {
	every parameters in [null, {}, {"omitted": true, "originalSize": 200000}] {
		found := findings with input as testing.call("cloudtrail.amazonaws.com:UpdateTrail", parameters)
		testing.only(found).propose == ["restore"]
	}
}

test_a_refused_update_is_reported_and_answered_by_nothing if {
	finding := testing.only(findings) with input as testing.refused(unshown)
	finding.propose == []
	finding.evidence == {"denied": true}
	count(findings) == 1 with input as testing.refused(update({"isMultiRegionTrail": false}))
}

test_a_refused_update_known_to_be_harmless_is_silent if {
	count(findings) == 0 with input as testing.refused(update({"isMultiRegionTrail": true}))
}

test_other_events_are_silent if {
	count(findings) == 0 with input as testing.call("cloudtrail.amazonaws.com:CreateTrail", {"isMultiRegionTrail": false})
	count(findings) == 0 with input as {}
}
