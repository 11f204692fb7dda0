"""Read model of feedback: what people said about anomalies, and have not taken back.

Projected from the event log like all views; emptying the table and replaying the log gives the same rows.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import orjson

from utils.database import Database, Statement
from utils.events import Event

__all__ = ["EVERYTHING", "SCHEMA", "FeedbackGiven", "FeedbackViews", "Kind", "Said", "Told"]

SCHEMA = """
CREATE TABLE feedback (
    seq INTEGER PRIMARY KEY, time TEXT NOT NULL, body TEXT NOT NULL)
"""

Kind = Literal["fine", "normal_since", "excluded"]

EVERYTHING = "*"
"""The subject of what was said about all series at once."""

_GIVEN = "INSERT INTO feedback (seq, time, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_TAKEN_BACK = "DELETE FROM feedback WHERE seq = ?"


class Told(NamedTuple):
    """An anomaly that is fine: when it was (epoch seconds), which way, and its score."""

    time: float
    direction: str
    score: float


class Said(NamedTuple):
    """One thing that was said. Moments are epoch seconds.

    Attributes:
        number: By which it can be taken back.
        subject: Of the series in the history, or `EVERYTHING`.
        metric: "" stands for all of the subject.
        kind: `fine`: the points from `since` to `until` are no anomalies, `told` are those that were told as such.
            `normal_since`: what was before is no past any more. `excluded`: from `since` up to `until` nothing counts.
        shown: The series as people write it.
    """

    number: int
    time: str
    subject: str
    metric: str
    kind: Kind
    since: float
    until: float | None
    told: tuple[Told, ...]
    shown: str
    actor: str
    reason: str

    def is_about(self, subject: str, metric: str) -> bool:
        return self.subject in (EVERYTHING, subject) and self.metric in ("", metric)

    def to_json(self) -> dict[str, Any]:
        return {**self._asdict(), "told": [one._asdict() for one in self.told]}


class FeedbackViews:
    """The projection: one event in, the statements that bring the view up to date out."""

    name = "feedback"
    tables: Sequence[str] = ("feedback",)
    types: Collection[str] = frozenset(("feedback.given", "feedback.taken_back"))

    def apply(self, event: Event) -> Iterable[Statement]:
        if event.type == "feedback.given":
            body = {"shown": event.subject, **event.data}
            return [(_GIVEN, (event.seq, event.time, orjson.dumps(body).decode()))]
        if event.type == "feedback.taken_back":
            return [(_TAKEN_BACK, (event.data["feedback"],))]
        return ()


class FeedbackGiven:
    """Queries over the read model."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[Said, ...]:
        """All that was said and not taken back, oldest first."""
        rows = self._database.query("SELECT seq, time, body FROM feedback ORDER BY seq")
        return tuple(_said(seq, time, orjson.loads(body)) for seq, time, body in rows)


def _said(seq: int, time: str, body: dict[str, Any]) -> Said:
    return Said(
        number=seq,
        time=time,
        subject=body["of"],
        metric=body.get("metric", ""),
        kind=body["kind"],
        since=body["since"],
        until=body.get("until"),
        told=tuple(Told(one["time"], one["direction"], one["score"]) for one in body.get("told", ())),
        shown=body["shown"],
        actor=body.get("actor", ""),
        reason=body.get("reason", ""),
    )
