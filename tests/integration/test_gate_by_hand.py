"""What people decide about held and accepted versions; and that whoever reads sees an accepted one, always."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from data_pipeline.errors import DatasetBusy, PipelineError, StoreError
from operations.actor import Actor
from operations.gate import Decided, accept, reject, rollback
from operations.maintain import maintain
from operations.news import news
from operations.run import resume
from operations.status import DatasetStatus, status
from operations.versions import versions
from tests.faulty_server import Answer, Answering, FaultyServer, Request, as_json
from tests.faulty_server import status as code
from tests.integration.installation import Installation
from tests.integration.people import GOOD, GOOD_ROWS, csv, people
from utils.clock import ManualClock
from utils.events import NewEvent
from utils.leases import Leases

HEADER = b"id,name,day\n"
AT_MOST_5: dict[str, Any] = {"rules": [{"range": {"column": "id", "max": 5, "severity": "critical"}}]}
DOUBTED = csv(HEADER + b"4,dora,2026-01-02\n5,emil,2026-01-02\n9,fred,2026-01-02\n")
"""Two rows are good, and one breaks a critical rule."""
OTHER = csv(HEADER + b"1,gina,2026-01-03\n2,hugo,2026-01-03\n")
INFERRED: dict[str, Any] = {"rules": [], "columns": {}, "data_time": None}
ANN = Actor("ann")


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(GOOD) as server:
        yield server


@pytest.fixture
def held(installation: Installation, server: FaultyServer) -> str:
    """A good version stands, and a batch is held; gives the held version."""
    return hold(installation, server)


def hold(installation: Installation, server: FaultyServer, answer: Answering = DOUBTED, **more: Any) -> str:
    installation.configure(people(server.url, **{**AT_MOST_5, **more}))
    server.answer = GOOD
    assert installation.run_one(fresh=True).accepted
    return held_now(installation, server, answer)


def held_now(installation: Installation, server: FaultyServer, answer: Answering) -> str:
    server.answer = answer
    run = installation.run_one(fresh=True)
    assert not run.accepted
    with installation.system() as system:
        return next(one.version for one in system.views.versions("people") if one.state == "held")


def do(installation: Installation, what: Any, *arguments: Any, **options: Any) -> Decided:
    with installation.system() as system:
        done: Decided = what(system, ANN, "people", *arguments, **options)
        return done


def states(installation: Installation) -> list[str]:
    """Of all versions, the oldest first; the one that readers see with a mark."""
    with installation.system() as system:
        found = versions(system, "people").versions
    return [one.state + "*" * one.current for one in reversed(found)]


def stands(installation: Installation) -> DatasetStatus:
    """What `status` says of it."""
    with installation.system() as system:
        (found,) = status(system).datasets
        return found


def names(installation: Installation) -> list[str]:
    return [row["name"] for row in installation.rows("people")]


# Accept


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
            ready.wait(timeout=60)
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


# Roll back


def rolled_back(installation: Installation, server: FaultyServer, **more: Any) -> Decided:
    """Two good versions, and back to the first."""
    server.answer = GOOD
    installation.configure(people(server.url, **more))
    installation.run_one(fresh=True)
    server.answer = OTHER
    assert installation.run_one(fresh=True).accepted
    return do(installation, rollback, reason="the names are wrong")


def test_readers_get_the_version_before(installation: Installation, server: FaultyServer) -> None:
    """As a new version with its rows; the one that was taken back is served to nobody any more."""
    done = rolled_back(installation, server)
    server.answer = code(503)
    told = stands(installation)

    run = installation.run_one(fresh=True)

    assert names(installation) == ["anna", "bert", "cleo"]
    assert states(installation) == ["accepted", "rolled_back", "accepted*"]
    assert (run.origin, run.version, run.rows) == ("last_good", done.current, GOOD_ROWS)
    assert (told.status, told.origin, told.rows) == ("degraded", "last_good", GOOD_ROWS)
    assert "rolled back by ann (the names are wrong); serving the last good copy" in (told.reason or "")
    (event,) = installation.events("version.rolled_back")
    assert (event["actor"], event["reason"]) == ("ann", "the names are wrong")
    assert (event["version"], event["restores"], event["withdrawn"]) == (done.version, done.restores, [done.before])


def test_the_cache_does_not_serve_what_was_taken_back(installation: Installation, server: FaultyServer) -> None:
    """Within the TTL of the bad version the provider is asked; the rows that are shown are the earlier ones."""
    done = rolled_back(installation, server)
    asked = server.count
    server.answer = code(503)

    run = installation.run_one()

    assert server.count > asked
    assert (run.origin, run.version) == ("last_good", done.version)
    assert names(installation) == ["anna", "bert", "cleo"]


def test_the_content_that_was_taken_back_is_held_when_it_comes_again(
    installation: Installation, server: FaultyServer
) -> None:
    """Else the next run would undo the rollback. Other content, or another configuration, is judged as ever."""
    done = rolled_back(installation, server)

    again = installation.run_one(fresh=True)
    server.answer = csv(HEADER + b"1,gerda,2026-01-03\n")
    mended = installation.run_one(fresh=True)
    do(installation, rollback)
    installation.configure(people(server.url, rules=[{"not_null": "name"}]))
    judged_anew = installation.run_one(fresh=True)

    assert (again.status, again.accepted) == ("degraded", False)
    assert f"it is the content of version {done.before}, which was rolled back" in (again.reason or "")
    assert (mended.status, judged_anew.status, names(installation)) == ("succeeded", "succeeded", ["gerda"])


def test_what_was_taken_back_by_mistake_can_be_accepted_again(installation: Installation, server: FaultyServer) -> None:
    """By its name, as a new version, which goes to the sinks; its content is nothing to hold a batch for any more."""
    sinks = [{"kind": "sql", "url": "sqlite:///sink.db", "table": "t", "mode": "replace"}]
    done = rolled_back(installation, server, publish=sinks)
    while_away = in_sink(installation, "t")

    again = do(installation, accept, done.before, reason="the names were right")
    back = in_sink(installation, "t")
    run = installation.run_one(fresh=True)
    server.answer = csv(HEADER + b"1,ida,2026-01-04\n")
    installation.run_one(fresh=True)
    server.answer = OTHER
    later = installation.run_one(fresh=True)

    assert (while_away, back) == (["anna", "bert", "cleo"], ["gina", "hugo"])
    assert (again.restores, run.version, run.accepted, run.unchanged) == (done.before, again.version, True, True)
    assert (later.status, names(installation)) == ("succeeded", ["gina", "hugo"])
    assert states(installation)[:4] == ["accepted"] * 4


def test_back_and_back_again(installation: Installation, server: FaultyServer) -> None:
    """Each time one further; when nothing is before, that is said."""
    installation.configure(people(server.url))
    for name in (b"one", b"two", b"three"):
        server.answer = csv(HEADER + b"1,%s,2026-01-03\n" % name)
        installation.run_one(fresh=True)
    seen = []
    for _ in range(2):
        do(installation, rollback)
        seen += names(installation)

    with pytest.raises(PipelineError, match="there is no version before"):
        do(installation, rollback)

    assert seen == ["two", "one"]
    assert states(installation) == ["accepted", "rolled_back", "rolled_back", "rolled_back", "accepted*"]


def test_the_same_rows_are_no_way_back(installation: Installation, server: FaultyServer) -> None:
    """Back, forward to other rows, back to the restored ones: before them are only these rows themselves."""
    rolled_back(installation, server)
    server.answer = csv(HEADER + b"1,ida,2026-01-04\n")
    installation.run_one(fresh=True)
    do(installation, rollback)

    with pytest.raises(PipelineError, match="there is no version before"):
        do(installation, rollback)

    assert names(installation) == ["anna", "bert", "cleo"]


def test_back_to_a_version_by_name(installation: Installation, server: FaultyServer, held: str) -> None:
    """One that was accepted and is whole; not one that is held, rejected, taken back or what readers get."""
    with installation.system() as system:
        first = versions(system, "people").current
    for what in ("is held", "was rejected"):
        with pytest.raises(PipelineError, match=what):
            do(installation, rollback, held)
        if what == "is held":
            do(installation, reject)
    with pytest.raises(PipelineError, match=r"readers get version .* already"):
        do(installation, rollback, first)
    server.answer = OTHER
    second = installation.run_one(fresh=True).version
    do(installation, rollback, first)
    with pytest.raises(PipelineError, match="was rolled back itself") as refused:
        do(installation, rollback, second)
    with pytest.raises(PipelineError, match=r"readers get version .* already"):
        do(installation, rollback, first)

    assert f"`accept people {second}`" in str(refused.value)


def test_a_damaged_version_is_no_way_back(installation: Installation, server: FaultyServer) -> None:
    """By name it is refused; by default the one before it is taken."""
    installation.configure(people(server.url))
    made = []
    for name in (b"one", b"two", b"three"):
        server.answer = csv(HEADER + b"1,%s,2026-01-03\n" % name)
        made.append(installation.run_one(fresh=True).version)
    with installation.system() as system:
        system.storage.put_bytes(f"datasets/people/{made[1]}.parquet", b"PAR1 something else PAR1")

    with pytest.raises(StoreError, match="is damaged"):
        do(installation, rollback, made[1])
    done = do(installation, rollback)

    assert (done.restores, names(installation)) == (made[0], ["one"])


def test_sinks_follow_what_readers_see(installation: Installation, server: FaultyServer) -> None:
    """A file and a replaced table have the earlier rows again; one that is appended to keeps what it got."""
    sinks = [
        {"kind": "file", "path": "out.csv"},
        {"kind": "sql", "url": "sqlite:///sink.db", "table": "replaced", "mode": "replace"},
        {"kind": "sql", "url": "sqlite:///sink.db", "table": "appended", "mode": "append"},
    ]
    done = rolled_back(installation, server, publish=sinks)

    assert [one.error for one in done.publications] == [None, None, None]
    assert [line.split(",")[1] for line in (installation.folder / "out.csv").read_text().split()[1:]] == [
        "anna",
        "bert",
        "cleo",
    ]
    assert in_sink(installation, "replaced") == ["anna", "bert", "cleo"]
    assert in_sink(installation, "appended") == ["anna", "bert", "cleo", "gina", "hugo"]


def test_a_version_that_waits_for_its_sink_and_is_taken_back_never_goes_out(
    installation: Installation, server: FaultyServer
) -> None:
    """The sink was away when it was accepted; what goes out later is what readers see."""
    out = installation.folder / "out"
    out.write_text("a file where the folder should be")
    rolled_back(installation, server, publish=[{"kind": "file", "path": "out/{version}.csv"}])
    out.unlink()
    server.answer = code(503)

    installation.run_one(fresh=True)

    assert {path.read_text().split()[1] for path in out.iterdir()} == {"1,anna,2026-01-01"}


def in_sink(installation: Installation, table: str) -> list[str]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(installation.folder / "sink.db")) as database:
        return [name for (name,) in database.execute(f"SELECT name FROM {table} ORDER BY name")]


# Together with the rest of the house


def test_the_log_makes_the_same_views_again(installation: Installation, server: FaultyServer, held: str) -> None:
    """Accepted, rejected, rolled back: a replay of the log gives what was seen live."""
    do(installation, accept)
    do(installation, rollback)
    held_now(installation, server, DOUBTED)
    do(installation, reject)
    with installation.system() as system:
        live = versions(system, "people"), system.views.current(), system.views.latest()

        system.events.rebuild()

        assert (versions(system, "people"), system.views.current(), system.views.latest()) == live
        assert system.events.verify().fault is None


def test_the_state_as_of_a_moment_knows_what_was_decided_by_then(
    installation: Installation, server: FaultyServer
) -> None:
    """Before: held. After: accepted by hand."""
    clock = ManualClock()
    installation.configure(people(server.url, data_time=None, **AT_MOST_5))
    installation.run_one(clock=clock)
    server.answer = DOUBTED
    clock.advance(60.0)
    installation.run_one(fresh=True, clock=clock)
    moment = clock.now().isoformat()
    clock.advance(60.0)
    with installation.system(clock) as system:
        accept(system, ANN, "people")
        (then,), (now,) = status(system, as_of=moment).datasets, status(system).datasets

    assert (then.status, then.rows, then.held is None) == ("failed", GOOD_ROWS, False)
    assert (now.status, now.rows, now.held) == ("degraded", 2, None)


def test_maintenance_keeps_the_rows_that_a_rollback_gave_back(installation: Installation, server: FaultyServer) -> None:
    """The version that they first came as is past its age; the file that they lie in is not."""
    clock = ManualClock()
    installation.configure(people(server.url), retention={"versions": {"count": 10, "age": "1d"}})
    for answer in (GOOD, OTHER):
        server.answer = answer
        installation.run_one(fresh=True, clock=clock)
        clock.advance(60.0)
    with installation.system(clock) as system:
        rollback(system, ANN, "people")
        clock.advance(2 * 86_400.0)
        maintain(system, ANN)
        kept = [one.state for one in system.views.versions("people")]
        maintain(system, ANN)

        assert kept == [one.state for one in system.views.versions("people")] == ["accepted", "accepted"]

    assert names(installation) == ["anna", "bert", "cleo"]


def test_maintenance_removes_what_a_killed_process_left_of_a_candidate(installation: Installation, held: str) -> None:
    """It was accepted, and its file among the held ones stayed: after a day nobody needs it."""
    with installation.system() as system:
        content = system.storage.read_bytes(f"held/people/{held}.parquet")
    do(installation, accept)
    clock = ManualClock()
    with installation.system() as system:
        system.storage.put_bytes(f"held/people/{held}.parquet", content)
        clock.advance(system.clock.time() - clock.time() + 2 * 86_400.0)
    with installation.system(clock) as system:
        maintain(system, ANN)

        assert list(system.storage.list("held/")) == []
        assert system.results.damage(system.results.newest(system.views.current_of("people"))) is None  # type: ignore[arg-type]


def test_a_run_that_goes_on_leaves_what_was_decided_meanwhile(
    installation: Installation, server: FaultyServer, held: str
) -> None:
    """The run crashed after the batch was held, somebody accepted it, then the run is resumed."""
    do(installation, accept)
    request = {"actor": "ann", "owner": "nobody", "fresh": True, "datasets": ["people"]}
    with installation.system() as system:
        system.events.append(
            [NewEvent("run.started", held, request), NewEvent("run.crashed", held, {"owner": "nobody"})]
        )
        server.answer = OTHER

        assert resume(system, ANN, held).datasets == ()

    assert names(installation) == ["dora", "emil"]


def test_from_held_to_readers_on_the_command_line(installation: Installation, held: str) -> None:
    """What is printed says what was done; `--json` has all of it."""
    waits = installation.cli("status")
    listed = installation.cli("versions", "people")
    accepted = installation.cli("accept", "people", "--reason", "the range is wrong")
    back = installation.cli("rollback", "people", "--reason", "it was right", "--json")
    nothing = installation.cli("reject", "people", "--json")
    as_json_ = installation.cli("versions", "people", "--json").json

    assert "held, waiting for you: people: `show people --batch`, then `accept people` or" in waits.out
    assert "held: `accept people VERSION` or `reject people VERSION`" in listed.out
    assert [one["state"] for one in as_json_["versions"]] == ["accepted", "rolled_back", "accepted"]
    assert [one["current"] for one in as_json_["versions"]] == [True, False, False]
    assert as_json_["current"] == as_json_["versions"][0]["version"]
    assert (accepted.code, accepted.out.splitlines()) == (
        0,
        [f"people: accepted {held} over: broke critical range(id) (1 of 3)", "readers get 2 rows"],
    )
    assert (back.code, back.json["decision"], back.json["withdrawn"]) == (0, "rolled_back", [held])
    assert (nothing.code, nothing.json["error"]["message"]) == (1, "people: nothing is held")


def test_who_was_away_is_told_who_decided_what(installation: Installation, held: str) -> None:
    """A batch that the gate accepts is routine; one that somebody accepted is not."""
    do(installation, accept, reason="the range is wrong")
    do(installation, rollback)
    with installation.system() as system:
        turns = news(system, "2020-01-01T00:00:00Z").turns

    assert [(turn.type, turn.actor, turn.reason) for turn in turns] == [
        ("version.rolled_back", "ann", ""),
        ("batch.accepted", "ann", "the range is wrong"),
        ("batch.held", "", "broke critical range(id) (1 of 3)"),
    ]


def test_decisions_are_the_same_over_postgresql(
    installation: Installation, server: FaultyServer, postgres: str
) -> None:
    """Hold, look, accept, roll back, hold the same content, reject; views rebuilt are the live ones."""
    installation.configure(people(server.url, **AT_MOST_5), database={"url": postgres})
    installation.run_one()
    first = held_now(installation, server, DOUBTED)
    waits = stands(installation).held
    do(installation, accept)
    do(installation, rollback)
    installation.configure(people(server.url), database={"url": postgres})
    server.answer = OTHER
    installation.run_one(fresh=True)
    do(installation, rollback)
    again = held_now(installation, server, OTHER)
    do(installation, reject, again)
    with installation.system() as system:
        live = versions(system, "people"), system.views.current(), system.views.latest()
        system.events.rebuild()
        assert (versions(system, "people"), system.views.current(), system.views.latest()) == live

    assert waits == first
    assert states(installation) == ["accepted", "rolled_back", "accepted", "rolled_back", "accepted*", "rejected"]
    assert names(installation) == ["anna", "bert", "cleo"]
