"""Data behind OAuth 2.0: a token endpoint, a data server that wants its tokens, and requests to both."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.providers import OAuth2Auth, ProviderSettings
from data_pipeline.collect.http.http import HttpCollector, Options
from data_pipeline.dataset import Collected
from tests import faulty_server as fault
from tests.data_pipeline.collect.requests import make_request
from tests.data_pipeline.collect.token_server import CLIENT, SECRET, TokenServer
from tests.faulty_server import FaultyServer
from tests.utils.token_store import opened
from utils.tokens import StoredTokens

CSV = b"id,value\n1,2.5\n"
Fetch = Callable[..., Collected]


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with TokenServer() as server:
        yield server


@pytest.fixture
def data(tokens: TokenServer) -> Iterator[FaultyServer]:
    """Gives its rows to who shows a token of `tokens`."""
    with FaultyServer(tokens.protecting(fault.ok(CSV))) as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> StoredTokens:
    return opened(tmp_path)


def oauth2(token_url: str, **more: str) -> OAuth2Auth:
    return OAuth2Auth(kind="oauth2", **{"token_url": token_url, "client_id": CLIENT, "client_secret": SECRET, **more})


def asking(auth: OAuth2Auth, store: StoredTokens | None = None, **more: Any) -> dict[str, Any]:
    """The fields of a request whose provider `partner` asks with `auth`."""
    return {"provider": "partner", "settings": ProviderSettings(auth=auth), "tokens": store, **more}


def shown(server: FaultyServer) -> list[str]:
    """The Authorization header of each request to the data."""
    return [request.headers.get("authorization", "") for request in server.requests]


def collect(collector: HttpCollector, data: FaultyServer, folder: Path, request: dict[str, Any]) -> Collected:
    """Collect with this collector, as a process of its own would."""
    return collector.collect(make_request(Options(url=data.url), folder / "spool", **request))
