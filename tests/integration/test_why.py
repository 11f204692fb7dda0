"""`why DATASET`: the answer in a sentence, the facts behind it, and commands that can be pasted."""

from typing import Any

import pytest

from cli.main import app
from operations.why import Why, why
from tests.faulty_server import FaultyServer, status
from tests.integration.installation import Installation
from tests.integration.people import csv, people
from utils.clock import ManualClock

HOUR = 3600.0
RULES = [{"range": {"column": "id", "min": 0, "severity": "critical"}}, {"not_null": {"columns": ["name"]}}]
BAD = b"id,name,day\n" + b"".join(b"%d,x,2026-01-02\n" % n for n in range(-2, 30))


def ask(installation: Installation, name: str = "people", clock: Any = None) -> Why:
    with installation.system(clock) if clock is not None else installation.system() as system:
        return why(system, name)


def about(found: Why, kind: str) -> list[str]:
    return [change.words for change in found.changes if change.about == kind]


def pasted(found: Why) -> list[str]:
    return [one.command for one in found.commands]


def test_of_a_dataset_that_is_well_one_line_is_said(
    installation: Installation, server: FaultyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing has to be done."""
    installation.configure(people(server.url))
    installation.run_one()
    assert installation.typed("why", "people") == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.startswith("people is well: 3 rows from the provider, collected ")
    assert pasted(ask(installation)) == []


def test_of_a_dataset_that_never_ran_it_is_said(installation: Installation, server: FaultyServer) -> None:
    """With what to do first."""
    installation.configure(people(server.url))
    found = ask(installation)
    assert (found.sentence, found.last_good, found.last_run) == (
        "people never ran: nothing is known of it yet.",
        None,
        None,
    )
    assert pasted(found) == ["try people", "run people"]


def test_a_held_batch_is_explained(installation: Installation, server: FaultyServer) -> None:
    """What readers have, what waits and why, what differs, what its rules say, what can be done."""
    installation.configure(people(server.url, rules=RULES))
    installation.run_one()
    server.answer = csv(BAD)
    held = installation.run_one(fresh=True)

    found = ask(installation)

    assert found.sentence.startswith("people has failed since ")
    assert "the new batch is held: broke critical range(id) (2 of 32)" in found.sentence
    assert found.last_good is not None
    assert (found.last_good["rows"], found.last_good["score"]) == (3, 100.0)
    assert found.held is not None
    assert found.held["objections"] == "broke critical range(id) (2 of 32)"
    assert about(found, "rule") == ["`range(id)` (critical): 2 of 32 break it, none before"]
    assert about(found, "rows") == ["32 rows came, 3 before"]
    assert about(found, "provider") == []
    assert found.quarantine is not None
    assert found.quarantine["reasons"] == {"range(id)": 2}
    assert found.since is not None
    assert found.since["runs"] == 1
    assert held.reason is not None
    assert [one["rule"] for one in found.advice] == ["range(id)"]
    assert pasted(found)[:4] == ["show people --batch", "accept people", "reject people", "quarantine show people"]
    assert found.commands[-1].command == "report people"


def test_a_provider_that_fails_is_told_apart_from_the_dataset(installation: Installation, server: FaultyServer) -> None:
    """Since when, how its circuit stands, and how its other datasets do."""
    breaker = {"failure_threshold": 2, "open_for": "10m"}
    home = server.url.removeprefix("http://").split("/")[0]
    installation.configure(
        people(server.url),
        {**people(server.url), "name": "others"},
        providers={home: {"resilience": {"breaker": breaker}}},
    )
    clock = ManualClock()
    installation.run(clock=clock)
    server.answer = status(503)
    clock.advance(HOUR)
    installation.run(fresh=True, clock=clock)
    clock.advance(60.0)
    installation.run(fresh=True, clock=clock)

    found = ask(installation, clock=clock)

    assert found.status == "degraded"
    assert found.since is not None
    assert (found.since["runs"], found.since["time"][:13]) == (2, "2026-01-01T01")
    told = about(found, "provider")
    assert told[0].startswith(f"{home} does not deliver: ")
    assert told[1].startswith(f"the circuit of {home} is open until 1 Jan 2026 01:1")
    assert told[2] == f"1 of 1 other dataset of {home} is not as they should be: others"
    assert found.next_try["at"] is not None
    assert f"the circuit of {home} is open" in found.next_try["words"]
    assert f"breakers close {home}" in pasted(found)


def test_a_changed_configuration_is_named(installation: Installation, server: FaultyServer) -> None:
    """The new batch fails, and it is our own doing."""
    installation.configure(people(server.url, rules=[{"not_null": ["name"]}]))
    installation.run_one()
    strict = [{"range": {"column": "id", "min": 1000, "severity": "critical"}}]
    installation.configure(people(server.url, rules=strict))
    installation.run_one(fresh=True)

    found = ask(installation)

    assert about(found, "configuration") == [
        "its configuration was changed: how it is judged (`rules`, `data_time` or a zone)"
    ]
    assert about(found, "rule") == ["`range(id)` (critical) is new, and 3 of 3 break it"]


def test_a_column_that_is_gone_is_named(installation: Installation, server: FaultyServer) -> None:
    """A rename is a column that is missing and one that is new."""
    plain = {"columns": {}, "rules": [], "data_time": None}
    installation.configure(people(server.url, **plain))
    installation.run_one()
    server.answer = csv(b"id,full_name,day\n1,anna,2026-01-02\n2,bert,2026-01-02\n3,cleo,2026-01-02\n")
    installation.run_one(fresh=True)
    told = about(ask(installation), "schema")
    assert "column `name` (string) is missing" in told
    assert "column `full_name` is new (string)" in told


def test_data_that_nobody_renews_is_explained_by_its_content(installation: Installation, server: FaultyServer) -> None:
    """Each run succeeded until its data was too old: the provider sends the same every hour."""
    clock = ManualClock()
    installation.configure(people(server.url, promise={"max_age": "30h"}, rules=[]))
    for _ in range(3):
        installation.run(fresh=True, clock=clock)
        clock.advance(HOUR)
    clock.advance(40 * HOUR)

    found = ask(installation, clock=clock)

    assert found.status == "failed"
    assert "promise broken: the data is" in found.sentence
    assert about(found, "content") == ["the provider sent the same content 3 times in a row"]
    assert found.since is not None
    assert found.since["runs"] == 0


def test_within_the_ttl_it_says_when_the_provider_is_asked_next(
    installation: Installation, server: FaultyServer
) -> None:
    clock = ManualClock()
    installation.configure(people(server.url), cache={"ttl": "15m"})
    installation.run(clock=clock)
    found = ask(installation, clock=clock)
    assert found.next_try["at"] == "2026-01-01T00:15:00.000000Z"
    assert "`run people --fresh` at once" in found.next_try["words"]


def test_a_schedule_asks_next_also_within_the_ttl(installation: Installation, server: FaultyServer) -> None:
    """A run of a schedule always asks."""
    clock = ManualClock()
    installation.configure(people(server.url, schedule={"every": "5m"}), cache={"ttl": "15m"})
    installation.run(clock=clock)
    found = ask(installation, clock=clock)
    assert found.next_try == {"at": "2026-01-01T00:05:00.000000Z", "words": "by its schedule at 1 Jan 2026 00:05 UTC"}


def test_an_unknown_name_gets_the_nearest_and_a_word_on_incidents(
    installation: Installation, server: FaultyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    installation.configure(people(server.url))
    assert installation.typed("why", "peple") == 2
    told = capsys.readouterr().err
    assert "did you mean `people`?" in told
    assert "Name a dataset, or an incident by its id" in told


def test_what_can_be_pasted_are_commands_of_the_program(installation: Installation, server: FaultyServer) -> None:
    """Every command that is named exists."""
    import typer.main

    known = typer.main.get_command(app)
    installation.configure(people(server.url, rules=RULES))
    installation.run_one()
    server.answer = csv(BAD)
    installation.run_one(fresh=True)
    for command in pasted(ask(installation)):
        group = known
        for word in command.split():
            group = getattr(group, "commands", {}).get(word) or group
        assert group is not known, command


def test_json_is_the_whole_answer(installation: Installation, server: FaultyServer) -> None:
    """The same fields whatever is the matter."""
    installation.configure(people(server.url))
    before = ask(installation).to_json()
    installation.run_one()
    after = installation.cli("why", "people", "--json").json
    assert before.keys() == after.keys()
    assert (before["well"], after["well"]) == (False, True)
