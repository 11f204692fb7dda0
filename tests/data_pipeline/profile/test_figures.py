"""What is told of a profile: names, values, and rows of the history that every database takes."""

import struct
from datetime import UTC, datetime, timedelta

import pytest

from data_pipeline.profile import EVERYTHING, profile
from data_pipeline.profile.figures import MOST_COLUMNS, figures, for_event, points
from tests.data_pipeline.validate.plain import batch_of
from utils.arrow import pa

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_each_kind_of_column_has_its_figures():
    """Nothing is made up: what a type does not have is not there, what had no values is None."""
    batch = batch_of(
        {
            "number": [1.0, None, 4.0],
            "text": ["a", "abc", None],
            "flag": [True, False, None],
            "day": [NOW.date() - timedelta(days=2), None, None],
            "list": [[1], None, None],
            "none": pa.nulls(3, pa.int64()),
        }
    )

    assert figures(profile(batch), NOW) == {
        "number": {"nulls": 1 / 3, "min": 1.0, "max": 4.0, "mean": 2.5, "std": pytest.approx(4.5**0.5)},
        "text": {"nulls": 1 / 3, "length_min": 1.0, "length_max": 3.0, "length_mean": 2.0},
        "flag": {"nulls": 1 / 3, "true": 0.5},
        "day": {"nulls": 2 / 3, "age_s": 2 * 86_400.0},
        "list": {"nulls": 2 / 3},
        "none": {"nulls": 1.0, "min": None, "max": None, "mean": None, "std": None},
    }


def test_sketches_add_theirs_and_no_quantile_leaves_the_range():
    """The roundest number of a bin may lie beyond the greatest value: then the greatest is told."""
    mine = figures(profile(batch_of({"a": [1000.0, 1000.5, 1001.0]}), EVERYTHING), NOW)["a"]

    assert mine["distinct"] == 3.0
    assert all(1000.0 <= mine[name] <= 1001.0 for name in ("p05", "p50", "p95", "p99"))


def test_an_event_gets_no_values_of_rows():
    """Least and greatest are such values; the log forgets nothing."""
    told = for_event(figures(profile(batch_of({"salary": [1.0, 250_000.0], "name": ["a", "b"]}), EVERYTHING), NOW))

    assert {"min", "max"}.isdisjoint(told["salary"])
    assert told["salary"]["mean"] == 125_000.5


def test_points_are_few_rows_whose_names_can_be_indexed():
    """Forty columns: those that are kept, in rows of at most 1,000 bytes of names, each with its values."""
    batch = batch_of({f"column_{number:02d}": [float(number)] for number in range(40)})

    rows = [parameters for _, parameters in points("orders", 5.0, figures(profile(batch), NOW))]

    assert {(row[0], row[2], row[3], row[4]) for row in rows} == {("orders", 5.0, 5.0, 1)}
    assert max(len(row[1].encode()) for row in rows) <= 1000
    kept = {}
    for _, names, *_, data in rows:
        _, *values = struct.unpack(f"<{len(data) // 8}d", data)
        kept |= dict(zip(names.split(","), values, strict=True))
    assert len(rows) <= 3
    assert {name: value for name, value in kept.items() if name.startswith("mean")} == {
        f"mean(column_{number:02d})": number for number in range(MOST_COLUMNS)
    }


@pytest.mark.parametrize(
    ("column", "names"),
    [
        pytest.param("Total, EUR", ["nulls(Total%2C EUR)", "true(Total%2C EUR)"], id="a comma"),
        pytest.param("é" * 100, [f"nulls({'é' * 100})", f"true({'é' * 100})"], id="many bytes"),
        pytest.param("x" * 2000, [], id="a name that fills a row"),
    ],
)
def test_any_name_of_a_column_can_be_kept_or_is_left_out(column, names):
    """It never costs the run."""
    found = points("orders", 5.0, figures(profile(batch_of({column: [True]})), NOW))

    assert [name for _, parameters in found for name in parameters[1].split(",")] == names


def test_no_columns_and_no_rows():
    """Are no trouble."""
    assert points("orders", 5.0, figures(profile(batch_of({})), NOW)) == []
    assert figures(profile(batch_of({"a": pa.array([], pa.int64())})), NOW)["a"]["nulls"] is None
