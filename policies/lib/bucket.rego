# METADATA
# title: Which bucket
package lib.bucket

# METADATA
# title: The name in its ARN
name := split(input.resource.arn, ":::")[1]
