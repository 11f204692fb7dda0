"""What people ask of a service that runs in another process: through the log, so that it is known who did."""

from typing import Any

from integrated_system import IntegratedSystem

__all__ = ["Asked"]

EVERY_S = 2.0
"""Seconds between two looks."""


class Asked:
    """Hears of the newest event of a type since it was made.

    Args:
        kind: The type of the event, e.g. `host.level_asked`.
    """

    def __init__(self, system: IntegratedSystem, kind: str) -> None:
        self._system, self._kind = system, kind
        self._after: int | None = None
        self._looked_at = float("-inf")

    def news(self) -> dict[str, Any] | None:
        """What was asked for since the last call; of several the newest. None: nothing, or it was just looked.

        Raises:
            StateError: the log is away.
        """
        now = self._system.clock.monotonic()
        if now - self._looked_at < EVERY_S:
            return None
        self._looked_at = now
        newest = self._system.events.read(type=self._kind, limit=1, newest_first=True)
        seq = newest[0].seq if newest else 0
        before, self._after = self._after, seq
        return dict(newest[0].data) if before is not None and seq > before else None
