package resources.backup.cross_region_copy

# METADATA
# entrypoint: true
# title: Cross-Region copy missing or stale
# description: A vault without a fresh copy in another Region does not survive the loss of its Region.
# schemas:
#   - input: schema.vault
# custom:
#   id: BKP-07
#   severity: high
#   mode: approve
#   kind: vault
#   controls:
#     - ISO 27001:2022 A.8.14
#     - ISO 27001:2022 A.8.13
#     - ISO 27001:2022 A.5.30
#     - PCI DSS 4.0.1 9.4.1.1
#     - NIST CSF 2.0 PR.DS-11
#     - NIST CSF 2.0 PR.IR-03
#     - SOC 2 A1.2
#     - GDPR 32(1)(b)
#     - Security Hub S3.7
#   attack: [T1490]
#   runbook: docs/runbooks/cross_region_copy.md
findings contains finding if {
	input.resource.kind == "vault"
	some copy in input.desired.copies
	not _fresh(copy)
	finding := {
		"message": $"vault `{input.resource.live.name}` has {_found(copy)}",
		"resource": input.resource.arn,
		"propose": _answer(copy),
		"evidence": {
			"max_age_hours": object.get(copy, "max_age_hours", null),
			"newest_copy": _newest(copy),
			"newest_here": object.get(input.resource.live, "newest", null),
			"region": object.get(copy, "region", null),
			"vault": object.get(copy, "vault", null),
		},
	}
}

# Where no age is declared, any copy will do. A time that cannot be read is no proof of freshness.
_fresh(copy) if _age_ns(copy) <= ((copy.max_age_hours * 3600) * 1000) * 1000000

_fresh(copy) if {
	not copy.max_age_hours
	_age_ns(copy)
}

_age_ns(copy) := time.parse_rfc3339_ns(input.now) - time.parse_rfc3339_ns(_newest(copy))

_newest(copy) := newest if {
	found := input.resource.live.copies[copy.region]
	endswith(found.vault, $":backup-vault:{copy.vault}")
	newest := found.newest
} else := null

_found(copy) := $"no copy in {copy.region} newer than {copy.max_age_hours} hours: the newest is {floor(_age_ns(copy) / 3600000000000)} hours old" if {
	_age_ns(copy)
} else := $"no copy in vault `{copy.vault}` of {copy.region}"

# Copying again what is already there would only cost money: what is missing
# then is a backup, which people must see to.
_answer(copy) := [] if {
	input.resource.live.recovery_points == 0
} else := [] if {
	_age_ns(copy) >= 0
	time.parse_rfc3339_ns(input.resource.live.newest) <= time.parse_rfc3339_ns(_newest(copy))
} else := ["copy"]
