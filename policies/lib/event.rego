# METADATA
# title: What every event rule asks first
# description: Did it work, who did it, where. Whether somebody is spared is not asked here, the agent decides that.
package lib.event

default succeeded := false

# METADATA
# title: The call went through
# description: CloudTrail writes no error code, an empty one or `null`.
succeeded if not _failed

default denied := false

# METADATA
# title: The call was refused for want of rights
denied if is_object(input.event.denied)

denied if data.errors.denied[input.event.errorCode]

# METADATA
# title: The request parameters as an object
# description: CloudTrail logs `null` for most denied calls, and for calls without parameters.
parameters := input.event.requestParameters if {
	is_object(input.event.requestParameters)
} else := {}

# METADATA
# title: The parameters were too large for CloudTrail
# description: CloudTrail leaves out parameters of more than 100 KB and says so.
omitted if parameters.omitted == true

# METADATA
# title: Who did it, for a sentence
actor := concat("/", [input.principal.name, input.principal.session]) if {
	is_string(input.principal.name)
	is_string(input.principal.session)
} else := input.principal.name if {
	is_string(input.principal.name)
} else := input.principal.arn if {
	is_string(input.principal.arn)
} else := input.principal.kind if {
	is_string(input.principal.kind)
} else := "unknown"

# METADATA
# title: An AWS service made the call
# description: Nobody but AWS can write `invokedBy`.
by_service if endswith(input.principal.invoked_by, ".amazonaws.com")

# METADATA
# title: The account it was done to
# description: What the record says, else the account that is watched.
account := input.event.recipientAccountId if {
	is_string(input.event.recipientAccountId)
} else := input.account.id

# METADATA
# title: The partition of its Region
partition := "aws-cn" if {
	startswith(input.event.awsRegion, "cn-")
} else := "aws-us-gov" if {
	startswith(input.event.awsRegion, "us-gov-")
} else := "aws"

# METADATA
# title: An ARN in the Region and account of the event
# description: For example `arn("backup", "backup-vault:main")`.
arn(service, resource) := concat(":", ["arn", partition, service, input.event.awsRegion, account, resource])

_failed if {
	code := input.event.errorCode
	not code in {null, ""}
}
