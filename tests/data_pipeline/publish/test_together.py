"""A version for several sinks: all of them get it, or none does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.datasets import DatasetSettings
from data_pipeline.errors import PublishError
from data_pipeline.publish.file import FileSink
from data_pipeline.publish.sql import SqlSink
from tests.data_pipeline.publish.test_publish import House, sql, sqlite_rows


@pytest.fixture
def house(tmp_path: Path, address: str) -> Iterator[House]:
    house = House(tmp_path, address)
    yield house
    house.close()


FILE = {"kind": "file", "path": "out/t.csv"}


def together(house: House, *sinks: dict[str, Any]) -> DatasetSettings:
    return house.dataset(*sinks).model_copy(update={"publish_together": True})


def csv(house: House, name: str = "out/t.csv") -> list[str]:
    """The ids in a published file; empty when it is not there."""
    path = house.folder / name
    return [line.partition(",")[0] for line in path.read_text().splitlines()[1:]] if path.exists() else []


def left_over(house: House) -> list[str]:
    """What lies beside the published files."""
    return [path.name for path in (house.folder / "out").iterdir() if path.name.startswith(".")]


def told(house: House) -> list[str]:
    return [event.type for event in house.events.read() if event.source in ("transactions", "publish")]


def test_a_version_goes_to_all_of_them(house: House) -> None:
    """It is told once for each, in the commit that ends the transaction; the next version too."""
    dataset = together(house, FILE, sql("append"))
    for number in (1, 2):
        house.accept([number])
        done = house.outbox.publish([dataset])
        assert [(one.kind, one.rows, one.error) for one in done] == [("file", 1, None), ("sql", 1, None)]

    assert csv(house) == ["2"]
    assert sqlite_rows(house.folder / "warehouse/shop.db") == [1, 2]
    assert left_over(house) == []
    assert told(house)[-3:] == ["transaction.completed", "version.published", "version.published"]
    assert house.outbox.publish([dataset]) == []


def test_one_that_refuses_keeps_it_from_all(house: House) -> None:
    """The file stays as it was; the refusing sink is named, and the version goes out when that is mended."""
    dataset = together(house, FILE, sql("replace"))
    house.accept([1])
    house.outbox.publish([dataset])
    (house.folder / "warehouse").rename(house.folder / "away")
    (house.folder / "warehouse").write_text("in the way")
    house.accept([2])

    file, database = house.outbox.publish([dataset])
    kept, rest = csv(house), left_over(house)
    (house.folder / "warehouse").unlink()
    (house.folder / "away").rename(house.folder / "warehouse")
    again = house.outbox.publish([dataset])

    assert database.error is not None
    assert file.error == f"goes out together with the others, and shop.db.t says: {database.error}"
    assert (kept, rest) == (["1"], [])
    assert [(one.attempts, one.error) for one in again] == [(2, None), (2, None)]
    assert (csv(house), sqlite_rows(house.folder / "warehouse/shop.db")) == (["2"], [2])
    refused = [(event.data["sink"], event.data["error"]) for event in house.events.read(type="publish.failed")]
    assert refused == [("out/t.csv", file.error), ("shop.db.t", database.error)]  # told when all was taken back already


@pytest.mark.parametrize("before", [None, "1\n2\n"], ids=["nothing there", "somebody's file there"])
def test_what_was_put_is_taken_back_when_a_later_sink_fails(
    house: House, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    """The very file that stood there, or none: also one that was never ours."""
    target = house.folder / "out/t.csv"
    target.parent.mkdir()
    if before is not None:
        target.write_text(before)
        number = target.stat().st_ino
    dataset = together(house, sql("append"), FILE)
    house.accept([7])

    def fail(sink: SqlSink, request: Any) -> None:
        assert csv(house) == ["7"]  # readers of the file see it already
        raise PublishError("the server went away just now", transient=True)

    monkeypatch.setattr(SqlSink, "put", fail)
    done = house.outbox.publish([dataset])

    assert [one.error is None for one in done] == [False, False]
    assert left_over(house) == []
    if before is None:
        assert not target.exists()
    else:
        assert (target.read_text(), target.stat().st_ino) == (before, number)
    assert [event.data["step"] for event in house.events.read(type="transaction.step_undone")] == [
        *("put shop.db.t", "put out/t.csv", "prepare out/t.csv", "prepare shop.db.t"),
    ]


def test_after_the_first_that_cannot_be_taken_back_the_others_follow(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the version is on its way: a sink that is away gets it when it is back, and no newer one overtakes it."""
    dataset = together(house, sql("append"), {**sql("append", "sqlite:///second.db")})
    house.accept([1])
    put = SqlSink.put

    def fail(sink: SqlSink, request: Any) -> None:
        if "second" in request.options.url:
            raise PublishError("away", transient=True)
        put(sink, request)

    monkeypatch.setattr(SqlSink, "put", fail)
    first = house.outbox.publish([dataset])
    house.accept([2])
    second = house.outbox.publish([dataset])
    monkeypatch.setattr(SqlSink, "put", put)
    third = house.outbox.publish([dataset])

    assert [one.version for one in (*first, *second)] == ["v001"] * 4
    assert all(one.error is not None for one in (*first, *second))
    assert [(one.version, one.error) for one in third] == [("v002", None), ("v002", None)]
    for path in ("warehouse/shop.db", "second.db"):
        assert sqlite_rows(house.folder / path) == [1, 2]
    assert [event.data["version"] for event in house.events.read(type="version.published")] == [
        *("v001", "v001", "v002", "v002"),
    ]


def test_rehearsed_rows_are_seen_by_nobody(house: House) -> None:
    """A table is prepared in a transaction that is rolled back."""
    dataset = together(house, FILE, sql("append"))
    house.accept([1])
    house.outbox.declare([dataset])
    pending = {one.sink: one for one in house.outbox.pending(dataset)}
    target = house.outbox._target(dataset, pending["shop.db.t"])

    assert target.sink.prepare(target.request()).rows == 1
    assert sqlite_rows(house.folder / "warehouse/shop.db", "SELECT name FROM sqlite_schema") == []


def test_a_sink_that_left_the_configuration_in_the_middle_is_named(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it got cannot be taken back by anybody: the transaction waits, and says for what."""
    house.accept([1])
    dataset = together(house, FILE, sql("append"))

    def die(sink: FileSink, request: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FileSink, "put", die)
    with pytest.raises(KeyboardInterrupt):
        house.outbox.publish([dataset])
    monkeypatch.undo()
    house.outbox.publish([together(house, sql("append"))])

    (waits,) = house.outbox._together._transactions.open()
    assert (waits.step, waits.error) == ("put out/t.csv", "LookupError: there is no step put out/t.csv any more")


class Killed(BaseException):
    """kill -9, as far as the code can tell."""


def failing(done: Any, *, dies: bool, late: bool) -> Any:
    """A call that fails instead. Who raises has done nothing; only who dies may have done it all, when `late`."""

    def fail(sink: Any, request: Any) -> None:
        if dies and late:
            done(sink, request)
        raise Killed if dies else PublishError("not now", transient=True)

    return fail


_points = ["prepare", "put", "take_back", "clear"]


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    faults=st.lists(
        st.tuples(st.sampled_from(["file", "sql"]), st.sampled_from(_points), st.booleans(), st.booleans()), max_size=3
    )
)
def test_whatever_fails_and_dies_all_have_it_or_none(
    tmp_path_factory: pytest.TempPathFactory, faults: list[tuple[str, str, bool, bool]]
) -> None:
    """Random failures and deaths, before and after what a sink does; at last every version is everywhere, once."""
    folder = tmp_path_factory.mktemp("house")
    house = House(folder, str(folder / "orchestrator.db"))
    dataset = together(house, FILE, sql("append"))
    with pytest.MonkeyPatch.context() as patch:
        for kind, point, dies, late in faults:
            sink: Any = {"file": FileSink, "sql": SqlSink}[kind]
            house.accept([house.number + 1])
            with patch.context() as one:
                one.setattr(sink, point, failing(getattr(sink, point), dies=dies, late=late))
                try:
                    house.outbox.publish([dataset])
                except Killed:
                    house.leases.release(["publish:orders"])
            assert not [one for one in house.outbox.publish([dataset]) if one.error is not None]
        house.accept([house.number + 1])
        house.outbox.publish([dataset])

    assert csv(house) == [str(house.number)]
    assert sqlite_rows(house.folder / "warehouse/shop.db") == list(range(1, house.number + 1))
    assert left_over(house) == []
    assert house.outbox.publish([dataset]) == []
    house.close()


def test_a_file_sink_gives_back_a_file_twice(house: House) -> None:
    """Taking back is called again after a kill: what was restored is not removed by the second call."""
    target = house.folder / "out/t.csv"
    target.parent.mkdir()
    target.write_text("mine")
    dataset = together(house, FILE, sql("append"))
    house.accept([1])
    house.outbox.declare([dataset])
    pending = {one.sink: one for one in house.outbox.pending(dataset)}
    one = house.outbox._target(dataset, pending["out/t.csv"])
    request = one.request()

    one.sink.prepare(request)
    one.sink.take_back(request)
    kept = target.read_text()
    one.sink.put(request)
    one.sink.put(request)
    seen = csv(house)
    for _ in range(2):
        one.sink.take_back(request)
    one.sink.clear(request)
    one.sink.clear(request)

    assert (kept, seen, target.read_text()) == ("mine", ["1"], "mine")
    assert [path.name for path in target.parent.iterdir()] == ["t.csv"]
