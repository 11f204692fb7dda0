"""Datasets made of others, through the whole line: made, not made twice, stopped, as old as what they are made of."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.dataset import DatasetRun
from operations.actor import Actor
from operations.gate import accept, reject, rollback
from operations.maintain import maintain
from operations.run_plan import plan
from operations.status import status
from operations.why import why
from tests.integration import sums
from tests.integration.feed import Feed
from tests.integration.installation import Installation
from utils.clock import ManualClock

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _called() -> Iterator[None]:
    sums.CALLED.clear()
    yield
    sums.CALLED.clear()


def orders(**more: Any) -> dict[str, Any]:
    collect = {"kind": "python", "function": "tests.integration.feed:everything"}
    return {"name": "orders", "collect": collect, "provider": "shop", **more}


def derived(name: str, *needs: str, function: str = "", **more: Any) -> dict[str, Any]:
    return {"name": name, "transform": f"tests.integration.sums:{function or name}", "depends_on": [*needs], **more}


def lookup(name: str = "customers") -> dict[str, Any]:
    columns = {"country": "string", "capital": "string"}
    return {"name": name, "collect": {"kind": "simulated", "rows": 3, "columns": columns}}


def ran(installation: Installation, *names: str, **how: Any) -> dict[str, DatasetRun]:
    return {one.dataset: one for one in installation.run(*names, **how).datasets}


def calls() -> list[str]:
    found = [name for name, _ in sums.CALLED]
    sums.CALLED.clear()
    return found


AMOUNTS = [
    {"country": "TR", "amount": 2**53 + 1},
    {"country": "DE", "amount": None},
    {"country": "TR", "amount": 1},
]


def test_it_is_made_of_the_tables_it_depends_on(installation: Installation, feed: Feed) -> None:
    """After them in the same run, whatever the order of the file; integers with nulls stay what they are."""
    feed.rows = AMOUNTS
    installation.configure(derived("grand", "total"), derived("total", "orders"), orders())
    found = ran(installation)

    assert [one.status for one in found.values()] == ["succeeded"] * 3
    assert sums.CALLED == [("total", "int64[pyarrow]"), ("grand", 2)]
    assert installation.rows("grand") == [{"amount": 2**53 + 2}]
    assert (found["total"].provider, found["total"].attempts) == ("derived", 0)
    (version,) = [event for event in installation.events("batch.accepted") if event["provider"] == "derived"][1:]
    assert version["inputs"] == {"total": found["total"].version}


def test_nothing_is_made_twice_of_the_same(installation: Installation, feed: Feed) -> None:
    """Neither it nor what is made of it, as long as nothing above is news; asked for, all of it."""
    feed.rows = AMOUNTS
    installation.configure(orders(), derived("total", "orders"), derived("grand", "total"))
    first = ran(installation)
    assert calls() == ["total", "grand"]

    again = ran(installation, "orders", fresh=True) | ran(installation, "total", "grand")
    assert [(one.status, one.unchanged) for one in again.values()] == [("succeeded", True)] * 3
    assert calls() == []
    assert again["grand"].version == first["grand"].version

    ran(installation, "total", "grand", fresh=True)
    assert calls() == ["total", "grand"]

    feed.rows = [*AMOUNTS, {"country": "TR", "amount": 1}]
    ran(installation, fresh=False)
    assert calls() == []  # the copy of the orders is within its TTL
    ran(installation, "orders", fresh=True)
    assert ran(installation)["grand"].unchanged is False
    assert calls() == ["total", "grand"]
    ran(installation, "total", full=True)
    assert calls() == ["total"]


def test_other_inputs_that_give_the_same_rows_are_no_news(installation: Installation, feed: Feed) -> None:
    """No new version, so what is made of it has nothing to do; and nobody tries once more the next time."""
    feed.rows = AMOUNTS
    installation.configure(orders(), derived("countries", "orders"), derived("copy", "countries", function="in_parts"))
    first = ran(installation)
    feed.rows = AMOUNTS[:2]
    ran(installation, "orders", fresh=True)
    second = ran(installation)

    assert calls() == ["countries", "countries"]
    assert [second[name].unchanged for name in ("countries", "copy")] == [True, True]
    assert second["countries"].version == first["countries"].version
    third = ran(installation)
    assert calls() == []
    assert third["countries"].made_from == second["countries"].made_from


def test_other_code_is_news(installation: Installation, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change in the module, also of what the function only calls."""
    folder = installation.folder / "my"
    folder.mkdir()
    module = folder / "changing_sums.py"
    feed.rows = AMOUNTS
    daily = {"name": "daily", "transform": "changing_sums:daily", "depends_on": ["orders"]}
    installation.configure(orders(), daily, code=[str(folder)])
    rows = []
    for factor in (1, 1, 10):
        module.write_text(f"FACTOR = {factor}\n\ndef daily(orders):\n    return [{{'n': len(orders) * FACTOR}}]\n")
        monkeypatch.delitem(sys.modules, "changing_sums", raising=False)  # as in a new process
        rows.append((ran(installation)["daily"].unchanged, installation.rows("daily")[0]["n"]))

    assert rows == [(False, 3), (True, 3), (False, 30)]


HELD = {"rules": [{"row_count": {"min": 2, "severity": "critical"}}]}


@pytest.mark.parametrize("last_good", [True, False], ids=["with a last good version", "with nothing before"])
def test_a_held_batch_above_stops_what_is_below(installation: Installation, feed: Feed, last_good: bool) -> None:
    """Its readers keep what they have; all the way down the reason names where it begins. Then somebody decides."""
    installation.configure(orders(**HELD), derived("total", "orders"), derived("grand", "total"))
    if last_good:
        feed.rows = AMOUNTS
        ran(installation)
        calls()
    feed.rows = AMOUNTS[:1]
    found = ran(installation, fresh=True)

    assert found["total"].status == found["grand"].status == "skipped"
    assert "blocked: orders is held (" in str(found["total"].reason)
    assert "blocked: total is blocked (orders is held (" in str(found["grand"].reason)
    assert (found["total"].error or {})["hint"].endswith("`accept orders` or `reject orders`")
    assert calls() == []
    alone = ran(installation, "grand")["grand"]
    assert alone.reason == found["grand"].reason  # what is not in the run counts as it stands

    with installation.system() as system:
        accept(system, Actor("test"), "orders", reason="it was a holiday")
    found = ran(installation, "total", "grand")
    assert "orders is degraded (" in str(found["total"].reason)  # somebody accepted what breaks a rule
    assert calls() == ["total", "grand"]


def test_why_names_what_blocks_it(installation: Installation, feed: Feed, capfd: pytest.CaptureFixture[str]) -> None:
    """And what to do: about the dataset where it begins, then about all that waits for it."""
    installation.configure(orders(**HELD), derived("total", "orders"), derived("grand", "total"))
    feed.rows = AMOUNTS
    ran(installation)
    with installation.system() as system:
        assert why(system, "total").sentence.startswith("total is well: 2 rows made of orders, collected ")
    feed.rows = AMOUNTS[:1]
    ran(installation, fresh=True)

    with installation.system() as system:
        total, grand = why(system, "total"), why(system, "grand")
    assert total.sentence.startswith("total is blocked: orders is held (")
    assert "; readers keep what came " in total.sentence
    assert not total.well
    assert [one.command for one in total.commands] == ["why orders", "accept orders", "reject orders", "run +total"]
    assert grand.blocked[0]["dataset"] == "total"
    assert [one.command for one in grand.commands] == ["why total", "run +grand"]
    assert installation.typed("why", "grand") == 0
    assert "run +grand" in capfd.readouterr().out
    assert installation.typed("status") == 0
    assert "blocked by what they depend on: grand, total; `why NAME` names it" in capfd.readouterr().out


def test_a_rejected_batch_stops_nothing(installation: Installation, feed: Feed) -> None:
    """What is below is made of what readers see, which is what it was made of before, and no longer the newest."""
    installation.configure(orders(**HELD), derived("total", "orders"))
    feed.rows = AMOUNTS
    ran(installation)
    feed.rows = []
    ran(installation, "orders", fresh=True)
    with installation.system() as system:
        reject(system, Actor("test"), "orders", reason="half of it is missing")

    found = ran(installation, "total")["total"]
    assert (found.status, found.unchanged) == ("degraded", True)


@pytest.mark.parametrize("snapshot", [False, True], ids=["nothing", "only a snapshot"])
def test_without_rows_above_nothing_is_made(installation: Installation, feed: Feed, snapshot: bool) -> None:
    """Not of a shipped copy either: what is made of it would be taken for good."""
    feed.rows, feed.breaks_after = AMOUNTS, 0
    (installation.folder / "old.csv").write_text("country,amount\nTR,1\n")
    more = {"snapshot": str(installation.folder / "old.csv")} if snapshot else {}
    installation.configure(orders(**more), derived("total", "orders"))
    found = ran(installation)

    assert found["orders"].origin == ("snapshot" if snapshot else "none")
    assert found["total"].status == "skipped"
    assert "blocked: orders has no accepted rows (" in str(found["total"].reason)
    assert "the line went dead" in str(found["total"].reason)


def test_what_never_ran_stops_what_is_below(installation: Installation) -> None:
    """And it is said which run would help."""
    installation.configure(orders(), derived("total", "orders"))
    found = ran(installation, "total")["total"]
    assert found.reason == "blocked: orders has no accepted rows (it never ran)"


def test_a_collected_dataset_is_not_asked_for_while_what_it_depends_on_is_held(
    installation: Installation, feed: Feed
) -> None:
    """`depends_on` without `transform`: it comes after, and nobody is asked in vain."""
    held = {"name": "gate", "collect": {"kind": "simulated", "rows": 1}, **HELD}
    installation.configure(orders(depends_on=["gate"]), held)
    feed.rows = AMOUNTS
    found = ran(installation)

    assert found["orders"].status == "skipped"
    assert feed.asked == []


def test_what_is_made_of_a_last_good_copy_is_degraded(installation: Installation, feed: Feed) -> None:
    """Whether it has to be made or not; until the provider is back."""
    installation.configure(orders(), derived("total", "orders"), derived("grand", "total"))
    feed.rows = AMOUNTS
    ran(installation, "orders")
    feed.breaks_after = 0
    made = ran(installation, "orders", fresh=True) | ran(installation, "total", "grand")

    assert {made[name].status for name in ("orders", "total", "grand")} == {"degraded"}
    assert "made of what is not as it should be: orders is degraded (" in str(made["total"].reason)
    with installation.system() as system:
        commands = {one.command: one.does for one in why(system, "total").commands}
    assert commands["run total --fresh"] == "make it again now"
    assert "why orders" in commands
    assert "rollback total" not in commands
    assert installation.rows("grand") == [{"amount": 2**53 + 2}]
    calls()

    feed.breaks_after = None
    back = ran(installation, "orders", fresh=True) | ran(installation)
    assert {one.status for one in back.values()} == {"succeeded"}
    assert calls() == []


def test_it_is_as_old_as_the_oldest_of_its_inputs(installation: Installation, feed: Feed) -> None:
    """Also when it was made just now; a column of its own that says how old it is, counts instead."""
    feed.rows = [{"country": "TR", "amount": 1, "day": "2026-03-01"}]
    installation.configure(
        orders(data_time="day", columns={"day": "timestamp"}),
        lookup(),
        derived("joined", "orders", "customers"),
        derived("dated", "joined", function="in_parts", data_time="day"),
    )
    clock = ManualClock(MONDAY)
    found = ran(installation, clock=clock)
    assert found["joined"].data_time == "2026-03-01T00:00:00.000000Z"
    assert (found["joined"].age_s, found["joined"].data_age_s) == (0.0, 32 * 3600.0)

    clock.advance(3600.0)
    found = ran(installation, "joined", "dated", clock=clock)
    assert found["joined"].unchanged
    assert (found["joined"].age_s, found["joined"].data_age_s) == (0.0, 33 * 3600.0)
    assert found["dated"].data_time == "2026-03-01T00:00:00.000000Z"


def test_a_table_without_a_data_time_is_as_old_as_its_collection(installation: Installation, feed: Feed) -> None:
    """When the provider says that nothing is new, it is confirmed, and so is what is made of it."""
    feed.rows = AMOUNTS
    installation.configure(orders(), derived("total", "orders", promise={"max_age": "2h"}))
    clock = ManualClock(MONDAY)
    ran(installation, clock=clock)
    clock.advance(3 * 3600.0)
    late = ran(installation, "total", clock=clock)["total"]
    assert (late.status, late.unchanged, late.data_age_s) == ("failed", True, 3 * 3600.0)

    confirmed = ran(installation, "orders", fresh=True, clock=clock)["orders"]
    assert confirmed.unchanged
    assert ran(installation, "total", clock=clock)["total"].data_age_s == 0.0


def test_it_is_judged_like_any_other(installation: Installation, feed: Feed) -> None:
    """Rules, quarantine, the gate; and what is held of it stops what is below."""
    feed.rows = AMOUNTS
    rules = [{"not_null": {"columns": ["amount"]}}]
    strict = derived("copy", "orders", function="in_parts", rules=rules)
    installation.configure(orders(), strict, derived("countries", "copy", function="in_parts"))
    found = ran(installation)

    assert (found["copy"].status, found["copy"].quarantined) == ("failed", 1)
    assert "copy is held (" in str(found["countries"].reason)

    with installation.system() as system:
        accept(system, Actor("test"), "copy", reason="it is known")
    again = ran(installation, "copy", "countries")
    assert again["copy"].unchanged  # what was accepted by hand says what it was made from, too
    assert again["countries"].rows == 2


def test_a_function_that_fails_is_told_in_one_line(installation: Installation, feed: Feed) -> None:
    """With the place in the user's code; the log has the traceback; rows that came before it are no result."""
    feed.rows = AMOUNTS
    installation.configure(orders(), derived("breaking", "orders"))
    found = ran(installation)["breaking"]

    assert (found.status, found.partial, found.rows) == ("failed", False, 0)
    assert "ValueError: no country is called XX" in str(found.reason)
    assert "sums.py:" in str(found.reason)
    assert (found.error or {})["type"] == "TransformFailed"


@pytest.mark.parametrize(
    ("function", "told"),
    [("nothing", "it returned nothing"), ("two", "nothing is there for `customers`")],
    ids=["no rows", "more parameters than tables"],
)
def test_what_cannot_be_called_or_gives_no_rows_is_told(
    installation: Installation, feed: Feed, function: str, told: str
) -> None:
    """As of a python source."""
    feed.rows = AMOUNTS
    installation.configure(orders(), derived(function, "orders"))
    found = ran(installation)[function]
    assert told in str(found.reason)
    assert "declared as" in str(found.reason) or function == "nothing"


def test_the_moment_of_the_run_is_there_for_who_asks(installation: Installation, feed: Feed) -> None:
    """As in a python source: `now` is taken once a run."""
    feed.rows = AMOUNTS[:1]
    installation.configure(orders(), derived("stamped", "orders"))
    ran(installation, clock=ManualClock(MONDAY))
    (row,) = installation.rows("stamped")
    assert (row["made"], row["day"]) == (MONDAY, MONDAY.date())


def test_tables_beyond_the_memory_limit_are_read_in_parts(installation: Installation, feed: Feed) -> None:
    """As frames they are refused, with what to do; as a reader any size is fine."""
    feed.rows = [{"country": f"{number:0500}", "amount": number} for number in range(4000)]
    installation.configure(
        orders(), derived("total", "orders"), derived("in_parts", "orders"), app={"memory_limit": "1MB"}
    )
    found = ran(installation)

    assert found["in_parts"].rows == 4000
    assert "more than app.memory_limit" in str(found["total"].reason)
    assert "RecordBatchReader" in (found["total"].error or {})["hint"]


def test_a_version_in_several_files_is_one_table(installation: Installation, feed: Feed) -> None:
    """A table that grows by appending: all its rows are given."""
    installation.configure(orders(write="append"), derived("total", "orders"))
    for rows in (AMOUNTS, AMOUNTS[2:]):
        feed.rows = rows
        ran(installation, fresh=True)
    assert {"country": "TR", "amount": 2**53 + 3} in installation.rows("total")


def test_what_was_rolled_back_above_is_made_again_below(installation: Installation, feed: Feed) -> None:
    """Readers of both have the rows of before."""
    installation.configure(orders(), derived("total", "orders"))
    for rows in (AMOUNTS, AMOUNTS[:1]):
        feed.rows = rows
        ran(installation, fresh=True)
    before = installation.rows("total")
    with installation.system() as system:
        rollback(system, Actor("test"), "orders", reason="half of it was missing")
    found = ran(installation, "total")["total"]

    assert found.unchanged is False
    assert installation.rows("total") != before
    assert ran(installation, "total")["total"].unchanged


def test_what_was_rolled_back_itself_does_not_come_back(installation: Installation, feed: Feed) -> None:
    """The same inputs would make the same rows again: they are held, until what it is made of is news."""
    installation.configure(orders(), derived("total", "orders"))
    for rows in (AMOUNTS, AMOUNTS[:1]):
        feed.rows = rows
        ran(installation, fresh=True)
    with installation.system() as system:
        rollback(system, Actor("test"), "total", reason="it was wrong")
    kept = installation.rows("total")
    found = ran(installation, "total")["total"]

    assert found.status == "degraded"
    assert "which was rolled back" in str(found.reason)
    assert installation.rows("total") == kept


def test_a_table_in_pieces_is_given_whole(installation: Installation, feed: Feed) -> None:
    """Every piece that readers see; a piece that comes again makes it anew."""
    collect = {"kind": "python", "function": "tests.integration.feed:piece"}
    pieces = {"name": "orders", "collect": collect, "partition": {"by": ["a", "b"]}}
    installation.configure(pieces, derived("total", "orders"))
    feed.pieces = {"a": AMOUNTS[:1], "b": AMOUNTS[2:]}
    ran(installation)
    assert installation.rows("total") == [{"country": "TR", "amount": 2**53 + 2}]

    feed.pieces = {"a": AMOUNTS[2:], "b": AMOUNTS[2:]}
    ran(installation, "orders", fresh=True)
    assert ran(installation, "total")["total"].unchanged is False
    assert installation.rows("total") == [{"country": "TR", "amount": 2}]


def test_over_postgresql_it_is_the_same(installation: Installation, feed: Feed, postgres: str) -> None:
    """Held above, blocked below, decided, made, not made twice; and the views rebuilt are the live ones."""
    database = {"url": postgres}
    installation.configure(orders(**HELD), derived("total", "orders"), derived("grand", "total"), database=database)
    feed.rows = AMOUNTS[:1]
    assert [one.status for one in ran(installation).values()] == ["failed", "skipped", "skipped"]
    with installation.system() as system:
        assert [one.dataset for one in status(system).datasets if one.blocked] == ["grand", "total"]
        accept(system, Actor("test"), "orders", reason="it was a holiday")
        maintain(system, Actor("test"), rebuild=True)
    assert calls() == []
    ran(installation, "total", "grand")
    assert calls() == ["total", "grand"]
    assert [one.unchanged for one in ran(installation, "total", "grand").values()] == [True, True]


def test_a_dry_run_says_what_would_be_made(installation: Installation, feed: Feed) -> None:
    """As far as that is known: what comes of a dataset that would run as well is not."""
    installation.configure(orders(**HELD), derived("total", "orders"))

    def would(*names: str, fresh: bool = False) -> dict[str, str]:
        with installation.system() as system:
            return {one.dataset: one.action for one in plan(system, names, fresh=fresh)}

    assert would("total") == {"total": "blocked: orders has no accepted rows (it never ran)"}
    feed.rows = AMOUNTS
    ran(installation, "orders")
    assert would("total") == {"total": "make it of orders"}
    ran(installation, "total")
    assert would("total") == {"total": "nothing: it was made of the same"}
    assert would("total", fresh=True) == {"total": "make it of orders"}
    assert would()["total"] == "make it of orders, unless nothing of it is news"


def test_a_run_says_on_the_terminal_what_blocks_it(
    installation: Installation, feed: Feed, capfd: pytest.CaptureFixture[str]
) -> None:
    """A dataset that was skipped in silence would be missed by nobody."""
    installation.configure(orders(**HELD), derived("total", "orders"))
    feed.rows = AMOUNTS[:1]
    assert installation.typed("run") == 1
    assert "total: blocked: orders is held (" in capfd.readouterr().out


def test_try_makes_it_without_storing(
    installation: Installation, feed: Feed, capfd: pytest.CaptureFixture[str]
) -> None:
    """As it looks now, of what readers see above."""
    feed.rows = AMOUNTS
    installation.configure(orders(), derived("total", "orders"))
    ran(installation, "orders")
    assert installation.typed("try", "total") == 0
    assert "Nothing was stored" in capfd.readouterr().out
    assert len(installation.events("batch.accepted")) == 1


def test_who_needs_no_transform_does_not_load_it(installation: Installation, tmp_path: Path) -> None:
    """A configuration without derived datasets starts as quickly as before."""
    installation.configure(lookup(), {**lookup("others"), "depends_on": ["customers"]})
    program = (
        "import sys; from integrated_system import IntegratedSystem; from operations.run import run; "
        "from operations.actor import Actor; from pathlib import Path; "
        f"system = IntegratedSystem(Path({str(installation.config)!r}), state_dir=Path({str(tmp_path / 'other')!r})); "
        "run(system, Actor('test')); system.close(); "
        "sys.exit(any(name.startswith(('data_pipeline.collect.derived', 'pandas')) for name in sys.modules))"
    )
    import subprocess

    from tests.integration.installation import ROOT

    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, timeout=120).returncode == 0
