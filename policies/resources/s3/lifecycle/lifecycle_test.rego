package resources.s3.lifecycle_test

import data.lib.testing
import data.resources.s3.lifecycle.findings

bucket(rules, declared) := testing.bucket("securecart-invoices", {"lifecycle": rules}, {"class": "source", "lifecycle": declared})

rule(change) := object.union({"id": "r", "status": "Enabled", "prefix": ""}, change)

old_versions(days) := rule({"noncurrent_days": days})

silent(rules, declared) if count(findings) == 0 with input as bucket(rules, declared)

test_the_declared_lifecycle_is_silent if {
	silent([old_versions(35)], [old_versions(35)])
	silent([], [])
}

test_names_order_and_grouping_do_not_matter if {
	one := [rule({"id": "all", "noncurrent_days": 35, "abort_incomplete_days": 7})]
	two := [rule({"id": "b", "abort_incomplete_days": 7}), rule({"id": "a", "noncurrent_days": 35})]
	silent(one, two)
	silent(two, one)
}

test_a_shorter_life_of_old_versions_is_restored if {
	finding := testing.only(findings) with input as bucket([old_versions(1)], [old_versions(35)])
	finding.propose == ["restore"]
	finding.resource == "arn:aws:s3:::securecart-invoices"
	finding.evidence == {
		"added": ["expire noncurrent versions after 1 day in the whole bucket"],
		"missing": ["expire noncurrent versions after 35 days in the whole bucket"],
	}
}

test_an_added_expiration_is_named if {
	attack := rule({"id": "x", "prefix": "2026/", "expiration_days": 1})
	finding := testing.only(findings) with input as bucket([old_versions(35), attack], [old_versions(35)])
	finding.message == "lifecycle of bucket `securecart-invoices` is not as declared: added: expire after 1 day under `2026/`"
}

test_a_disabled_or_deleted_rule_is_missing if {
	every rules in [[], [object.union(old_versions(35), {"status": "Disabled"})], null, "none"] {
		found := findings with input as bucket(rules, [old_versions(35)])
		testing.only(found).evidence.missing == ["expire noncurrent versions after 35 days in the whole bucket"]
	}
}

test_a_disabled_extra_rule_does_nothing if {
	silent([old_versions(35), rule({"status": "Disabled", "expiration_days": 1})], [old_versions(35)])
}

test_every_part_of_a_rule_counts if {
	every change in [
		{"prefix": "logs/"},
		{"newer_noncurrent_versions": 3},
		{"expiration_date": "2026-12-01T00:00:00Z"},
		{"transitions": [{"days": 0, "storage_class": "GLACIER"}]},
	] {
		count(findings) == 1 with input as bucket([object.union(old_versions(35), change)], [old_versions(35)])
	}
}

test_a_bucket_that_declares_no_rules_is_silent if {
	every desired in [null, {}, {"class": "source"}, {"versioning": "Enabled"}] {
		count(findings) == 0 with input as testing.bucket("b", {"lifecycle": [rule({"expiration_days": 1})]}, desired)
	}
	count(findings) == 0 with input as {}
}
