package lib.key_policy_test

import data.lib.key_policy
import data.lib.testing

change := testing.call("kms.amazonaws.com:PutKeyPolicy", {})

lets_in(principal) := {"Effect": "Allow", "Principal": principal, "Action": "kms:Decrypt", "Resource": "*"}

foreign(statement) := found if found := key_policy.foreign_principals([statement]) with input as change

near(keys) := object.union(lets_in("*"), {"Condition": {"StringEquals": keys}})

test_every_spelling_of_an_outsider_is_seen if {
	foreign(lets_in({"AWS": "arn:aws:iam::999988887777:root"})) == {"arn:aws:iam::999988887777:root"}
	foreign(lets_in({"AWS": "999988887777"})) == {"999988887777"}
	foreign(lets_in("*")) == {"*"}
	foreign(lets_in({"AWS": "*"})) == {"*"}
	foreign(lets_in({"AWS": ["111122223333", "arn:aws:iam::999988887777:user/x"]})) == {"arn:aws:iam::999988887777:user/x"}
	foreign({"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:user/x"}}) == {"*"}
	foreign(lets_in({"AWS": "arn:aws"})) == {"arn:aws"}
}

test_our_own_principals_are_no_outsiders if {
	foreign(lets_in({"AWS": ["111122223333", "arn:aws:iam::111122223333:role/x"]})) == set()
	foreign(lets_in({"AWS": "arn:aws:iam::222233334444:root"})) == set()
	foreign(lets_in({"Service": "backup.amazonaws.com"})) == set()
	foreign(lets_in({"AWS": "AROAEXAMPLEEXAMPLE123"})) == set()
	foreign({"Effect": "Deny", "Principal": "*"}) == set()
}

test_everybody_within_our_account_or_organisation_is_no_outsider if {
	foreign(near({"kms:CallerAccount": "111122223333"})) == set()
	foreign(near({"aws:PrincipalAccount": ["111122223333", "222233334444"]})) == set()
	foreign(near({"kms:CallerAccount": ["111122223333", "999988887777"]})) == {"*"}
	foreign(near({"aws:PrincipalOrgID": "o-other"})) == {"*"}
	foreign(near({"kms:ViaService": "s3.eu-west-1.amazonaws.com"})) == {"*"}
	found := key_policy.foreign_principals([near({"aws:PrincipalOrgID": "o-ours"})]) with input as change with data.approved.organisations as ["o-ours"]
	found == set()
}

test_a_principal_is_trusted_by_its_account if {
	key_policy.trusted_principal("arn:aws:iam::111122223333:role/x") with input as change
	key_policy.trusted_principal("222233334444") with input as change
	not key_policy.trusted_principal("arn:aws:iam::999988887777:role/x") with input as change
	not key_policy.trusted_principal("*") with input as change
}
