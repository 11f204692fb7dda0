"""`not_in_future`: the run's own moment is no future, the next tick of the column's unit is."""

from datetime import date

import pytest

from data_pipeline.validate.engine import validate
from data_pipeline.validate.rules import parse_rule
from tests.data_pipeline.validate.plain import NOW, batch_of
from utils.arrow import pa

SECONDS = int(NOW.timestamp())
LATER = NOW.replace(microsecond=1)


@pytest.mark.parametrize(("unit", "per_second"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_a_tick_after_the_moment_is_future(unit: str, per_second: int) -> None:
    """To the nanosecond, which a float would not tell apart."""
    moment = SECONDS * per_second + per_second // 10**6  # the last tick that is not after LATER
    times = pa.array([moment + tick for tick in (-1, 0, 1)], pa.timestamp(unit, "UTC"))

    found = validate(batch_of({"t": times}), parse_rule({"not_in_future": "t"}), now=LATER)

    assert (found.report.outcomes[0].failed, found.report.outcomes[0].of) == (1, 3)


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()], ids=["date32", "date64"])
def test_a_day_lies_at_its_midnight(kind: "pa.DataType") -> None:
    """Today is no future, tomorrow is."""
    days = pa.array([date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2), None], pa.date32()).cast(kind)

    found = validate(batch_of({"t": days}), parse_rule({"not_in_future": "t"}), now=NOW)

    assert (found.report.outcomes[0].failed, found.report.outcomes[0].of) == (1, 3)
