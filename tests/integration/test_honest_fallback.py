"""A provider that fails, in every way there is: the data still arrives, and says how old it is and why."""

import gc
from pathlib import Path
from typing import Any

import pytest

from tests.faulty_server import (
    Answer,
    FaultyServer,
    Request,
    as_json,
    endless,
    gzip_bomb,
    half,
    hang,
    hang_in_body,
    html,
    invalid_utf8,
    ok,
    reset,
    reset_in_body,
    status,
    with_etag,
)
from tests.integration.installation import Installation
from tests.integration.people import GOOD, GOOD_CSV, GOOD_ROWS, csv, people
from utils.clock import ManualClock

HOUR = 3600.0
POISON = b"666,mallory,2026-01-02\n"
"""A row that no reader may ever see."""

BAD = GOOD_CSV + POISON * 50

HASTY = {"timeout": {"read": "100ms"}}
"""For a provider that never answers, and only for that one."""

FAULTS: dict[str, tuple[Answer, str]] = {
    "503": (status(503, POISON), "answered 503"),
    "429": (status(429, POISON), "answered 429"),
    "404": (status(404, POISON), "answered 404"),
    "hangs": (hang(), "no answer in time"),
    "hangs in the body": (hang_in_body(BAD), "no answer in time"),
    "resets": (reset(), "connection broke"),
    "resets in the body": (reset_in_body(BAD), "connection broke"),
    "sends half a body": (half(BAD), "cut off"),
    "sends HTML with status 200": (html(), "got HTML"),
    "sends nothing": (csv(b""), "got nothing"),
    "sends 5 GB": (endless(5 * 2**30), "more than `max_size` (2,000,000)"),
    "announces 5 GB": (endless(5 * 2**30, announce=True), "announces 5,368,709,120 bytes"),
    "sends invalid UTF-8": (invalid_utf8(), "not in utf-8: byte 0xe9 at offset"),
    "sends a gzip bomb": (gzip_bomb(2**28), "more than `max_size` (2,000,000)"),
    "sends broken gzip": (csv(b"\x1f\x8bnot gzip" + POISON, content_encoding="gzip"), "not compressed as its headers"),
}


@pytest.mark.parametrize(("fault", "cause"), FAULTS.values(), ids=FAULTS)
def test_last_good_is_served_with_its_age_and_the_reason(
    installation: Installation, server: FaultyServer, fault: Answer, cause: str
) -> None:
    """Degraded, the good rows only, `collected_at` of the good run, an age that grows, the cause in words."""
    clock = ManualClock()
    installation.configure(people(server.url))
    good = installation.run_one(clock=clock)
    clock.advance(HOUR)
    server.answer = fault
    if fault.fault.startswith("hang"):
        installation.configure(people(server.url, resilience=HASTY))

    first = installation.run_one(fresh=True, clock=clock)
    clock.advance(HOUR)
    second = installation.run_one(fresh=True, clock=clock)

    assert (good.status, good.origin, good.accepted, good.rows) == ("succeeded", "provider", True, GOOD_ROWS)
    for run, age in ((first, HOUR), (second, 2 * HOUR)):
        assert (run.status, run.origin, run.accepted, run.rows) == ("degraded", "last_good", False, GOOD_ROWS)
        assert (run.collected_at, run.version, run.data_time) == (good.collected_at, good.version, good.data_time)
        assert run.age_s == pytest.approx(age, abs=5)
        assert run.data_age_s == pytest.approx(age, abs=5)
        assert run.content_sha256 == good.content_sha256
        assert run.error is not None
        assert cause in run.error["message"]
        assert cause in (run.reason or "")
        assert "serving the last good copy, collected 2026-01-01 00:00 UTC" in (run.reason or "")
    assert installation.rows("people") == installation.rows("people", last_batch=True)
    assert [row["name"] for row in installation.rows("people")] == ["anna", "bert", "cleo"]


@pytest.mark.parametrize("fault", [FAULTS["503"][0], html(), half(BAD)], ids=["503", "html", "half"])
def test_a_fallback_never_enters_the_cache(installation: Installation, server: FaultyServer, fault: Answer) -> None:
    """After the TTL a fallback is served once; the very next run asks again, and takes what has come back."""
    clock = ManualClock()
    installation.configure(people(server.url), cache={"ttl": "15m"})
    installation.run_one(clock=clock)
    clock.advance(HOUR)
    server.answer = fault
    degraded = installation.run_one(clock=clock)
    server.answer = csv(b"id,name,day\n4,dora,2026-01-02\n")

    back = installation.run_one(clock=clock)

    assert degraded.origin == "last_good"
    assert (back.status, back.origin, back.rows) == ("succeeded", "provider", 1)
    assert [row["name"] for row in installation.rows("people")] == ["dora"]


def test_within_the_ttl_nobody_is_asked(installation: Installation, server: FaultyServer) -> None:
    """Origin cache, succeeded, the age of the copy, and no request at the provider."""
    clock = ManualClock()
    installation.configure(people(server.url), cache={"ttl": "15m"})
    good = installation.run_one(clock=clock)
    clock.advance(600)
    server.answer = status(503)

    hit = installation.run_one(clock=clock)

    assert server.count == 1
    assert (hit.status, hit.origin, hit.accepted, hit.rows, hit.attempts) == ("succeeded", "cache", True, GOOD_ROWS, 0)
    assert hit.collected_at == good.collected_at
    assert hit.age_s == pytest.approx(600, abs=1)


def test_a_copy_served_from_the_cache_does_not_live_longer_for_it(
    installation: Installation, server: FaultyServer
) -> None:
    """The TTL counts from the collection, not from the last look."""
    clock = ManualClock()
    installation.configure(people(server.url), cache={"ttl": "15m"})
    installation.run_one(clock=clock)
    origins = []
    for _ in range(3):
        clock.advance(400)
        origins.append(installation.run_one(clock=clock).origin)

    assert origins == ["cache", "cache", "provider"]


def test_yesterdays_body_again_is_unchanged_and_ages(installation: Installation, server: FaultyServer) -> None:
    """The same bytes are no news: delivered, succeeded, our copy is new, the data is not, no version is written."""
    clock = ManualClock()
    installation.configure(people(server.url))
    first = installation.run_one(clock=clock)
    runs = []
    for _ in range(2):
        clock.advance(24 * HOUR)
        runs.append(installation.run_one(fresh=True, clock=clock))

    assert [(run.status, run.origin, run.unchanged, run.accepted) for run in runs] == [
        ("succeeded", "provider", True, True)
    ] * 2
    assert [run.age_s for run in runs] == [pytest.approx(0, abs=1)] * 2
    assert [run.data_age_s for run in runs] == [24 * HOUR, 48 * HOUR]
    assert {run.version for run in runs} == {first.version}
    assert first.unchanged is False
    assert len(installation.events("batch.accepted")) == 1


def test_not_modified_confirms_the_copy(installation: Installation, server: FaultyServer) -> None:
    """304: our copy is fresh again, unchanged; the data keeps its age."""
    clock = ManualClock()
    server.answer = with_etag(GOOD_CSV)
    installation.configure(people(server.url, parse={"format": "csv"}), cache={"ttl": "15m"})
    installation.run_one(clock=clock)
    clock.advance(HOUR)

    confirmed = installation.run_one(clock=clock)
    clock.advance(HOUR)
    server.answer = status(503)
    fallen = installation.run_one(clock=clock)

    assert server.requests[1].headers["if-none-match"] == '"v1"'
    assert (confirmed.status, confirmed.origin, confirmed.unchanged) == ("succeeded", "provider", True)
    assert (confirmed.rows, confirmed.data_age_s) == (GOOD_ROWS, HOUR)
    assert confirmed.age_s == pytest.approx(0, abs=1)
    # Since 304 is the provider's word, the age of the copy counts from there.
    assert fallen.collected_at == confirmed.collected_at
    assert fallen.data_age_s == pytest.approx(2 * HOUR, abs=5)


@pytest.mark.parametrize(("severity", "outcome"), [("critical", "failed"), ("warning", "succeeded")])
def test_not_modified_is_judged_by_todays_clock(
    installation: Installation, server: FaultyServer, severity: str, outcome: str
) -> None:
    """A provider that confirms the same copy for a week breaks `fresh`, although not a byte has changed."""
    clock = ManualClock()
    server.answer = with_etag(GOOD_CSV)
    rules = [{"fresh": {"column": "day", "within": "2d", "severity": severity}}]
    installation.configure(people(server.url, parse={"format": "csv"}, rules=rules))
    first = installation.run_one(clock=clock)
    clock.advance(7 * 24 * HOUR)

    run = installation.run_one(clock=clock)

    assert first.status == "succeeded"
    assert (run.status, run.rows, run.unchanged) == (outcome, GOOD_ROWS, True)
    assert run.accepted == (outcome == "succeeded")
    assert [(rule.rule, rule.severity) for rule in run.failed_rules] == [("fresh(day)", severity)]


@pytest.mark.parametrize("confirms", [True, False], ids=["answers not modified", "sends the same bytes"])
def test_a_provider_that_stands_still_breaks_changed(
    installation: Installation, server: FaultyServer, confirms: bool
) -> None:
    """However it says that it has nothing new; the first new content mends it."""
    clock = ManualClock()
    server.answer = with_etag(GOOD_CSV) if confirms else GOOD
    installation.configure(
        people(server.url, parse={"format": "csv"}, rules=[{"changed": "1d", "severity": "critical"}])
    )
    runs = []
    for _ in range(3):
        runs.append(installation.run_one(clock=clock))
        clock.advance(20 * HOUR)
    server.answer = csv(GOOD_CSV + b"4,dora,2026-01-02\n")

    mended = installation.run_one(clock=clock)

    assert [run.status for run in (*runs, mended)] == ["succeeded", "succeeded", "failed", "succeeded"]
    assert [run.unchanged for run in runs[:2]] == [False, True]
    assert [rule.rule for rule in runs[2].failed_rules] == ["changed"]
    assert runs[2].rows == GOOD_ROWS


def test_a_provider_that_comes_back_is_delivered_again(installation: Installation, server: FaultyServer) -> None:
    """What went down comes up: the next good answer is news and becomes last good."""
    clock = ManualClock()
    installation.configure(people(server.url))
    installation.run_one(clock=clock)
    server.answer = [GOOD, status(503), status(503), csv(GOOD_CSV + b"4,dora,2026-01-02\n")]

    down = installation.run_one(fresh=True, clock=clock)
    up = installation.run_one(fresh=True, clock=clock)

    assert (down.status, down.attempts) == ("degraded", 2)
    assert (up.status, up.rows, up.unchanged) == ("succeeded", 4, False)


def test_a_retry_that_succeeds_is_no_fallback(installation: Installation, server: FaultyServer) -> None:
    """One stumble inside a run: delivered, two attempts, nothing degraded."""
    server.answer = [status(503), GOOD]
    installation.configure(people(server.url))

    run = installation.run_one()

    assert (run.status, run.origin, run.attempts, run.error) == ("succeeded", "provider", 2, None)


# Without a last good copy


def snapshot_in(folder: Path) -> str:
    path = folder / "people_snapshot.csv"
    path.write_bytes(b"id,name,day\n9,sam,2020-01-01\n")
    return str(path)


def test_a_snapshot_is_read_as_the_files_of_a_store_are(installation: Installation, tmp_path: Path) -> None:
    """With the dataset's own `parse`: a copy is what the provider once sent."""
    (tmp_path / "copy.csv").write_text("made for people\nid;n\n1;1,5\n")
    installation.configure(
        {
            "name": "stock",
            "collect": {"kind": "object_store", "url": f"file://{tmp_path}/missing.csv"},
            "parse": {"skip_rows": 1, "delimiter": ";", "decimal": ","},
            "snapshot": "copy.csv",
        }
    )

    run = installation.run_one(fresh=True)

    assert (run.status, run.origin, run.rows) == ("degraded", "snapshot", 1), run.reason
    assert installation.rows("stock") == [{"id": 1, "n": 1.5}]


def test_without_last_good_the_snapshot_is_served(
    installation: Installation, server: FaultyServer, tmp_path: Path
) -> None:
    """Origin snapshot, degraded, no `collected_at` (it never was), the age of its data told."""
    server.answer = status(503)
    installation.configure(people(server.url, snapshot=snapshot_in(tmp_path)))

    run = installation.run_one(clock=ManualClock())

    assert (run.status, run.origin, run.accepted, run.rows) == ("degraded", "snapshot", False, 1)
    assert (run.collected_at, run.age_s, run.data_time) == (None, None, "2020-01-01T00:00:00.000000Z")
    assert run.data_age_s == pytest.approx(2192 * 24 * HOUR, abs=5)
    assert "answered 503; serving the shipped snapshot" in (run.reason or "")
    assert installation.rows("people")[0]["name"] == "sam"


def test_a_snapshot_never_becomes_last_good(installation: Installation, server: FaultyServer, tmp_path: Path) -> None:
    """Neither version nor cache know it: the next run asks again, the next good answer is the first version."""
    server.answer = status(503)
    installation.configure(people(server.url, snapshot=snapshot_in(tmp_path)))
    before = [installation.run_one().origin, installation.run_one().origin]
    server.answer = GOOD

    delivered = installation.run_one()
    server.answer = status(503)
    after = installation.run_one(fresh=True)

    assert before == ["snapshot", "snapshot"]
    assert (delivered.origin, delivered.unchanged) == ("provider", False)
    assert after.origin == "last_good"
    assert len(installation.events("batch.accepted")) == 1


def test_without_anything_to_serve_the_run_fails(installation: Installation, server: FaultyServer) -> None:
    """No last good, no snapshot: failed, exit 1, origin none, no rows, and `show` says what to do."""
    server.answer = status(503)
    installation.configure(people(server.url))

    done = installation.cli("run", "--json")
    shown = installation.cli("show", "people")

    (run,) = done.json["datasets"]
    assert (done.code, done.json["status"], run["status"], run["origin"], run["rows"]) == (
        1,
        "failed",
        "failed",
        "none",
        0,
    )
    assert (run["collected_at"], run["age_s"], run["quality"], run["content_sha256"]) == (None, None, None, None)
    assert run["error"]["type"] == "ProviderUnavailable"
    assert (shown.code, shown.out) == (1, "")
    assert "nothing was delivered yet" in shown.err


def test_a_broken_snapshot_does_not_hide_the_providers_error(
    installation: Installation, server: FaultyServer, tmp_path: Path
) -> None:
    """The user reads why the provider failed, not why the last resort did."""
    server.answer = status(503)
    broken = tmp_path / "broken.csv"
    broken.write_bytes(b"\x00\x01\x02\xff")
    installation.configure(people(server.url, snapshot=str(broken)))

    run = installation.run_one()

    assert (run.status, run.origin) == ("failed", "none")
    assert "answered 503" in (run.reason or "")


def test_fallbacks_are_tried_in_the_declared_order(
    installation: Installation, server: FaultyServer, tmp_path: Path
) -> None:
    """`fallback: []` serves nothing; `[snapshot]` prefers the shipped copy to last good."""
    where = {"snapshot": snapshot_in(tmp_path)}
    installation.configure(people(server.url, **where))
    installation.run_one()
    server.answer = status(503)
    origins = {}
    for name, alternatives in {"none": [], "snapshot": ["snapshot"], "last_good": ["last_good"]}.items():
        installation.configure(people(server.url, **where, resilience={"fallback": alternatives}))
        origins[name] = installation.run_one(fresh=True).origin

    assert origins == {"none": "none", "snapshot": "snapshot", "last_good": "last_good"}


# Through the real command line


@pytest.mark.parametrize("name", ["503", "sends half a body", "sends HTML with status 200", "sends invalid UTF-8"])
def test_the_command_line_says_it_too(installation: Installation, server: FaultyServer, name: str) -> None:
    """Exit 0 because the fallback is within its promise, said loudly; 1 with --strict; `show` prints the good rows."""
    fault, cause = FAULTS[name]
    installation.configure(people(server.url))
    installation.run_one()
    server.answer = fault

    told = installation.cli("run", "--fresh")
    strict = installation.cli("run", "--fresh", "--json", "--strict")
    shown = installation.cli("show", "people", "--format", "csv")

    assert told.code == 0
    assert "≈ degraded  last_good" in told.out
    assert cause in told.out
    (run,) = strict.json["datasets"]
    assert (strict.code, strict.json["status"], run["origin"]) == (1, "degraded", "last_good")
    assert cause in run["error"]["message"]
    assert shown.out.split() == ["id,name,day", "1,anna,2026-01-01", "2,bert,2026-01-01", "3,cleo,2026-01-01"]


@pytest.mark.parametrize("kind", ["endless", "bomb"])
def test_a_body_that_never_ends_does_not_fill_the_memory(
    installation: Installation, server: FaultyServer, kind: str
) -> None:
    """Five gigabytes, sent or unpacked: refused at `max_size`, and never more than 300 MB of memory held."""
    installation.configure(people(server.url, collect={"max_size": "250MB"}))
    installation.run_one()
    server.answer = endless(5 * 2**30) if kind == "endless" else gzip_bomb(5 * 2**29)
    gc.collect()

    done = installation.cli("run", "--fresh", "--json", measured=True)

    (run,) = done.json["datasets"]
    assert (done.code, run["status"], run["origin"], run["rows"]) == (0, "degraded", "last_good", GOOD_ROWS)
    assert "more than `max_size` (250,000,000)" in run["error"]["message"]
    assert 0 < done.peak < 300e6
    assert list((installation.state / "tmp").iterdir()) == []


# Pages


def paged(server: FaultyServer, **more: Any) -> dict[str, Any]:
    collect = {"url": f"http://{server.host}/people", "paginate": {"kind": "json_next", "next": "next"}}
    return people(server.url, collect=collect, parse={"format": "json", "records": "items"}, **more)


def pages(broken: int | None = None) -> Any:
    """Three pages of one row each; from `broken` on the provider is down."""

    def answer(request: Request) -> Answer:
        number = int(request.query.get("page", "1"))
        if broken is not None and number >= broken:
            return status(503)
        following = f"/people?page={number + 1}" if number < 3 else None
        row = {"id": number, "name": f"n{number}", "day": f"2026-01-0{number}"}
        return as_json({"items": [row], "next": following})

    return answer


def test_a_part_is_delivered_when_there_is_nothing_better(installation: Installation, server: FaultyServer) -> None:
    """Two of three pages, no last good: accepted, partial, degraded, and not taken for the whole by the cache."""
    server.answer = pages(broken=3)
    installation.configure(paged(server))

    run = installation.run_one()
    again = installation.run_one()

    assert (run.status, run.origin, run.accepted, run.partial, run.rows) == ("degraded", "provider", True, True, 2)
    assert "only a part arrived: page 3 did not come" in (run.reason or "")
    assert again.origin != "cache"


def test_a_part_is_held_when_there_is_a_whole(installation: Installation, server: FaultyServer) -> None:
    """Two of three pages, a last good copy of three: readers keep the whole one."""
    server.answer = pages()
    installation.configure(paged(server))
    installation.run_one()
    server.answer = pages(broken=3)

    run = installation.run_one(fresh=True)

    assert (run.status, run.origin, run.accepted, run.partial, run.rows) == ("degraded", "last_good", False, True, 3)
    assert "held: only a part arrived" in (run.reason or "")
    assert len(installation.rows("people")) == 3
    assert len(installation.rows("people", last_batch=True)) == 2


def test_a_text_that_is_no_utf8_is_read_when_the_provider_says_so(
    installation: Installation, server: FaultyServer
) -> None:
    """Latin-1 that is announced as Latin-1 is no fault."""
    server.answer = ok("id,name,day\n1,José,2026-01-01\n".encode("latin-1"), "text/csv; charset=iso-8859-1")
    installation.configure(people(server.url))

    run = installation.run_one()

    assert (run.status, installation.rows("people")[0]["name"]) == ("succeeded", "José")


def test_json_that_is_not_utf8_is_not_guessed(installation: Installation, server: FaultyServer) -> None:
    """JSON is UTF-8 (RFC 8259, 8.1): other bytes are damage, not another encoding."""
    installation.configure(people(server.url, parse={"format": "auto"}))
    installation.run_one()
    server.answer = ok(b'[{"id": 1, "name": "caf\xe9", "day": "2026-01-02"}]', "application/json")

    run = installation.run_one(fresh=True)

    assert (run.status, run.origin) == ("degraded", "last_good")
    assert "not in utf-8: byte 0xe9" in (run.reason or "")


def test_a_secret_in_an_address_is_in_no_error_and_no_event(installation: Installation, server: FaultyServer) -> None:
    """Some providers want their key in the path; neither the result nor the log, which is for ever, may hold it."""
    installation.configure(people(f"{server.url}/${{PARTNER_KEY}}/x"))
    environ = {"PARTNER_KEY": "k3y-0f-partner"}
    whole = installation.cli("run", "--json", env=environ)
    server.answer = status(503)

    broken = installation.cli("run", "--fresh", "--json", env=environ)

    events = installation.cli("events", "--json", env=environ)
    assert "***/x answered 503" in broken.json["datasets"][0]["reason"]
    assert whole.json["datasets"][0]["status"] == "succeeded"
    for told in (whole.out, broken.out, events.out):
        assert "k3y-0f-partner" not in told
