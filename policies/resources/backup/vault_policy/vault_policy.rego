package resources.backup.vault_policy

import data.lib.resource_policy

# METADATA
# entrypoint: true
# title: Access policy of a vault is gone or changed
# description: The policy that forbids deleting recovery points is the last lock before the points themselves.
# schemas:
#   - input: schema.vault
# custom:
#   id: BKP-04
#   severity: high
#   mode: enforce
#   kind: vault
#   controls:
#     - ISO 27001:2022 A.8.13
#     - ISO 27001:2022 A.5.33
#     - PCI DSS 4.0.1 9.4.1.1
#     - PCI DSS 4.0.1 10.3.2
#     - NIST CSF 2.0 PR.DS-11
#     - SOC 2 A1.2
#     - GDPR 32(1)(b)
#   attack: [T1490]
#   runbook: docs/runbooks/vault_policy.md
findings contains finding if {
	_declared
	not _present
	finding := {
		"message": $"vault `{input.resource.live.name}` has no access policy any more",
		"resource": input.resource.arn,
		"propose": ["restore"],
		"evidence": {"added": [], "missing": resource_policy.names(_wanted)},
	}
}

findings contains finding if {
	_declared
	_present
	_live != _wanted
	finding := {
		"message": $"access policy of vault `{input.resource.live.name}` is not as declared",
		"resource": input.resource.arn,
		"propose": ["restore"],
		"evidence": {
			"added": resource_policy.names(_live - _wanted),
			"missing": resource_policy.names(_wanted - _live),
		},
	}
}

_declared if {
	input.resource.kind == "vault"
	is_object(input.desired.policy)
}

_present if is_object(input.resource.live.policy)

_live := resource_policy.meaning(input.resource.live.policy)

_wanted := resource_policy.meaning(input.desired.policy)
