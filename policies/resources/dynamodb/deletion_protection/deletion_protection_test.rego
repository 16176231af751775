package resources.dynamodb.deletion_protection_test

import data.lib.testing
import data.resources.dynamodb.deletion_protection.findings

table(status, protection, desired) := testing.table(
	"securecart-sessions",
	{"status": status, "recovery_days": 35, "deletion_protection": protection},
	desired,
)

wanted := {"deletion_protection": true}

test_protection_that_is_off_is_restored if {
	found := findings with input as table("ACTIVE", false, wanted)
	found == {{
		"message": "deletion protection of table `securecart-sessions` is off",
		"resource": "arn:aws:dynamodb:eu-west-1:111122223333:table/securecart-sessions",
		"propose": ["restore"],
		"evidence": {"deletion_protection": false},
	}}
}

test_protection_that_is_on_is_silent if {
	count(findings) == 0 with input as table("ACTIVE", true, wanted)
}

test_a_table_that_declares_no_protection_is_silent if {
	every desired in [null, {}, {"deletion_protection": false}, {"recovery_days": 35}] {
		count(findings) == 0 with input as table("ACTIVE", false, desired)
	}
}

test_a_table_that_is_being_deleted_is_silent if {
	count(findings) == 0 with input as table("DELETING", false, wanted)
}

test_other_kinds_are_silent if {
	vault := testing.changed(table("ACTIVE", false, wanted), {"resource": {"kind": "vault"}})
	count(findings) == 0 with input as vault
	count(findings) == 0 with input as {}
}
