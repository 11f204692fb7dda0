"""Providers that die, lie, slow down, flood and repeat themselves; they remember what really went out."""

import csv
import io
import json
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tests import faulty_server as fault
from tests.chaos.world.script import Table
from tests.faulty_server import Answer, Request

__all__ = ["COLUMNS", "Content", "Providers", "Row", "Sent", "Told"]

COLUMNS = ("id", "v", "day", "content")
Row = Mapping[str, Any]

FLOOD = 1_500


class Content(NamedTuple):
    """The rows of one table at one moment, as they are sent. `columns`: those that are there."""

    number: int
    rows: tuple[Row, ...]
    columns: tuple[str, ...] = COLUMNS


class Sent(NamedTuple):
    """An answer: what was in it, and when it went out (seconds since 1970, by the world's clock).

    Attributes:
        content: None: no rows, whatever else was in it.
        whole: All rows went out, in the format that was agreed.
        body: As it was sent; of a 304 what it stands for.
    """

    table: str
    at: float
    content: Content | None
    whole: bool = False
    body: bytes = b""


class Told(NamedTuple):
    """A message as the receiver of a channel got it."""

    key: str
    kind: str
    incident: str
    title: str
    taken: bool


@dataclass(frozen=True, slots=True)
class _Made:
    """An answer that is about to go out."""

    answer: Answer
    content: Content | None = None
    whole: bool = False
    body: bytes = b""


class Providers:
    """All providers of a world, and who receives its alerts: one function from request to answer. Thread-safe.

    Attributes:
        moods: How each behaves now.
        receives: Whether the receiver of alerts takes them.
    """

    def __init__(
        self, tables: Sequence[Table], seed: int, now: Callable[[], float], slow: Callable[[float], None]
    ) -> None:
        """`slow`: lets so many seconds pass while an answer is awaited."""
        self._tables = {table.name: table for table in tables}
        self._dice = random.Random(seed)
        self._now, self._slow = now, slow
        self._guard = threading.Lock()
        self._last: dict[str, Content] = {}
        self._number = self._asked = 0
        self._sent: list[Sent] = []
        self.told: list[Told] = []
        self.moods = dict.fromkeys((table.provider for table in tables), "well")
        self.receives = True

    def taken(self) -> list[Sent]:
        """What went out since this was called last."""
        with self._guard:
            found, self._sent = self._sent, []
        return found

    def answer(self, request: Request) -> Answer:
        if request.path == "/alerts":
            return self._heard(request)
        table = self._tables[request.path.strip("/")]
        mood = self.moods[table.provider]
        if mood in _SLOW:
            self._slow(_SLOW[mood])
        with self._guard:
            self._asked += 1
            made = self._made(table, mood, request)
            self._sent.append(Sent(table.name, self._now(), made.content, made.whole, made.body))
        return made.answer

    def _heard(self, request: Request) -> Answer:
        body = json.loads(request.body)
        with self._guard:
            self.told.append(
                Told(body["key"], body["kind"], body.get("incident") or "", body["title"], taken=self.receives)
            )
        return fault.ok(b"") if self.receives else fault.status(503)

    def _made(self, table: Table, mood: str, request: Request) -> _Made:
        if mood in _NOTHING:
            return _Made(_NOTHING[mood])
        if mood == "every other" and self._asked % 2:
            return _Made(fault.status(503))
        content = self._last.get(table.name) if mood == "same" else None
        if content is None:
            content = self._new(mood)
            if mood != "half":
                self._last[table.name] = content
        body = _as_csv(content) if table.format == "csv" else _as_json(content)
        if mood == "half":
            return _Made(fault.half(body), content)
        kind = "text/csv" if table.format == "csv" else "application/json"
        if not table.tags:
            return _Made(fault.ok(body, kind), content, whole=True, body=body)
        tag = f'"{content.number}"'
        if request.headers.get("if-none-match") == tag:
            return _Made(Answer(304, headers={"ETag": tag}), content, whole=True, body=body)
        return _Made(fault.ok(body, kind, etag=tag), content, whole=True, body=body)

    def _new(self, mood: str) -> Content:
        self._number += 1
        dice, number = self._dice, self._number
        day = datetime.fromtimestamp(self._now(), UTC).replace(microsecond=0)
        count = FLOOD if mood == "flood" else dice.randint(10, 14)
        ids = range(count) if mood == "flood" else dice.sample(range(20), count)
        rows: list[dict[str, Any]] = [
            {"id": one, "v": dice.randrange(1000), "day": day - timedelta(seconds=60 + at), "content": number}
            for at, one in enumerate(ids)
        ]
        some = dice.sample(rows, 2)
        if mood == "bad rows":
            some[0].update(dice.choice(({"id": None}, {"v": -1}, {"v": "lots"})))
            some[1].update(dice.choice(({"v": -2}, {})))
        elif mood == "repeated keys":
            some[1]["id"] = some[0]["id"]
        elif mood == "from the future":
            some[0]["day"] = day + timedelta(days=400)
        elif mood == "mostly bad":
            for row in rows[: len(rows) // 2]:
                row["v"] = -1
        elif mood == "wrong types":
            for row in rows:
                row["v"] = f"about {row['v']}"
        elif mood == "a column less":
            rows = [{name: value for name, value in row.items() if name != "v"} for row in rows]
            return Content(number, tuple(rows), tuple(name for name in COLUMNS if name != "v"))
        elif mood == "empty":
            rows = []
        return Content(number, tuple(rows))


_SLOW = {"slow": 12.0, "too slow": 150.0}
_NOTHING = {
    "down": fault.status(503),
    "busy": fault.too_many("45"),
    "reset": fault.reset(),
    "login page": fault.html(),
    "garbage": fault.ok(b"{]\x00\x01", "application/json"),
}


def _shown(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def _as_json(content: Content) -> bytes:
    return json.dumps([{name: _shown(value) for name, value in row.items()} for row in content.rows]).encode()


def _as_csv(content: Content) -> bytes:
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(content.columns)
    lines.writerows([_shown(row[name]) for name in content.columns] for row in content.rows)
    return text.getvalue().encode()
