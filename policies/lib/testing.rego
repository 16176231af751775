# METADATA
# title: What tests of rules are made of
# description: Documents as the agent hands them to rules, to be changed where a test needs it. Rules never use it.
package lib.testing

# METADATA
# title: The account that documents are of
account := "111122223333"

# METADATA
# title: The Region that documents are of
region := "eu-west-1"

# METADATA
# title: The only finding
# description: Undefined when there is none or more than one.
only(findings) := finding if {
	count(findings) == 1
	some finding in findings
}

# METADATA
# title: Somebody called something
# description: Named as in METADATA, `backup.amazonaws.com:DeleteRecoveryPoint`. The call worked.
call(event, parameters) := {
	"event": {
		"eventSource": split(event, ":")[0],
		"eventName": split(event, ":")[1],
		"awsRegion": region,
		"recipientAccountId": account,
		"requestParameters": parameters,
	},
	"principal": {
		"kind": "iam_user",
		"account": account,
		"name": "ines",
		"arn": $"arn:aws:iam::{account}:user/ines",
		"session": null,
		"invoked_by": null,
		"flags": {"agent": false, "break_glass": false, "service_linked": false},
	},
	"account": {"id": account},
}

# METADATA
# title: The same call, refused for want of rights
refused(document) := changed(document, {"event": {"errorCode": "AccessDenied"}})

# METADATA
# title: The same call by a principal with other properties
by(document, principal) := changed(document, {"principal": principal})

# METADATA
# title: The same document with other fields
# description: Objects are merged, all else is replaced.
changed(document, change) := object.union(document, change)

# METADATA
# title: A bucket in the state that AWS reports, and what it should be
bucket(name, live, desired) := _resource("bucket", $"arn:aws:s3:::{name}", live, desired)

# METADATA
# title: A vault in the state that AWS reports, and what it should be
vault(name, live, desired) := _resource("vault", vault_arn(name), object.union({"name": name}, live), desired)

# METADATA
# title: The ARN of a vault
vault_arn(name) := $"arn:aws:backup:{region}:{account}:backup-vault:{name}"

# METADATA
# title: A table in the state that AWS reports, and what it should be
table(name, live, desired) := _resource("table", $"arn:aws:dynamodb:{region}:{account}:table/{name}", live, desired)

_resource(kind, arn, live, desired) := {
	"resource": {"kind": kind, "arn": arn, "account": account, "region": region, "tags": {}, "live": live},
	"desired": desired,
	"account": {"id": account},
	"now": "2026-11-20T10:00:00Z",
}
