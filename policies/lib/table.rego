# METADATA
# title: Which table
package lib.table

# METADATA
# title: The name in its ARN
name := split(input.resource.arn, ":table/")[1]
