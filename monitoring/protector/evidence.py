"""What the protector writes down: what it does, at which figures, before it does it; then whether that helped."""

import pwd
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from monitoring.protector.immunity import Facts
from monitoring.protector.ladder import SUSTAINED, Action, Limits, Reading, Resource
from monitoring.protector.offender import Offender
from monitoring.protector.signals import Outcome
from monitoring.protector.words import told, words_of
from utils.database import StateError
from utils.events.event import NewEvent
from utils.host.processes import ProcessStat
from utils.host.top import without_secrets
from utils.logger import get_logger
from utils.one_line import one_line

__all__ = ["Evidence"]

Record = Callable[[NewEvent], object]
"""Writes an event into the log; raises `StateError` where it cannot be written."""


@dataclass(slots=True)
class Evidence:
    """Tells what is done in events, and in the log file.

    Attributes:
        record: None: there is no log of events.
        redacted: Takes the secrets that are known out of a command line.
    """

    mode: str
    dry_run: bool
    limits: Limits
    facts: Facts
    record: Record | None = None
    redacted: Callable[[str], str] = str

    def touches(self, action: Action, resource: Resource, seen: Reading, found: Offender) -> None:
        """A process is about to be touched.

        Raises:
            StateError: it cannot be written down.
        """
        process = found.process
        about = {
            **_identity(process),
            "name": one_line(process.name),
            "user": _user(process.uid),
            "command": without_secrets(self.facts.command(process.pid), self.redacted),
            "cpu_percent": found.cpu_percent,
            "rss_bytes": process.rss_bytes,
            "written_bytes_s": found.written_per_s,
        }
        words = words_of(action, resource, seen, self.limits, process=f"{about['name']} ({process.pid})")
        self._write(self._event("protector.acted", resource, seen, words, action=action, process=about))

    def paused(self, resource: Resource, seen: Reading, datasets: list[str]) -> None:
        """Datasets wait from now on."""
        words = words_of("pause", resource, seen, self.limits)
        self._try_to_write(self._event("protector.acted", resource, seen, words, action="pause", datasets=datasets))

    def settled(
        self,
        action: Action,
        resource: Resource,
        before: Reading,
        after: Reading,
        *,
        outcome: Outcome,
        fell: bool | None,
        process: ProcessStat | None,
    ) -> None:
        """It is known what came of something that was done."""
        words = words_of(action, resource, before, self.limits, outcome=outcome, fell=fell)
        more: dict[str, Any] = {"action": action, "outcome": outcome, "fell": fell, "after": told(after)}
        if process is not None:
            more["process"] = _identity(process)
        self._try_to_write(self._event("protector.settled", resource, before, words, **more))

    def gave_up(self, resource: Resource, seen: Reading, why: str) -> None:
        """Nothing more can be done: a person has to see to it."""
        words = f"{resource} is at {seen.of(resource):.0f} % and stays there: {why}"
        self._try_to_write(self._event("protector.gave_up", resource, seen, words, why=why))

    def relieved(self, resource: Resource, seen: Reading) -> None:
        """It is over."""
        words = f"{resource} is at {seen.of(resource):.0f} % again (limit {self.limits.of(resource):g} %)"
        self._try_to_write(self._event("protector.relieved", resource, seen, words))

    def _event(self, kind: str, resource: Resource, seen: Reading, words: str, **more: Any) -> NewEvent:
        data = {
            "mode": self.mode,
            "dry_run": self.dry_run,
            "limit": self.limits.of(resource),
            "looks": SUSTAINED,
            "before": told(seen),
            **more,
            "words": f"dry run: {words}" if self.dry_run else words,
            "actor": "protector",
        }
        return NewEvent(kind, resource, data, source="protector")

    def _write(self, event: NewEvent) -> None:
        if self.record is not None:
            self.record(event)
        get_logger("protector").warning(event.type, resource=event.subject, words=event.data["words"])

    def _try_to_write(self, event: NewEvent) -> None:
        """A log that cannot be written changes nothing about what was done, or is not done to anybody."""
        try:
            self._write(event)
        except StateError as error:
            words = event.data["words"]
            get_logger("protector").warning("protector.not_written", type=event.type, words=words, reason=str(error))


def _identity(process: ProcessStat) -> dict[str, Any]:
    return {"pid": process.pid, "started": process.started}


def _user(uid: int | None) -> str:
    if uid is None:
        return ""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
