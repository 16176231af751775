package lib.key_test

import data.lib.key
import data.lib.testing

arn := "arn:aws:kms:eu-west-1:111122223333:key/2d9c31f4-5b1e-4f0a-9a77-7d2f5e8c4b10"

call(parameters) := testing.call("kms.amazonaws.com:DisableKey", parameters)

test_a_key_is_found_wherever_it_is_named if {
	key.arn == arn with input as testing.changed(call(null), {"event": {"resources": [{"ARN": arn}]}})
	key.arn == arn with input as call({"keyId": arn})
	key.arn == arn with input as call({"keyId": "2d9c31f4-5b1e-4f0a-9a77-7d2f5e8c4b10"})
	key.arn == arn with input as testing.changed(call(null), {"event": {"denied": {"resource": arn}}})
	key.target == {"resource": arn} with input as call({"keyId": arn})
}

test_an_alias_names_the_key_without_an_arn if {
	not key.arn with input as call({"keyId": "alias/backup"})
	key.named == "key `alias/backup`" with input as call({"keyId": "alias/backup"})
	key.target == {} with input as call({"keyId": "alias/backup"})
	key.named == "a key" with input as call(null)
}

test_without_a_list_every_key_may_protect_a_backup if {
	key.protected with input as call({"keyId": arn}) with data.protected.keys as []
}

test_with_a_list_only_its_keys_count_and_those_that_are_not_named if {
	key.protected with input as call({"keyId": arn}) with data.protected.keys as [arn]
	not key.protected with input as call({"keyId": arn}) with data.protected.keys as [concat("", [arn, "0"])]
	key.protected with input as call({"keyId": "alias/backup"}) with data.protected.keys as [arn]
}
