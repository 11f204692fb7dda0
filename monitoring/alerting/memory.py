"""What the engine knows between two events: what is wrong by now, and what is to happen when. Kept in table `alerting`.

One row for each thing that is known, so that a change writes what it changed; the row `meta` counts the changes, and so
tells that another process made one.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from monitoring.alerting.grouping import is_storage, is_theirs
from monitoring.alerting.incident import IncidentKind, NoticeKind, Severity
from monitoring.alerting.silence import Silence
from utils.database import Statement, upsert

__all__ = ["LOOK", "NEVER", "Memory", "Meta", "Ongoing", "Wrong", "identity_of"]

NEVER = float("inf")

LOOK = "SELECT kind, name, body FROM alerting"
_PUT = upsert("alerting", "kind, name, body", key="kind, name")
_DROP = "DELETE FROM alerting WHERE kind = ? AND name = ?"

Place = Literal["waiting", "latent", "noted", "firing"]


@dataclass(slots=True)
class Wrong:
    """One thing that is wrong: a rule about a subject. `…_at`: seconds since 1970, of our time.

    Attributes:
        group: What incident it belongs to.
        dataset: The dataset that it concerns, "": none.
        row: How often in a row.
        place: `waiting` for its time or number; `latent`: would be listed if there were an incident; `noted` for the
            digest; `firing` in `incident`.
        over: When it was over, RFC 3339; it may come again as long as its incident lasts.
    """

    key: str
    rule: str
    type: str
    subject: str
    group: str
    seq: int
    since: str
    last: str
    since_at: float
    last_at: float
    dataset: str = ""
    count: int = 1
    row: int = 1
    place: Place = "waiting"
    incident: str = ""
    over: str | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def is_absence(self) -> bool:
        """Whether it lasts, and says that a provider does not deliver, or that what it delivered was not stored."""
        return self.over is None and (is_theirs(self.type, self.data) or is_storage(self.data))


@dataclass(slots=True)
class Ongoing:
    """An incident that is not over. `…_at` as float: seconds since 1970; None: it will not be.

    Attributes:
        keys: Of what is wrong in it.
        told_severity: How urgent it was when it was told last.
        notice, notice_at: What is to be told, and when.
        emit_at: When the log is told of what changed.
        flap_over_at: When one that comes and goes is over, if nothing comes.
        release_at: When it counts for itself again, though it was explained.
        escalate_from: Since when somebody should have acknowledged.
        left: How many of the incidents that it explains are not over; `joined_at`: when the last came.
        were: Names of datasets and rules of those that are over.
    """

    id: str
    kind: IncidentKind
    about: str
    group: str
    severity: Severity
    opened_at: str
    opened: float
    keys: list[str] = field(default_factory=list)
    to: list[str] = field(default_factory=list)
    told_at: str | None = None
    told_severity: Severity = "info"
    notice: NoticeKind | None = None
    notice_at: float | None = None
    emit_at: float | None = None
    repeat_at: float | None = None
    acknowledged_by: str | None = None
    acknowledged_until: str | None = None
    expires_at: float | None = None
    comment: str = ""
    inhibited_by: str | None = None
    release_at: float | None = None
    silenced_by: str | None = None
    flapping: bool = False
    flap_over_at: float | None = None
    step: int = 0
    escalate_from: float | None = None
    explains: list[str] = field(default_factory=list)
    left: int = 0
    joined_at: float = 0.0
    were: dict[str, dict[str, None]] = field(default_factory=dict)


@dataclass(slots=True)
class Meta:
    """What there is one of.

    Attributes:
        seq: Events up to it are taken; `quiet_until`: of events up to it nobody is told.
        now: The engine's time.
        looks: How often we looked at ourselves.
    """

    generation: int = 0
    seq: int = 0
    now: float = 0.0
    quiet_until: int = 0
    looks: int = 0
    probe_at: float | None = None
    digest_at: float | None = None


class Memory:
    """All of it, and which rows of the table changed since they were written."""

    def __init__(self) -> None:
        self.meta = Meta()
        self.wrongs: dict[str, Wrong] = {}
        self.ongoing: dict[str, Ongoing] = {}
        self.groups: dict[str, list[float]] = {}  # when incidents of a group were opened, of the last day
        self.silences: dict[str, Silence] = {}
        self.by_group: dict[str, str] = {}
        self.parents: dict[str, Ongoing] = {}  # those that may explain others
        self.down: dict[str, float] = {}  # since when: incidents of providers that may have gone down together
        self.parts: dict[str, dict[str, None]] = {}  # keys of a rule and subject that the rule tells apart
        self.timed: set[str] = set()  # keys of what may fire, or be over, because time goes by
        self.apart: dict[str, dict[str, None]] = {}  # keys of what is latent or noted, by group
        self.due = 0.0
        self.changed: set[tuple[str, str]] = set()

    @classmethod
    def load(cls, rows: Iterable[Sequence[Any]]) -> "Memory":
        """From the rows of the table."""
        self = cls()
        for kind, name, body in rows:
            data = orjson.loads(body)
            if kind == "meta":
                self.meta = Meta(**data)
            elif kind == "wrong":
                self.add(Wrong(**data))
            elif kind == "incident":
                self.begin(Ongoing(**data))
            elif kind == "group":
                self.groups[name] = data
            elif kind == "silence":
                self.silences[name] = Silence.from_json(data)
        for wrong in self.wrongs.values():
            if wrong.is_absence and (ongoing := self.ongoing.get(wrong.incident)) and ongoing.kind == "provider":
                self.down[ongoing.id] = min(wrong.since_at, self.down.get(ongoing.id, NEVER))
            if wrong.place in ("latent", "noted"):
                self.apart.setdefault(wrong.group, {})[wrong.key] = None
            self.timed.add(wrong.key)  # those that are not are found out when their time comes
        return self

    def touch(self, one: Wrong | Ongoing) -> None:
        """It changed."""
        self.changed.add(("wrong", one.key) if isinstance(one, Wrong) else ("incident", one.id))

    def begin(self, ongoing: Ongoing) -> None:
        """It is not over from now on."""
        self.ongoing[ongoing.id] = ongoing
        self.by_group[ongoing.group] = ongoing.id
        if ongoing.kind in ("network", "clock", "host", "several"):
            self.parents[ongoing.id] = ongoing

    def finish(self, ongoing: Ongoing) -> None:
        """It is over, and all that was wrong in it."""
        for key in ongoing.keys:
            self.drop(self.wrongs[key])
        del self.ongoing[ongoing.id]
        self.parents.pop(ongoing.id, None)
        self.down.pop(ongoing.id, None)
        if self.by_group.get(ongoing.group) == ongoing.id:
            del self.by_group[ongoing.group]
        self.touch(ongoing)

    def add(self, wrong: Wrong) -> None:
        """It is wrong from now on."""
        self.wrongs[wrong.key] = wrong
        self.parts.setdefault(f"{wrong.rule}|{wrong.subject}", {})[wrong.key] = None

    def drop(self, wrong: Wrong) -> None:
        """It is over, and of no incident."""
        self.wrongs.pop(wrong.key, None)
        self.timed.discard(wrong.key)
        together = f"{wrong.rule}|{wrong.subject}"
        self.parts[together].pop(wrong.key, None)
        if not self.parts[together]:
            del self.parts[together]
        self.part(wrong)
        self.changed.add(("wrong", wrong.key))

    def set_apart(self, wrong: Wrong, place: Literal["latent", "noted"]) -> None:
        wrong.place = place
        self.apart.setdefault(wrong.group, {})[wrong.key] = None

    def part(self, wrong: Wrong) -> None:
        """It is not set apart any more."""
        keys = self.apart.get(wrong.group)
        if keys is not None:
            keys.pop(wrong.key, None)
            if not keys:
                del self.apart[wrong.group]

    def at(self, when: float) -> None:
        """Something is to be looked at then."""
        self.due = min(self.due, when)

    def statements(self) -> list[Statement]:
        """What brings the table up to date; `written` says that it is."""
        tables = {"wrong": self.wrongs, "incident": self.ongoing, "group": self.groups, "silence": self.silences}
        found: list[Statement] = []
        for kind, name in sorted(self.changed):
            one = tables[kind].get(name)  # type: ignore[attr-defined]  # each is a dict of what it holds
            if one is None:
                found.append((_DROP, (kind, name)))
            else:
                found.append((_PUT, (kind, name, orjson.dumps(one).decode())))
        meta = Meta(**{name: getattr(self.meta, name) for name in Meta.__slots__})
        meta.generation += 1
        found.append((_PUT, ("meta", "", orjson.dumps(meta).decode())))
        return found

    def written(self) -> None:
        self.changed.clear()
        self.meta.generation += 1


def identity_of(*parts: object) -> str:
    """A short id, the same for the same parts: eight hexadecimal digits."""
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()[:8]
