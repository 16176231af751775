package events.kms.key_disabled

import data.lib.event
import data.lib.iam_policy
import data.lib.key_policy

# METADATA
# entrypoint: true
# title: Key that protects backups taken away or opened
# description: Somebody scheduled a key's deletion, disabled it, removed its material, or let outsiders in.
# schemas:
#   - input: schema.event
# custom:
#   id: KMS-01
#   severity: critical
#   mode: enforce
#   events:
#     - kms.amazonaws.com:CreateGrant
#     - kms.amazonaws.com:DeleteImportedKeyMaterial
#     - kms.amazonaws.com:DisableKey
#     - kms.amazonaws.com:PutKeyPolicy
#     - kms.amazonaws.com:ScheduleKeyDeletion
#   controls:
#     - ISO 27001:2022 A.8.24
#     - PCI DSS 4.0.1 3.6.1
#     - PCI DSS 4.0.1 3.7
#     - NIST CSF 2.0 PR.DS-01
#     - NIST CSF 2.0 PR.DS-11
#     - SOC 2 CC6.1
#     - CIS AWS 3.0 3.6
#     - CIS AWS 5.0 3.6
#     - GDPR 32(1)(a)
#     - Security Hub KMS.3
#   attack: [T1486, T1485]
#   runbook: docs/runbooks/key_disabled.md
findings contains object.union(_target, finding) if {
	_concerns_us
	event.succeeded
	some harm in _harms
	finding := {
		"message": $"`{event.actor}` {harm.deed}",
		"propose": event.proposable(harm.propose),
		"evidence": object.union({"denied": false}, harm.evidence),
	}
}

# KMS logs no parameters of a denied call. A refused grant is mostly an
# application short of rights, so it counts only when it names an outsider.
findings contains object.union(_target, finding) if {
	_concerns_us
	event.denied
	count(_harms) > 0
	finding := {
		"message": $"`{event.actor}` tried `{input.event.eventName}` on {_key_named} and was refused",
		"propose": [],
		"evidence": {"denied": true},
	}
}

_concerns_us if {
	input.event.eventSource == "kms.amazonaws.com"
	_protected
	not event.approved("may_disable_keys")
}

# No list means that every customer key may protect a backup.
_protected if not _listed

_protected if not _key

_protected if _key in data.protected.keys

_listed if count(data.protected.keys) > 0

_harms contains {
	"deed": $"scheduled the deletion of {_key_named}{_in_days}",
	"propose": ["contain", "restore"],
	"evidence": {"pending_days": object.get(event.parameters, "pendingWindowInDays", null)},
} if {
	input.event.eventName == "ScheduleKeyDeletion"
}

_harms contains {
	"deed": $"disabled {_key_named}",
	"propose": ["contain", "restore"],
	"evidence": {},
} if {
	input.event.eventName == "DisableKey"
}

# Only people can bring imported material back.
_harms contains {
	"deed": $"deleted the imported material of {_key_named}",
	"propose": ["contain"],
	"evidence": {},
} if {
	input.event.eventName == "DeleteImportedKeyMaterial"
}

_harms contains {
	"deed": $"let outsiders use {_key_named}: {concat(", ", _outsiders)}",
	"propose": ["contain"],
	"evidence": {"outsiders": _outsiders},
} if {
	input.event.eventName == "PutKeyPolicy"
	count(_outsiders) > 0
}

_harms contains {
	"deed": $"put a policy on {_key_named} that can lock its owner out",
	"propose": ["contain"],
	"evidence": {"bypassed_lockout_check": true},
} if {
	input.event.eventName == "PutKeyPolicy"
	event.parameters.bypassPolicyLockoutSafetyCheck in {true, "true"}
}

_harms contains {
	"deed": $"put a policy on {_key_named} that cannot be read",
	"propose": ["contain"],
	"evidence": {"unreadable": true},
} if {
	input.event.eventName == "PutKeyPolicy"
	_policy_sent
	not _statements
}

_harms contains {
	"deed": $"put a policy on {_key_named} that the record does not show",
	"propose": [],
	"evidence": {"unreadable": true},
} if {
	input.event.eventName == "PutKeyPolicy"
	not _policy_sent
}

_harms contains {
	"deed": $"granted the use of {_key_named} to outsider `{event.parameters.granteePrincipal}`",
	"propose": ["contain"],
	"evidence": {
		"grantee": event.parameters.granteePrincipal,
		"operations": object.get(event.parameters, "operations", []),
	},
} if {
	input.event.eventName == "CreateGrant"
	not _made_by_service
	_outsider(event.parameters.granteePrincipal)
}

_policy_sent if event.omitted

_policy_sent if event.parameters.policy

_statements := iam_policy.statements(event.parameters.policy)

_outsiders := sort([principal | some principal in key_policy.foreign_principals(_statements)])

# AWS services take grants on keys in their own name and for their own accounts.
_made_by_service if endswith(input.principal.invoked_by, ".amazonaws.com")

_outsider(grantee) if grantee == "*"

_outsider(grantee) if {
	startswith(grantee, "arn:")
	not key_policy.trusted_principal(grantee)
}

_key := input.event.resources[0].ARN if {
	contains(input.event.resources[0].ARN, ":key/")
} else := event.parameters.keyId if {
	startswith(event.parameters.keyId, "arn:")
	contains(event.parameters.keyId, ":key/")
} else := event.arn("kms", $"key/{event.parameters.keyId}") if {
	_bare(event.parameters.keyId)
} else := input.event.denied.resource if {
	contains(input.event.denied.resource, ":key/")
}

# An alias has no place in an ARN of a key.
_bare(id) if {
	is_string(id)
	not startswith(id, "arn:")
	not startswith(id, "alias/")
}

_key_named := $"key `{_key}`" if {
	_key
} else := $"key `{event.parameters.keyId}`" if {
	is_string(event.parameters.keyId)
} else := "a key"

_target := {"resource": _key} if {
	_key
} else := {}

_in_days := $" in {event.parameters.pendingWindowInDays} days" if {
	is_number(event.parameters.pendingWindowInDays)
} else := ""
