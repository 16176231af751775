package events.iam.destructive_policy_attached

import data.lib.event
import data.lib.grant

# METADATA
# entrypoint: true
# title: AWS managed policy that can destroy backups attached
# description: Somebody attached one of AWS's own policies that allow destroying backups, or everything, to a user, group or role.
# schemas:
#   - input: schema.event
# custom:
#   id: IAM-21
#   severity: critical
#   mode: enforce
#   events:
#     - iam.amazonaws.com:AttachGroupPolicy
#     - iam.amazonaws.com:AttachRolePolicy
#     - iam.amazonaws.com:AttachUserPolicy
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
#   approved: may_grant_destructive_rights
#   runbook: docs/runbooks/destructive_grant.md
findings contains finding if {
	grant.attaches
	event.succeeded
	_managed
	finding := {
		"message": $"`{event.actor}` gave {grant.grantee} managed policy `{_managed}`, which allows {data.destructive.managed_policies[_managed]}",
		"propose": ["contain"],
		"evidence": {"denied": false, "grantee": grant.grantee, "policy": event.parameters.policyArn},
	}
}

# IAM logs no parameters of a denied call: it counts unless they are there and harmless.
findings contains finding if {
	grant.attaches
	event.denied
	not _harmless
	finding := {
		"message": $"`{event.actor}` tried to give {grant.grantee} rights with `{input.event.eventName}` and was refused",
		"propose": [],
		"evidence": {"denied": true, "grantee": grant.grantee},
	}
}

# The name of an AWS managed policy known to be destructive; undefined for others.
_managed := name if {
	name := split(event.parameters.policyArn, ":iam::aws:policy/")[1]
	data.destructive.managed_policies[name]
}

_harmless if {
	is_string(event.parameters.policyArn)
	not _managed
}
