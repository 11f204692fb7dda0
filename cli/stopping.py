"""Commands that stay are stopped by Ctrl-C and SIGTERM, in order; asked again a second later, at once."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operations.serving import Serving

__all__ = ["stopped_by_signals"]

AGAIN_S = 1.0
"""Seconds after which another signal means that somebody does not want to wait; `timeout` sends two at once."""


@contextmanager
def stopped_by_signals(serving: "Serving") -> Iterator[list[int]]:
    """Both signals stop the services in order; yields the list of signals that came."""
    came: list[int] = []
    first = 0.0

    def stop(number: int, _: object) -> None:
        nonlocal first
        now = time.monotonic()
        if came:
            if now - first >= AGAIN_S:
                os._exit(128 + number)
            return
        came.append(number)
        first = now
        serving.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
