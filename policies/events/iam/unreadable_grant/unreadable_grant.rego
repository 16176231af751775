package events.iam.unreadable_grant

import data.lib.event
import data.lib.grant
import data.lib.iam_policy

# METADATA
# entrypoint: true
# title: Rights granted that the record does not show
# description: Somebody granted rights in a document that cannot be read, or too large for CloudTrail, which is a way to hide them.
# schemas:
#   - input: schema.event
# custom:
#   id: IAM-22
#   severity: high
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
#     - ISO 27001:2022 A.5.18
#     - ISO 27001:2022 A.8.2
#     - PCI DSS 4.0.1 7.2.5
#     - NIST CSF 2.0 PR.AA-05
#     - SOC 2 CC6.3
#   attack: [T1098, T1562]
#   approved: may_grant_destructive_rights
#   runbook: docs/runbooks/destructive_grant.md
findings contains finding if {
	_grants
	event.succeeded
	some hidden in _hidden
	finding := {
		"message": $"`{event.actor}` gave {grant.grantee} rights {hidden.where}",
		"propose": hidden.propose,
		"evidence": object.union({"grantee": grant.grantee}, hidden.evidence),
	}
}

_grants if grant.writes_document

_grants if grant.attaches

_hidden contains {"where": where, "propose": ["contain"], "evidence": {"omitted_bytes": bytes}} if {
	event.omitted
	where := "in a request too large for CloudTrail, which is a way to hide them"
	bytes := object.get(event.parameters, "originalSize", null)
}

_hidden contains {"where": where, "propose": grant.response, "evidence": {"unreadable": true}} if {
	not event.omitted
	grant.writes_document
	event.parameters.policyDocument
	not iam_policy.statements(event.parameters.policyDocument)
	where := "in a document that cannot be read"
}

# A record without the one field that matters says nothing against the actor.
_hidden contains {"where": "that the record does not name", "propose": [], "evidence": {"unreadable": true}} if {
	not event.omitted
	not _legible
}

_legible if {
	grant.writes_document
	event.parameters.policyDocument
}

_legible if {
	grant.attaches
	is_string(event.parameters.policyArn)
}
