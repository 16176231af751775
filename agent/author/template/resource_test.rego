package resources.SERVICE.RULE_test

import data.lib.testing
import data.resources.SERVICE.RULE.findings

bucket(versioning) := testing.bucket("invoices", {"versioning": versioning}, {"versioning": "Enabled"})

test_what_is_not_as_declared_is_found if {
	finding := testing.only(findings) with input as bucket("Suspended")
	finding.resource == "arn:aws:s3:::invoices"
	finding.propose == []
}

test_what_is_as_declared_is_silent if {
	count(findings) == 0 with input as bucket("Enabled")
}

test_what_nobody_declared_is_silent if {
	count(findings) == 0 with input as testing.bucket("invoices", {"versioning": "Suspended"}, null)
	count(findings) == 0 with input as {}
}
