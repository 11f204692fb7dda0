"""Random histories with sealing in between: whoever reads a log cannot tell what was sealed and what was not."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.counts import few
from tests.utils.events.sealed import Log
from utils.database import Database
from utils.events import Event, NewEvent, sealing

TYPES = ("a.done", "a.failed", "b.done", "ab")
SUBJECTS = ("x", "y", "z")

appended = st.lists(st.tuples(st.sampled_from(TYPES), st.sampled_from(SUBJECTS)), min_size=1, max_size=6)
steps = st.one_of(
    st.tuples(st.just("append"), appended),
    st.tuples(st.just("wait"), st.integers(1, 1000)),
    st.tuples(st.just("set back"), st.integers(1, 500)),
    st.tuples(st.just("seal"), st.integers(1, 8)),
    st.tuples(st.just("clear one page"), st.none()),
    st.tuples(st.just("rebuild"), st.none()),
    st.tuples(st.just("restart"), st.none()),
)


@st.composite
def questions(draw: st.DrawFn) -> dict[str, object]:
    """What somebody may ask of the log."""
    moments = st.integers(0, 3000).map(lambda s: f"2026-01-01T00:{s // 60:02}:{s % 60:02}.000000Z")
    return {
        "after": draw(st.integers(0, 40)),
        "before": draw(st.just(0) | st.integers(1, 60)),
        "limit": draw(st.integers(1, 30)),
        "type": draw(st.sampled_from([None, "a.*", "*", "log.*", *TYPES])),
        "subject": draw(st.sampled_from([None, *SUBJECTS, "log"])),
        "source": draw(st.sampled_from([None, "orchestrator", "events"])),
        "since": draw(st.none() | moments),
        "until": draw(st.none() | moments),
        "newest_first": draw(st.booleans()),
    }


def _expected(told: list[Event], asked: dict[str, object]) -> list[Event]:
    kind, since, until = asked["type"], asked["since"], asked["until"]
    found = [
        event
        for event in told
        if event.seq > int(str(asked["after"]))
        and (not asked["before"] or event.seq < int(str(asked["before"])))
        and (kind is None or (event.type.startswith(str(kind)[:-1]) if str(kind).endswith("*") else event.type == kind))
        and asked["subject"] in (None, event.subject)
        and asked["source"] in (None, event.source)
        and (since is None or event.time >= str(since))
        and (until is None or event.time < str(until))
    ]
    return (found[::-1] if asked["newest_first"] else found)[: int(str(asked["limit"]))]


def _do(log: Log, step: str, value: object) -> None:
    match step:
        case "append":
            assert isinstance(value, list)
            log.store.append([NewEvent(kind, subject, {"text": "ä"}) for kind, subject in value])
        case "wait":
            log.clock.sleep(float(str(value)) / 10)
        case "set back":
            log.clock.set_back(float(str(value)) / 10)  # type: ignore[attr-defined]  # a manual clock
        case "seal":
            log.seal(keep=int(str(value)), clear=False)
        case "clear one page":
            log.sealing.clear(go_on=lambda: False)
        case "rebuild":
            assert log.store.rebuild() == len(log.told)
        case "restart":
            log.store = log.opened()
            log.sealing = sealing.Sealing(log.store, clock=log.clock)


def _emptied(database: Database) -> None:
    with database.transaction() as connection:
        for table in ("log", "names", "checkpoints", "counts", "segments"):
            connection.execute(f"DELETE FROM {table}")


@settings(
    max_examples=few(20),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(steps, min_size=3, max_size=25), asked=st.lists(questions(), min_size=4, max_size=8))
def test_a_sealed_log_answers_like_one_that_was_never_sealed(
    database: Database, history: list[tuple[str, object]], asked: list[dict[str, object]]
) -> None:
    """Every question, the proof, the positions and versions, and the views: live, and rebuilt."""
    _emptied(database)
    before, sealing.AT_ONCE = sealing.AT_ONCE, 3
    try:
        with tempfile.TemporaryDirectory() as folder:
            log = Log(database, Path(folder))
            for step, value in history:
                _do(log, step, value)

            for question in asked:
                assert log.store.read(**question) == _expected(log.told, question)  # type: ignore[arg-type]
            assert log.store.read(limit=10_000) == log.told
            found = log.store.verify()
            assert (found.fault, found.events) == (None, len(log.told))
            for event in log.told[::3]:
                assert log.store.verify(f"{event.seq}:{event.hash}").fault is None
            live = log.counts()
            assert log.store.rebuild() == len(log.told)
            assert log.counts() == live
            for subject in SUBJECTS:
                versions = [event.version for event in log.told if event.subject == subject]
                assert versions == list(range(1, len(versions) + 1))
                (fresh,) = log.opened().append([NewEvent("t", subject)])
                assert (fresh.seq, fresh.version) == (len(log.told), len(versions) + 1)
    finally:
        sealing.AT_ONCE = before
