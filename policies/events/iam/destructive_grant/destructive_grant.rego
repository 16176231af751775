package events.iam.destructive_grant

import data.lib.event
import data.lib.grant
import data.lib.iam_policy

# METADATA
# entrypoint: true
# title: Right to destroy backups granted
# description: Somebody wrote a policy that allows destroying backups or their protection, or everything.
# schemas:
#   - input: schema.event
# custom:
#   id: IAM-02
#   severity: critical
#   mode: enforce
#   events:
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
#   approved: may_grant_destructive_rights
#   runbook: docs/runbooks/destructive_grant.md
findings contains finding if {
	grant.writes_document
	event.succeeded
	count(_rights) > 0
	finding := {
		"message": $"`{event.actor}` gave {grant.grantee} the right to `{_headline}`{_others}",
		"propose": grant.response,
		"evidence": {
			"denied": false,
			"grantee": grant.grantee,
			"rights": array.slice(_rights, 0, 8),
			"rights_in_all": count(_rights),
		},
	}
}

# IAM logs no parameters of a denied call: it counts unless they are there and harmless.
findings contains finding if {
	grant.writes_document
	event.denied
	not _harmless
	finding := {
		"message": $"`{event.actor}` tried to give {grant.grantee} rights with `{input.event.eventName}` and was refused",
		"propose": [],
		"evidence": {"denied": true, "grantee": grant.grantee},
	}
}

_rights := sort(iam_policy.destructive(iam_policy.statements(event.parameters.policyDocument)))

_harmless if count(_rights) == 0

_headline := "backup:DeleteRecoveryPoint" if {
	"backup:DeleteRecoveryPoint" in _rights
} else := _rights[0]

_others := "" if {
	count(_rights) == 1
} else := $" and {count(_rights) - 1} more destructive actions"
