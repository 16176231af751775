package lib.lifecycle_test

import data.lib.lifecycle
import data.lib.testing

rule(change) := object.union({"id": "r", "status": "Enabled", "prefix": ""}, change)

said(change) := {lifecycle.sentence(effect) | some effect in lifecycle.effects([rule(change)])}

test_each_thing_that_a_rule_does_is_an_effect if {
	said({"expiration_days": 1}) == {"expire after 1 day in the whole bucket"}
	said({"expiration_date": "2026-12-01"}) == {"expire on 2026-12-01 in the whole bucket"}
	said({"noncurrent_days": 35}) == {"expire noncurrent versions after 35 days in the whole bucket"}
	said({"abort_incomplete_days": 7}) == {"drop incomplete uploads after 7 days in the whole bucket"}
	said({"transitions": [{"days": 180, "storage_class": "GLACIER"}]}) == {"move to GLACIER after 180 days in the whole bucket"}
	said({"noncurrent_transitions": [{"days": 1, "storage_class": "GLACIER"}]}) == {"move noncurrent versions to GLACIER after 1 day in the whole bucket"}
	count(said({"expiration_days": 730, "noncurrent_days": 30})) == 2
}

test_what_narrows_a_rule_is_said if {
	said({"prefix": "logs/", "expiration_days": 2}) == {"expire after 2 days under `logs/`"}
	said({"prefix": null, "expiration_days": 2}) == {"expire after 2 days in the whole bucket"}
	said({"noncurrent_days": 35, "newer_noncurrent_versions": 3}) == {"expire noncurrent versions after 35 days but for the newest 3 in the whole bucket"}
	said({"expiration_days": 2, "larger_than": 1024}) == {"expire after 2 days in the whole bucket, only where {\"larger_than\":1024}"}
}

test_a_disabled_rule_does_nothing if said({"status": "Disabled", "expiration_days": 1}) == set()

test_rules_that_cannot_be_read_do_nothing if {
	every rules in [[], null, "none", ["text"]] {
		lifecycle.effects(rules) == set()
	}
}

test_what_is_declared_goes_before_the_class if {
	bucket := testing.bucket("b", {"lifecycle": [rule({"expiration_days": 1})]}, {"class": "source", "lifecycle": []})
	lifecycle.declared with input as bucket
	not lifecycle.class with input as bucket
	count(lifecycle.live) == 1 with input as bucket
}

test_a_class_speaks_for_buckets_that_declare_nothing if {
	lifecycle.class == data.lifecycle.source with input as testing.bucket("b", {}, {"class": "source"})
	lifecycle.live == set() with input as testing.bucket("b", {}, {"class": "source"})
	every desired in [null, {}, {"class": "sauce"}] {
		not lifecycle.class with input as testing.bucket("b", {}, desired)
	}
	not lifecycle.class with input as testing.vault("v", {}, {"class": "source"})
}
