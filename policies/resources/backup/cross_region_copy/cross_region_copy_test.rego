package resources.backup.cross_region_copy_test

import data.lib.testing
import data.resources.backup.cross_region_copy.findings

there := "arn:aws:backup:eu-central-1:111122223333:backup-vault:securecart-vault-dr"

wanted := {"region": "eu-central-1", "vault": "securecart-vault-dr", "max_age_hours": 30}

vault(copies) := testing.vault(
	"securecart-vault",
	{"recovery_points": 7, "newest": "2026-11-20T05:10:00Z", "copies": copies},
	{"copies": [wanted]},
)

copied(at) := {"eu-central-1": {"vault": there, "newest": at}}

live(change) := object.union(vault(copied("2026-11-18T05:10:00Z")), {"resource": {"live": change}})

test_a_missing_copy_is_proposed if {
	finding := testing.only(findings) with input as vault({})
	finding.propose == ["copy"]
	finding.resource == testing.vault_arn("securecart-vault")
	finding.message == "vault `securecart-vault` has no copy in vault `securecart-vault-dr` of eu-central-1"
	finding.evidence == {
		"max_age_hours": 30,
		"newest_copy": null,
		"newest_here": "2026-11-20T05:10:00Z",
		"region": "eu-central-1",
		"vault": "securecart-vault-dr",
	}
}

test_a_stale_copy_is_renewed if {
	finding := testing.only(findings) with input as vault(copied("2026-11-18T05:10:00Z"))
	finding.propose == ["copy"]
	finding.message == "vault `securecart-vault` has no copy in eu-central-1 newer than 30 hours: the newest is 52 hours old"
}

test_a_fresh_copy_is_silent if {
	count(findings) == 0 with input as vault(copied("2026-11-20T05:30:00Z"))
	count(findings) == 0 with input as vault(copied("2026-11-20T06:30:00+01:00"))
}

test_the_limit_itself_is_fresh_and_a_second_more_is_not if {
	count(findings) == 0 with input as vault(copied("2026-11-19T04:00:00Z"))
	count(findings) == 1 with input as vault(copied("2026-11-19T03:59:59Z"))
}

test_a_copy_that_is_not_known_to_be_fresh_is_missing if {
	every at in [null, "", "yesterday", 7] {
		found := findings with input as vault(copied(at))
		testing.only(found).propose == ["copy"]
	}
	count(findings) == 1 with input as object.union(vault(copied("2026-11-20T05:30:00Z")), {"now": null})
}

test_a_copy_in_another_vault_does_not_count if {
	other := {"eu-central-1": {
		"vault": "arn:aws:backup:eu-central-1:111122223333:backup-vault:Default",
		"newest": "2026-11-20T05:30:00Z",
	}}
	found := findings with input as vault(other)
	testing.only(found).evidence.newest_copy == null
}

test_a_copy_in_another_region_does_not_count if {
	count(findings) == 1 with input as vault({"eu-west-2": {"vault": there, "newest": "2026-11-20T05:30:00Z"}})
}

test_without_a_declared_age_any_copy_will_do if {
	ageless := {"desired": {"copies": [object.remove(wanted, ["max_age_hours"])]}}
	count(findings) == 0 with input as object.union(vault(copied("2026-01-01T00:00:00Z")), ageless)
	count(findings) == 1 with input as object.union(vault({}), ageless)
}

test_every_declared_copy_is_evaluated_on_its_own if {
	second := {"region": "eu-north-1", "vault": "securecart-vault-north", "max_age_hours": 30}
	both := object.union(vault(copied("2026-11-20T05:30:00Z")), {"desired": {"copies": [wanted, second]}})
	found := findings with input as both
	testing.only(found).evidence.region == "eu-north-1"
}

test_without_anything_newer_a_backup_is_missing_not_a_copy if {
	found := findings with input as live({"newest": "2026-11-18T05:10:00Z"})
	testing.only(found).propose == []
}

test_an_empty_vault_has_nothing_to_copy if {
	found := findings with input as live({"recovery_points": 0, "newest": null})
	testing.only(found).propose == []
}

test_a_vault_that_declares_no_copies_is_silent if {
	every desired in [null, {}, {"copies": []}, {"copies": null}] {
		count(findings) == 0 with input as object.union(object.remove(vault({}), ["desired"]), {"desired": desired})
	}
	count(findings) == 0 with input as {}
}
