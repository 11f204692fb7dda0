"""A real S3 protocol server on loopback, one for the whole session; each test gets a bucket of its own."""

import io
import os
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest


@dataclass(frozen=True)
class Bucket:
    """A bucket, and what a configuration needs to read it."""

    name: str
    endpoint: str
    client: Any

    @property
    def options(self) -> dict[str, Any]:
        return {
            "key": "the-key",
            "secret": "the-secret",
            "endpoint_url": self.endpoint,
            "client_kwargs": {"region_name": "us-east-1"},
        }

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of the server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with redirect_stderr(io.StringIO()):
        server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_endpoint: str) -> Iterator[Bucket]:
    """An empty bucket."""
    yield from _bucket(s3_endpoint)


def _bucket(endpoint: str) -> Iterator[Bucket]:
    import botocore.session

    # A developer's own ~/.aws must not matter.
    with mock.patch.dict(os.environ, {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}):
        client = botocore.session.Session().create_client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="the-key",
            aws_secret_access_key="the-secret",
        )
        name = f"b-{uuid4().hex[:12]}"
        client.create_bucket(Bucket=name)
        yield Bucket(name, endpoint, client)
        client.close()


class OwnServer:
    """A server of a test's own, that may go away and come back on its port with all it kept."""

    def __init__(self) -> None:
        self._port = 0
        self.start()

    def start(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
        with redirect_stderr(io.StringIO()):
            self._server.start()
        self._port = self._server.get_host_and_port()[1]

    def stop(self) -> None:
        self._server.stop()
        assert self._server._server is not None
        self._server._server.server_close()  # else its clients would wait in the queue of the socket

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"


@pytest.fixture
def own_s3() -> Iterator[OwnServer]:
    server = OwnServer()
    yield server
    server.stop()


@pytest.fixture
def own_bucket(own_s3: OwnServer) -> Iterator[Bucket]:
    """An empty bucket of that server."""
    yield from _bucket(own_s3.endpoint)
