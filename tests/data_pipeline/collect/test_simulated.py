"""The simulated provider: the same rows for the same seed, failures as told, and nearly no cost."""

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from data_pipeline.collect.simulated import Options, SimulatedCollector
from data_pipeline.dataset import Collected
from data_pipeline.errors import PayloadUnreadable, ProviderUnavailable
from tests.counts import few
from tests.data_pipeline.collect.requests import Calls, make_request
from utils.clock import ManualClock
from utils.resilience.deadline import deadline

TYPES = ["integer", "float", "string", "boolean", "date", "timestamp"]


def collect(options: Options, *, collector: SimulatedCollector | None = None, **request: Any) -> Collected:
    collector = collector or SimulatedCollector()
    given = {"dataset": "orders", "provider": collector.provider_of(options, "orders"), **request}
    return collector.collect(make_request(options, Path(), **given))


def rows_of(collected: Collected) -> list[dict[str, Any]]:
    assert collected.rows is not None
    return [row for batch in collected.rows() for row in batch.to_pylist()]


def fails(options: Options, number: int, dataset: str = "orders") -> bool:
    try:
        collect(options, number=number, dataset=dataset)
    except ProviderUnavailable:
        return True
    return False


@given(
    rows=st.integers(0, 30),
    kinds=st.lists(st.sampled_from(TYPES), min_size=1, max_size=6),
    seed=st.integers(-5, 5),
    number=st.integers(0, 9),
)
@settings(max_examples=few(40), deadline=None)
def test_rows_depend_on_the_seed_alone(rows: int, kinds: list[str], seed: int, number: int) -> None:
    """Another process, another run, the same rows and the same hash."""
    options = Options.model_validate(
        {"rows": rows, "columns": {f"c{i}": kind for i, kind in enumerate(kinds)}, "seed": seed}
    )
    one, other = collect(options), collect(options, number=number, dataset="another")
    assert rows_of(one) == rows_of(other) == rows_of(one)
    assert len(rows_of(one)) == rows
    assert one.provenance.content_sha256 == other.provenance.content_sha256


def test_another_seed_gives_other_rows() -> None:
    """And so another hash."""
    one, other = collect(Options(seed=1)), collect(Options(seed=2))
    assert rows_of(one) != rows_of(other)
    assert one.provenance.content_sha256 != other.provenance.content_sha256


def test_the_first_integer_column_is_a_key() -> None:
    """It counts from 1, so `unique` and `references` have something to work with."""
    assert [row["id"] for row in rows_of(collect(Options(rows=3)))] == [1, 2, 3]


def test_failures_repeat_themselves_and_come_as_often_as_told() -> None:
    """Drawn from seed, dataset and run number: the same run fails again, another dataset's does not follow it."""
    options = Options(failure_rate=0.2, rows=1)
    drawn = [fails(options, number) for number in range(400)]
    assert drawn == [fails(options, number) for number in range(400)]
    assert drawn != [fails(options, number, "other") for number in range(400)]
    assert 50 < sum(drawn) < 110


def test_every_try_of_a_failing_run_fails() -> None:
    """A retry is the same run, so it meets the same outage; the error tells how often it was asked."""
    options = Options(failure_rate=1.0)
    calls = Calls(tries=3)
    with pytest.raises(ProviderUnavailable, match="simulated"):
        collect(options, call=calls)


def test_latency_is_slept_on_the_clock() -> None:
    """With jitter as a share of it."""
    clock = ManualClock()
    collected = collect(Options.model_validate({"latency": "200ms", "jitter": 0.5}), clock=clock)
    assert 0.1 <= clock.slept[0] <= 0.3
    assert collected.provenance.latency_s == pytest.approx(clock.slept[0])


def test_a_script_is_played_from_the_first_collection_on() -> None:
    """Up, down, garbage, slow, up again; `same` is up with the same rows."""
    options = Options.model_validate(
        {
            "script": [
                {"after": "10s", "do": "down"},
                {"after": "20s", "do": "garbage"},
                {"after": "30s", "do": "slow"},
                {"after": "100s", "do": "same"},
                {"after": "2m", "do": "up"},
            ]
        }
    )
    clock, collector = ManualClock(), SimulatedCollector()
    told = []
    for _ in range(5):
        try:
            collected = collect(options, collector=collector, clock=clock, read_timeout=60.0)
            told.append(collected.provenance.latency_s)
        except (ProviderUnavailable, PayloadUnreadable) as error:
            told.append(type(error))
        clock.advance(10 if len(told) < 4 else 80)
    assert told == [0.0, ProviderUnavailable, PayloadUnreadable, 10.0, 0.0]


def test_who_is_slower_than_the_reader_is_patient_is_unavailable() -> None:
    """Read time-out and deadline end a simulated wait as they end a real one."""
    options = Options.model_validate({"latency": "40s"})
    clock = ManualClock()
    with pytest.raises(ProviderUnavailable, match="no answer in time"):
        collect(options, clock=clock, read_timeout=5.0)
    with deadline(3.0, clock), pytest.raises(ProviderUnavailable, match="no answer in time"):
        collect(options, clock=clock, read_timeout=30.0)
    assert clock.slept == [5.0, 3.0]


def test_with_the_defaults_a_collection_costs_microseconds() -> None:
    """The benchmark's no-op dataset must measure the line, not its source."""
    collector, options = SimulatedCollector(), Options()
    request = make_request(options, Path(), dataset="orders", provider="orders", call=lambda _provider, fn: fn())
    collector.collect(request)
    best = min(_seconds_of(collector, request) for _ in range(20))
    assert best / 200 < 100e-6  # 5 µs where it was written; a busy CI machine gets room


def _seconds_of(collector: SimulatedCollector, request: Any) -> float:
    began = time.process_time()
    for _ in range(200):
        collector.collect(request)
    return time.process_time() - began


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rows": -1}, "greater than or equal to 0"),
        ({"columns": {}}, "at least 1"),
        ({"columns": {"a": "text"}}, "integer"),
        ({"failure_rate": 2}, "less than or equal to 1"),
        ({"latency": "soon"}, "duration"),
        ({"script": [{"after": "1s", "do": "explode"}]}, "garbage"),
        ({"speed": 3}, "Extra inputs"),
    ],
)
def test_wrong_options_say_what_is_wrong(given: dict[str, Any], words: str) -> None:
    """Everything a user can get wrong is found when the configuration is read."""
    with pytest.raises(ValidationError, match=words):
        Options.model_validate(given)
