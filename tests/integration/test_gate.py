"""Write, audit, publish: which batches become what readers see, and what they see when one does not."""

import shutil
from typing import Any

import pytest

from tests.faulty_server import Answer, FaultyServer, status
from tests.integration.installation import PATIENT, Installation
from tests.integration.people import GOOD, GOOD_CSV, GOOD_ROWS, csv, people
from utils.clock import ManualClock

HOUR = 3600.0
HEADER = b"id,name,day\n"
NEWER = csv(HEADER + b"7,gina,2026-01-02\n8,hugo,2026-01-02\n")


def names(installation: Installation, *, last_batch: bool = False) -> list[str]:
    return [row["name"] for row in installation.rows("people", last_batch=last_batch)]


def after_a_good_run(installation: Installation, server: FaultyServer, answer: Answer, **more: Any) -> None:
    """Last good stands; from now on the provider answers otherwise."""
    installation.configure(people(server.url, **more))
    assert installation.run_one().status == "succeeded"
    server.answer = answer


# Held


def test_a_broken_critical_rule_holds_the_batch_and_fails(installation: Installation, server: FaultyServer) -> None:
    """Readers keep last good, the run fails all the same: exit 1, the rule named."""
    rules = [{"range": {"column": "id", "min": 0, "severity": "critical"}}]
    bad = csv(HEADER + b"".join(b"%d,x,2026-01-02\n" % n for n in range(-1, 30)))
    after_a_good_run(installation, server, bad, rules=rules)

    done = installation.cli("run", "--fresh", "--json")

    (run,) = done.json["datasets"]
    assert (done.code, done.json["status"]) == (1, "failed")
    assert (run["status"], run["origin"], run["accepted"], run["rows"]) == ("failed", "last_good", False, GOOD_ROWS)
    assert run["failed_rules"] == [{"rule": "range(id)", "severity": "critical", "failed": 1, "of": 31}]
    assert "held: broke critical range(id) (1 of 31)" in run["error"]["message"]
    assert names(installation) == ["anna", "bert", "cleo"]


def test_a_low_score_holds_the_batch_and_degrades(installation: Installation, server: FaultyServer) -> None:
    """Below `quality.minimum` a batch is a candidate: `show --batch` has it, readers do not."""
    rules = [{"range": {"column": "id", "max": 100, "severity": "warning"}}, {"not_null": {"columns": ["name"]}}]
    bad = csv(HEADER + b"500,x,2026-01-02\n600,y,2026-01-02\n7,z,2026-01-02\n")
    after_a_good_run(installation, server, bad, rules=rules, quality={"minimum": 95})

    run = installation.run_one(fresh=True)

    assert (run.status, run.origin, run.accepted, run.rows) == ("degraded", "last_good", False, GOOD_ROWS)
    assert "below the minimum of 95" in (run.reason or "")
    assert names(installation) == ["anna", "bert", "cleo"]
    assert names(installation, last_batch=True) == ["x", "y", "z"]


@pytest.mark.parametrize(("nulls", "held"), [(2, False), (3, True)], ids=["a fifth", "more than a fifth"])
def test_more_than_a_fifth_in_quarantine_holds_the_batch(
    installation: Installation, server: FaultyServer, nulls: int, held: bool
) -> None:
    """Up to 20 % of the rows may be set aside; with more the batch itself is doubted."""
    rows = b"".join(b"%d,%s,2026-01-02\n" % (n, b"" if n < nulls else b"x") for n in range(10))
    after_a_good_run(installation, server, csv(HEADER + rows), parse={"format": "csv", "na_values": [""]})

    run = installation.run_one(fresh=True)

    assert run.quarantined == nulls
    assert run.origin == ("last_good" if held else "provider")
    assert run.rows == (GOOD_ROWS if held else 10 - nulls)
    assert run.status == ("degraded" if held else "succeeded")
    if held:
        assert "3 of 10 rows are quarantined, more than 20%" in (run.reason or "")


def test_renamed_columns_never_replace_last_good(installation: Installation, server: FaultyServer) -> None:
    """A provider that renames its columns delivers nothing we know: held, and the missing column named."""
    after_a_good_run(installation, server, csv(b"ident,label,date\n1,x,2026-01-02\n"))

    run = installation.run_one(fresh=True)

    assert (run.status, run.origin, run.rows) == ("degraded", "last_good", GOOD_ROWS)
    assert names(installation) == ["anna", "bert", "cleo"]


def test_publish_accepts_what_the_gate_would_hold(installation: Installation, server: FaultyServer) -> None:
    """`on_fail: publish`: the new batch is served, as degraded, with the doubt in words."""
    rules = [{"range": {"column": "id", "max": 7, "severity": "critical"}}]
    after_a_good_run(installation, server, NEWER, rules=rules, on_fail="publish")

    run = installation.run_one(fresh=True)

    assert (run.status, run.origin, run.accepted) == ("degraded", "provider", True)
    assert "broke critical range(id)" in (run.reason or "")
    assert (run.rows, run.quarantined, names(installation)) == (1, 1, ["gina"])


def test_what_was_held_is_not_served_by_the_next_run(installation: Installation, server: FaultyServer) -> None:
    """A held batch is no last good: when the provider dies afterwards, the older copy is served."""
    after_a_good_run(installation, server, NEWER, rules=[{"row_count": {"min": 3, "severity": "critical"}}])
    held = installation.run_one(fresh=True)
    server.answer = status(503)

    fallen = installation.run_one(fresh=True)

    assert (held.status, fallen.status, fallen.rows) == ("failed", "degraded", GOOD_ROWS)
    assert names(installation) == ["anna", "bert", "cleo"]


def test_a_held_batch_without_anything_older_fails(installation: Installation, server: FaultyServer) -> None:
    """Nothing to serve: failed, origin none, no rows, although some came."""
    installation.configure(people(server.url, rules=[{"row_count": {"min": 50, "severity": "critical"}}]))

    run = installation.run_one()

    assert (run.status, run.origin, run.rows, run.accepted) == ("failed", "none", 0, False)
    assert "held: broke critical row_count" in (run.reason or "")


@pytest.mark.parametrize("allowed", [False, True], ids=["not allowed", "allow_empty"])
def test_an_empty_batch(installation: Installation, server: FaultyServer, allowed: bool) -> None:
    """No rows are no delivery, unless the dataset says that they may be."""
    after_a_good_run(installation, server, csv(HEADER), allow_empty=allowed)

    run = installation.run_one(fresh=True)

    if allowed:
        assert (run.status, run.origin, run.rows, run.accepted) == ("succeeded", "provider", 0, True)
        assert installation.rows("people") == []
    else:
        assert (run.status, run.origin, run.rows, run.accepted) == ("degraded", "last_good", GOOD_ROWS, False)
        assert "no rows (see `allow_empty`)" in (run.reason or "")
        assert "`parse.records`" in (run.error or {})["hint"]  # `show --batch` would show nothing


def test_an_empty_batch_does_not_break_show(installation: Installation, server: FaultyServer) -> None:
    """An accepted empty table prints as its header."""
    after_a_good_run(installation, server, csv(HEADER), allow_empty=True)
    installation.run_one(fresh=True)

    shown = installation.cli("show", "people", "--format", "csv")

    assert (shown.code, shown.out.split()) == (0, ["id,name,day"])


# Quarantine


def test_quarantined_rows_are_kept_exactly_with_their_reasons(installation: Installation, server: FaultyServer) -> None:
    """Every row that broke a rule, once, with the rules it broke and its place; the good ones are delivered."""
    good = b"".join(b"%d,n%d,2026-01-02\n" % (n, n) for n in range(1, 19))
    bad = b"5,twin,2026-01-02\nnine,text,2026-01-02\n"
    server.answer = csv(HEADER + good + bad)
    installation.configure(people(server.url))

    run = installation.run_one()
    shown = installation.cli("quarantine", "show", "people", "--json")
    listed = installation.cli("quarantine", "list", "--json")

    rows = {row["name"]: (sorted(row["_rules"]), row["_row"]) for row in shown.json}
    assert (run.status, run.rows, run.quarantined) == ("succeeded", 17, 3)
    assert rows == {"n5": (["unique(id)"], 5), "twin": (["unique(id)"], 19), "text": (["type(id)"], 20)}
    assert {row["name"]: row["id"] for row in shown.json}["text"] == "nine"
    (entry,) = listed.json["quarantine"]
    assert (entry["dataset"], entry["run_id"], entry["rows"]) == ("people", run.version, 3)
    assert entry["reasons"]["unique(id)"] == 2
    assert not {"n5", "twin", "text"} & set(names(installation))


# Promise


def test_a_broken_promise_fails_though_it_serves(installation: Installation, server: FaultyServer) -> None:
    """Within `max_age` a fallback is degraded, beyond it failed; the rows are there in both cases."""
    clock = ManualClock()
    installation.configure(people(server.url, data_time=None, promise={"max_age": "2h"}))
    installation.run_one(clock=clock)
    server.answer = status(503)
    clock.advance(HOUR)
    kept = installation.run_one(fresh=True, clock=clock)
    clock.advance(2 * HOUR)

    broken = installation.run(fresh=True, clock=clock)

    (run,) = broken.datasets
    assert (kept.status, kept.rows) == ("degraded", GOOD_ROWS)
    assert (broken.status, run.status, run.origin, run.rows) == ("failed", "failed", "last_good", GOOD_ROWS)
    assert "promise broken: the data is 3 h old, promised is 2 h" in (run.reason or "")
    assert names(installation) == ["anna", "bert", "cleo"]


def test_the_promise_is_about_the_data_not_our_copy(installation: Installation, server: FaultyServer) -> None:
    """A copy of this second whose newest row is a week old breaks a promise of two days."""
    clock = ManualClock()
    clock.advance(7 * 24 * HOUR)
    installation.configure(people(server.url, promise={"max_age": "2d"}))

    run = installation.run_one(clock=clock)

    assert (run.status, run.origin, run.accepted, run.rows) == ("failed", "provider", True, GOOD_ROWS)
    assert run.age_s == pytest.approx(0, abs=1)
    assert run.data_age_s == pytest.approx(7 * 24 * HOUR, abs=1)


def test_a_time_far_ahead_keeps_no_promise(installation: Installation, server: FaultyServer) -> None:
    """The provider's clock or a typing error dates the data to 2062; our copy grows old all the same."""
    clock = ManualClock()
    server.answer = csv(HEADER + b"1,x,2062-01-01\n")
    installation.configure(people(server.url, promise={"max_age": "2d"}))
    assert installation.run_one(clock=clock).status == "succeeded"
    clock.advance(7 * 24 * HOUR)
    server.answer = status(503)

    run = installation.run_one(clock=clock)

    assert (run.status, run.origin, run.data_age_s) == ("failed", "last_good", 0)
    assert "promise broken: the data is 7 d old, promised is 48 h" in (run.reason or "")


def test_a_quarantined_row_does_not_make_the_data_young(installation: Installation, server: FaultyServer) -> None:
    """A wrong year far ahead is set aside; the age is that of the rows that are delivered."""
    clock = ManualClock()
    clock.advance(7 * 24 * HOUR)
    rows = b"".join(b"%d,x,2026-01-01\n" % n for n in range(1, 20))
    server.answer = csv(HEADER + rows + b"20,y,2062-01-01\n")
    installation.configure(people(server.url, rules=[{"not_in_future": "day"}], promise={"max_age": "2d"}))

    run = installation.run_one(clock=clock)

    assert (run.status, run.rows, run.quarantined) == ("failed", 19, 1)
    assert run.data_age_s == pytest.approx(7 * 24 * HOUR, abs=1)


def test_a_promise_can_break_while_the_cache_still_serves(installation: Installation, server: FaultyServer) -> None:
    """Within the TTL, but past the promise: failed, from the cache, and nobody reads it as fine."""
    clock = ManualClock()
    installation.configure(people(server.url, data_time=None, promise={"max_age": "5m"}), cache={"ttl": "1h"})
    installation.run_one(clock=clock)
    clock.advance(600)

    run = installation.run_one(clock=clock)

    assert (run.status, run.origin) != ("succeeded", "cache")


def test_a_copy_from_the_cache_names_the_rules_it_broke(installation: Installation, server: FaultyServer) -> None:
    """A capped score without the rule behind the cap would be a riddle."""
    rows = b"".join(b"%d,%s,2026-01-01\n" % (n, b"x" if n else b"") for n in range(20))
    server.answer = csv(HEADER + rows)
    installation.configure(people(server.url, parse={"format": "csv", "na_values": [""]}))
    first = installation.run_one()

    run = installation.run_one()

    assert run.origin == "cache"
    assert run.failed_rules == first.failed_rules != ()


def test_status_sees_a_promise_break_without_a_run(installation: Installation, server: FaultyServer) -> None:
    """Time alone breaks a promise; `status` and `health` say so before anything runs again."""
    installation.configure(people(server.url, promise={"max_age": "1h"}))
    installation.run_one(clock=ManualClock())  # in January; the command line lives in the present

    told = installation.cli("status", "--json")
    health = installation.cli("health", "--json")

    (found,) = told.json["datasets"]
    assert found["status"] == "failed"
    assert "promise broken" in found["reason"]
    assert (health.code, health.json["healthy"]) == (1, False)


# Cache and versions


def test_the_cache_may_be_deleted_at_any_moment(installation: Installation, server: FaultyServer) -> None:
    """Without it the provider is asked again; when that fails, last good is there as before."""
    installation.configure(people(server.url))
    good = installation.run_one()
    shutil.rmtree(installation.state / "cache")
    rows = names(installation)
    server.answer = status(503)

    run = installation.run_one()

    assert rows == ["anna", "bert", "cleo"]
    assert (run.status, run.origin, run.version, run.rows) == ("degraded", "last_good", good.version, GOOD_ROWS)


@pytest.mark.parametrize(
    "change",
    [{"rules": [{"not_null": ["id"]}]}, {"parse": {"format": "csv", "na_values": ["-"]}}, {"columns": {}}],
    ids=["rules", "parse", "columns"],
)
def test_another_configuration_is_not_served_from_the_cache(
    installation: Installation, server: FaultyServer, change: dict[str, Any]
) -> None:
    """What was judged by other rules, or read otherwise, is asked for again, and stored anew."""
    installation.configure(people(server.url))
    first = installation.run_one()
    installation.configure(people(server.url, **change))

    run = installation.run_one()
    again = installation.run_one()

    assert server.count == 2
    assert (run.status, run.origin, run.unchanged) == ("succeeded", "provider", True)
    assert run.version != first.version
    assert again.origin == "cache"


def test_a_deleted_version_is_never_said_to_be_served(installation: Installation, server: FaultyServer) -> None:
    """Somebody removed the file: neither the cache nor the fallback pretends to have it; the provider is asked."""
    installation.configure(people(server.url))
    installation.run_one()
    shutil.rmtree(installation.state / "storage")

    back = installation.run_one()
    again = names(installation)
    shutil.rmtree(installation.state / "storage")
    server.answer = status(503)
    lost = installation.run_one(fresh=True)

    assert (back.status, back.origin, back.rows) == ("succeeded", "provider", GOOD_ROWS)
    assert again == ["anna", "bert", "cleo"]
    assert (lost.status, lost.origin, lost.rows) == ("failed", "none", 0)


def test_a_damaged_version_is_told_and_mended_by_the_next_run(installation: Installation, server: FaultyServer) -> None:
    """`show` says which file is damaged and what to do; doing it helps."""
    installation.configure(people(server.url))
    first = installation.run_one()
    shutil.rmtree(installation.state / "cache")
    with installation.system() as system:
        system.storage.put_bytes(f"datasets/people/{first.version}.parquet", b"PAR1 garbage PAR1")

    shown = installation.cli("show", "people", "--json")
    server.answer = NEWER
    mended = installation.run_one(fresh=True)

    assert (shown.code, shown.json["error"]["type"]) == (1, "StoreError")
    assert f"{first.version}.parquet" in shown.json["error"]["message"]
    assert "--fresh" in shown.json["error"]["hint"]
    assert (mended.status, names(installation)) == ("succeeded", ["gina", "hugo"])


def test_news_replace_the_version_and_the_cache(installation: Installation, server: FaultyServer) -> None:
    """After new rows came, every way to read them shows the new ones."""
    after_a_good_run(installation, server, NEWER)
    run = installation.run_one(fresh=True)

    hit = installation.run_one()

    assert (run.status, run.unchanged) == ("succeeded", False)
    assert (hit.origin, hit.version, hit.rows) == ("cache", run.version, 2)
    assert names(installation) == ["gina", "hugo"]


# One provider, many datasets


def test_ten_datasets_of_a_dead_provider_open_one_breaker(installation: Installation, server: FaultyServer) -> None:
    """One circuit opens, once; it stays open for the next process, which asks nobody; `breakers reset` closes it."""
    server.answer = status(503)
    breaker = {"minimum_calls": 3, "window": 10, "open_for": "10m"}
    installation.configure(
        *(people(f"{server.url}?of={n}", parse={"format": "csv"}) | {"name": f"people_{n}"} for n in range(10)),
        defaults={"dataset": {**PATIENT, "retry": {"attempts": 1}}, "resilience": {"breaker": breaker}},
        executor={"workers": 1},
    )

    first = installation.run()
    asked = server.count
    second = installation.cli("run", "--json")
    listed = installation.cli("breakers", "list", "--json")
    reset = installation.cli("breakers", "reset", server.host, "--json")
    closed = installation.cli("breakers", "list", "--json")
    server.answer = GOOD
    third = installation.cli("run", "--json")

    assert asked == 3
    assert {run.status for run in first.datasets} == {"failed"}
    assert len(installation.events("breaker.opened")) == 1
    assert second.code == 1
    assert server.count == asked + 10  # ten by the third run, none by the second
    assert all("circuit" in run["error"]["message"] for run in second.json["datasets"])
    (found,) = listed.json["breakers"]
    assert (found["provider"], found["state"], found["times_opened"]) == (server.host, "open", 1)
    assert 0 < found["retry_after_s"] <= 600
    assert (reset.code, closed.json["breakers"][0]["state"]) == (0, "closed")
    assert (third.code, third.json["status"]) == (0, "succeeded")


def test_a_dead_provider_costs_others_nothing(installation: Installation, server: FaultyServer) -> None:
    """A dataset of another provider succeeds in the same run; the run is as bad as its worst dataset."""
    server.answer = status(503)
    installation.configure(people(server.url), {"name": "own", "collect": {"kind": "simulated", "rows": 5}})

    result = installation.run()

    assert result.status == "failed"
    assert [(run.dataset, run.status) for run in result.datasets] == [("people", "failed"), ("own", "succeeded")]


def test_the_same_rows_by_another_order_of_columns_are_news(installation: Installation, server: FaultyServer) -> None:
    """`unchanged` is about the bytes that came, never a guess."""
    after_a_good_run(installation, server, csv(GOOD_CSV.replace(b"\n", b"\r\n")))

    run = installation.run_one(fresh=True)

    assert (run.unchanged, names(installation)) == (False, ["anna", "bert", "cleo"])
