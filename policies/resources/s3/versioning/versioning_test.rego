package resources.s3.versioning_test

import data.lib.testing
import data.resources.s3.versioning.findings

bucket(live, desired) := testing.bucket("securecart-invoices", live, desired)

wanted := {"class": "source", "versioning": "Enabled"}

test_suspended_versioning_is_restored if {
	finding := testing.only(findings) with input as bucket({"versioning": "Suspended"}, wanted)
	finding == {
		"message": "versioning of bucket `securecart-invoices` is suspended, not on",
		"resource": "arn:aws:s3:::securecart-invoices",
		"propose": ["restore"],
		"evidence": {"versioning": "Suspended"},
	}
}

test_a_bucket_that_never_had_versions_is_restored if {
	found := findings with input as bucket({"versioning": "Unversioned"}, wanted)
	testing.only(found).message == "versioning of bucket `securecart-invoices` is off, not on"
}

test_versioning_that_is_not_known_to_be_on_is_off if {
	every live in [{}, {"versioning": null}, {"versioning": true}] {
		found := findings with input as bucket(live, wanted)
		testing.only(found).message == "versioning of bucket `securecart-invoices` is unknown, not on"
	}
}

test_versioning_that_is_on_is_silent if {
	count(findings) == 0 with input as bucket({"versioning": "Enabled"}, wanted)
}

test_a_bucket_that_declares_nothing_is_silent if {
	every desired in [null, {}, {"versioning": null}, {"class": "source"}] {
		count(findings) == 0 with input as bucket({"versioning": "Suspended"}, desired)
	}
}

test_other_kinds_are_silent if {
	vault := object.union(bucket({"versioning": "Suspended"}, wanted), {"resource": {"kind": "vault"}})
	count(findings) == 0 with input as vault
	count(findings) == 0 with input as {}
}
