"""Build a `CollectRequest` for a test: plain calls, a manual clock where time matters."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from data_pipeline.collect.collector import CollectRequest

T = TypeVar("T")

NOW = datetime(2026, 3, 1, 7, 5, 30, tzinfo=UTC)


@dataclass
class Calls:
    """Runs each request as it is and remembers for which provider; `tries` repeats one that fails transiently."""

    tries: int = 1
    providers: list[str] = field(default_factory=list)
    fail_at: dict[int, Exception] = field(default_factory=dict)
    """Number of the call (from 1) -> what it raises instead of being made."""

    def __call__(self, provider: str, request: Callable[[], T], /) -> T:
        self.providers.append(provider)
        if (failure := self.fail_at.get(len(self.providers))) is not None:
            raise failure
        for left in range(self.tries - 1, -1, -1):
            try:
                return request()
            except Exception as error:
                if not left or not getattr(error, "transient", False):
                    raise
        raise AssertionError("tries must be at least 1")


def make_request(options: Any, folder: Path, *, provider: str = "", call: Any = None, **more: Any) -> CollectRequest:
    given: dict[str, Any] = {"dataset": "rates", "now": NOW, "read_timeout": 120.0, "connect_timeout": 60.0, **more}
    return CollectRequest(options=options, provider=provider, call=call or Calls(), folder=folder, **given)
