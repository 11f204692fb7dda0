"""A real S3 protocol server for what lies in buckets."""

from tests.servers.s3 import bucket, own_bucket, own_s3, s3_endpoint  # noqa: F401 - fixtures
