"""The walk through botocore's model: example calls that use all of it, and the table of what is so and what is not."""
