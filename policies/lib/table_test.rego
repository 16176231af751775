package lib.table_test

import data.lib.table
import data.lib.testing

test_the_name_is_what_follows_in_the_arn if {
	table.name == "sessions" with input as testing.table("sessions", {}, {})
}
