"""Incidents without a log: events go straight into the engine, on a clock of their own, and its table is a dict."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from monitoring.alerting.core import Core
from monitoring.alerting.incident import Incident, IncidentNews
from monitoring.alerting.memory import Memory
from monitoring.alerting.rules import Rule
from monitoring.alerting.setup import Setup
from utils.events.event import Event, stamp

START = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)  # a Monday night

DEGRADED: dict[str, Any] = {"origin": "last_good", "accepted": False}
"""What a run tells of a dataset that is served from the last good version."""


class Names:
    """`Declared` by the names: dataset `ecb.fx` has provider `ecb`; those of `local` are asked over no network."""

    def __init__(self, made_of: dict[str, Sequence[str]] | None = None) -> None:
        self.made_of = made_of or {}
        self.gone: set[str] = set()

    def provider_of(self, dataset: str) -> str | None:
        provider, dot, _ = dataset.partition(".")
        return provider if dot and dataset not in self.gone else None

    def is_provider(self, name: str) -> bool:
        return name in {"ecb", "tcmb", "fed", "boe", "local"}

    def needs_network(self, provider: str) -> bool:
        return provider != "local"

    def upstream(self, dataset: str) -> Sequence[str]:
        return self.made_of.get(dataset, ())


class World:
    """A core, its clock, its table, and all that it said."""

    def __init__(self, setup: Setup | None = None) -> None:
        self.setup = setup or Setup(Names(), channels=("team",))
        self.table: dict[tuple[str, str], str] = {}
        self.core = Core(self.setup)
        self.seq = 0
        self.now = START.timestamp()
        self.said: list[tuple[str, IncidentNews]] = []
        self.silences: list[tuple[str, dict[str, Any]]] = []

    def happens(self, kind: str, subject: str, /, **data: Any) -> Event:
        """An event of the log, taken at once; what fails does so by its provider, if nothing else is said."""
        self.seq += 1
        if kind == "dataset.failed":
            data = {"error": {"type": "ProviderUnavailable"}, **data}
        event = Event(self.seq, f"e{self.seq}", stamp(self.now), "test", kind, subject, data, 1, "", "")
        self.core.take(event, self.now)
        self.write()
        return event

    def passes(self, seconds: float, step: float | None = None) -> None:
        """Time goes by; it is looked `step` by step, or once."""
        left = seconds
        while left > 0:
            some = min(left, step or left)
            self.now += some
            left -= some
            self.core.tick(self.now)
            self.write()

    def restart(self) -> None:
        """A kill: what is not in the table is lost."""
        self.core = Core(self.setup, Memory.load([(*key, body) for key, body in self.table.items()]))

    def write(self) -> None:
        """What the engine does when it commits."""
        for event in self.core.drain():
            data = orjson.loads(orjson.dumps(event.data))
            if event.type.startswith("incident."):
                self.said.append((event.type, IncidentNews.from_json(data)))
            else:
                self.silences.append((event.type, data))
        for sql, parameters in self.core.memory.statements():
            if sql.startswith("DELETE"):
                self.table.pop((parameters[0], parameters[1]), None)
            else:
                self.table[parameters[0], parameters[1]] = parameters[2]
        self.core.memory.written()

    def told(self, about: str = "") -> list[tuple[str, ...]]:
        """What people were told, in order: kind, what about, to whom; each time once."""
        found: list[tuple[str, ...]] = []
        for _, news in self.said:
            if news.notice is not None and about in ("", news.incident.about):
                found.append((news.notice.kind, news.incident.about, *news.notice.to))
        return found

    def incident(self, about: str) -> Incident:
        """The last that the log was told of one."""
        return next(news.incident for _, news in reversed(self.said) if news.incident.about == about)

    def active(self) -> set[str]:
        """What those are about that are not over."""
        last = {news.incident.id: news.incident for _, news in self.said}
        return {one.about for one in last.values() if one.state != "resolved"}


def with_rule(*rules: Rule) -> World:
    """A world with these rules alone."""
    return World(Setup(Names(), rules=rules, channels=("team",)))
