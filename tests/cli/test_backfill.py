"""`backfill`, `backfills` and `partitions`, as somebody types them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration import feed as provider
from tests.integration.feed import Feed
from tests.integration.installation import Installation


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Feed:
    new = Feed()
    monkeypatch.setattr(provider, "FEED", new)
    return new


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.configure(
        {
            "name": "sales",
            "collect": {"kind": "python", "function": "tests.integration.feed:piece"},
            "partition": {"by": "day", "start": "2026-03-01"},
            "resilience": {"retry": {"attempts": 1}},
            "rules": [{"range": {"column": "n", "min": 0}, "severity": "critical"}],
        },
        {"name": "plain", "collect": {"kind": "simulated"}},
    )
    return made


MARCH = ("--from", "2026-03-01", "--to", "2026-03-05")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_dry_run_does_nothing_and_says_what_it_would_cost(
    installation: Installation, feed: Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people, and as JSON."""
    assert installation.typed("backfill", "sales", *MARCH, "--dry-run") == 0
    out = capsys.readouterr().out
    assert "a backfill would collect: 4 pieces, 2026-03-01 to 2026-03-04" in out
    assert "until now: 4 missing" in out
    assert installation.typed("backfill", "sales", *MARCH, "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["dry_run"], told["partitions"][0], told["states"]) == (True, "2026-03-01", {"missing": 4})
    assert feed.asked == []
    assert installation.events("backfill.started") == []


def test_it_tells_its_progress_and_what_to_do_next(
    installation: Installation, feed: Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each piece that is not there; exit code 1, for not all are."""
    feed.pieces = {"2026-03-01": [{"n": 1}], "2026-03-02": [{"n": -1}, {"n": 2}], "2026-03-04": [{"n": 4}]}
    # One at a time: were the last piece slower than three tries of the third, its circuit would be open for a minute.
    assert installation.typed("backfill", "sales", *MARCH, "--concurrency", "1") == 1
    out = capsys.readouterr().out
    assert "2026-03-03: failed: " in out
    assert "2026-03-02: held: broke critical range(n)" in out
    assert "(`accept sales " in out
    assert "4 of 4 pieces" in out
    assert "degraded: 2 there, 1 held, 1 failed; 2 rows" in out
    assert "`backfill sales --only failed` collects what failed" in out


def test_its_stream_is_json_lines(installation: Installation, feed: Feed, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a piece, and the result at the end."""
    feed.pieces = {"2026-03-01": [{"n": 1}], "2026-03-02": [{"n": 2}]}
    given = ("--partition", "2026-03-01", "--partition", "2026-03-02")
    assert installation.typed("backfill", "sales", *given, "--json") == 0
    *pieces, result = lines(capsys.readouterr().out)
    assert [(one["event"], one["partition"], one["rows"]) for one in pieces] == [
        ("collected", "2026-03-01", 1),
        ("collected", "2026-03-02", 1),
    ]
    assert (result["event"], result["status"], result["collected"]) == ("result", "succeeded", 2)

    assert installation.typed("backfills", "list", "sales", "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)["backfills"]
    assert listed["backfill"] == result["backfill"]
    assert installation.typed("backfills", "show", result["backfill"], "--json") == 0
    assert json.loads(capsys.readouterr().out) == {name: result[name] for name in result if name != "event"}


def test_nothing_is_missing_is_no_mistake(
    installation: Installation, feed: Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    """A crontab may ask every night: exit code 0, and no backfill."""
    asked = ("backfill", "sales", *MARCH, "--only", "failed", "--only", "held")
    assert installation.typed(*asked) == 0
    assert capsys.readouterr().out == "sales: nothing to collect: no piece is failed or held\n"
    assert installation.typed(*asked, "--json") == 0
    (result,) = lines(capsys.readouterr().out)
    assert (result["event"], result["backfill"], result["status"], result["total"]) == ("result", None, "succeeded", 0)
    assert installation.typed(*asked, "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["partitions"] == []
    assert installation.events("backfill.started") == []


def test_what_is_over_says_which_pieces_to_ask_for(
    installation: Installation, feed: Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of one that was called off most are missing, not failed."""
    feed.pieces = {"2026-03-01": [{"n": 1}]}
    assert installation.typed("backfill", "sales", "--partition", "2026-03-01", "--json") == 0
    (*_, result) = lines(capsys.readouterr().out)
    assert installation.typed("backfills", "resume", result["backfill"]) == 1
    assert "`backfill sales --only missing --only failed`" in capsys.readouterr().err


def test_status_says_that_the_last_run_was_of_a_backfill(
    installation: Installation, feed: Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else it would say that all is well, and that the last run failed."""
    feed.pieces = {}
    assert installation.typed("backfill", "sales", "--partition", "2026-03-01", "--json") == 1
    (*_, result) = lines(capsys.readouterr().out)
    assert installation.typed("status") == 0
    assert capsys.readouterr().out.endswith(f": failed, of backfill {result['backfill']}\n")
    assert installation.typed("status", "--json") == 0
    because = json.loads(capsys.readouterr().out)["last_run"]["because"]
    assert because == {"kind": "backfill", "schedule": result["backfill"]}


def test_partitions_says_how_each_piece_stands(
    installation: Installation, feed: Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that the table should have, whether anybody asked for them or not."""
    feed.pieces = {"2026-03-01": [{"n": 1}, {"n": 2}], "2026-03-02": [{"n": -1}, {"n": 2}]}
    assert installation.typed("backfill", "sales", "--from", "2026-03-01", "--to", "2026-03-04") == 1
    capsys.readouterr()
    assert installation.typed("partitions", "sales", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    first, second, third, fourth = told["partitions"][:4]
    assert (first["partition"], first["state"], first["rows"], first["stands"]) == ("2026-03-01", "collected", 2, True)
    assert (second["state"], second["rows"], second["stands"]) == ("held", 1, False)
    assert (third["state"], third["version"], fourth["state"], fourth["time"]) == ("failed", None, "missing", None)
    assert told["counts"]["missing"] == len(told["partitions"]) - 3
    assert told["newest"] == "2026-03-01"

    assert installation.typed("partitions", "sales", "--only", "held", "--only", "failed") == 0
    out = capsys.readouterr().out
    assert [line.split()[:2] for line in out.splitlines()[1:3]] == [["2026-03-02", "held"], ["2026-03-03", "failed"]]


def test_one_that_was_called_off_is_not_gone_on_with(
    installation: Installation, feed: Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Begun by a process that died before it collected anything."""
    from operations.actor import Actor
    from operations.backfill import start
    from operations.backfill_plan import plan

    with installation.system() as system:
        identity = start(system, Actor("test"), plan(system, "sales", keys=["2026-03-01"]))
    assert installation.typed("backfill", "sales", "--partition", "2026-03-01") == 1
    assert f"2026-03-01 waits in backfill {identity} already" in capsys.readouterr().err
    assert installation.typed("backfills", "list") == 0
    assert "interrupted" in capsys.readouterr().out
    assert installation.typed("backfills", "cancel", identity, "--reason", "not now") == 0
    assert "1 of 1 pieces are not collected" in capsys.readouterr().out
    assert installation.typed("backfills", "resume", identity) == 1
    assert f"backfill {identity} is cancelled" in capsys.readouterr().err
    assert installation.typed("backfills", "cancel", identity) == 1
    assert feed.asked == []


def test_one_that_was_broken_off_goes_on(
    installation: Installation, feed: Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    from operations.actor import Actor
    from operations.backfill import start
    from operations.backfill_plan import plan

    feed.pieces = {"2026-03-01": [{"n": 1}]}
    with installation.system() as system:
        identity = start(system, Actor("test"), plan(system, "sales", keys=["2026-03-01"]))
    assert installation.typed("backfills", "resume", identity) == 0
    assert f"backfill {identity} succeeded: 1 there; 1 row" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plain"], "plain is not a table in pieces"),
        (["sales", "--from", "yesterday"], "'yesterday' is not a date"),
        (["sales", "--from", "2026-03-01T05"], "no day begins at 2026-03-01T05"),
        (["sales", "--from", "2026-03-02", "--to", "2026-03-02"], "--to is exclusive"),
        (
            ["sales", "--from", "2026-02-01", "--to", "2026-02-03"],
            "2026-02-01, 2026-02-02 are before `partition.start`",
        ),
        (["sales", "--from", "2999-01-01", "--to", "2999-01-02"], "2999-01-01 is not complete yet"),
        (["sales", "--partition", "nope"], "'nope' is no day"),
        (["sales", "--partition", "2026-03-01", "--from", "2026-03-01"], "give one or the other"),
        (["sales", "--only", "broken"], "'broken' is no state"),
        (["sale"], "did you mean `sales`?"),
    ],
    ids=[
        "no pieces",
        "no date",
        "no boundary",
        "nothing between",
        "before",
        "future",
        "no key",
        "both",
        "state",
        "name",
    ],
)
def test_mistakes_are_told_with_what_to_do(
    installation: Installation, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """Exit code 2, and nothing has begun."""
    assert installation.typed("backfill", *arguments) == 2
    assert said in capsys.readouterr().err
    assert not installation.state.exists() or installation.events("backfill.started") == []
