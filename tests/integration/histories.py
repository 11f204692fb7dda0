"""Random histories of tables beside an oracle of dicts: a provider over HTTP that changes, fails, breaks off and lies.

Each seed draws a configuration and some dozens of moments: the provider inserts, changes and deletes rows, some of them
bad, late or without a cursor; it answers whole, in pages of which one fails, with an error, or with something else;
the user runs, runs everything, replays, accepts what was held, rolls back, changes a rule, restarts, maintains. After
every run the table must be what the oracle made of the rows that really went over the line.
"""

import json
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from data_pipeline.dataset import DatasetRun
from data_pipeline.errors import PipelineError
from data_pipeline.publish.views import PublicationViews
from data_pipeline.store.projection import PipelineViews
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.gate import accept, rollback
from operations.maintain import maintain
from operations.run import run
from operations.show import delivered
from tests import faulty_server as fault
from tests.faulty_server import Answer, FaultyServer, Request
from tests.integration.installation import Installation
from utils.arrow import pa
from utils.clock import ManualClock
from utils.events import rfc3339

ACTOR = Actor("test")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Row = dict[str, Any]


@dataclass(frozen=True)
class CursorKind:
    """A column that only grows: how step `n` is sent, what the table holds of it, how steps are asked for.

    Attributes:
        asked: The step that a cursor in a query stands for.
        lag: In the configuration, and in steps.
    """

    name: str
    sent: Callable[[int], Any]
    held: Callable[[int], Any]
    asked: Callable[[str], float]
    options: dict[str, Any] = field(default_factory=dict)
    column: Any = None
    lag: tuple[str, int] = ("0s", 0)


def _moment(n: int) -> datetime:
    return NOON + timedelta(minutes=n)


def _step(text: str) -> float:
    return (datetime.fromisoformat(text) - NOON) / timedelta(minutes=1)


KINDS = (
    CursorKind("whole numbers", int, int, float),
    CursorKind("fractions", lambda n: n + 0.5, lambda n: n + 0.5, lambda text: float(text) - 0.5),
    CursorKind("texts", lambda n: f"{n:06d}", lambda n: f"{n:06d}", float, column="string"),
    CursorKind(
        "decimals",
        lambda n: f"{n}.10",
        lambda n: Decimal(n) + Decimal("0.1"),
        lambda text: float(Decimal(text) - Decimal("0.1")),
        column="decimal",
    ),
    CursorKind(
        "days",
        lambda n: str(date(2026, 1, 1) + timedelta(days=n)),
        lambda n: date(2026, 1, 1) + timedelta(days=n),
        lambda text: (date.fromisoformat(text) - date(2026, 1, 1)).days,
        column="date",
        lag=("36h", 2),
    ),
    CursorKind("moments", lambda n: _moment(n).isoformat(), _moment, _step, column="timestamp", lag=("5m", 5)),
    CursorKind(
        "nanoseconds",
        lambda n: f"{_moment(n):%Y-%m-%dT%H:%M:%S}.000000{n % 1000:03d}Z",
        lambda n: f"{_moment(n):%Y-%m-%d %H:%M:%S}.000000{n % 1000:03d}Z",
        _step,
        column="timestamp",
    ),
    CursorKind(
        "epochs",
        lambda n: int(_moment(n).timestamp()),
        lambda n: int(_moment(n).timestamp()),
        lambda text: (int(text) - NOON.timestamp()) / 60,
        {"format": "epoch_s"},
        lag=("3m", 3),
    ),
    CursorKind(
        "written digits",
        lambda n: _moment(n).isoformat(),
        _moment,
        lambda text: (datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=UTC) - NOON) / timedelta(minutes=1),
        {"format": "%Y%m%d%H%M"},
        "timestamp",
        ("4m", 4),
    ),
)


class Provider:
    """Rows that change, served as JSON in pages.

    Attributes:
        rows: What it has, by id, in the order in which it sends them; `n` is the step of the cursor, None: it has none.
        sent: The rows of the last run that really went out, `whole` if none is missing.
        asked: The step of the cursor that was asked with; None: without one.
        mood: What the next answers are: `well`, `down`, `login`, `garbage`, `breaks` (on the second page).
    """

    def __init__(self, kind: CursorKind, dice: random.Random) -> None:
        self.kind = kind
        self.dice = dice
        self.rows: dict[int, Row] = {}
        self.step = 0
        self.serial = 0
        self.mood = "well"
        self.page = 5
        self.forget()

    def forget(self) -> None:
        self.sent: list[Row] = []
        self.whole = True
        self.asked: float | None = None

    def change(self, *, late: int, nulls: bool, deletes: bool) -> None:
        """Some rows come, change, or go."""
        for _ in range(self.dice.randrange(6)):
            self.step += self.dice.choice([0, 0, 1, 1, 3])
            n: int | None = self.step
            if nulls and self.dice.random() < 0.1:
                n = None
            elif late and self.dice.random() < 0.3:
                n = max(0, self.step - self.dice.randint(0, late))
            number = self.dice.randrange(40)
            self.serial += 1
            bad = self.dice.random() < 0.05
            name = None if self.dice.random() < 0.1 else f"name {self.serial}"
            self.rows.pop(number, None)
            self.rows[number] = {"id": number, "n": n, "serial": self.serial, "name": name, "v": -1 if bad else number}
        if deletes and self.rows and self.dice.random() < 0.5:
            del self.rows[self.dice.choice(list(self.rows))]

    def answer(self, request: Request) -> Answer:
        if self.mood in {"down", "login", "garbage"}:
            self.whole = False
            answers = {"down": fault.status(503), "login": fault.html(), "garbage": fault.ok(b"{]", "application/json")}
            return answers[self.mood]
        since, start = request.query.get("since", ""), int(request.query.get("start", "0"))
        self.asked = self.kind.asked(since) if since else None
        found = [row for row in self.rows.values() if not since or row["n"] is None or row["n"] >= (self.asked or 0)]
        page, rest = found[start : start + self.page], found[start + self.page :]
        if start and self.mood == "breaks":
            self.whole = False
            return fault.status(503)
        self.sent += page
        query = f"?since={since.replace('+', '%2B')}&start={start + self.page}"
        body = {
            "rows": [{**row, "n": None if row["n"] is None else self.kind.sent(row["n"])} for row in page],
            "next": f"{request.path.partition('?')[0]}{query}" if rest else None,
        }
        return fault.as_json(body)


@dataclass
class Oracle:
    """What the table must hold: plain dicts and lists of rows as the provider has them."""

    write: str
    deletes: str
    keyed: bool
    incremental: bool
    rows: list[Row] = field(default_factory=list)
    flagged: set[int] = field(default_factory=set)
    cursor: int | None = None

    def take(self, sent: list[Row], *, whole: bool, everything: bool) -> None:
        """An accepted batch. `everything`: it was not asked from a cursor on."""
        good = [row for row in sent if row["v"] >= 0]
        if self.write == "replace":
            self.rows = good
        elif self.write == "append":
            self._append(good)
        else:
            self._merge(sent, good, complete=whole and everything)
        steps = [row["n"] for row in good if row["n"] is not None]
        if whole and steps:
            self.cursor = max(steps) if self.cursor is None else max(*steps, self.cursor)

    def _append(self, good: list[Row]) -> None:
        if not self.incremental:
            self.rows = self.rows + good
            return
        seen = {self._same(row) for row in self.rows}
        for row in good:
            if self._same(row) not in seen:
                self.rows.append(row)
                seen.add(self._same(row))

    def _same(self, row: Row) -> Any:
        # A row changes its serial whenever it changes, so that is all that a row holds.
        return (row["id"], row["n"]) if self.keyed and row["n"] is not None else (row["id"], row["serial"], "all")

    def _merge(self, sent: list[Row], good: list[Row], *, complete: bool) -> None:
        kept = {row["id"]: row for row in self.rows}
        kept |= {row["id"]: row for row in good}
        self.flagged -= {row["id"] for row in good}
        if complete and self.deletes != "keep":
            gone = kept.keys() - {row["id"] for row in sent}
            if self.deletes == "remove":
                kept = {number: row for number, row in kept.items() if number not in gone}
            else:
                self.flagged |= gone
        self.rows = list(kept.values())


class History:
    """One seed: its configuration, its provider, its oracle, and what is done."""

    def __init__(self, seed: int, installation: Installation, server: FaultyServer) -> None:
        self.dice = dice = random.Random(seed)
        self.seed = seed
        self.kind = dice.choice(KINDS)
        self.incremental = dice.random() < 0.65
        self.write = dice.choice(["append", "merge"] if self.incremental else ["replace", "append", "merge"])
        self.keyed = self.write == "merge" or (self.incremental and dice.random() < 0.5)
        self.deletes = dice.choice(["keep", "flag", "remove"]) if self.write == "merge" else "keep"
        self.lagging = self.incremental and bool(self.kind.lag[1]) and dice.random() < 0.7
        self.raw = dice.random() < 0.4
        self.rule = 0
        self.sinks: list[dict[str, Any]] = []
        if dice.random() < 0.4:
            self.sinks.append({"kind": "file", "path": "out.jsonl"})
        self.clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
        self.installation = installation
        self.server = server
        self.provider = Provider(self.kind, dice)
        self.provider.page = dice.choice([3, 7, 100])
        self.oracle = Oracle(self.write, self.deletes, self.keyed, self.incremental)
        self.counts: Counter[str] = Counter()
        self.past: dict[str, Oracle] = {}
        server.answer = self.provider.answer
        self.configure()

    def configure(self) -> None:
        block: dict[str, Any] = {
            "name": "rows",
            "provider": "provider",
            "collect": {
                "kind": "http",
                "url": self.server.url,
                "paginate": {"kind": "json_next", "next": "next"},
                "params": {"since": "{cursor}"} if self.incremental else {},
            },
            "parse": {"records": "rows"},
            "columns": {"n": self.kind.column} if self.kind.column else {},
            "write": self.write,
            "deletes": self.deletes,
            "rules": [{"range": {"column": "v", "min": 0}}, {"range": {"column": "id", "max": 1000 + self.rule}}],
            "schema": {"missing": "evolve", "changed": "evolve"},
            "allow_empty": not self.incremental,
            "publish": self.sinks,
        }
        if self.deletes == "keep":
            del block["deletes"]
        if self.keyed:
            block["key"] = ["id"]
        if self.raw:
            block["keep_raw"] = "7d"
        if self.incremental:
            block["incremental"] = {"cursor": "n", **self.kind.options}
            if self.lagging:
                block["incremental"]["lag"] = self.kind.lag[0]
        resilience = {"breaker": {"window": 1000, "minimum_calls": 1000}, "rate_limit": None, "bulkhead": None}
        self.installation.configure(
            block,
            providers={"provider": {"resilience": resilience}},
            defaults={"dataset": {"retry": {"attempts": 1}}},
            retention={"versions": {"count": self.dice.choice([1, 2, 10])}},
        )

    def play(self, moments: int) -> "Counter[str]":
        """Everything that happens; how often what happened."""
        left = moments
        while left > 0:
            with IntegratedSystem(
                self.installation.config, state_dir=self.installation.state, environ={}, clock=self.clock
            ) as system:
                for _ in range(min(left, self.dice.randint(2, 8))):
                    self.moment(system)
                    left -= 1
            if self.dice.random() < 0.3:
                self.rule += 1
            self.configure()
        return self.counts

    def moment(self, system: IntegratedSystem) -> None:
        self.clock.advance(60.0)
        late = self.kind.lag[1] if self.lagging else 0
        self.provider.change(late=late, nulls=self.incremental, deletes=not self.incremental)
        self.provider.mood = self.dice.choice(["well"] * 6 + ["down", "login", "garbage", "breaks"])
        what = self.dice.random()
        if what < 0.08:
            self.full(system)
        elif what < 0.16:
            maintain(system, ACTOR)
            before = _views(system)
            system.events.rebuild()
            assert _views(system) == before, "the views are not what the log says"
        elif what < 0.22 and self.raw and self.keyed:
            self.replayed(system)
        elif what < 0.27:
            self.rolled_back(system)
        else:
            self.ran(system)
        if (current := system.views.current_of("rows")) is not None and current.version is not None:
            self.past[current.version] = deepcopy(self.oracle)
        self.check(system)
        if self.sinks and what >= 0.16 and self.oracle.rows:
            lines = (self.installation.folder / "out.jsonl").read_text().splitlines()
            assert sorted(json.loads(line)["serial"] for line in lines) == sorted(r["serial"] for r in self.oracle.rows)

    def _run(self, system: IntegratedSystem, **how: Any) -> DatasetRun:
        self.provider.forget()
        (found,) = run(system, ACTOR, **how).datasets
        assert "internal error" not in (found.reason or ""), found.reason
        return found

    def ran(self, system: IntegratedSystem) -> None:
        found = self._run(system, fresh=True)
        sent, whole = self.provider.sent, self.provider.whole
        everything = self.oracle.cursor is None or not self.incremental
        if self.incremental and self.provider.asked is not None:
            self._asked_rightly()
        self._accept(system, found, sent, whole=whole, everything=everything)

    def _asked_rightly(self) -> None:
        cursor, lag = self.oracle.cursor, self.kind.lag[1] if self.lagging else 0
        assert cursor is not None
        assert self.provider.asked is not None
        assert cursor - lag - 1 < self.provider.asked <= cursor - lag, (cursor, lag, self.provider.asked)

    def accepted_by_hand(self, system: IntegratedSystem) -> bool:
        """Now and then somebody takes what was held just now; its rows enter as they would have in the run."""
        now = rfc3339(self.clock.now())
        if not any(one.state == "held" and one.time == now for one in system.views.versions("rows")):
            return False
        with suppress(PipelineError):
            accept(system, ACTOR, "rows")
            self.counts["accepted by hand"] += 1
            return True
        return False

    def rolled_back(self, system: IntegratedSystem) -> None:
        """Readers get the version before again: the table, and where the next run begins, are what they were."""
        with suppress(PipelineError):
            done = rollback(system, ACTOR, "rows")
            assert done.restores is not None
            self.oracle = deepcopy(self.past[done.restores])
            self.counts["rolled back"] += 1

    def _accept(
        self,
        system: IntegratedSystem,
        found: DatasetRun,
        sent: list[Row],
        *,
        whole: bool,
        everything: bool,
        by_hand: bool = True,
    ) -> None:
        if found.origin != "provider":
            self.counts["not accepted"] += 1
            assert not found.accepted
            assert not whole or found.error, found
            if by_hand and self.dice.random() < 0.7 and self.accepted_by_hand(system):
                self.oracle.take(sent, whole=whole, everything=everything)
            return
        assert whole or self.write != "replace" or not self.oracle.rows, "a part took the place of the whole"
        assert found.partial != whole
        self.counts["unchanged" if found.unchanged else "whole" if whole else "partial"] += 1
        if found.unchanged and self.write == "append" and not self.incremental:
            return  # the very bytes of before
        self.oracle.take(sent, whole=whole, everything=everything)

    def full(self, system: IntegratedSystem) -> None:
        """Everything is asked for; an appended table begins anew, but only when everything comes."""
        found = self._run(system, full=True)
        sent, whole = self.provider.sent, self.provider.whole
        if found.origin == "provider":
            assert self.provider.asked is None
            if self.write == "append" and (whole or not self.oracle.rows):
                self.oracle.rows = []
            elif self.write == "append":
                raise AssertionError("a part of everything took the place of the table")
            if whole:
                self.oracle.cursor = None
        self.counts["full"] += 1
        self._accept(system, found, sent, whole=whole, everything=True, by_hand=False)

    def replayed(self, system: IntegratedSystem) -> None:
        """What came is in the table: to take it again changes nothing."""
        captures = [capture.run_id for capture in system.raw.captures("rows")]
        accepted = {version.version for version in system.views.versions("rows") if version.state == "accepted"}
        if (chosen := [run_id for run_id in captures if run_id in accepted]) and self.incremental:
            found = self._run(system, from_raw=chosen[-1])
            assert found.accepted, found.reason
            self.counts["replayed"] += 1

    def check(self, system: IntegratedSystem) -> None:
        """The table is the oracle's."""
        if not system.views.versions("rows") or system.results.last_good(system.views.current_of("rows")) is None:
            assert not self.oracle.rows, "rows were accepted, and there is no table"
            return
        found = delivered(system, "rows").table
        if self.kind.name == "nanoseconds":
            # Where all values are whole microseconds so far, the column has no finer ones.
            moments = found.column("n").cast(pa.timestamp("ns", "UTC")).cast("string")
            found = found.set_column(found.schema.get_field_index("n"), "n", moments)
        table = found.to_pylist()
        mine = Counter(_seen(row["id"], row["serial"], row["name"], row.get("_deleted") or False) for row in table)
        flagged = self.oracle.flagged
        wanted = Counter(_seen(row["id"], row["serial"], row["name"], row["id"] in flagged) for row in self.oracle.rows)
        assert mine == wanted, f"seed {self.seed}: too many {mine - wanted}, lost {wanted - mine}"
        steps = {row["serial"]: row["n"] for row in self.oracle.rows}
        for row in table:
            self._check_cursor(row["n"], steps[row["serial"]])

    def _check_cursor(self, found: Any, step: int | None) -> None:
        if found is None or step is None:
            assert found is None and step is None  # noqa: PT018 - both or none
            return
        wanted = self.kind.held(step)
        assert found == wanted, (found, wanted)


def _views(system: IntegratedSystem) -> dict[str, list[Any]]:
    """All that was projected from the log, row by row."""
    tables = (*PipelineViews.tables, *PublicationViews.tables)
    return {name: sorted(system.database.query(f"SELECT * FROM {name}"), key=repr) for name in tables}


def _seen(*values: Any) -> str:
    return json.dumps(values)
