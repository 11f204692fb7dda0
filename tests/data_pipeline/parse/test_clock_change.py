"""Local feeds pass the clock change in autumn with every row at its moment, told from the order of rows alone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.parse.times import Zone, localize
from tests.data_pipeline.parse.reading import rows
from utils.arrow import pa

CHANGES = {
    "Europe/Berlin": datetime(2024, 10, 27, 1, tzinfo=UTC),
    "America/New_York": datetime(2024, 11, 3, 6, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2024, 4, 6, 15, tzinfo=UTC),
}


def moments(zone, minutes, hours=4):
    """Regular moments around the change of a zone, in UTC."""
    step, start = timedelta(minutes=minutes), CHANGES[zone] - timedelta(hours=hours)
    return [start + number * step for number in range(hours * 2 * 60 // minutes + 1)]


def arranged(times, series, layout):
    """The moments of several series in one file."""
    if layout == "by series":
        return times * series
    result = [time for time in times for _ in range(series)]
    return result[::-1] if layout == "newest first" else result


def read_back(times, zone, batch):
    """The moments after a trip through wall times, read in batches."""
    walls = [time.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for time in times]
    place = Zone(zone).of_a_column()
    result = []
    for start in range(0, len(walls), batch):
        moments_, failed = localize(pa.array(walls[start : start + batch], pa.timestamp("us")), place)
        assert failed is None
        result += moments_.to_pylist()
    return result


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("minutes", [60, 30, 15, 5, 1], ids="{} min".format)
@pytest.mark.parametrize("series", [1, 2, 7], ids="{} series".format)
@pytest.mark.parametrize("layout", ["side by side", "newest first", "by series"])
def test_every_row_comes_back_at_its_moment(zone, minutes, series, layout):
    """Hourly to minutely, one series or several, whatever their arrangement."""
    times = arranged(moments(zone, minutes), series, layout)

    assert read_back(times, zone, 10_000) == times


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("series", [1, 3], ids="{} series".format)
@given(minutes=st.sampled_from([60, 30, 15]), batch=st.integers(1, 40))
def test_a_batch_may_end_within_the_repeated_hour(zone, series, minutes, batch):
    """What the batch before held is remembered."""
    times = arranged(moments(zone, minutes), series, "side by side")

    assert read_back(times, zone, batch) == times


@pytest.mark.parametrize("minutes", [60, 15], ids=["hourly", "quarters"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("within", [-3, -2, -1, 0, 1, 2, 3])
def test_a_file_may_begin_within_the_repeated_hour(zone, minutes, within):
    """The steps to the rows behind the hour tell which of the two it is."""
    start = CHANGES[zone] + timedelta(minutes=minutes * within)
    times = [time for time in moments(zone, minutes) if time >= start]

    assert read_back(times, zone, 10_000) == times


def test_events_of_the_same_second_are_not_pulled_apart():
    """Equal times by chance are no repeated hour."""
    walls = ["01:10:03", "02:13:05", "02:13:05", "02:40:00", "03:20:00"]
    data = "t\n" + "".join(f"2024-10-27 {wall}\n" for wall in walls)

    hours = [row["t"].hour for row in rows(data.encode(), zone="Europe/Berlin")]

    assert hours == [23, 0, 0, 0, 2]


def test_a_snapshot_of_many_stations_within_the_hour_is_one_moment():
    """There is nothing to tell the two apart, so none of them is moved."""
    data = b"t\n" + b"2024-10-27 02:30:00\n" * 50

    assert {row["t"] for row in rows(data, zone="Europe/Berlin")} == {datetime(2024, 10, 27, 0, 30, tzinfo=UTC)}


def test_rows_a_little_out_of_order_stay_close_to_their_neighbours():
    """Stations report seconds late; that is no repetition."""
    zone = "Europe/Berlin"
    late = [0, 40, 20, 0, 50, 10, 0, 30]
    times = [
        time - timedelta(seconds=late[n % 8]) for n, time in enumerate(arranged(moments(zone, 15), 5, "side by side"))
    ]

    assert read_back(times, zone, 10_000) == times


@pytest.mark.parametrize("minutes", [60, 30, 15], ids="{} min".format)
def test_a_feed_over_the_year_has_no_lost_doubled_or_rejected_row(minutes):
    """Both changes, as text through the whole line; every moment comes once."""
    zone = ZoneInfo("Europe/Berlin")
    start, step = datetime(2024, 1, 1, tzinfo=UTC), timedelta(minutes=minutes)
    times = [start + number * step for number in range(366 * 24 * 60 // minutes)]
    data = "t\n" + "".join(f"{time.astimezone(zone):%Y-%m-%d %H:%M}\n" for time in times)

    read = rows(data.encode(), columns={"t": "timestamp"}, zone="Europe/Berlin")

    assert [row["t"] for row in read] == times
    assert set(read[0]) == {"t"}
