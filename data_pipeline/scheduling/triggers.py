"""What else makes a dataset due than a clock: another one delivered, or a file came."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from data_pipeline.scheduling.arrivals import LOOK_EVERY_S, Arrivals
from data_pipeline.scheduling.occurrence import Occurrence
from data_pipeline.scheduling.plan import SOURCE, Caused
from data_pipeline.scheduling.scheduled import Scheduled
from data_pipeline.scheduling.views import Schedules
from utils.clock import Clock
from utils.events import Event, EventStore, NewEvent, rfc3339

if TYPE_CHECKING:
    from utils.events.following import Following

__all__ = ["Fire", "Triggers"]

Fire = Callable[[Sequence[Caused], Sequence[NewEvent]], None]
"""Takes what happened, and what else is written in the same commit."""

CONSUMER = "scheduler"
DELIVERED = "batch.accepted"
"""A new version of a dataset, from its provider or accepted by hand. What is sent again unchanged makes none."""

PAGES_AT_ONCE = 5
"""Pages of the log that are read before the clock is looked at again."""

FOR_EVER_S = 3600.0


class Triggers:
    """Follows the log for `after`, and looks into folders for `on_file`; only where a schedule asks for it.

    The log is followed with a durable cursor: what was delivered while nobody was there is seen to later.
    """

    def __init__(self, events: EventStore, schedules: Schedules, *, clock: Clock) -> None:
        self._events = events
        self._schedules = schedules
        self._clock = clock
        self._after: dict[str, list[Scheduled]] = {}
        self._following: Following | None = None
        self._arrivals: list[tuple[Scheduled, Arrivals]] = []
        self._look_at = 0.0
        self._fire: Fire = _nobody

    @property
    def waits_for_files(self) -> bool:
        """Whether files came that are not known to be whole yet."""
        return any(arrivals.waits for _, arrivals in self._arrivals)

    def begin(self, waiting: Sequence[Scheduled]) -> None:
        """From now on these are seen to."""
        self.end()
        for one in waiting:
            for name in one.asked.after:
                self._after.setdefault(name, []).append(one)
            if one.asked.on_file is not None:
                self._arrivals.append((one, Arrivals(one.asked.on_file, self._schedules.files(one.dataset))))

    def end(self) -> None:
        """Another process may see to them."""
        following, self._following = self._following, None
        self._after, self._arrivals, self._look_at = {}, [], 0.0
        if following is not None:
            following.close()

    def step(self, now: datetime, fire: Fire) -> float:
        """See to what happened; gives the seconds until the next step is due. News may bring it forward.

        Raises:
            StateError: the state cannot be used; what happened is seen to by the next step.
        """
        self._fire = fire
        wait = FOR_EVER_S
        if self._after:
            following = self._following or self._followed()
            for _ in range(PAGES_AT_ONCE):
                if (wait := following.step()) > 0.0:
                    break
        if self._arrivals:
            left = self._look_at - self._clock.monotonic()
            if left <= 0.0:
                self._look(now)
                left = LOOK_EVERY_S
                self._look_at = self._clock.monotonic() + left
            wait = min(wait, left)
        return wait

    def _followed(self) -> "Following":
        from utils.events.cursors import Cursors  # with asyncio, which a schedule without `after` does not wait for
        from utils.events.following import PAGE, Consumer, Following

        consumer = Consumer(name=CONSUMER, handler=self._delivered, pattern=DELIVERED, batch=PAGE)
        cursors = Cursors(self._events, clock=self._clock)
        self._following = Following(consumer, self._events, cursors, clock=self._clock)
        return self._following

    def _delivered(self, events: Sequence[Event]) -> None:
        caused = [
            Caused(one, Occurrence(datetime.fromisoformat(event.time), one.dataset, event.id), event.subject)
            for event in events
            for one in self._after.get(event.subject, ())
        ]
        if caused:
            self._fire(caused, ())

    def _look(self, now: datetime) -> None:
        for one, arrivals in self._arrivals:
            came, gone = arrivals.look(now.timestamp())
            if not came and not gone:
                continue
            files = [[file.path, file.size, file.modified] for file in came]
            pieces = [files[start : start + 1000] for start in range(0, len(files), 1000)] or [[]]
            events = [NewEvent("schedule.files_seen", one.dataset, {"files": some}, source=SOURCE) for some in pieces]
            events[0].data["gone"] = gone
            caused = []
            if came:
                what = came[0].path if len(came) == 1 else f"{came[0].path} and {len(came) - 1:,} more"
                cause = f"{rfc3339(now)} {what}"
                caused = [Caused(one, Occurrence(now, one.dataset, cause), what)]
            self._fire(caused, events)
            arrivals.keep(came, gone)


def _nobody(_: Sequence[Caused], __: Sequence[NewEvent]) -> None:
    """Before the first step nothing happens."""
