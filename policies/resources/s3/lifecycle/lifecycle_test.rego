package resources.s3.lifecycle_test

import data.resources.s3.lifecycle.findings

bucket(rules, desired) := {
	"resource": {
		"kind": "bucket",
		"arn": "arn:aws:s3:::securecart-invoices",
		"live": {"versioning": "Enabled", "lifecycle": rules},
	},
	"desired": desired,
}

class(name) := {"class": name, "versioning": "Enabled"}

declared(rules) := {"class": "source", "lifecycle": rules}

rule(change) := object.union(
	{
		"id": "r",
		"status": "Enabled",
		"prefix": "",
		"expiration_days": null,
		"expiration_date": null,
		"noncurrent_days": null,
		"newer_noncurrent_versions": null,
		"transitions": [],
		"abort_incomplete_days": null,
	},
	change,
)

old_versions(days) := rule({"noncurrent_days": days})

only(found) := finding if {
	count(found) == 1
	some finding in found
}

violations(rules, name) := only(found).evidence.violations if found := findings with input as bucket(rules, class(name))

silent(rules, desired) if count(findings) == 0 with input as bucket(rules, desired)

test_the_declared_lifecycle_is_silent if {
	silent([old_versions(35)], declared([old_versions(35)]))
	silent([], declared([]))
}

test_names_order_and_grouping_do_not_matter if {
	one := [rule({"id": "all", "noncurrent_days": 35, "abort_incomplete_days": 7})]
	two := [rule({"id": "b", "abort_incomplete_days": 7}), rule({"id": "a", "noncurrent_days": 35})]
	silent(one, declared(two))
	silent(two, declared(one))
}

test_a_shorter_life_of_old_versions_is_restored if {
	finding := only(findings) with input as bucket([old_versions(1)], declared([old_versions(35)]))
	finding.propose == ["restore"]
	finding.resource == "arn:aws:s3:::securecart-invoices"
	finding.evidence == {
		"added": ["expire noncurrent versions after 1 day in the whole bucket"],
		"missing": ["expire noncurrent versions after 35 days in the whole bucket"],
	}
}

test_an_added_expiration_is_named if {
	attack := rule({"id": "x", "prefix": "2026/", "expiration_days": 1})
	finding := only(findings) with input as bucket([old_versions(35), attack], declared([old_versions(35)]))
	finding.message == "lifecycle of bucket `securecart-invoices` is not as declared: added: expire after 1 day under `2026/`"
}

test_a_disabled_or_deleted_rule_is_missing if {
	every rules in [[], [object.union(old_versions(35), {"status": "Disabled"})], null, "none"] {
		found := findings with input as bucket(rules, declared([old_versions(35)]))
		only(found).evidence.missing == ["expire noncurrent versions after 35 days in the whole bucket"]
	}
}

test_a_disabled_extra_rule_does_nothing if {
	silent([old_versions(35), rule({"status": "Disabled", "expiration_days": 1})], declared([old_versions(35)]))
}

test_every_part_of_a_rule_counts if {
	every change in [
		{"prefix": "logs/"},
		{"newer_noncurrent_versions": 3},
		{"expiration_date": "2026-12-01T00:00:00Z"},
		{"transitions": [{"days": 0, "storage_class": "GLACIER"}]},
	] {
		count(findings) == 1 with input as bucket([object.union(old_versions(35), change)], declared([old_versions(35)]))
	}
}

test_a_missing_prefix_is_the_whole_bucket if {
	silent([object.union(old_versions(35), {"prefix": null})], declared([old_versions(35)]))
}

test_a_source_keeps_old_versions_35_days if {
	silent([old_versions(35)], class("source"))
	violations([], "source") == ["missing: expire noncurrent versions after 35 days in the whole bucket"]
	violations([old_versions(180)], "source") == ["missing: expire noncurrent versions after 35 days in the whole bucket"]
	count(violations([old_versions(1)], "source")) == 2
	violations([old_versions(35), rule({"prefix": "a/", "noncurrent_days": 1})], "source") == ["sooner than after 35 days: expire noncurrent versions after 1 day under `a/`"]
}

test_a_replica_never_expires_what_is_current if {
	silent([old_versions(180)], class("replica"))
	violations([old_versions(180), rule({"expiration_days": 3650})], "replica") == ["current versions must not expire: expire after 3650 days in the whole bucket"]
	violations([old_versions(180), rule({"expiration_date": "2026-12-01"})], "replica") == ["current versions must not expire: expire on 2026-12-01 in the whole bucket"]
	count(violations([old_versions(15)], "replica")) == 2
}

test_an_archive_moves_after_180_and_expires_after_730_days if {
	good := {"prefix": "analytics-archive/", "expiration_days": 730, "transitions": [{"days": 180, "storage_class": "GLACIER"}]}
	silent([rule(good)], class("archive"))
	violations([rule(object.union(good, {"transitions": []}))], "archive") == ["missing: move to GLACIER after 180 days"]
	count(violations([rule(object.union(good, {"expiration_days": 365}))], "archive")) == 2
	count(violations([], "archive")) == 2
	count(violations([rule(good), rule({"expiration_date": "2026-12-01"})], "archive")) == 1
}

test_a_log_bucket_keeps_everything_a_year if {
	silent([], class("log"))
	silent([rule({"expiration_days": 365, "noncurrent_days": 400})], class("log"))
	count(violations([rule({"expiration_days": 364})], "log")) == 1
	count(violations([rule({"noncurrent_days": 30})], "log")) == 1
	count(violations([rule({"expiration_date": "2026-12-01"})], "log")) == 1
}

test_what_is_declared_goes_before_the_class if {
	silent([old_versions(30)], {"class": "source", "lifecycle": [old_versions(30)]})
}

test_a_misspelt_class_is_told if {
	finding := only(findings) with input as bucket([], class("sauce"))
	finding.propose == []
	finding.evidence == {"class": "sauce"}
}

test_a_bucket_without_lifecycle_in_its_state_violates_its_class if {
	unread := {"resource": {"kind": "bucket", "arn": "arn:aws:s3:::b", "live": {}}, "desired": class("source")}
	count(findings) == 1 with input as unread
}

test_a_bucket_that_declares_nothing_is_silent if {
	every desired in [null, {}, {"class": null}, {"versioning": "Enabled"}] {
		silent([rule({"expiration_days": 1})], desired)
	}
	count(findings) == 0 with input as {}
}

test_the_strategies_declare_what_their_classes_ask_for if {
	every strategy in data.strategies {
		every entry in strategy.resources {
			fits(entry)
		}
	}
}

fits(entry) if not entry.desired.lifecycle

fits(entry) if silent(entry.desired.lifecycle, {"class": entry.desired.class})
