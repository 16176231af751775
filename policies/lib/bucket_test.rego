package lib.bucket_test

import data.lib.bucket
import data.lib.testing

test_a_bucket_is_named_in_every_partition if {
	bucket.name == "invoices" with input as testing.bucket("invoices", {}, null)
	chinese := {"resource": {"arn": "arn:aws-cn:s3:::invoices"}}
	bucket.name == "invoices" with input as chinese
}
