package events.kms.key_disabled

import data.lib.event
import data.lib.key

# METADATA
# entrypoint: true
# title: Key that protects backups taken away
# description: Somebody scheduled a key's deletion, disabled it or removed its material. Without it a backup is noise.
# schemas:
#   - input: schema.event
# custom:
#   id: KMS-01
#   severity: critical
#   mode: enforce
#   events:
#     - kms.amazonaws.com:DeleteImportedKeyMaterial
#     - kms.amazonaws.com:DisableKey
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
#   approved: may_disable_keys
#   runbook: docs/runbooks/key_disabled.md
findings contains object.union(key.target, finding) if {
	_done
	key.protected
	event.succeeded
	finding := {
		"message": $"`{event.actor}` {_done} {key.named}{_in_days}",
		"propose": _response,
		"evidence": object.union({"denied": false}, _pending),
	}
}

# KMS logs no parameters of a denied call.
findings contains object.union(key.target, finding) if {
	_done
	key.protected
	event.denied
	finding := {
		"message": $"`{event.actor}` tried `{input.event.eventName}` on {key.named} and was refused",
		"propose": [],
		"evidence": {"denied": true},
	}
}

_done := {
	"DeleteImportedKeyMaterial": "deleted the imported material of",
	"DisableKey": "disabled",
	"ScheduleKeyDeletion": "scheduled the deletion of",
}[input.event.eventName] if {
	input.event.eventSource == "kms.amazonaws.com"
}

# Only its owner can import material again.
_response := ["contain"] if {
	input.event.eventName == "DeleteImportedKeyMaterial"
} else := ["contain", "restore"]

_in_days := $" in {event.parameters.pendingWindowInDays} days" if {
	is_number(event.parameters.pendingWindowInDays)
} else := ""

_pending := {"pending_days": event.parameters.pendingWindowInDays} if {
	event.parameters.pendingWindowInDays
} else := {}
