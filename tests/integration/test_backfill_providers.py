"""A backfill and its provider: an outage, a quota, an answer that says "later" cost no piece."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from data_pipeline.backfill.commit import Done
from operations.actor import Actor
from operations.backfill import go_on, start
from operations.backfill_plan import Plan, plan
from operations.backfill_result import Result
from tests.faulty_server import Answer, FaultyServer, Request, as_json, status
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.resilience.cancellation import CancelToken

ACTOR = Actor("test")
DAYS = 12


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(good) as server:
        yield server


def good(request: Request) -> Answer:
    return as_json([{"day": request.query["day"], "n": 1}])


def configure(installation: Installation, server: FaultyServer, **resilience: Any) -> None:
    installation.configure(
        {
            "name": "sales",
            "collect": {"kind": "http", "url": server.url + "?day={partition.key}"},
            "partition": {"by": "day", "start": "2026-03-01"},
            "resilience": {"retry": {"attempts": 1}},
        },
        defaults={"resilience": {"rate_limit": None, **resilience}},
    )


def backfill(installation: Installation, clock: ManualClock, told: list[Any], **asked: Any) -> Result:
    with installation.system(clock) as system:
        identity = start(system, ACTOR, plan(system, "sales", end="2026-03-13", **asked))
        return go_on(system, ACTOR, identity, cancel=CancelToken(), told=told.append)


def later() -> ManualClock:
    return ManualClock(datetime(2026, 4, 1, tzinfo=UTC))


def test_an_outage_pauses_it_and_no_piece_is_lost(installation: Installation, server: FaultyServer) -> None:
    """The circuit opens; each try after a pause costs another piece a try, never its place."""
    configure(installation, server, breaker={"window": 6, "minimum_calls": 3, "half_open_calls": 1, "open_for": "60s"})
    server.answer = lambda request: good(request) if request.number <= 4 or request.number > 9 else status(503)
    clock, told = later(), list[Done | str]()
    began = clock.monotonic()
    result = backfill(installation, clock, told, concurrency=1)
    assert (result.status, result.collected, result.failed) == ("succeeded", DAYS, 0), (result.pieces, told)
    assert Counter(one.key for one in told if isinstance(one, Done)).most_common(1)[0][1] == 1
    assert any(isinstance(one, str) and one.startswith("paused for") for one in told)
    assert clock.monotonic() - began >= 60.0
    assert server.count == DAYS + 5
    assert [event["dataset"] for event in installation.events("backfill.paused")][:1] == ["sales"]


def test_a_piece_that_always_fails_does_not_keep_the_others(installation: Installation, server: FaultyServer) -> None:
    """It fails a few times with its provider's circuit, then it counts as failed itself."""
    configure(installation, server, breaker={"window": 4, "minimum_calls": 1, "failure_rate": 0.25, "open_for": "60s"})
    server.answer = lambda request: status(500) if request.query["day"] == "2026-03-05" else good(request)
    result = backfill(installation, later(), [], concurrency=1)
    assert (result.status, result.collected, result.failed) == ("degraded", DAYS - 1, 1)
    assert [piece["partition"] for piece in result.pieces] == ["2026-03-05"]


def test_what_can_never_be_collected_fails_at_once(installation: Installation, server: FaultyServer) -> None:
    """A refusal says something of the piece, not of the provider."""
    configure(installation, server)
    server.answer = lambda request: status(404) if request.query["day"] == "2026-03-05" else good(request)
    clock, told = later(), list[Done | str]()
    result = backfill(installation, clock, told)
    assert (result.collected, result.failed, server.count) == (DAYS - 1, 1, DAYS)
    assert not any(isinstance(one, str) for one in told)


def test_a_quota_that_is_used_up_is_waited_for(installation: Installation, server: FaultyServer) -> None:
    """Five requests a day: the plan says so before, and three days later all is there."""
    configure(installation, server, rate_limit={"rate": 100, "quota": 5, "quota_per": "1d"})
    clock = later()
    with installation.system(clock) as system:
        planned: Plan = plan(system, "sales", end="2026-03-13")
    assert (planned.requests, planned.duration_s) == (DAYS, 2 * 86_400.0)
    assert any("quota" in note and "5 requests left" in note for note in planned.notes)
    began = clock.time()
    result = backfill(installation, clock, [])
    assert (result.status, result.collected, server.count) == ("succeeded", DAYS, DAYS)
    assert 2 * 86_400 <= clock.time() - began < 2 * 86_400 + 3600


def test_a_provider_that_says_later_is_asked_later(installation: Installation, server: FaultyServer) -> None:
    """A 429 with Retry-After says nothing of the piece."""
    configure(installation, server)
    server.answer = lambda request: status(429, Retry_After="90") if request.number == 3 else good(request)
    clock = later()
    began = clock.monotonic()
    result = backfill(installation, clock, [], concurrency=1)
    assert (result.status, result.collected, server.count) == ("succeeded", DAYS, DAYS + 1)
    assert clock.monotonic() - began >= 90.0


def test_the_cost_is_told_from_what_pieces_cost_lately(installation: Installation, server: FaultyServer) -> None:
    """Two pages a piece, at two requests a second."""

    def pages(request: Request) -> Answer:
        first = "page" not in request.query
        link = {"Link": f'<{server.url}?day={request.query["day"]}&page=2>; rel="next"'} if first else {}
        return as_json([{"day": request.query["day"], "n": 1 if first else 2}], **link)

    server.answer = pages
    configure(installation, server, rate_limit={"rate": 2, "burst": 1})
    source = installation.config.read_text().replace(
        '"kind": "http"', '"kind": "http", "paginate": {"kind": "link_header"}'
    )
    installation.config.write_text(source)
    clock = later()
    with installation.system(clock) as system:
        identity = start(system, ACTOR, plan(system, "sales", keys=["2026-03-01", "2026-03-02"]))
        go_on(system, ACTOR, identity, cancel=CancelToken())
        planned = plan(system, "sales", end="2026-03-13", only=["missing"])
    assert (len(planned.pieces), planned.requests) == (10, 20)
    assert planned.duration_s == pytest.approx(9.5, abs=0.1)
    assert planned.states == {"missing": 10}
    assert planned.left_out == {"other_state": ("2026-03-01", "2026-03-02")}
