package lib.testing_test

import data.lib.testing

test_the_only_finding_is_neither_none_nor_one_of_two if {
	testing.only({"a"}) == "a"
	not testing.only(set())
	not testing.only({"a", "b"})
}

test_a_call_names_its_source_and_its_event if {
	called := testing.call("kms.amazonaws.com:DisableKey", null)
	called.event.eventSource == "kms.amazonaws.com"
	called.event.eventName == "DisableKey"
	called.event.requestParameters == null
}

test_a_change_leaves_the_rest_as_it_was if {
	called := testing.by(testing.refused(testing.call("kms.amazonaws.com:DisableKey", {})), {"name": "kim"})
	called.principal.name == "kim"
	called.principal.kind == "iam_user"
	called.event.errorCode == "AccessDenied"
	called.event.eventName == "DisableKey"
}

test_a_resource_is_of_its_kind if {
	testing.bucket("b", {"versioning": "Enabled"}, null).resource.arn == "arn:aws:s3:::b"
	vault := testing.vault("v", {"locked": false}, {})
	vault.resource.live == {"name": "v", "locked": false}
	vault.resource.arn == "arn:aws:backup:eu-west-1:111122223333:backup-vault:v"
}
