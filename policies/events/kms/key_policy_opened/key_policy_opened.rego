package events.kms.key_policy_opened

import data.lib.event
import data.lib.iam_policy
import data.lib.key
import data.lib.key_policy

# METADATA
# entrypoint: true
# title: Key that protects backups opened by its policy
# description: Somebody put a policy on a key that lets outsiders in, can lock its owner out, or cannot be read.
# schemas:
#   - input: schema.event
# custom:
#   id: KMS-11
#   severity: critical
#   mode: enforce
#   events: ["kms.amazonaws.com:PutKeyPolicy"]
#   controls:
#     - ISO 27001:2022 A.8.24
#     - PCI DSS 4.0.1 3.6.1
#     - NIST CSF 2.0 PR.DS-01
#     - SOC 2 CC6.1
#     - GDPR 32(1)(a)
#   attack: [T1486, T1537]
#   approved: may_disable_keys
#   runbook: docs/runbooks/key_opened.md
findings contains object.union(key.target, finding) if {
	_policy_put
	event.succeeded
	some harm in _harms
	finding := {
		"message": $"`{event.actor}` put a policy on {key.named} that {harm.that}",
		"propose": harm.propose,
		"evidence": object.union({"denied": false}, harm.evidence),
	}
}

# KMS logs no parameters of a denied call: it counts unless they are there and harmless.
findings contains object.union(key.target, finding) if {
	_policy_put
	event.denied
	count(_harms) > 0
	finding := {
		"message": $"`{event.actor}` tried to put a policy on {key.named} and was refused",
		"propose": [],
		"evidence": {"denied": true},
	}
}

_policy_put if {
	input.event.eventSource == "kms.amazonaws.com"
	input.event.eventName == "PutKeyPolicy"
	key.protected
}

_harms contains {"that": that, "propose": ["contain"], "evidence": {"outsiders": _outsiders}} if {
	count(_outsiders) > 0
	that := $"lets outsiders in: {concat(", ", _outsiders)}"
}

_harms contains {"that": that, "propose": ["contain"], "evidence": {"bypassed_lockout_check": true}} if {
	event.parameters.bypassPolicyLockoutSafetyCheck in {true, "true"}
	that := "can lock its owner out"
}

_harms contains {"that": "cannot be read", "propose": ["contain"], "evidence": {"unreadable": true}} if {
	_sent
	not _statements
}

_harms contains {"that": "the record does not show", "propose": [], "evidence": {"unreadable": true}} if not _sent

_sent if event.omitted

_sent if event.parameters.policy

_statements := iam_policy.statements(event.parameters.policy)

_outsiders := sort(key_policy.foreign_principals(_statements))
