# What every rule about an act asks first: did it work, who did it, where.
package lib.event

default succeeded := false

succeeded if not _failed

default denied := false

denied if is_object(input.event.denied)

denied if data.errors.denied[input.event.errorCode]

# CloudTrail logs `null` here for most denied calls, and for calls without parameters.
parameters := input.event.requestParameters if {
	is_object(input.event.requestParameters)
} else := {}

# CloudTrail leaves out parameters of more than 100 KB and says so.
omitted if parameters.omitted == true

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

# The account the act was done to: the record's own word, else the account we watch.
account := input.event.recipientAccountId if {
	is_string(input.event.recipientAccountId)
} else := input.account.id

partition := "aws-cn" if {
	startswith(input.event.awsRegion, "cn-")
} else := "aws-us-gov" if {
	startswith(input.event.awsRegion, "us-gov-")
} else := "aws"

# `arn("backup", "backup-vault:main")` in the Region and account of the event.
arn(service, resource) := concat(":", ["arn", partition, service, input.event.awsRegion, account, resource])

# Answering the agent's own deeds would undo an undo. Break-glass and AWS's own
# roles are watched and put right, but never contained.
proposable(verbs) := [] if {
	input.principal.flags.agent == true
} else := [verb | some verb in verbs; not _spared(verb)]

# `not approved("may_change_trails")` holds for an unknown principal too. Written
# out, `not input.principal.arn in data...` would be undefined and silence the rule.
approved(capability) if input.principal.arn in data.approved[capability]

_failed if {
	code := input.event.errorCode
	not code in {null, ""}
}

_spared("contain") if input.principal.flags.break_glass == true

_spared("contain") if input.principal.flags.service_linked == true

_spared("contain") if input.principal.kind in {"service", "service_linked_role"}
