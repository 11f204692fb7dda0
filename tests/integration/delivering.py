"""One payload over real HTTP, read by a block of configuration: what its readers get."""

from collections.abc import Callable
from typing import Any

from tests.faulty_server import Answer, FaultyServer, Request, ok
from tests.integration.installation import Installation

Row = dict[str, Any]


def deliver(
    installation: Installation,
    answer: bytes | Answer | Callable[[Request], Answer],
    media_type: str = "application/octet-stream",
    *,
    path: str = "/data",
    collect: dict[str, Any] | None = None,
    **block: Any,
) -> list[Row]:
    """The rows after a run that succeeded, quarantined nothing and lost nothing."""
    with FaultyServer(ok(answer, media_type) if isinstance(answer, bytes) else answer) as server:
        asked = {"kind": "http", "url": f"http://{server.host}{path}", **(collect or {})}
        installation.configure({"name": "payload", "collect": asked, **block})
        result = installation.run_one(fresh=True)
    assert (result.status, result.quarantined, result.partial) == ("succeeded", 0, False), result.reason
    rows = installation.rows("payload")
    assert len(rows) == result.rows
    return rows
