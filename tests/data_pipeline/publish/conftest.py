"""What tests of sinks are given."""

from tests.servers.s3 import bucket, s3_endpoint  # noqa: F401 - fixtures
