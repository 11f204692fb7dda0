"""What protecting a provider took is written down with the run, adds up over processes, and is shown by `metrics`."""

from dataclasses import fields
from typing import Any

from operations.metrics import COUNTERS, as_json
from tests.faulty_server import FaultyServer, status
from tests.integration.installation import PATIENT, Installation
from tests.integration.people import GOOD, people
from utils.resilience.totals import ProviderTotals

TWICE = {**PATIENT, "retry": {"attempts": 2, "initial": "1ms", "max": "1ms"}}


def of(told: dict[str, Any], name: str) -> dict[str, float]:
    """A metric's values by provider."""
    return {series["labels"]["provider"]: series["value"] for series in told[f"orchestrator_{name}"]["series"]}


def test_every_counter_has_words_for_the_metrics() -> None:
    """None is written down and then not shown."""
    assert list(COUNTERS) == [field.name for field in fields(ProviderTotals)]


def test_the_counts_of_all_runs_add_up_and_survive_a_rebuild(installation: Installation) -> None:
    """A good run, then a failing one of another system on the same state; a command shows both."""
    with FaultyServer(GOOD) as server:
        installation.configure(people(server.url, parse={"format": "csv"}), defaults={"dataset": TWICE})
        installation.run(fresh=True)
        server.answer = status(503)
        installation.run(fresh=True)
        text = installation.cli("metrics").out
        with installation.system() as system:
            told = as_json(system)
            system.events.rebuild()
            rebuilt = as_json(system)

    assert of(told, "provider_requests_total") == {server.host: 3.0}
    assert of(told, "provider_failures_total") == {server.host: 2.0}
    assert of(told, "provider_retries_total") == {server.host: 1.0}
    assert of(told, "provider_given_up_total") == {server.host: 1.0}
    assert of(told, "provider_refused_by_bulkhead_total") == {server.host: 0.0}
    assert of(told, "breaker_success_rate") == {server.host: 0.0}
    assert of(told, "provider_bulkhead_use_seconds_total")[server.host] > 0.0
    assert f'orchestrator_provider_requests_total{{provider="{server.host}"}} 3' in text.splitlines()
    names = [name for name in told if name.startswith("orchestrator_provider_")]
    assert {name: rebuilt[name] for name in names} == {name: told[name] for name in names}
    assert len(names) == len(COUNTERS)


def test_an_open_circuit_is_counted_with_the_run(installation: Installation) -> None:
    """The event says what happened in this run, and nothing that did not."""
    with FaultyServer(status(503)) as server:
        breaker = {"minimum_calls": 2, "open_for": "10m"}
        installation.configure(people(server.url), defaults={"dataset": TWICE, "resilience": {"breaker": breaker}})
        installation.run(fresh=True)
        installation.run(fresh=True)

    first, second = (finished["providers"][server.host] for finished in installation.events("run.finished"))
    assert (first["requests"], first["failures"], first["circuit_opened"], first["retries"]) == (2, 2, 1, 1)
    assert second == {"refused_by_circuit": 1}
