package resources.s3.lifecycle_incomplete_test

import data.lib.testing
import data.resources.s3.lifecycle_incomplete.findings

bucket(rules, class) := testing.bucket("securecart-invoices", {"lifecycle": rules}, {"class": class})

rule(change) := object.union({"id": "r", "status": "Enabled", "prefix": ""}, change)

missing(rules, class) := testing.only(found).evidence.missing if found := findings with input as bucket(rules, class)

silent(rules, class) if count(findings) == 0 with input as bucket(rules, class)

test_what_is_missing_is_restored if {
	finding := testing.only(findings) with input as bucket([], "source")
	finding.propose == ["restore"]
	finding.resource == "arn:aws:s3:::securecart-invoices"
	finding.message == "lifecycle of bucket `securecart-invoices` lacks what class `source` asks for: expire noncurrent versions after 35 days in the whole bucket"
}

test_a_source_drops_old_versions_after_35_days_exactly if {
	silent([rule({"noncurrent_days": 35})], "source")
	every change in [{"noncurrent_days": 180}, {"noncurrent_days": 1}, {"prefix": "a/", "noncurrent_days": 35}] {
		missing([rule(change)], "source") == ["expire noncurrent versions after 35 days in the whole bucket"]
	}
}

test_an_archive_moves_after_180_and_expires_after_730_days if {
	good := {"prefix": "analytics-archive/", "expiration_days": 730, "transitions": [{"days": 180, "storage_class": "GLACIER"}]}
	silent([rule(good)], "archive")
	missing([rule(object.union(good, {"transitions": []}))], "archive") == ["move to GLACIER after 180 days"]
	missing([rule(object.union(good, {"expiration_days": 365}))], "archive") == ["expire after 730 days"]
	count(missing([], "archive")) == 2
}

test_a_log_bucket_may_keep_everything if silent([], "log")

test_a_class_that_nobody_specified_is_reported if {
	finding := testing.only(findings) with input as bucket([], "sauce")
	finding.propose == []
	finding.evidence == {"class": "sauce"}
	finding.message == "bucket `securecart-invoices` is of class `sauce`, which `data.lifecycle` does not have"
}

test_a_declared_lifecycle_goes_before_the_class if {
	every class in ["source", "sauce"] {
		count(findings) == 0 with input as testing.bucket("b", {"lifecycle": []}, {"class": class, "lifecycle": []})
	}
}

test_a_bucket_whose_rules_were_not_read_lacks_them if {
	count(findings) == 1 with input as testing.bucket("b", {}, {"class": "source"})
}

test_a_bucket_that_declares_nothing_is_silent if {
	every desired in [null, {}, {"class": null}, {"versioning": "Enabled"}] {
		count(findings) == 0 with input as testing.bucket("b", {"lifecycle": []}, desired)
	}
	count(findings) == 0 with input as {}
}

test_the_strategies_declare_all_that_their_classes_ask_for if {
	every strategy in data.strategies {
		every entry in strategy.resources {
			fits(entry)
		}
	}
}

fits(entry) if not entry.desired.lifecycle

fits(entry) if silent(entry.desired.lifecycle, entry.desired.class)
