package events.iam.destructive_grant

import data.lib.event
import data.lib.iam_policy

# METADATA
# entrypoint: true
# title: Right to destroy backups granted
# description: Somebody outside the allow-list granted backup-destructive or all rights, or hid what was granted.
# schemas:
#   - input: schema.event
# custom:
#   id: IAM-02
#   severity: critical
#   mode: enforce
#   events:
#     - iam.amazonaws.com:AttachGroupPolicy
#     - iam.amazonaws.com:AttachRolePolicy
#     - iam.amazonaws.com:AttachUserPolicy
#     - iam.amazonaws.com:CreatePolicy
#     - iam.amazonaws.com:CreatePolicyVersion
#     - iam.amazonaws.com:PutGroupPolicy
#     - iam.amazonaws.com:PutRolePolicy
#     - iam.amazonaws.com:PutUserPolicy
#   controls:
#     - ISO 27001:2022 A.5.15
#     - ISO 27001:2022 A.5.18
#     - ISO 27001:2022 A.8.2
#     - PCI DSS 4.0.1 7.2.1
#     - PCI DSS 4.0.1 7.2.5
#     - NIST CSF 2.0 PR.AA-05
#     - SOC 2 CC6.1
#     - SOC 2 CC6.3
#     - CIS AWS 3.0 1.16
#     - CIS AWS 5.0 1.15
#     - GDPR 32
#     - Security Hub IAM.1
#   attack: [T1098, T1098.003]
#   runbook: docs/runbooks/destructive_grant.md
findings contains finding if {
	_outside_allow_list
	event.succeeded
	some grant in _grants
	finding := {
		"message": $"`{event.actor}` gave {_grantee} {grant.what}",
		"propose": event.proposable(grant.propose),
		"evidence": object.union({"denied": false, "grantee": _grantee}, grant.evidence),
	}
}

# IAM logs no parameters of a denied call: what was asked for stays unknown.
findings contains finding if {
	_outside_allow_list
	event.denied
	not _harmless
	finding := {
		"message": $"`{event.actor}` tried to give {_grantee} rights with `{input.event.eventName}` and was refused",
		"propose": [],
		"evidence": {"denied": true, "grantee": _grantee},
	}
}

_outside_allow_list if {
	input.event.eventSource == "iam.amazonaws.com"
	_event
	not event.approved("may_grant_destructive_rights")
}

_event if _writes_document

_event if _attaches

_writes_document if input.event.eventName in {
	"CreatePolicy",
	"CreatePolicyVersion",
	"PutGroupPolicy",
	"PutRolePolicy",
	"PutUserPolicy",
}

_attaches if input.event.eventName in {"AttachGroupPolicy", "AttachRolePolicy", "AttachUserPolicy"}

_grants contains grant if {
	_writes_document
	count(_destructive) > 0
	grant := {
		"what": $"the right to `{_headline}`{_others}",
		"propose": _containment,
		"evidence": {"rights": array.slice(_sorted, 0, 8), "rights_in_all": count(_sorted)},
	}
}

_grants contains grant if {
	_attaches
	_managed
	grant := {
		"what": $"managed policy `{_managed}`, which allows {data.destructive.managed_policies[_managed]}",
		"propose": ["contain"],
		"evidence": {"policy": event.parameters.policyArn},
	}
}

_grants contains grant if {
	not event.omitted
	_writes_document
	event.parameters.policyDocument
	not _statements
	grant := {
		"what": "rights in a document that cannot be read",
		"propose": _containment,
		"evidence": {"unreadable": true},
	}
}

_grants contains grant if {
	event.omitted
	grant := {
		"what": "rights in a request too large for CloudTrail, which is a way to hide them",
		"propose": ["contain"],
		"evidence": {"omitted_bytes": object.get(event.parameters, "originalSize", null)},
	}
}

# A record without the one field that matters says nothing against the actor.
_grants contains grant if {
	not event.omitted
	not _legible
	grant := {
		"what": "rights that the record does not name",
		"propose": [],
		"evidence": {"unreadable": true},
	}
}

_legible if {
	_writes_document
	event.parameters.policyDocument
}

_legible if {
	_attaches
	is_string(event.parameters.policyArn)
}

# The name of an AWS managed policy known to be destructive; undefined for others.
_managed := name if {
	name := split(event.parameters.policyArn, ":iam::aws:policy/")[1]
	data.destructive.managed_policies[name]
}

_statements := iam_policy.statements(event.parameters.policyDocument)

_destructive := iam_policy.destructive(_statements)

_sorted := sort([action | some action in _destructive])

_headline := "backup:DeleteRecoveryPoint" if {
	"backup:DeleteRecoveryPoint" in _destructive
} else := _sorted[0]

_others := "" if {
	count(_sorted) == 1
} else := $" and {count(_sorted) - 1} more destructive actions"

_harmless if {
	_statements
	count(_destructive) == 0
}

_harmless if {
	_attaches
	is_string(event.parameters.policyArn)
	not _managed
}

# A version that is not the default grants nothing yet: worth knowing, no more.
_containment := [] if {
	input.event.eventName == "CreatePolicyVersion"
	not _takes_effect
} else := ["contain"]

_takes_effect if event.parameters.setAsDefault in {true, "true"}

_grantee := $"user `{event.parameters.userName}`" if {
	is_string(event.parameters.userName)
} else := $"group `{event.parameters.groupName}`" if {
	is_string(event.parameters.groupName)
} else := $"role `{event.parameters.roleName}`" if {
	is_string(event.parameters.roleName)
} else := $"policy `{event.parameters.policyName}`" if {
	is_string(event.parameters.policyName)
} else := $"policy `{event.parameters.policyArn}`" if {
	is_string(event.parameters.policyArn)
} else := $"`{input.event.denied.resource}`" if {
	is_string(input.event.denied.resource)
} else := "somebody"
