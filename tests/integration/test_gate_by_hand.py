"""What people decide about held and accepted versions; and that whoever reads sees an accepted one, always."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from data_pipeline.errors import DatasetBusy, PipelineError, StoreError
from operations.actor import Actor
from operations.gate import accept, reject, rollback
from tests.faulty_server import Answer, Answering, FaultyServer, Request, as_json
from tests.faulty_server import status as code
from tests.integration.gating import (
    ANN,
    AT_MOST_5,
    DOUBTED,
    HEADER,
    INFERRED,
    OTHER,
    do,
    held_now,
    hold,
    names,
    stands,
    states,
)
from tests.integration.installation import Installation
from tests.integration.people import GOOD, GOOD_ROWS, csv, people
from utils.leases import Leases


def test_what_was_accepted_by_hand_is_what_readers_get(installation: Installation, held: str) -> None:
    """Its good rows, under its own name; who did it, why, and over what stands in the log."""
    done = do(installation, accept, reason="the range is wrong")

    assert names(installation) == ["dora", "emil"]
    assert (done.decision, done.version, done.current, done.rows) == ("accepted", held, held, 2)
    assert states(installation) == ["accepted", "accepted*"]
    event = installation.events("batch.accepted")[-1]
    assert (event["version"], event["actor"], event["reason"]) == (held, "ann", "the range is wrong")
    assert event["over"] == "broke critical range(id) (1 of 3)"


def test_status_tells_of_it_as_a_delivery_with_doubts(installation: Installation, held: str) -> None:
    """No longer failed, and no candidate waits; a batch that `on_fail: publish` accepts looks the same."""
    before = stands(installation)
    do(installation, accept, reason="the range is wrong")
    after = stands(installation)

    assert (before.status, before.origin, before.held) == ("failed", "last_good", held)
    assert (after.status, after.origin, after.rows, after.held) == ("degraded", "provider", 2, None)
    assert after.reason == "accepted by ann over: broke critical range(id) (1 of 3) (the range is wrong)"


def test_it_is_last_good_when_the_provider_dies(installation: Installation, server: FaultyServer, held: str) -> None:
    """The next run falls back to it."""
    do(installation, accept)
    server.answer = code(503)

    run = installation.run_one(fresh=True)

    assert (run.status, run.origin, run.version, run.rows) == ("degraded", "last_good", held, 2)


def test_the_same_content_again_is_no_new_candidate(
    installation: Installation, server: FaultyServer, held: str
) -> None:
    """Whoever accepted it need not accept it every hour; it stays degraded, and says who took it over what."""
    do(installation, accept)

    run = installation.run_one(fresh=True)

    assert (run.status, run.origin, run.accepted, run.unchanged) == ("degraded", "provider", True, True)
    assert run.reason == "accepted by ann over: broke critical range(id) (1 of 3)"
    assert states(installation) == ["accepted", "accepted*"]


def test_a_provider_that_says_not_modified_confirms_what_was_accepted(
    installation: Installation, server: FaultyServer
) -> None:
    """A 304 is no reason to fall back from what somebody took."""

    def answer(request: Request) -> Answer:
        if request.headers.get("if-none-match") == '"2"':
            return Answer(status=304, headers={"ETag": '"2"'})
        return csv(HEADER + b"4,dora,2026-01-02\n9,fred,2026-01-02\n", ETag='"2"')

    hold(installation, server)
    server.answer = answer
    installation.run_one(fresh=True)
    done = do(installation, accept)

    run = installation.run_one()

    assert (run.status, run.origin, run.version, run.accepted) == ("degraded", "provider", done.version, True)
    assert "accepted by ann over: broke critical range(id)" in (run.reason or "")


def test_other_content_is_judged_as_ever(installation: Installation, server: FaultyServer, held: str) -> None:
    """A decision is about one batch, not about the rule."""
    do(installation, accept)
    server.answer = csv(HEADER + b"8,ida,2026-01-03\n9,jo,2026-01-03\n")

    run = installation.run_one(fresh=True)

    assert (run.status, run.accepted, run.version) == ("failed", False, held)
    assert names(installation) == ["dora", "emil"]


def test_sinks_get_what_was_accepted(installation: Installation, server: FaultyServer) -> None:
    """A sink never gets a held batch, and gets it at once when it is accepted."""
    hold(installation, server, publish=[{"kind": "file", "path": "out.csv"}])
    out = installation.folder / "out.csv"
    before = out.read_text()

    done = do(installation, accept)

    assert "anna" in before
    assert "dora" not in before
    assert [line.split(",")[1] for line in out.read_text().split()[1:]] == ["dora", "emil"]
    assert [(one.version, one.error) for one in done.publications] == [(done.version, None)]


def test_other_datasets_look_into_accepted_versions_only(installation: Installation, server: FaultyServer) -> None:
    """One that asks with another's ids (`for_each`), and looks its values up in it (`references`)."""
    people_are: Answer = GOOD

    def answer(request: Request) -> Answer:
        return as_json([{"person": int(request.query["of"])}]) if "of" in request.query else people_are

    visits = {
        "name": "visits",
        "collect": {
            "kind": "http",
            "url": f"http://{server.host}/visits",
            "for_each": {"dataset": "people", "column": "id", "into": "params.of"},
        },
        "rules": [{"references": {"column": "person", "dataset": "people", "key": "id"}}],
    }
    installation.configure(people(server.url, **AT_MOST_5), visits)
    server.answer = answer

    def visited() -> list[int]:
        assert {run.quarantined for run in installation.run(fresh=True).datasets if run.dataset == "visits"} == {0}
        return sorted(row["person"] for row in installation.rows("visits"))

    first = visited()
    people_are = DOUBTED
    while_held = visited()
    do(installation, accept)
    after = visited()
    do(installation, rollback)
    people_are = code(503)
    back = visited()

    assert (first, while_held, after, back) == ([1, 2, 3], [1, 2, 3], [4, 5], [1, 2, 3])


def two_pages(request: Request) -> Answer:
    """The second one does not come."""
    if request.query.get("page"):
        return code(503)
    return csv(HEADER + b"7,gina,2026-01-02\n", link=f'<{request.path}?page=2>; rel="next"')


@pytest.mark.parametrize(
    ("more", "answer", "rows"),
    [
        (AT_MOST_5, DOUBTED, 2),
        (
            {"quality": {"minimum": 99}, "rules": [{"range": {"column": "id", "max": 3, "severity": "warning"}}]},
            DOUBTED,
            3,
        ),
        ({"rules": [{"range": {"column": "id", "max": 4}}]}, DOUBTED, 1),
        (INFERRED, csv(b"id,name\n7,gina\n"), 1),
        ({"rules": [], "collect": {"paginate": {"kind": "link_header"}}}, two_pages, 1),
    ],
    ids=["a critical rule", "a low score", "too many quarantined", "a column gone", "only a part came"],
)
def test_whatever_it_was_held_for_it_can_be_accepted(
    installation: Installation, server: FaultyServer, more: dict[str, Any], answer: Answering, rows: int
) -> None:
    """Also what `on_fail: publish` would not publish."""
    version = hold(installation, server, answer, **more)

    done = do(installation, accept)

    assert (done.version, len(names(installation))) == (version, rows)


def test_accepted_columns_are_what_the_next_batch_is_held_against(
    installation: Installation, server: FaultyServer
) -> None:
    """Who accepts a batch without a column agrees that it is gone."""
    hold(installation, server, csv(b"id,name\n7,gina\n"), **INFERRED)
    do(installation, accept)
    server.answer = csv(b"id,name\n8,hugo\n")

    run = installation.run_one(fresh=True)

    assert (run.status, names(installation)) == ("succeeded", ["hugo"])


def test_the_first_batch_of_a_dataset_may_be_accepted(installation: Installation, server: FaultyServer) -> None:
    """Nothing stood before: now something does."""
    server.answer = DOUBTED
    installation.configure(people(server.url, **AT_MOST_5))
    assert installation.run_one().status == "failed"
    with pytest.raises(PipelineError, match="nothing was delivered yet") as refused:
        names(installation)

    done = do(installation, accept)

    assert "`accept people`" in refused.value.hint
    assert (done.before, names(installation)) == (None, ["dora", "emil"])


# What is refused


def test_what_was_decided_is_not_decided_again(installation: Installation, held: str) -> None:
    """Who asks twice is told who was first; nothing happens twice."""
    do(installation, accept, reason="it is right")

    with pytest.raises(PipelineError, match=f"version {held} was accepted already by ann"):
        do(installation, accept, held)
    with pytest.raises(PipelineError, match="accepted already") as refused:
        do(installation, reject, held)
    with pytest.raises(PipelineError, match="nothing is held"):
        do(installation, accept)

    assert "`rollback people`" in refused.value.hint
    assert len([event for event in installation.events("batch.accepted") if "actor" in event]) == 1


def test_a_version_that_is_not_there_is_named(installation: Installation, held: str) -> None:
    """By its name, with the command that lists them."""
    for what in (accept, reject, rollback):
        with pytest.raises(PipelineError, match="no version 01no") as refused:
            do(installation, what, "01no")
        assert "`versions people`" in refused.value.hint


def test_nothing_is_decided_while_the_dataset_runs(installation: Installation, held: str) -> None:
    """Whoever runs it holds its lease; to try again makes sense."""
    with installation.system() as system:
        other = Leases(system.coordination, clock=system.clock)
        assert other.acquire(["dataset:people"])
        for what in (accept, reject, rollback):
            with pytest.raises(DatasetBusy, match="people: it runs just now") as refused:
                what(system, ANN, "people")
            assert refused.value.transient
        other.close()

    assert states(installation) == ["accepted*", "held"]


def test_of_several_who_decide_at_once_one_does(installation: Installation, held: str) -> None:
    """The others are told that it is busy, or decided; the log has one decision."""
    ready = Barrier(4)

    def race(what: Any) -> str:
        with installation.system() as system:
            assert system.views.current()
            ready.wait(timeout=120)
            try:
                return str(what(system, ANN, "people", held).decision)
            except PipelineError as error:
                return type(error).__name__

    with ThreadPoolExecutor(4) as pool:
        told = sorted(pool.map(race, [accept, reject, accept, reject]))

    decided = [word for word in told if word in {"accepted", "rejected"}]
    assert len(decided) == 1, told
    by_hand = [event for event in installation.events("batch.accepted") if "actor" in event]
    assert len(by_hand) + len(installation.events("batch.rejected")) == 1


def test_a_damaged_candidate_is_not_accepted(installation: Installation, held: str) -> None:
    """Its file is compared with what the log says of it."""
    with installation.system() as system:
        system.storage.put_bytes(f"held/people/{held}.parquet", b"PAR1 something else PAR1")

    with pytest.raises(StoreError, match=f"version {held} is damaged"):
        do(installation, accept)

    assert names(installation) == ["anna", "bert", "cleo"]


def test_a_viewer_decides_nothing(installation: Installation, held: str) -> None:
    """Only an operator does."""
    with installation.system() as system:
        for what in (accept, reject, rollback):
            with pytest.raises(Exception, match="needs operator"):
                what(system, Actor("bob", "viewer"), "people")


def test_nothing_is_no_delivery_not_even_by_hand(installation: Installation, server: FaultyServer) -> None:
    """All rows broke a rule, so none would be left."""
    hold(installation, server, csv(HEADER + b"8,ida,2026-01-02\n9,jo,2026-01-02\n"))

    with pytest.raises(PipelineError, match="no row to deliver") as refused:
        do(installation, accept)

    assert "quarantine show people" in refused.value.hint


def test_an_older_batch_does_not_take_the_place_of_a_newer_one_unless_told_to(
    installation: Installation, server: FaultyServer, held: str
) -> None:
    """Newer rows were accepted since; `--force` says that the older ones are meant all the same."""
    server.answer = OTHER
    installation.run_one(fresh=True)

    with pytest.raises(PipelineError, match="the older rows would take its place") as refused:
        do(installation, accept)
    forced = do(installation, accept, force=True)

    assert f"`accept people {held} --force`" in refused.value.hint
    assert (forced.version, names(installation)) == (held, ["dora", "emil"])
    assert states(installation) == ["accepted", "accepted", "accepted*"]
    server.answer = code(503)
    assert installation.run_one(fresh=True).version == held


def test_a_candidate_that_is_out_of_date_waits_for_nobody(
    installation: Installation, server: FaultyServer, held: str
) -> None:
    """Newer rows came and were accepted: `status` asks for no decision any more; it may still be turned away."""
    server.answer = OTHER
    installation.run_one(fresh=True)

    assert stands(installation).held is None
    assert do(installation, reject).version == held


def test_content_that_was_accepted_since_is_not_accepted_once_more(
    installation: Installation, server: FaultyServer, held: str
) -> None:
    """The rule was mended, the same bytes came and were accepted: the older candidate has nothing to add."""
    installation.configure(people(server.url))
    newer = installation.run_one(fresh=True)
    assert newer.accepted

    with pytest.raises(PipelineError, match=f"the same content was accepted as version {newer.version}"):
        do(installation, accept, held)


# Reject


def test_a_rejected_batch_is_never_served(installation: Installation, server: FaultyServer, held: str) -> None:
    """Not by status, not by a fallback; its rows and its quarantine stay to be looked at."""
    done = do(installation, reject, reason="a test of the provider")
    server.answer = code(503)
    after = stands(installation)

    run = installation.run_one(fresh=True)

    assert (done.decision, done.version, done.rows) == ("rejected", held, GOOD_ROWS)
    assert (after.status, after.held) == ("failed", None)
    assert "rejected by ann: broke critical range(id) (1 of 3) (a test of the provider)" in (after.reason or "")
    assert (run.origin, names(installation)) == ("last_good", ["anna", "bert", "cleo"])
    assert states(installation) == ["accepted*", "rejected"]
    assert len(installation.rows("people", last_batch=True)) == 2
    with installation.system() as system:
        assert [entry.rows for entry in system.views.quarantined("people")] == [1]
    (event,) = installation.events("batch.rejected")
    assert (event["actor"], event["reason"], event["over"]) == (
        "ann",
        "a test of the provider",
        "broke critical range(id) (1 of 3)",
    )


def test_what_was_rejected_is_not_accepted_later(installation: Installation, held: str) -> None:
    """It was decided; a new collection is judged anew."""
    do(installation, reject)

    with pytest.raises(PipelineError, match="was rejected already by ann") as refused:
        do(installation, accept, held)

    assert "`run people`" in refused.value.hint


def test_only_the_named_candidate_is_decided_about(installation: Installation, server: FaultyServer, held: str) -> None:
    """Of several the newest, unless one is named."""
    second = held_now(installation, server, csv(HEADER + b"7,x,2026-01-03\n"))
    third = held_now(installation, server, csv(HEADER + b"8,y,2026-01-03\n1,y,2026-01-03\n"))

    do(installation, reject, second)
    newest = do(installation, accept)

    assert newest.version == third
    assert states(installation) == ["accepted", "held", "rejected", "accepted*"]
    assert held < second < third
