package resources.SERVICE.RULE

# METADATA
# entrypoint: true
# title: What is wrong, in one line
# description: What should be true of a bucket, and why it matters.
# schemas:
#   - input: schema.bucket
# custom:
#   id: NEW-ID
#   severity: medium
#   mode: observe
#   kind: bucket
#   controls: []
#   attack: []
#   runbook: docs/runbooks/RULE.md
findings contains finding if {
	input.resource.kind == "bucket"
	input.desired.versioning == "Enabled"
	input.resource.live.versioning != "Enabled"
	finding := {
		"message": $"`{input.resource.arn}` keeps no old versions",
		"resource": input.resource.arn,
		"propose": [],
		"evidence": {"versioning": input.resource.live.versioning},
	}
}
