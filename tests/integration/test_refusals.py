"""When our own protection refuses a request, the run says which part did, and when a new try makes sense."""

from typing import Any

import pytest

from tests.faulty_server import FaultyServer, status
from tests.integration.contract import check_run
from tests.integration.installation import PATIENT, Installation
from tests.integration.people import GOOD, people

ONCE = {**PATIENT, "retry": {"attempts": 1}}


def refused(installation: Installation, server: FaultyServer, **resilience: Any) -> dict[str, Any]:
    """The error of a second run, which this protection of the provider refuses."""
    installation.configure(
        people(server.url, parse={"format": "csv"}), defaults={"dataset": ONCE, "resilience": resilience}
    )
    installation.run(fresh=True)
    asked = server.count
    done = installation.cli("run", "--fresh", "--json")
    check_run(done.json)
    assert server.count == asked
    (run,) = done.json["datasets"]
    error: dict[str, Any] = run["error"]
    return error


def test_an_open_circuit_tells_when_the_next_try_is(installation: Installation) -> None:
    """As a field and in words; in the event, too."""
    with FaultyServer(status(503)) as server:
        error = refused(installation, server, breaker={"minimum_calls": 1, "open_for": "10m"})

    assert (error["type"], error["refused_by"], error["transient"]) == ("RequestRefused", "circuit", True)
    assert 0.0 < error["retry_after"] <= 600.0
    assert "next try in" in error["message"]
    assert installation.events("dataset.failed")[-1]["error"] == error


def test_a_quota_tells_when_it_begins_anew(installation: Installation) -> None:
    """Beside the last good copy that is served."""
    with FaultyServer(GOOD) as server:
        error = refused(installation, server, rate_limit={"quota": 1, "quota_per": "7d"})

    assert error["refused_by"] == "quota"
    assert 0.0 < error["retry_after"] <= 7 * 86_400.0
    assert installation.events("dataset.degraded")[-1]["error"] == error


def test_a_provider_s_own_wish_is_told_as_well(installation: Installation) -> None:
    """It was asked and answered 429: nobody refused on our side."""
    with FaultyServer(status(429, retry_after="120")) as server:
        installation.configure(people(server.url), defaults={"dataset": ONCE})
        run = installation.run_one()

    assert run.error is not None
    assert (run.error["type"], run.error["retry_after"]) == ("ProviderUnavailable", 120.0)
    assert "refused_by" not in run.error


@pytest.mark.parametrize("answers", [503, 404])
def test_an_error_without_a_hint_has_no_such_field(installation: Installation, answers: int) -> None:
    """Nothing is made up."""
    with FaultyServer(status(answers)) as server:
        installation.configure(people(server.url), defaults={"dataset": ONCE})
        run = installation.run_one()

    assert run.error is not None
    assert not {"retry_after", "refused_by"} & set(run.error)
