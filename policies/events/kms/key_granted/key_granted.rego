package events.kms.key_granted

import data.lib.event
import data.lib.key
import data.lib.key_policy

# METADATA
# entrypoint: true
# title: Use of a key that protects backups granted to an outsider
# description: A grant is the quiet way to let somebody decrypt. No policy shows it, and it often comes before copying data out.
# schemas:
#   - input: schema.event
# custom:
#   id: KMS-12
#   severity: high
#   mode: enforce
#   events: ["kms.amazonaws.com:CreateGrant"]
#   controls:
#     - ISO 27001:2022 A.8.24
#     - PCI DSS 4.0.1 3.6.1
#     - NIST CSF 2.0 PR.DS-01
#     - SOC 2 CC6.1
#     - GDPR 32(1)(a)
#   attack: [T1098, T1537]
#   approved: may_disable_keys
#   runbook: docs/runbooks/key_opened.md
findings contains object.union(key.target, finding) if {
	_to_outsider
	event.succeeded
	finding := {
		"message": $"`{event.actor}` granted the use of {key.named} to outsider `{_grantee}`",
		"propose": ["contain"],
		"evidence": {
			"denied": false,
			"grantee": _grantee,
			"operations": object.get(event.parameters, "operations", []),
		},
	}
}

# A refused grant is mostly an application short of rights, so it counts only when it names an outsider.
findings contains object.union(key.target, finding) if {
	_to_outsider
	event.denied
	finding := {
		"message": $"`{event.actor}` tried to grant the use of {key.named} to outsider `{_grantee}` and was refused",
		"propose": [],
		"evidence": {"denied": true, "grantee": _grantee},
	}
}

# AWS services take grants on keys in their own name and for their own accounts.
_to_outsider if {
	input.event.eventSource == "kms.amazonaws.com"
	input.event.eventName == "CreateGrant"
	key.protected
	not event.by_service
	_outsider
}

_grantee := event.parameters.granteePrincipal

_outsider if _grantee == "*"

_outsider if {
	startswith(_grantee, "arn:")
	not key_policy.trusted_principal(_grantee)
}
