package resources.s3.lifecycle_too_short_test

import data.lib.testing
import data.resources.s3.lifecycle_too_short.findings

bucket(rules, class) := testing.bucket("securecart-invoices", {"lifecycle": rules}, {"class": class})

rule(change) := object.union({"id": "r", "status": "Enabled", "prefix": ""}, change)

old_versions(days) := rule({"noncurrent_days": days})

too_soon(rules, class) := testing.only(found).evidence.too_soon if found := findings with input as bucket(rules, class)

silent(rules, class) if count(findings) == 0 with input as bucket(rules, class)

test_a_rule_that_deletes_too_soon_is_restored if {
	finding := testing.only(findings) with input as bucket([old_versions(1)], "source")
	finding.propose == ["restore"]
	finding.resource == "arn:aws:s3:::securecart-invoices"
	finding.message == "lifecycle of bucket `securecart-invoices` deletes too soon for class `source`: sooner than after 35 days: expire noncurrent versions after 1 day in the whole bucket"
}

test_a_source_keeps_old_versions_35_days if {
	silent([old_versions(35)], "source")
	silent([old_versions(180)], "source")
	too_soon([old_versions(35), rule({"prefix": "a/", "noncurrent_days": 1})], "source") == ["sooner than after 35 days: expire noncurrent versions after 1 day under `a/`"]
}

test_a_replica_never_expires_what_is_current if {
	silent([old_versions(180)], "replica")
	too_soon([rule({"expiration_days": 3650})], "replica") == ["current versions must not expire: expire after 3650 days in the whole bucket"]
	too_soon([rule({"expiration_date": "2026-12-01"})], "replica") == ["current versions must not expire: expire on 2026-12-01 in the whole bucket"]
	count(too_soon([old_versions(15)], "replica")) == 1
}

test_an_archive_expires_after_730_days if {
	silent([rule({"expiration_days": 730})], "archive")
	count(too_soon([rule({"expiration_days": 365})], "archive")) == 1
	count(too_soon([rule({"expiration_date": "2026-12-01"})], "archive")) == 1
}

test_a_log_bucket_keeps_everything_a_year if {
	silent([], "log")
	silent([rule({"expiration_days": 365, "noncurrent_days": 400})], "log")
	count(too_soon([rule({"expiration_days": 364})], "log")) == 1
	count(too_soon([rule({"noncurrent_days": 30})], "log")) == 1
	count(too_soon([rule({"expiration_date": "2026-12-01"})], "log")) == 1
}

test_a_declared_lifecycle_goes_before_the_class if {
	desired := {"class": "source", "lifecycle": [old_versions(30)]}
	count(findings) == 0 with input as testing.bucket("b", {"lifecycle": [old_versions(1)]}, desired)
}

test_a_bucket_without_a_known_class_is_silent if {
	every desired in [null, {}, {"class": null}, {"class": "sauce"}, {"versioning": "Enabled"}] {
		count(findings) == 0 with input as testing.bucket("b", {"lifecycle": [rule({"expiration_days": 1})]}, desired)
	}
	count(findings) == 0 with input as {}
}

test_the_strategies_declare_nothing_that_their_classes_call_too_soon if {
	every strategy in data.strategies {
		every entry in strategy.resources {
			fits(entry)
		}
	}
}

fits(entry) if not entry.desired.lifecycle

fits(entry) if silent(entry.desired.lifecycle, entry.desired.class)
