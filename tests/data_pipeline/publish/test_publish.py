"""The outbox over a real log, real storage and real sinks: once, in order, and later when a sink was away."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from config.datasets import DatasetDefaults, DatasetSettings
from data_pipeline.publish.attempt import Attempt
from data_pipeline.publish.publish import Outbox
from data_pipeline.publish.version_rows import VersionRows
from data_pipeline.publish.views import SCHEMA as PUBLISH_SCHEMA
from data_pipeline.publish.views import Publications, PublicationViews
from data_pipeline.store import decisions, projection
from data_pipeline.store.projection import PipelineViews
from data_pipeline.store.results import Results
from data_pipeline.store.views import Views
from tests.databases import opened_at
from tests.postgres import execute
from utils import events, leases, transaction_views
from utils.arrow import pa
from utils.clock import ManualClock
from utils.events import EventStore, NewEvent
from utils.leases import Leases
from utils.sqlite import SqliteDatabase
from utils.storage import Storage
from utils.transaction_views import TransactionViews
from utils.transactions import Transactions


@dataclass
class House:
    """All that the outbox needs, in one folder; `accept` is a run that brought rows."""

    folder: Path
    address: str
    clock: ManualClock = field(default_factory=ManualClock)
    number: int = 0

    def __post_init__(self) -> None:
        schema = ";".join((events.SCHEMA, projection.SCHEMA))
        migrations = [schema, projection.FILES_SCHEMA, PUBLISH_SCHEMA, transaction_views.SCHEMA, decisions.SCHEMA]
        self.database = opened_at(self.address, migrations)
        self.coordination = SqliteDatabase(
            self.folder / "coordination.db", migrations=[leases.SCHEMA, leases.BEAT_SCHEMA]
        )
        projections = [PipelineViews(), PublicationViews(), TransactionViews()]
        self.events = EventStore(self.database, projections=projections, clock=self.clock)
        self.views, self.publications = Views(self.database), Publications(self.database)
        self.storage = Storage(self.folder / "storage", clock=self.clock)
        self.leases = Leases(self.coordination, clock=self.clock)
        self.outbox = self.make_outbox()

    def make_outbox(self, **changed: Any) -> Outbox:
        given: dict[str, Any] = {
            "rows": VersionRows(Results(self.storage, self.views)),
            "views": self.views,
            "publications": self.publications,
            "events": self.events,
            "leases": self.leases,
            "transactions": Transactions(self.events, self.leases, clock=self.clock),
            "clock": self.clock,
        }
        return Outbox(**{**given, **changed})

    def dataset(self, *sinks: dict[str, Any], name: str = "orders") -> DatasetSettings:
        made = DatasetSettings.model_validate(
            {"name": name, "collect": {"kind": "simulated"}, "key": ["id"], "publish": list(sinks)}
        )
        made.complete(DatasetDefaults())
        made.place(self.folder)
        return made

    def accept(self, rows: list[int], *, name: str = "orders", state: str = "accepted") -> str:
        """A version as a run leaves it: its file, then its events."""
        import pyarrow.parquet as pq

        self.number += 1
        self.clock.advance(60)
        version = f"v{self.number:03}"
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"id": rows, "version": [version] * len(rows)}), sink)
        path = f"datasets/{name}/{version}.parquet"
        stored = self.storage.put_bytes(path, sink.getvalue())
        body = {"run_id": version, "version": version, "rows": len(rows), "size": stored.size, "path": path}
        run = {"run_id": version, "status": "succeeded", "provider": "p", "version": version, "accepted": True}
        told = [NewEvent(f"batch.{state}", name, body)]
        if state == "accepted":
            told.append(NewEvent("dataset.collected", name, {**run, "collected_at": None, "data_time": None}))
        self.events.append(told)
        return version

    def states(self, name: str = "orders") -> list[tuple[str, str]]:
        return [(publication.version, publication.state) for publication in self.publications.of(name)]

    def close(self) -> None:
        for part in (self.leases, self.events, self.storage, self.database, self.coordination):
            part.close()


@pytest.fixture
def house(tmp_path: Path, address: str) -> Iterator[House]:
    house = House(tmp_path, address)
    yield house
    house.close()


def sqlite_rows(path: Path, query: str = "SELECT id FROM t ORDER BY id") -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] if len(row) == 1 else row for row in connection.execute(query)]


def sql(mode: str, url: str = "sqlite:///warehouse/shop.db") -> dict[str, Any]:
    return {"kind": "sql", "url": url, "table": "t", "mode": mode}


def test_an_accepted_version_goes_out_once(house: House) -> None:
    """It is told in the log; the second time there is nothing to do; a held one never goes."""
    dataset = house.dataset({"kind": "file", "path": "out/{dataset}.csv"})
    house.accept([1, 2])
    house.accept([9], state="held")
    done = house.outbox.publish([dataset])
    assert done == [Attempt("orders", "out/{dataset}.csv", "file", "v001", 1, rows=2)]
    assert house.outbox.publish([dataset]) == []
    assert (house.folder / "out/orders.csv").read_text().splitlines() == ["id,version", "1,v001", "2,v001"]
    (event,) = house.events.read(type="version.published")
    assert (event.subject, event.source) == ("orders", "publish")
    assert event.data == {
        "sink": "out/{dataset}.csv",
        "kind": "file",
        "version": "v001",
        "attempts": 1,
        "rows": 2,
        "superseded": [],
    }


def test_a_dataset_without_sinks_costs_nothing(house: House) -> None:
    """No event, no lease."""
    house.accept([1])
    assert house.outbox.publish([house.dataset()]) == []
    assert house.events.read(type="sink.declared") == []


@pytest.mark.parametrize(
    ("mode", "rows", "states"),
    [
        ("append", [1, 2, 3], ["published", "published", "published"]),
        ("merge", [3], ["superseded", "superseded", "published"]),
        ("replace", [3], ["superseded", "superseded", "published"]),
    ],
)
def test_what_waited_goes_out_later_once(house: House, mode: str, rows: list[int], states: list[str]) -> None:
    """A sink that is away for two runs: append brings every version in order, the others the newest only."""
    dataset = house.dataset(sql(mode))
    (house.folder / "warehouse").write_text("a file where the folder should be: the sink is away")
    house.outbox.declare([dataset])
    for number in (1, 2):
        house.accept([number])
        (failed,) = house.outbox.publish([dataset])
        assert failed.error is not None
        assert failed.words.startswith("orders: version waits for sql sink shop.db.t: ")
    house.accept([3])
    (house.folder / "warehouse").unlink()
    assert all(attempt.error is None for attempt in house.outbox.publish([dataset]))
    assert sqlite_rows(house.folder / "warehouse" / "shop.db") == rows
    assert house.states() == list(zip(("v001", "v002", "v003"), states, strict=True))
    assert house.outbox.publish([dataset]) == []


def test_attempts_are_counted_and_the_reason_is_kept(house: House) -> None:
    """Each failure is an event; the view says how often and why the version waits."""
    dataset = house.dataset(sql("append"))
    (house.folder / "warehouse").write_text("in the way")
    house.accept([1])
    for _ in range(3):
        house.outbox.publish([dataset])
    (waiting,) = house.publications.of("orders")
    assert (waiting.state, waiting.attempts) == ("waiting", 3)
    assert waiting.error is not None
    assert set(waiting.error) == {"message", "hint", "transient"}
    assert [event.data["attempts"] for event in house.events.read(type="publish.failed")] == [1, 2, 3]


def test_killed_between_the_sink_and_the_log_nothing_is_doubled(house: House) -> None:
    """The rows were committed, our event was not: the next time the sink knows the version."""

    class KilledError(BaseException):
        pass

    class Killed(EventStore):
        def __init__(self) -> None:
            """Only what the outbox calls."""

        def append(self, new: Any, **_: Any) -> Any:
            if new[0].type == "version.published":
                raise KilledError
            return house.events.append(new)

    dataset = house.dataset(sql("append"))
    house.accept([1])
    with pytest.raises(KilledError):
        house.make_outbox(events=Killed()).publish([dataset])
    assert sqlite_rows(house.folder / "warehouse/shop.db") == [1]
    (done,) = house.outbox.publish([dataset])
    assert (done.rows, done.error) == (1, None)
    assert sqlite_rows(house.folder / "warehouse/shop.db") == [1]
    assert house.states() == [("v001", "published")]


def test_a_sink_that_is_declared_later_starts_with_the_current_version(house: House) -> None:
    """With all of its rows; older versions are past."""
    house.accept([1])
    house.accept([2])
    dataset = house.dataset(sql("append"))
    house.outbox.publish([dataset])
    house.accept([3])
    house.outbox.publish([dataset])
    assert sqlite_rows(house.folder / "warehouse/shop.db") == [2, 3]
    assert house.states() == [("v002", "published"), ("v003", "published")]


def test_no_version_since_the_declaration_is_missed(house: House) -> None:
    """Declared before the run, killed before publishing, twice: append still gets both."""
    dataset = house.dataset(sql("append"))
    house.outbox.declare([dataset])
    house.accept([1])
    house.outbox.declare([dataset])
    house.accept([2])
    house.outbox.publish([dataset])
    assert sqlite_rows(house.folder / "warehouse/shop.db") == [1, 2]
    assert len(house.events.read(type="sink.declared")) == 1


def test_one_sink_that_fails_does_not_hold_up_the_others(house: House) -> None:
    """Of the same dataset and of others."""
    (house.folder / "warehouse").write_text("in the way")
    one = house.dataset(sql("append"), {"kind": "file", "path": "one.csv"}, name="one")
    two = house.dataset({"kind": "file", "path": "two.csv"}, name="two")
    house.accept([1], name="one")
    house.accept([2], name="two")
    done = house.outbox.publish([one, two])
    assert [(attempt.dataset, attempt.kind, attempt.error is None) for attempt in done] == [
        ("one", "sql", False),
        ("one", "file", True),
        ("two", "file", True),
    ]


def test_after_a_failure_later_versions_of_that_sink_wait_for_their_turn(house: House) -> None:
    """Appending the second before the first would be the wrong order."""
    dataset = house.dataset(sql("append"))
    house.outbox.declare([dataset])
    house.accept([1])
    house.accept([2])
    (house.folder / "warehouse").write_text("in the way")
    assert [attempt.version for attempt in house.outbox.publish([dataset])] == ["v001"]
    assert house.outbox.waiting(dataset) == {"v001", "v002"}


def test_a_server_that_is_away_is_asked_once(house: House) -> None:
    """Ten datasets for one dead server wait for one connection, not for ten; each is told."""
    url = "postgresql://bob:s3cret@127.0.0.1:1/shop"
    datasets = [house.dataset(sql("replace", url), name=f"d{number}") for number in range(10)]
    for dataset in datasets:
        house.accept([1], name=dataset.name)
    asked = []
    sink = house.outbox._sink("sql")
    publish: Callable[..., Any] = sink.publish
    sink.publish = lambda request: (asked.append(request.dataset), publish(request))[1]  # type: ignore[method-assign]
    done = house.outbox.publish(datasets)
    assert asked == ["d0"]
    assert len({attempt.error for attempt in done}) == 1
    assert len(done) == 10
    log = "".join(str(event) for event in house.events.read())
    assert "s3cret" not in log
    assert "bob" not in log


def test_secrets_are_masked_in_what_a_sink_says(house: House) -> None:
    """What the database repeats of the address goes through the redaction that all messages go through."""
    outbox = house.make_outbox(redacted=lambda text: text.replace("warehouse", "***"))
    (house.folder / "warehouse").write_text("in the way")
    dataset = house.dataset({"kind": "file", "path": "warehouse/t.csv"})
    house.accept([1])
    (failed,) = outbox.publish([dataset])
    assert "***" in (failed.error or "")
    assert "warehouse/" not in str(house.publications.of("orders")[0].error)


def test_two_processes_do_not_publish_the_same_dataset(house: House) -> None:
    """Who comes second leaves it to the first."""
    dataset = house.dataset({"kind": "file", "path": "t.csv"})
    house.accept([1])
    house.leases.acquire(["publish:orders"])
    assert house.outbox.publish([dataset]) == []
    house.leases.release(["publish:orders"])
    assert len(house.outbox.publish([dataset])) == 1


def test_a_cancelled_run_leaves_the_rest_for_later(house: House) -> None:
    """Nothing is begun after Ctrl-C."""
    dataset = house.dataset({"kind": "file", "path": "t.csv"})
    house.accept([1])
    assert house.outbox.publish([dataset], cancelled=lambda: True) == []
    assert house.states() == []


def test_a_version_whose_file_is_gone_is_told(house: House) -> None:
    """It waits, with the store's own words."""
    dataset = house.dataset({"kind": "file", "path": "t.csv"})
    house.accept([1])
    house.storage.delete("datasets/orders/v001.parquet")
    (failed,) = house.outbox.publish([dataset])
    assert "datasets/orders/v001.parquet" in (failed.error or "")


def test_a_fault_of_a_plug_in_costs_only_its_own_sink(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error nobody foresaw is told with its type; the others go on."""
    dataset = house.dataset({"kind": "file", "path": "a.csv"}, {"kind": "sql", **sql("append")})
    house.accept([1])
    monkeypatch.setattr("data_pipeline.publish.file.FileSink.publish", lambda *_: 1 / 0)
    failed, done = house.outbox.publish([dataset])
    assert "ZeroDivisionError" in (failed.error or "")
    assert done.error is None


def test_replaying_the_log_gives_the_same_rows(house: House) -> None:
    """The views hold nothing that the log does not."""
    dataset = house.dataset(sql("replace"), {"kind": "file", "path": "t.csv"})
    house.outbox.declare([dataset])
    (house.folder / "warehouse").write_text("in the way")
    house.accept([1])
    house.outbox.publish([dataset])
    house.accept([2])
    (house.folder / "warehouse").unlink()
    house.outbox.publish([dataset])
    query = "SELECT * FROM publications UNION ALL SELECT *, NULL, NULL, NULL FROM sinks"
    before = house.database.query(query)
    house.events.rebuild()
    assert house.database.query(query) == before
    assert len(before) == 6


def test_into_postgresql(house: House, postgres: str) -> None:
    """The same outbox, a real server: merged by the dataset's key, twice, then nothing left."""
    dataset = house.dataset(sql("merge", postgres))
    house.accept([1, 2])
    house.outbox.publish([dataset])
    house.accept([2, 3])
    house.outbox.publish([dataset])
    assert execute(postgres, "SELECT id, version FROM t ORDER BY id") == [(1, "v001"), (2, "v002"), (3, "v002")]
    published = execute(postgres, "SELECT version, row_count FROM _orchestrator_published ORDER BY version")
    assert published == [("v001", 2), ("v002", 2)]
    assert house.outbox.publish([dataset]) == []
