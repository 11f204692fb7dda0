"""Wall times become moments, also when clocks change."""

import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from data_pipeline.dataset import UNPARSED
from data_pipeline.parse.times import Zone, from_format, from_iso, localize, moment
from tests.counts import few
from tests.data_pipeline.parse.reading import PROVENANCE, read, rows, types
from utils.arrow import pa

# Berlin, 27 October 2024: 02:00 to 03:00 comes twice, first as UTC+2, then as UTC+1.
TWICE = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def berlin(texts, **settings_):
    data = "t\n" + "\n".join(f"2024-10-27 {text}:00" for text in texts)
    return [row["t"] for row in rows(data.encode(), zone="Europe/Berlin", **settings_)]


def test_repeated_wall_times_are_told_apart_by_their_order():
    """Half-hourly rows over the change stay half an hour apart, oldest first or newest first."""
    start = utc("2024-10-26T23:30:00")
    expected = [start + timedelta(minutes=30 * step) for step in range(6)]

    assert berlin(TWICE) == expected
    assert berlin(TWICE[::-1]) == expected[::-1]


def test_repeated_wall_times_follow_the_setting():
    """`first` is summer time, `second` winter time; `reject` keeps the text."""
    assert berlin(["02:30"], ambiguous="first") == [utc("2024-10-27T00:30:00")]
    assert berlin(["02:30"], ambiguous="infer") == [utc("2024-10-27T00:30:00")]
    assert berlin(["02:30"], ambiguous="second") == [utc("2024-10-27T01:30:00")]
    [row] = rows(b"t\n2024-10-27 02:30:00\n", columns={"t": "timestamp"}, zone="Europe/Berlin", ambiguous="reject")
    assert row == {"t": None, UNPARSED: '{"t":"2024-10-27 02:30:00"}'}


def test_skipped_wall_times_move_to_the_change_or_are_rejected():
    """02:30 on 31 March 2024 does not exist in Berlin."""
    data = b"t\n2024-03-31 02:30:00\n"

    assert rows(data, zone="Europe/Berlin") == [{"t": utc("2024-03-31T01:00:00")}]
    [row] = rows(data, columns={"t": "timestamp"}, zone="Europe/Berlin", nonexistent="reject")
    assert row["t"] is None
    assert "02:30" in row[UNPARSED]


@settings(max_examples=few(100), deadline=None)
@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.booleans(),
)
def test_localize_agrees_with_zoneinfo(naive, zone, second):
    """Every wall time that exists is the moment that Python's zone data says."""
    wall = naive.replace(tzinfo=ZoneInfo(zone), fold=int(second))
    if wall.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != naive:
        return  # skipped by the clocks
    array = pa.array([naive], pa.timestamp("us"))

    result, failed = localize(array, Zone(zone, "second" if second else "first"))

    assert result.to_pylist() == [wall.astimezone(UTC)]
    assert failed is None


def test_times_with_and_without_offset_may_be_mixed():
    """Each cell counts as it is written."""
    text = pa.array(["2024-01-01T12:00:00+01:00", "2024-01-01T12:00:00", None])

    result, failed = from_iso(text, Zone("America/New_York"))

    assert result.to_pylist() == [utc("2024-01-01T11:00:00"), utc("2024-01-01T17:00:00"), None]
    assert failed is None


def test_nanoseconds_are_kept():
    """Nine digits of a fraction are not cut to six."""
    result, _ = from_iso(pa.array(["2024-01-01T00:00:00.123456789Z"]), Zone())

    assert result.cast(pa.int64()).to_pylist() == [1704067200123456789]


@pytest.mark.parametrize("copies", [1, 300], ids=["few", "many"])
def test_impossible_dates_are_not_rolled_over(copies):
    """31 February is no 2 March, in long columns neither."""
    texts = ["31-Feb-2024", "02-Mar-2024", "29-Feb-2024", " 01-mar-2024", "x", None] * copies

    result, failed = from_format(pa.array(texts), "%d-%b-%Y", Zone())

    assert result.to_pylist()[:6] == [None, utc("2024-03-02"), utc("2024-02-29"), utc("2024-03-01"), None, None]
    assert failed.to_pylist()[:6] == [True, False, False, False, True, False]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1517968154000, "2018-02-07T01:49:14"),
        (1517968154, "2018-02-07T01:49:14"),
        ("1517968154", "2018-02-07T01:49:14"),
        ("2018-02-07T02:49:14+01:00", "2018-02-07T01:49:14"),
        ("Wed, 07 Feb 2018 01:49:14 GMT", "2018-02-07T01:49:14"),
        ("2018-02-07", "2018-02-07T00:00:00"),
        ("soon", None),
        (True, None),
        (1e300, None),
        ([], None),
    ],
    ids=str,
)
def test_a_moment_in_a_document_is_read_in_its_usual_forms(value, expected):
    """ISO, mail style, seconds or milliseconds by size."""
    assert moment(value, Zone()) == (utc(expected) if expected else None)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("0001-01-01T00:00:00+14:00", datetime.min.replace(tzinfo=UTC)),
        ("9999-12-31T23:59:59-14:00", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_a_moment_whose_zone_takes_it_out_of_the_years_is_at_their_edge(sent, expected):
    """A provider says it: the dataset is not lost for that."""
    assert moment(sent, Zone("Asia/Tokyo")) == expected


@pytest.mark.parametrize(
    ("data_time", "expected"),
    [
        ("day", "2024-01-02T23:00:00"),
        ("filename 'rates_%Y%m%d.csv'", "2024-01-04T23:00:00"),
        ("last_modified", None),
        ("gone", None),
        ("n", None),
        ("$.x", None),
    ],
)
def test_data_time_is_found_where_the_dataset_says_or_noted(data_time, expected):
    """A day begins in the zone of the dataset; what is not found is said."""
    batch = read(
        b"day,n\n2024-01-03,1\n", b"day,n\n2024-01-01,2\n",
        names=("in/rates_20240103.csv", "in/rates_20240105.csv"), data_time=data_time, zone="Europe/Berlin",
    )  # fmt: skip

    assert batch.provenance.data_time == (utc(expected) if expected else None)
    assert any("data_time" in note for note in batch.provenance.notes) == (expected is None)
    assert PROVENANCE.notes == ()


@pytest.mark.parametrize(
    ("cell", "kind", "expected"),
    [
        ("45292", "excel", "2024-01-01T00:00:00"),
        ("45292.52425925926", "excel", "2024-01-01T12:34:56"),
        ("25569", "excel", "1970-01-01T00:00:00"),
        ("61", "excel", "1900-03-01T00:00:00"),
        ("-1", "excel", "1899-12-29T00:00:00"),
        ("2440587.5", "julian", "1970-01-01T00:00:00"),
        ("2451545", "julian", "2000-01-01T12:00:00"),
        ("2460311.024259259", "julian", "2024-01-01T12:34:56"),
        ("2299160.5", "julian", "1582-10-15T00:00:00"),
    ],
)
def test_day_counts_are_moments_and_days(cell, kind, expected):
    """As text, as numbers of JSON and as dates: the same."""
    moment_ = {"t": {"type": "timestamp", "format": kind}}

    assert rows(f"t\n{cell}\n".encode(), columns=moment_) == [{"t": utc(expected)}]
    assert rows(f'[{{"t": {cell}}}]'.encode(), columns=moment_) == [{"t": utc(expected)}]
    day = {"t": {"type": "date", "format": kind}}
    assert rows(f'[{{"t": {cell}}}]'.encode(), columns=day) == [{"t": utc(expected).date()}]


def test_excel_days_are_wall_times_and_julian_days_are_not():
    """A sheet knows no zone; Julian days are counted in Greenwich."""
    data = b'[{"a": 45474.5, "b": 2460493.0}]'
    columns = {"a": {"type": "timestamp", "format": "excel"}, "b": {"type": "timestamp", "format": "julian"}}

    assert rows(data, columns=columns, zone="Europe/Berlin") == [
        {"a": utc("2024-07-01T10:00"), "b": utc("2024-07-01T12:00")}
    ]


@pytest.mark.parametrize("kind", ["excel", "julian", "epoch_s", "epoch_ms", "epoch_us"])
@pytest.mark.parametrize("kind_of_column", ["date", "timestamp"])
def test_counts_that_are_none_keep_their_text(kind, kind_of_column):
    """Words, and numbers far outside the calendar."""
    data = b't\n1e30\nsoon\n-99999999999999999\n""\n'

    read_ = rows(data, columns={"t": {"type": kind_of_column, "format": kind}})

    assert [row["t"] for row in read_] == [None] * len(read_)
    assert [row[UNPARSED] for row in read_][:3] == ['{"t":"1e30"}', '{"t":"soon"}', '{"t":"-99999999999999999"}']


@pytest.mark.parametrize(
    "sent", ["1772398800", '"1772398800"', "1772398800.0", '"1772398800.000"', '{"$numberLong": "1772398800"}']
)
def test_an_epoch_may_be_written_in_any_way(sent):
    """A number, a text, with a fraction, or wrapped."""
    data = f'[{{"t": {sent}}}]'.encode()

    assert rows(data, columns={"t": {"type": "timestamp", "format": "epoch_s"}}) == [{"t": utc("2026-03-01T21:00:00")}]


def test_moments_of_other_zones_and_int96_are_the_same_moments():
    """Arrow's zones are kept as moments; INT96 has none and takes the dataset's."""
    berlin_ = (
        pa.array([datetime(2024, 7, 1, 10)], pa.timestamp("ms"))
        .cast(pa.timestamp("ms", "UTC"))
        .cast(pa.timestamp("ms", "Europe/Berlin"))
    )
    naive = pa.array([datetime(2024, 7, 1, 12)], pa.timestamp("us"))
    sink = io.BytesIO()
    parquet.write_table(pa.table({"a": berlin_, "b": naive}), sink, use_deprecated_int96_timestamps=True)
    arrow = io.BytesIO()
    with pa.ipc.new_file(arrow, pa.schema([("a", berlin_.type)])) as target:
        target.write_table(pa.table({"a": berlin_}))

    [row] = rows(sink.getvalue(), zone="Europe/Berlin")

    assert row["b"] == utc("2024-07-01T10:00")
    assert rows(arrow.getvalue(), zone="America/New_York") == [{"a": utc("2024-07-01T10:00")}]


@pytest.mark.parametrize(
    ("unit", "sent", "micros"),
    [
        ("epoch_us", "1770996600123456", 1_770_996_600_123_456),
        ("epoch_ns", "1770996600123456000", 1_770_996_600_123_456),
        ("epoch_ns", "-1000", -1),
    ],
    ids=["microseconds", "nanoseconds", "before 1970"],
)
def test_finer_counts_keep_every_digit(unit, sent, micros):
    """As text and as numbers."""
    for data in (f"t\n{sent}\n".encode(), f'[{{"t": {sent}}}]'.encode()):
        batch = read(data, columns={"t": {"type": "timestamp", "format": unit}})
        assert types(batch)["t"] == "timestamp[us, tz=UTC]"
        assert batch.table["t"].cast("int64").to_pylist() == [micros]


def test_nanoseconds_that_need_them_stay_and_too_many_do_not_fit():
    """They reach to 2262."""
    data = b"t\n1770996600123456789\n99999999999999999999\n"
    batch = read(data, columns={"t": {"type": "timestamp", "format": "epoch_ns"}})
    assert types(batch)["t"] == "timestamp[ns, tz=UTC]"
    assert batch.table["t"].cast("int64").to_pylist() == [1_770_996_600_123_456_789, None]
    assert batch.table["__unparsed__"].to_pylist() == [None, '{"t":"99999999999999999999"}']


@pytest.mark.parametrize("pattern", ["%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S %Z"])
def test_gmt_is_an_offset_whatever_the_zone_of_the_dataset(pattern):
    """Mail dates say GMT and UTC where others say +0000."""
    data = b'[{"t": "Fri, 13 Feb 2026 15:30:00 GMT"}, {"t": "Fri, 13 Feb 2026 15:30:00 UTC"}]'
    found = rows(data, columns={"t": {"type": "timestamp", "format": pattern}}, zone="Europe/Istanbul")
    assert found == [{"t": utc("2026-02-13T15:30:00")}] * 2
