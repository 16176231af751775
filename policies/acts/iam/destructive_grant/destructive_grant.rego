package acts.iam.destructive_grant

import data.lib.act
import data.lib.iam_policy

# METADATA
# entrypoint: true
# title: Right to destroy backups granted
# description: Somebody outside the allow-list granted backup-destructive or all rights, or hid what was granted.
# schemas:
#   - input: schema.act
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
	act.succeeded
	some grant in _grants
	finding := {
		"message": $"`{act.actor}` gave {_grantee} {grant.what}",
		"propose": act.proposable(grant.propose),
		"evidence": object.union({"denied": false, "grantee": _grantee}, grant.evidence),
	}
}

# IAM logs no parameters of a denied call: what was asked for stays unknown.
findings contains finding if {
	_outside_allow_list
	act.denied
	not _harmless
	finding := {
		"message": $"`{act.actor}` tried to give {_grantee} rights with `{input.event.eventName}` and was refused",
		"propose": [],
		"evidence": {"denied": true, "grantee": _grantee},
	}
}

_outside_allow_list if {
	input.event.eventSource == "iam.amazonaws.com"
	_event
	not act.approved("may_grant_destructive_rights")
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
		"evidence": {"policy": act.parameters.policyArn},
	}
}

_grants contains grant if {
	not act.omitted
	_writes_document
	act.parameters.policyDocument
	not _statements
	grant := {
		"what": "rights in a document that cannot be read",
		"propose": _containment,
		"evidence": {"unreadable": true},
	}
}

_grants contains grant if {
	act.omitted
	grant := {
		"what": "rights in a request too large for CloudTrail, which is a way to hide them",
		"propose": ["contain"],
		"evidence": {"omitted_bytes": object.get(act.parameters, "originalSize", null)},
	}
}

# A record without the one field that matters says nothing against the actor.
_grants contains grant if {
	not act.omitted
	not _legible
	grant := {
		"what": "rights that the record does not name",
		"propose": [],
		"evidence": {"unreadable": true},
	}
}

_legible if {
	_writes_document
	act.parameters.policyDocument
}

_legible if {
	_attaches
	is_string(act.parameters.policyArn)
}

# The name of an AWS managed policy known to be destructive; undefined for others.
_managed := name if {
	name := split(act.parameters.policyArn, ":iam::aws:policy/")[1]
	data.destructive.managed_policies[name]
}

_statements := iam_policy.statements(act.parameters.policyDocument)

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
	is_string(act.parameters.policyArn)
	not _managed
}

# A version that is not the default grants nothing yet: worth knowing, no more.
_containment := [] if {
	input.event.eventName == "CreatePolicyVersion"
	not _takes_effect
} else := ["contain"]

_takes_effect if act.parameters.setAsDefault in {true, "true"}

_grantee := $"user `{act.parameters.userName}`" if {
	is_string(act.parameters.userName)
} else := $"group `{act.parameters.groupName}`" if {
	is_string(act.parameters.groupName)
} else := $"role `{act.parameters.roleName}`" if {
	is_string(act.parameters.roleName)
} else := $"policy `{act.parameters.policyName}`" if {
	is_string(act.parameters.policyName)
} else := $"policy `{act.parameters.policyArn}`" if {
	is_string(act.parameters.policyArn)
} else := $"`{input.event.denied.resource}`" if {
	is_string(input.event.denied.resource)
} else := "somebody"
