"""Commands that stay are stopped by Ctrl-C and SIGTERM, in order; asked twice, at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operations.serving import Serving

__all__ = ["stopped_by_signals"]


@contextmanager
def stopped_by_signals(serving: "Serving") -> Iterator[list[int]]:
    """Both signals stop the services in order; yields the list of signals that came."""
    came: list[int] = []

    def stop(number: int, _: object) -> None:
        came.append(number)
        if len(came) > 1:
            os._exit(128 + number)
        serving.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
