package KIND.SERVICE.RULE_test

import data.KIND.SERVICE.RULE

test_nothing_is_found_in_nothing if {
	count(RULE.findings) == 0 with input as {}
}
