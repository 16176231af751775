# METADATA
# title: Which key, and whether it matters
# description: What a call to KMS is about, from the record's resources, its parameters or the message of a denied call.
package lib.key

import data.lib.event

# METADATA
# title: The key may protect a backup
# description: Where `data.protected.keys` is empty, any customer key may. A key that the record does not name counts.
protected if not _listed

protected if not arn

protected if arn in data.protected.keys

# METADATA
# title: The key's ARN
# description: Undefined when the record names an alias, or nothing.
arn := input.event.resources[0].ARN if {
	contains(input.event.resources[0].ARN, ":key/")
} else := event.parameters.keyId if {
	startswith(event.parameters.keyId, "arn:")
	contains(event.parameters.keyId, ":key/")
} else := event.arn("kms", $"key/{event.parameters.keyId}") if {
	_bare(event.parameters.keyId)
} else := input.event.denied.resource if {
	contains(input.event.denied.resource, ":key/")
}

# METADATA
# title: The key, for a sentence
named := $"key `{arn}`" if {
	arn
} else := $"key `{event.parameters.keyId}`" if {
	is_string(event.parameters.keyId)
} else := "a key"

# METADATA
# title: The key as the resource of a finding
# description: Empty when the record does not name it.
target := {"resource": arn} if {
	arn
} else := {}

_listed if count(data.protected.keys) > 0

# An alias has no place in an ARN of a key.
_bare(id) if {
	is_string(id)
	not startswith(id, "arn:")
	not startswith(id, "alias/")
}
