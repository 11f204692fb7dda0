"""Worlds that go wrong by a seed: short forms of `make chaos`; and that its checks would notice what it looks for."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos.world.checks import GROWTH, HANDLES, calm, violations
from tests.chaos.world.disk import Disk, small_disk
from tests.chaos.world.life import Ended, Violation, live
from tests.chaos.world.model import Model, Run
from tests.chaos.world.process_life import ProcessLife, live_in_processes
from tests.chaos.world.provider import Content, Sent
from tests.chaos.world.script import Script, Step, Table, draw, draw_for_processes
from tests.chaos.world.seen import Seen
from tests.faulty_server import FaultyServer
from utils.clock import ManualClock

SEEDS = (2, 9)
PROCESSES = (2_001, 2_002)
AT = 1_795_000_000.0


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FaultyServer, Disk]]:
    with FaultyServer() as server, small_disk(tmp_path_factory.mktemp("disk")) as disk:
        yield server, disk


@pytest.mark.parametrize("seed", SEEDS)
def test_a_world_in_one_process_holds(ground: tuple[FaultyServer, Disk], seed: int) -> None:
    """After every step, and once all is well again."""
    ended = live(draw(seed), *ground)

    assert ended.model.acknowledged
    assert all(table.rows for table in ended.seen.tables.values())


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", PROCESSES)
def test_a_world_of_processes_holds(ground: tuple[FaultyServer, Disk], seed: int) -> None:
    """Ended, held up and killed while they work."""
    life = live_in_processes(draw_for_processes(seed), *ground)

    assert all(standing.now is not None for standing in life.model.standing.values())


def test_the_same_seed_is_the_same_world() -> None:
    """Else a violation could not be repeated."""
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
    assert draw_for_processes(7) == draw_for_processes(7)


# That the checks would notice


@pytest.fixture(scope="module")
def ended(ground: tuple[FaultyServer, Disk]) -> Ended:
    """A world with rows in quarantine, older versions, an incident that is over; its dataset was promised."""
    moods = ("well", "bad rows", "mostly bad", "down", "bad rows")
    steps = [step for mood in moods for step in (Step("mood", "p", mood), Step("run", how="fresh"))]
    return live(Script(0, (Table("d", "p", max_age=7200.0),), tuple(steps)), *ground)


def of_table(**changes: Any) -> Callable[[Seen], Seen]:
    def changed(seen: Seen) -> Seen:
        return replace(seen, tables={"d": replace(seen.tables["d"], **changes)})

    return changed


def of_status(**changes: Any) -> Callable[[Seen], Seen]:
    def changed(seen: Seen) -> Seen:
        return of_table(status=replace(seen.tables["d"].status, **changes))(seen)

    return changed


def row_dropped(seen: Seen) -> Seen:
    rows = seen.tables["d"].rows
    assert rows
    return of_table(rows=rows[1:])(seen)


def row_invented(seen: Seen) -> Seen:
    rows = seen.tables["d"].rows
    assert rows
    return of_table(rows=(*rows, rows[0]))(seen)


def bad_row_lost(seen: Seen) -> Seen:
    waiting = dict(seen.tables["d"].quarantined)
    run_id, rows = next(iter(waiting.items()))
    assert rows
    return of_table(quarantined={**waiting, run_id: rows[1:]})(seen)


def version_lost(seen: Seen) -> Seen:
    versions = dict(seen.tables["d"].versions)
    return of_table(versions={name: state for name, state in versions.items() if state != "accepted"})(seen)


def told_again(kind: str) -> Callable[[Seen], Seen]:
    def changed(seen: Seen) -> Seen:
        (one, *_) = [one for one in seen.notices if one.kind == kind]
        return replace(seen, notices=(*seen.notices, one))

    return changed


def sent_again(seen: Seen) -> Seen:
    (one, *_) = [one for one in seen.told if one.kind == "opened"]
    return replace(seen, told=(one, *seen.told))


def not_sent(kind: str) -> Callable[[Seen], Seen]:
    return lambda seen: replace(seen, told=tuple(one for one in seen.told if one.kind != kind))


def end_not_told(seen: Seen) -> Seen:
    return replace(seen, notices=tuple(one for one in seen.notices if one.kind != "resolved"))


def not_in_the_log(seen: Seen) -> Seen:
    return replace(seen, said=frozenset(sorted(seen.said)[1:]))


MUTATIONS: dict[str, tuple[Callable[[Seen], Seen], str]] = {
    "a row is dropped": (row_dropped, "readers get what they must not"),
    "a row is there twice": (row_invented, "readers get what they must not"),
    "readers get nothing": (of_table(rows=None, trouble="no"), "readers get an error"),
    "a bad row is lost": (bad_row_lost, "not in quarantine"),
    "a version is lost": (version_lost, "is gone"),
    "it is called younger": (of_status(collected_at="2027-01-01T00:00:00Z"), "was not collected then"),
    "its age is too small": (of_status(age_s=-1.0), "is said to be -1.0 s old"),
    "its data is called younger": (of_status(data_time="2027-01-01T00:00:00Z"), "its data is said to be"),
    "time goes by and it is called well": (lambda seen: replace(seen, at=seen.at + 1e6), "were promised"),
    "an acknowledged run is not in the log": (not_in_the_log, "is not in the log"),
    "the chain is broken": (lambda seen: replace(seen, fault="event 3 was changed"), "the chain is not whole"),
    "an event is missing": (lambda seen: replace(seen, gaps=1), "has 1 gaps"),
    "the log is cut": (lambda seen: replace(seen, head=(1, "")), "the log ends at 1"),
    "an incident is told twice": (told_again("opened"), "was told to be opened more than once"),
    "its end is told twice": (told_again("resolved"), "was told to be resolved more than once"),
    "it is sent twice": (sent_again, "the channel: incident"),
    "its end is not told": (end_not_told, "its end was not"),
    "nobody is told": (lambda seen: replace(seen, told=()), "was never told to be begun"),
    "the channel is not told of its end": (not_sent("resolved"), "was never told to be over"),
    "files stay open": (lambda seen: replace(seen, handles=HANDLES + 1), "files are open"),
    "threads stay": (lambda seen: replace(seen, threads=99), "threads are there"),
    "memory grows": (lambda seen: replace(seen, resident=seen.resident + GROWTH + 2**30), "memory: "),
}


@pytest.mark.parametrize(("mutate", "words"), MUTATIONS.values(), ids=MUTATIONS)
def test_what_must_not_be_is_noticed(ended: Ended, mutate: Callable[[Seen], Seen], words: str) -> None:
    """As it was seen all holds; changed in one way, that is what is told."""
    model, head = ended.model, ended.model.head
    assert [*violations(model, ended.seen), *calm(model, ended.seen)] == []

    seen = mutate(ended.seen)
    found = [*violations(model, seen), *calm(model, seen)]
    model.head = head

    assert any(words in one for one in found), found


def test_who_stays_has_too_much_of_nothing(
    ground: tuple[FaultyServer, Disk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of processes only: files, threads and memory of the one that serves, here this one, held against nothing."""
    script = Script(0, (Table("d", "p"),), ())
    me: Any = SimpleNamespace(pid=os.getpid())
    life = ProcessLife(script, tmp_path, *ground, me, tmp_path / "errors", serving=me.pid)
    assert [one for one in life.who_stays() if "memory" in one] == []

    for name in ("HANDLES", "THREADS", "GROWTH"):
        monkeypatch.setattr(f"tests.chaos.world.process_life.{name}", -1)

    files, threads, memory = life.who_stays()
    assert "files are open" in files
    assert "threads are there" in threads
    assert memory.startswith("memory: who serves")


CONTENT = Content(
    1, tuple({"id": number, "v": -number, "day": ManualClock().now(), "content": 1} for number in range(9))
)
RESULT: dict[str, Any] = {
    "dataset": "d",
    "status": "succeeded",
    "origin": "provider",
    "accepted": True,
    "unchanged": False,
    "rows": 1,
    "quarantined": 8,
    "version": "r",
    "reason": None,
}
GOOD = CONTENT._replace(rows=tuple({**row, "v": 1} for row in CONTENT.rows))
CLAIMS: dict[str, tuple[dict[str, Any], Content | None, str]] = {
    "bad rows are accepted": ({}, CONTENT, "accepted a batch of which 8 of 9 rows are bad"),
    "nobody sent them": ({}, None, "accepted rows that no provider sent"),
    "one is not counted": ({"rows": 8, "quarantined": 0}, GOOD, "counted 8 good rows, and 9 were sent"),
    "a good answer is not taken": (
        {"accepted": False, "status": "failed", "origin": "none"},
        GOOD,
        "did not deliver a good answer",
    ),
    "nothing is a success": ({"accepted": False, "origin": "none"}, None, "succeeded without"),
    "a copy that never was": ({"accepted": False, "status": "degraded", "origin": "last_good"}, None, "never was"),
    "a copy of the cache that nobody has": ({"origin": "cache"}, None, "does not stand for what readers get"),
}


@pytest.mark.parametrize(("claim", "content", "words"), CLAIMS.values(), ids=CLAIMS)
def test_an_acknowledgement_that_is_not_true_is_noticed(
    claim: dict[str, Any], content: Content | None, words: str
) -> None:
    """By what the providers really sent."""
    model = Model([Table("d", "p")])
    sent = [] if content is None else [Sent("d", AT, content, whole=True)]

    model.ran("r", [{**RESULT, **claim}], sent, Run(AT, AT))

    assert any(words in one for one in model.wrong), model.wrong


def test_a_violation_tells_its_seed_and_its_steps(
    ground: tuple[FaultyServer, Disk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A product that calls what is there younger than it is: found in the first step, with what repeats it."""
    script = Script(77, (Table("d", "p"),), (Step("run", how="fresh"),))

    def younger(self: Any, *arguments: Any) -> Seen:
        seen = honest(self, *arguments)
        return of_status(collected_at="2027-01-01T00:00:00Z")(seen)

    from tests.chaos.world import life

    honest = life.look
    monkeypatch.setattr(life, "look", younger)
    with pytest.raises(Violation) as told:
        live(script, *ground)

    assert "seed 77" in str(told.value)
    assert "1. run fresh" in str(told.value)
    assert "make chaos SEED=77" in str(told.value)
