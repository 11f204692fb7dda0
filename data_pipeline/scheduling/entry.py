"""Where a schedule stands in the process that leads."""

from datetime import datetime
from typing import NamedTuple

from data_pipeline.scheduling.scheduled import Scheduled
from data_pipeline.scheduling.views import Standing

__all__ = ["Entry", "Shut"]


class Shut(NamedTuple):
    """None of a dataset's addresses may be asked: the circuit of `provider` is open. `until`: None: nobody knows."""

    provider: str
    until: datetime | None


class Entry:
    """Where a schedule stands in this process. `turn`: its other places in the heap do not count any more."""

    __slots__ = ("handled", "it", "paused", "put_off", "put_off_for", "turn")

    def __init__(self, it: Scheduled, stands: Standing) -> None:
        self.it = it
        self.turn = 0
        self.stand(stands)

    def stand(self, stands: Standing) -> None:
        """As the log has it."""
        self.handled = stands.handled
        self.paused = stands.paused_at is not None
        self.put_off, self.put_off_for = stands.put_off, stands.put_off_for
