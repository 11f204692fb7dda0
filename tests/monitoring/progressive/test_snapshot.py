"""A snapshot holds what is possible, and says what was not."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.progressive.levels import Level
from monitoring.progressive.snapshot import Snapshot, snapshot
from tests.monitoring.progressive.readings import START, Sample


def taken(sample: Any, *, at: float = 10.0, before: Snapshot | None = None) -> Snapshot:
    return snapshot(sample, at=at, level=Level.NORMAL, interval_s=5.0, before=before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cpu_percent", 7_626_516.0),
        ("cpu_percent", -1.0),
        ("memory_percent", float("nan")),
        ("disk_percent", float("inf")),
        ("disk_percent", "97 %"),
        ("memory_percent", True),
        ("network_sent_bytes_s", -4_000_000.0),
        ("disk_read_bytes_s", 1e15),
        ("connections", -1),
        ("disk_free_bytes", float("nan")),
        ("temperature_c", float("-inf")),
    ],
)
def test_what_is_not_possible_is_left_out_and_named(name: str, value: Any) -> None:
    """The other figures stay."""
    found = taken(Sample(**{name: value}))

    assert getattr(found, name) is None
    assert found.absurd == (name,)
    assert found.load_1m == 0.1


def test_rounding_above_a_hundred_is_a_hundred() -> None:
    """100.2 % is full, not absurd."""
    assert taken(Sample(memory_percent=100.2)).memory_percent == 100.0


def test_what_is_not_to_be_had_is_not_absurd() -> None:
    """A container that tells nothing."""
    found = taken(Sample(cpu_percent=None, memory_percent=None, disk_percent=None))
    assert (found.cpu_percent, found.absurd) == (None, ())


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0], ids=["set back", "set forward"])
def test_a_clock_that_was_set_is_named(seconds: float) -> None:
    """Between two snapshots both clocks go on alike."""
    first = taken(Sample(START), at=10.0)

    assert taken(Sample(START + timedelta(seconds=5)), at=15.0, before=first).absurd == ()
    assert taken(Sample(START + timedelta(seconds=5 + seconds)), at=15.0, before=first).absurd == ("clock",)


def test_a_snapshot_is_written_as_json() -> None:
    """Times in RFC 3339, no monotonic seconds."""
    told = taken(Sample(connections=3)).to_json()

    assert told["time"] == "2026-01-01T00:00:00Z"
    assert (told["level"], told["cpu_percent"], told["connections"], told["absurd"]) == ("NORMAL", 10.0, 3, [])
    assert not {"at", "interval_s"} & set(told)


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.integers())


@given(
    st.fixed_dictionaries({name: anything for name in Sample.__dataclass_fields__ if name != "time"}),
    st.datetimes(min_value=datetime(1971, 1, 1), timezones=st.just(START.tzinfo)),
    st.floats(0.0, 1e9),
)
def test_whatever_a_sample_holds_nothing_is_raised(figures: dict[str, Any], time: datetime, at: float) -> None:
    """And every percentage that is kept is one."""
    first = taken(Sample())
    found = taken(Sample(time, **figures), at=at, before=first)
    for value in (found.cpu_percent, found.memory_percent, found.disk_percent, found.swap_percent):
        assert value is None or 0.0 <= value <= 100.0
