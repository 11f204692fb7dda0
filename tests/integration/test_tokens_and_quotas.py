"""A provider that wants tokens and counts requests, by configuration alone, over restarts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests import faulty_server as fault
from tests.data_pipeline.collect.token_server import CLIENT, SECRET, TokenServer
from tests.faulty_server import FaultyServer
from tests.integration.installation import Installation
from utils.clock import ManualClock

ROWS = [{"id": 1, "value": 2.5}, {"id": 2, "value": 3.5}]


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with TokenServer(rotates=True) as server:
        yield server


@pytest.fixture
def data(tokens: TokenServer) -> Iterator[FaultyServer]:
    with FaultyServer(tokens.protecting(fault.as_json(ROWS))) as server:
        yield server


def auth(tokens: TokenServer) -> dict[str, str]:
    return {
        "kind": "oauth2",
        "token_url": tokens.url,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "refresh_token": "refresh-0",
    }


def dataset(name: str, url: str, **collect: Any) -> dict[str, Any]:
    return {"name": name, "provider": "partner", "collect": {"kind": "http", "url": url, **collect}}


def test_a_partner_with_rotating_tokens_is_read_run_after_run(
    installation: Installation, tokens: TokenServer, data: FaultyServer
) -> None:
    """Between two runs the access token ends: only the refresh token that the run before stored opens the door."""
    installation.configure(dataset("orders", data.url), providers={"partner": {"auth": auth(tokens)}})

    for _ in range(3):
        assert installation.run_one(fresh=True).status == "succeeded"
        tokens.good = {f"old-{token}" for token in tokens.good}

    assert installation.rows("orders") == ROWS
    assert [asked.form["refresh_token"] for asked in tokens.asked] == ["refresh-0", "refresh-1", "refresh-2"]


def test_no_token_is_written_anywhere_but_into_the_coordination_database(
    installation: Installation, tokens: TokenServer, data: FaultyServer
) -> None:
    """Not into logs, events, results, nor what the command line prints; and the configuration is shown masked."""
    # Another client: one with the same id would be given the token that is stored already.
    own = {**auth(tokens), "client_id": "stranger", "client_secret": "wrong-secret"}
    installation.configure(
        dataset("orders", data.url),
        dataset("refunds", data.url, auth=own),
        providers={"partner": {"auth": auth(tokens)}},
    )

    ran = installation.cli("run", "--json")
    shown = installation.cli("config", "show")

    told = {each["dataset"]: each for each in json.loads(ran.out)["datasets"]}
    assert told["orders"]["status"] == "succeeded"
    assert "invalid_client" in json.dumps(told["refunds"])
    text = ran.out + ran.err + shown.out + shown.err
    for path in installation.state.rglob("*"):
        if path.is_file() and not path.name.startswith("coordination.db"):
            text += path.read_bytes().decode("latin-1")
    for secret in (SECRET, "wrong-secret", "refresh-0", "refresh-1", "access-1"):
        assert secret not in text, secret


def test_a_quota_holds_over_restarts_and_the_last_good_version_is_served(
    installation: Installation,
) -> None:
    """Two requests a day: the third run asks nobody, delivers what there is, and says when it may ask again."""
    clock = ManualClock(datetime(2026, 3, 1, 18, tzinfo=UTC))
    with FaultyServer(fault.as_json(ROWS)) as server:
        limited = {"resilience": {"rate_limit": {"quota": 2}}}
        installation.configure(dataset("orders", server.url), providers={"partner": limited})
        first = [installation.run_one(fresh=True, clock=clock).status for _ in range(2)]

        refused = installation.run_one(fresh=True, clock=clock)

        assert first == ["succeeded", "succeeded"]
        assert server.count == 2
        assert (refused.status, refused.origin) == ("degraded", "last_good")
        assert "the quota of 2 requests in 1 d is used up (2 made)" in (refused.reason or "")
        assert "free again at 2026-03-02 00:00:00 UTC" in (refused.reason or "")
        clock.advance(6 * 3600)
        assert installation.run_one(fresh=True, clock=clock).status == "succeeded"
        assert server.count == 3


def test_a_rate_holds_over_restarts(installation: Installation) -> None:
    """One request an hour: a run that starts minutes after another one asks nobody, and delivers what there is."""
    clock = ManualClock(datetime(2026, 3, 1, 18, tzinfo=UTC))
    with FaultyServer(fault.as_json(ROWS)) as server:
        limited = {"resilience": {"rate_limit": {"rate": 1, "per": "1h", "burst": 1}}}
        installation.configure(dataset("orders", server.url), providers={"partner": limited})
        first = installation.run_one(fresh=True, clock=clock)
        clock.advance(600.0)

        refused = installation.run_one(fresh=True, clock=clock)
        clock.advance(3000.0)
        later = installation.run_one(fresh=True, clock=clock)

    assert (first.status, refused.status, later.status) == ("succeeded", "degraded", "succeeded")
    assert "the rate limit leaves room in 3,000 s" in (refused.reason or "")
    assert server.count == 2


def test_a_quota_in_another_period_is_another_quota(installation: Installation) -> None:
    """`quota_per: 1h` begins anew each hour."""
    clock = ManualClock(datetime(2026, 3, 1, 18, 59, 59, tzinfo=UTC))
    with FaultyServer(fault.as_json(ROWS)) as server:
        limited = {"resilience": {"rate_limit": {"quota": 1, "quota_per": "1h"}}}
        installation.configure(dataset("orders", server.url), providers={"partner": limited})
        statuses = []
        for _ in range(3):
            statuses.append(installation.run_one(fresh=True, clock=clock).status)
            clock.advance(0.6)
        assert (statuses, server.count) == (["succeeded", "degraded", "succeeded"], 2)
