"""Alerts for programs: `send` tells people, `on_alert` tells the program; with an installation or without one."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from monitoring.alerting.alert import Alert, AlertType
from monitoring.alerting.alert_files import KEPT, AlertFiles
from monitoring.alerting.incident import SEVERITIES, Severity
from monitoring.alerting.letter import Post
from monitoring.alerting.message.message import LONGEST_TITLE, Message, Part
from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import StateError
from utils.events import rfc3339, uuid7
from utils.logger import get_logger
from utils.one_line import one_line

if TYPE_CHECKING:
    from monitoring.alerting.own_post import OwnPost

__all__ = ["SAME_WITHIN_S", "AlertManager"]

SAME_WITHIN_S = 60.0
"""Seconds within which an identical alert is told once."""

LONGEST_MESSAGE = 4000

Deliver = Callable[[Alert, list[Post]], object]


class AlertManager:
    """Tells people and programs what is wrong. Safe to be used by several threads.

    Without an installation:

        with AlertManager(Path("alerts"), {"team": "https://hooks.slack.com/services/…"}) as alerts:
            alerts.send(level="ERROR", title="Import failed", message="…", source="importer")

    Args:
        folder: Where each alert is kept as a file, and what waits to be sent; None: nowhere.
        channels: Apprise URLs by name.
        app: Who signs the messages.
        redacted: Masks secrets.
        deliver: Puts messages into the outbox of an installation, in the place of one of our own.
    """

    def __init__(
        self,
        folder: Path | None = None,
        channels: Mapping[str, str] | None = None,
        *,
        app: str = "Cloud Data Orchestrator",
        clock: Clock = SYSTEM_CLOCK,
        redacted: Callable[[str], str] = str,
        deliver: Deliver | None = None,
    ) -> None:
        self._files = None if folder is None else AlertFiles(folder)
        self._folder = folder
        self._channels = dict(channels or {})
        self._app = app
        self._clock = clock
        self._redacted = redacted
        self._deliver = deliver
        self._guard = threading.Lock()
        self._recent: deque[Alert] = deque(maxlen=KEPT)
        self._last: dict[tuple[str, ...], float] = {}
        self._callbacks: dict[int, Callable[[Alert], object]] = {}
        self._numbers = itertools.count(1)
        self._own: OwnPost | None = None

    def send(
        self, *, level: str, title: str, message: str = "", source: str = "", type: str | AlertType = "notice"
    ) -> Alert | None:
        """Tell it: to the callbacks, as a file, and to every channel, which happens in the background.

        Args:
            level: `INFO`, `WARNING`, `ERROR` or `CRITICAL`, in whatever case.
            type: What kind it is: one of `AlertType`, or a word of yours.

        Returns:
            The alert; None when an identical one was told within the last minute.

        Raises:
            ValueError: an unknown level, or no title.
        """
        severity = _severity(level)
        title, kind = one_line(self._redacted(title), LONGEST_TITLE), str(type)
        if not title:
            raise ValueError("an alert needs a title: one line that says what is wrong")
        body = self._redacted(message)[:LONGEST_MESSAGE]
        with self._guard:
            now = self._clock.monotonic()
            same = (severity, title, body, source, kind)
            last = self._last.get(same)
            if last is not None and now - last < SAME_WITHIN_S:
                return None
            self._last = {key: at for key, at in self._last.items() if now - at < SAME_WITHIN_S} | {same: now}
            identity, time = uuid7(self._clock.time()), rfc3339(self._clock.now())
            alert = Alert(identity, time, severity, kind, title, body, source)
            self._recent.append(alert)
            callbacks = list(self._callbacks.values())
        for callback in callbacks:
            self._call(callback, alert)
        self._keep(alert)
        self._tell(alert)
        return alert

    def on_alert(self, callback: Callable[[Alert], object]) -> int:
        """Have it called with each alert, in the thread that sends it; gives a number for `remove`.

        One that raises is told in the log file, and stops nothing.
        """
        with self._guard:
            number = next(self._numbers)
            self._callbacks[number] = callback
        return number

    def remove(self, number: int) -> None:
        """Call it no more."""
        with self._guard:
            self._callbacks.pop(number, None)

    def recent(self, limit: int = KEPT) -> list[Alert]:
        """The newest alerts of this program, the oldest first; of 500 at most."""
        with self._guard:
            return list(self._recent)[-limit:] if limit > 0 else []

    def close(self, within_s: float = 5.0) -> None:
        """Send what can be sent within so many seconds; with a folder the rest is sent by the next start."""
        with self._guard:
            own, self._own = self._own, None
        if own is not None:
            own.close(within_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, callback: Callable[[Alert], object], alert: Alert) -> None:
        try:
            callback(alert)
        except Exception as error:  # noqa: BLE001 - somebody else's function
            get_logger("alerts").error("alert.callback_failed", title=alert.title, exc=error)

    def _keep(self, alert: Alert) -> None:
        if self._files is not None:
            try:
                self._files.write(alert)
            except OSError as error:
                get_logger("alerts").warning("alert.no_file", title=alert.title, reason=str(error))

    def _tell(self, alert: Alert) -> None:
        whose = f" ({alert.source})" if alert.source else ""
        parts = (Part("", alert.message or alert.title),)
        told = Message("notice", alert.level, alert.title, parts, f"{alert.level}{whose} · {self._app}")
        place = int(self._clock.time())
        posts = [Post(f"{alert.id}:{name}", name, alert.id, place, told) for name in self._channels]
        try:
            if self._deliver is not None:
                self._deliver(alert, posts)
            elif posts:
                self._post().put(posts)
        except StateError as error:
            get_logger("alerts").error("alert.not_sent", title=alert.title, reason=str(error))

    def _post(self) -> "OwnPost":
        from monitoring.alerting.channels import channels_of
        from monitoring.alerting.own_post import OwnPost

        with self._guard:
            if self._own is None:
                channels = channels_of(self._channels, app=self._app, redacted=self._redacted)
                sending = {name: channel.send for name, channel in channels.items()}
                self._own = OwnPost(self._folder, sending, clock=self._clock)
            return self._own


def _severity(level: str) -> Severity:
    with suppress(AttributeError):
        for severity in SEVERITIES:
            if severity == level.lower():
                return severity
    raise ValueError(f"unknown level {level!r}; use INFO, WARNING, ERROR or CRITICAL")
