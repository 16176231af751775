# METADATA
# title: Who is given rights by a call to IAM
package lib.grant

import data.lib.event

# METADATA
# title: The call writes a policy document
writes_document if {
	input.event.eventSource == "iam.amazonaws.com"
	input.event.eventName in {"CreatePolicy", "CreatePolicyVersion", "PutGroupPolicy", "PutRolePolicy", "PutUserPolicy"}
}

# METADATA
# title: The call attaches a policy
attaches if {
	input.event.eventSource == "iam.amazonaws.com"
	input.event.eventName in {"AttachGroupPolicy", "AttachRolePolicy", "AttachUserPolicy"}
}

# METADATA
# title: The receiver, for a sentence
grantee := $"user `{event.parameters.userName}`" if {
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

# METADATA
# title: The response to rights that were written down
# description: A policy version that is not the default grants nothing yet, so nobody is contained for it.
response := [] if {
	input.event.eventName == "CreatePolicyVersion"
	not _takes_effect
} else := ["contain"]

_takes_effect if event.parameters.setAsDefault in {true, "true"}
