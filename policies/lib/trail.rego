# METADATA
# title: Which trail
# description: What a call to CloudTrail is about, from its parameters or from the message of a denied call.
package lib.trail

import data.lib.event

# METADATA
# title: What the call names the trail by
# description: A name or an ARN. Undefined when the record does not say.
name := event.parameters.name if {
	is_string(event.parameters.name)
} else := event.parameters.trailName if {
	is_string(event.parameters.trailName)
} else := input.event.denied.resource if {
	contains(input.event.denied.resource, ":trail/")
}

# METADATA
# title: The trail, for a sentence
named := $"trail `{name}`" if {
	name
} else := "a trail"

# METADATA
# title: The trail as the resource of a finding
# description: Empty when the record does not name it.
target := {"resource": name} if {
	startswith(name, "arn:")
} else := {"resource": event.arn("cloudtrail", $"trail/{name}")} if {
	name
} else := {}
