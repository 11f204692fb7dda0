"""What people decide about versions, together with the rest: the log, maintenance, commands, PostgreSQL."""

from operations.gate import accept, reject, rollback
from operations.maintain import maintain
from operations.news import news
from operations.run import resume
from operations.status import status
from operations.versions import versions
from tests.faulty_server import FaultyServer
from tests.integration.gating import (
    ANN,
    AT_MOST_5,
    DOUBTED,
    OTHER,
    do,
    held_now,
    names,
    stands,
    states,
)
from tests.integration.installation import Installation
from tests.integration.people import GOOD, GOOD_ROWS, people
from utils.clock import ManualClock
from utils.events import NewEvent


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
