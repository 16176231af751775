package resources.dynamodb.point_in_time_recovery_test

import data.lib.testing
import data.resources.dynamodb.point_in_time_recovery.findings

table(live, desired) := testing.table("securecart-sessions", live, desired)

active(days) := {"status": "ACTIVE", "recovery_days": days, "deletion_protection": true}

test_recovery_that_is_off_is_restored if {
	every live in [active(null), {"status": "ACTIVE"}] {
		found := findings with input as table(live, {"recovery_days": 35})
		testing.only(found) == {
			"message": "point-in-time recovery of table `securecart-sessions` is off, not 35 day(s)",
			"resource": "arn:aws:dynamodb:eu-west-1:111122223333:table/securecart-sessions",
			"propose": ["restore"],
			"evidence": {"recovery_days": 0},
		}
	}
}

test_a_window_that_is_too_short_is_restored if {
	found := findings with input as table(active(1), {"recovery_days": 35})
	testing.only(found).message == "point-in-time recovery of table `securecart-sessions` reaches back 1 day(s), not 35 day(s)"
}

test_a_window_that_is_long_enough_is_silent if {
	every days in [7, 35] {
		count(findings) == 0 with input as table(active(days), {"recovery_days": 7})
	}
}

test_a_table_that_declares_no_window_is_silent if {
	every desired in [null, {}, {"deletion_protection": true}] {
		count(findings) == 0 with input as table(active(null), desired)
	}
}

test_a_table_that_is_being_deleted_is_silent if {
	live := {"status": "DELETING", "recovery_days": null, "deletion_protection": false}
	count(findings) == 0 with input as table(live, {"recovery_days": 35})
}

test_other_kinds_are_silent if {
	vault := testing.changed(table(active(null), {"recovery_days": 35}), {"resource": {"kind": "vault"}})
	count(findings) == 0 with input as vault
	count(findings) == 0 with input as {}
}
