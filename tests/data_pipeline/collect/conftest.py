"""Fixtures of the collectors' tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.collect.http.http import HttpCollector, Options
from data_pipeline.dataset import Collected
from tests.data_pipeline.collect.oauth import data, store, tokens  # noqa: F401 - fixtures
from tests.data_pipeline.collect.requests import make_request
from tests.servers.ftp import ftp_server  # noqa: F401 - a fixture
from tests.servers.s3 import bucket, s3_endpoint  # noqa: F401 - fixtures
from tests.servers.sftp import sftp_server  # noqa: F401 - a fixture


@pytest.fixture
def collector() -> Iterator[HttpCollector]:
    collector = HttpCollector()
    yield collector
    collector.close()


@pytest.fixture
def fetch(collector: HttpCollector, tmp_path: Path) -> Callable[..., Collected]:
    """Collect `url` with the real collector: keys of `collect` first, fields of the request in `request`."""

    def run(url: str, *, request: dict[str, Any] | None = None, **options: Any) -> Collected:
        chosen = Options(url=url, **options)
        given = {"provider": "" if "://" not in url else collector.provider_of(chosen, "rates"), **(request or {})}
        return collector.collect(make_request(chosen, tmp_path / "spool", **given))

    return run


def body_of(collected: Collected) -> bytes:
    """The first payload's bytes."""
    with collected.payloads[0].open() as stream:
        content: bytes = stream.read()
    return content
