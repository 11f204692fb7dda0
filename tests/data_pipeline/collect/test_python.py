"""Rows from a function of the user's own."""

import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_pipeline.collect.placeholders import Partition
from data_pipeline.collect.python.columns import columns_of
from data_pipeline.collect.python.python import Options, PythonCollector
from data_pipeline.dataset import Collected
from data_pipeline.errors import CollectError, ProviderRefused
from data_pipeline.parse.parse import parse
from tests.data_pipeline.collect.requests import Calls, make_request
from utils.clock import ManualClock
from utils.resilience.deadline import deadline
from utils.resilience.errors import DeadlineExceededError

_numbers = count(1)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Writes Python text as a module of a new name on the path; the name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[str] = []

    def write(text: str) -> str:
        name = f"source_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        made.append(name)
        return name

    yield write
    for name in made:
        sys.modules.pop(name, None)


@pytest.fixture
def collect(module: Callable[[str], str], tmp_path: Path) -> Callable[..., Collected]:
    """Runs the function `rows` of a text."""

    def run(text: str, *, call: Any = None, params: dict[str, Any] | None = None, **request: Any) -> Collected:
        options = Options(function=f"{module(text)}:rows", params=params or {})
        collector = PythonCollector()
        given = {"provider": collector.provider_of(options, "rates"), "call": call, **request}
        return collector.collect(make_request(options, tmp_path, **given))

    return run


def rows_of(collected: Collected) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parse(collected, dataset="rates").table.to_pylist()
    collected.close()
    return found


@pytest.mark.parametrize(
    "text",
    [
        "def rows(): return [{'id': 1, 'v': 'a'}, {'id': 2, 'v': None}]",
        "def rows():\n    yield {'id': 1, 'v': 'a'}\n    yield {'id': 2, 'v': None}",
        "def rows():\n    yield [{'id': 1, 'v': 'a'}]\n    yield [{'id': 2, 'v': None}]",
        "import pandas as pd\ndef rows(): return pd.DataFrame({'id': [1, 2], 'v': ['a', None]})",
        "import pyarrow as pa\ndef rows(): return pa.table({'id': [1, 2], 'v': ['a', None]})",
        "import pyarrow as pa\ndef rows(): yield pa.record_batch({'id': [1, 2], 'v': ['a', None]})",
        "import pyarrow as pa\ndef rows(): return pa.table({'id': [1, 2], 'v': ['a', None]}).to_reader()",
        "from collections import namedtuple\nR = namedtuple('R', 'id v')\ndef rows(): return [R(1, 'a'), R(2, None)]",
        "import dlt\n@dlt.resource\ndef rows():\n    yield {'id': 1, 'v': 'a'}\n    yield {'id': 2, 'v': None}",
        "import dlt\n@dlt.resource\ndef rows():\n    yield [{'id': 1, 'v': 'a'}, {'id': 2, 'v': None}]",
        "import dlt\ndef rows(): return dlt.resource([{'id': 1, 'v': 'a'}, {'id': 2, 'v': None}], name='r')",
        "import dlt\nimport pyarrow as pa\n@dlt.resource\ndef rows(): yield pa.table({'id': [1, 2], 'v': ['a', None]})",
        "import dlt\n@dlt.source\ndef rows(): return dlt.resource([dict(id=1, v='a'), dict(id=2, v=None)], name='r')",
    ],
    ids=[
        "a list",
        "a generator",
        "a generator of pages",
        "a frame",
        "an Arrow table",
        "a batch yielded",
        "an Arrow reader",
        "named tuples",
        "a dlt resource",
        "a dlt resource of pages",
        "a dlt resource made inside",
        "a dlt resource of Arrow tables",
        "a dlt source of one resource",
    ],
)
def test_every_shape_gives_the_same_rows(collect: Callable[..., Collected], text: str) -> None:
    """Dicts, lists, frames, Arrow and dlt are the same two rows."""
    assert rows_of(collect(text)) == [{"id": 1, "v": "a"}, {"id": 2, "v": None}]


def test_a_dlt_resource_takes_parameters(collect: Callable[..., Collected]) -> None:
    """`params` reach the function under dlt's decorator."""
    text = "import dlt\n@dlt.resource\ndef rows(start, step=1):\n    yield {'a': start}\n    yield {'a': start + step}"
    assert rows_of(collect(text, params={"start": 5})) == [{"a": 5}, {"a": 6}]


def test_a_dlt_source_of_several_tables_is_refused(collect: Callable[..., Collected]) -> None:
    """A dataset is one table: rows of two must not be mixed."""
    text = """
    import dlt
    @dlt.source
    def rows():
        return dlt.resource([{'a': 1}], name='one'), dlt.resource([{'b': 1}], name='two')
    """
    with pytest.raises(ProviderRefused, match=r"2 resources \(one, two\).*source\.resources"):
        collect(text)


def test_values_arrive_exactly(collect: Callable[..., Collected]) -> None:
    """Moments in UTC, decimals, big integers, bytes, UUIDs, numpy scalars, NaN as null, objects as columns."""
    text = """
    import datetime as d, decimal, uuid, enum
    import numpy as np
    class Colour(enum.Enum):
        RED = "red"
    def rows():
        yield {
            "at": d.datetime(2026, 7, 1, 12, tzinfo=d.timezone(d.timedelta(hours=2))),
            "naive": d.datetime(2026, 7, 1, 12), "day": d.date(2026, 7, 1), "price": decimal.Decimal("1.10"),
            "wide": 2**70, "raw": b"\\x00\\x01", "id": uuid.UUID(int=7), "np": np.int32(3), "np_f": np.float64(0.5),
            "np_t": np.datetime64("2026-07-01T12:00:00"), "nan": float("nan"), "colour": Colour.RED,
            "inner": {"a": 1, "deep": {"b": "x"}}, "list": [1, decimal.Decimal("2.50")], 7: "seven",
            "took": d.timedelta(seconds=90),
        }
    """
    (row,) = rows_of(collect(text))
    assert row == {
        "at": datetime(2026, 7, 1, 10, tzinfo=UTC),
        "naive": datetime(2026, 7, 1, 12, tzinfo=UTC),
        "day": date(2026, 7, 1),
        "price": Decimal("1.10"),
        "wide": Decimal(2**70),
        "raw": b"\x00\x01",
        "id": "00000000-0000-0000-0000-000000000007",
        "np": 3,
        "np_f": 0.5,
        "np_t": datetime(2026, 7, 1, 12, tzinfo=UTC),
        "nan": None,
        "colour": "red",
        "inner.a": 1,
        "inner.deep.b": "x",
        "list": '[1,"2.50"]',
        "7": "seven",
        "took": "0:01:30",
    }


def test_rows_of_different_keys_and_mixed_types(collect: Callable[..., Collected]) -> None:
    """Missing keys are null; a number beside a text is its text; an integer beyond 2^53 is never a float."""
    text = """
    def rows():
        yield {"a": 1, "b": 2**60 + 1}
        yield {"a": "x", "c": True}
        yield {"a": 2.5, "b": 0.5}
    """
    first, second, third = rows_of(collect(text))
    assert [row["a"] for row in (first, second, third)] == ["1", "x", "2.5"]
    assert (Decimal(first["b"]), second["b"], second["c"]) == (Decimal(2**60 + 1), None, True)


def test_a_frame_keeps_what_pandas_knows(collect: Callable[..., Collected]) -> None:
    """Integers with nulls stay integers, categories are their values, an index of times becomes a column."""
    text = """
    import pandas as pd
    def rows():
        index = pd.DatetimeIndex(["2026-01-01", "2026-01-02"], tz="Europe/Berlin", name="at")
        return pd.DataFrame({
            "n": pd.array([2**60 + 1, None], dtype="Int64"), "kind": pd.Categorical(["a", "b"]),
            "x": [1.5, float("nan")], "o": [{"k": 1}, None], ("two", "levels"): ["p", "q"],
            "span": pd.period_range("2026-01", periods=2, freq="M"),
        }, index=index)
    """
    first, second = rows_of(collect(text))
    assert first == {
        "at": datetime(2025, 12, 31, 23, tzinfo=UTC),
        "n": 2**60 + 1,
        "kind": "a",
        "x": 1.5,
        "o.k": 1,
        "two.levels": "p",
        "span": "2026-01",
    }
    assert (second["n"], second["x"], second["o.k"]) == (None, None, None)


def test_cursor_partition_and_now_go_to_those_who_take_them(collect: Callable[..., Collected]) -> None:
    """By name; `**anything` gets the cursor; placeholders in `params` are filled in."""
    part = Partition("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    text = "def rows(cursor, partition, day, now): yield {'c': cursor, 'p': partition.key, 'd': day, 'n': now}"
    (row,) = rows_of(collect(text, cursor=0, partition=part, params={"day": "{run_date}"}))
    assert row == {"c": 0, "p": "2026-01-01", "d": "2026-03-01", "n": datetime(2026, 3, 1, 7, 5, 30, tzinfo=UTC)}
    assert rows_of(collect("def rows(**more): yield more", cursor=5, params={"a": 1})) == [{"cursor": 5, "a": 1}]
    assert rows_of(collect("def rows(): yield {'a': 1}", cursor=5)) == [{"a": 1}]


def test_an_error_names_type_message_and_line_of_the_users_code(collect: Callable[..., Collected]) -> None:
    """Not a traceback; permanent, so it is not tried again."""
    with pytest.raises(
        ProviderRefused, match=r"rates: source_\d+:rows failed with KeyError: 'price' \(.*\.py:2\)"
    ) as told:
        collect("def rows():\n    return [{'a': {}['price']}]", call=Calls(tries=3))
    assert not told.value.transient


@pytest.mark.parametrize(
    "error",
    [
        "TimeoutError('slow')",
        "ConnectionResetError('gone')",
        "type('Busy', (Exception,), {'transient': True, 'retry_after': 7})('slow')",
    ],
    ids=["time-out", "connection", "its own attribute"],
)
def test_a_passing_error_is_tried_again(collect: Callable[..., Collected], error: str) -> None:
    """The second call brings the rows, and only those of the second call."""
    text = f"""
    calls = []
    def rows():
        calls.append(1)
        yield {{"call": len(calls)}}
        if len(calls) == 1:
            raise {error}
    """
    assert rows_of(collect(text, call=Calls(tries=2))) == [{"call": 2}]


def test_rows_before_a_failure_are_kept_as_partial(collect: Callable[..., Collected]) -> None:
    """They are marked, and the note says why there are no more."""
    text = "def rows():\n    yield {'a': 1}\n    yield {'a': 2}\n    raise ValueError('bad page')"
    collected = collect(text)
    assert collected.provenance.partial
    assert "the 2 rows before the failure are kept" in collected.provenance.notes[0]
    assert "ValueError: bad page" in collected.provenance.notes[0]
    assert rows_of(collected) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def rows(): pass", "returned nothing"),
        ("def rows(): return 'a,b'", "returned text"),
        ("def rows(): return 5", "returned a int"),
        ("def rows(): return [1]", "gave a int where a row was expected"),
        ("async def rows(): yield {}", "`async`"),
        ("async def rows(): return []", "`async`"),
        ("def rows(day): yield {}", "missing a required argument: 'day'.*rows\\(day\\)"),
        ("import nowhere_at_all\ndef rows(): yield {}", "ModuleNotFoundError.*nowhere_at_all.*py:1"),
        ("import sys\ndef rows(): sys.exit(3)", "SystemExit: 3"),
        ("import asyncio\ndef rows(): raise asyncio.CancelledError", "CancelledError"),
        ("def rows(): raise StopIteration", "StopIteration"),
        ("class Own(Exception):\n    def __str__(self): 1 / 0\ndef rows(): raise Own", "failed with Own"),
    ],
    ids=[
        "nothing",
        "text",
        "a number",
        "numbers",
        "async generator",
        "coroutine",
        "arguments",
        "import",
        "exit",
        "asyncio",
        "stop",
        "no text",
    ],
)
def test_what_is_no_rows_is_said(collect: Callable[..., Collected], text: str, said: str) -> None:
    """Each with what came and what to return instead."""
    with pytest.raises(CollectError, match=said):
        collect(text)


BROKEN_ARROW = """
import struct
import pyarrow as pa
def rows():
    buffers = [None, pa.py_buffer(struct.pack("<iiii", 0, 5, 2**30, 7)), pa.py_buffer(b"abcdefg")]
    return pa.RecordBatch.from_arrays([pa.Array.from_buffers(pa.string(), 3, buffers)], names=["s"])
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BROKEN_ARROW, "Arrow data that is damaged"),
        ("def rows():\n    d = {}\n    d['l'] = [d]\n    yield d", "no column can hold"),
        ("def rows():\n    x = []\n    for _ in range(5000): x = [x]\n    yield {'a': x}", "no column can hold"),
        ("def rows(): yield {'a': 10**5000}", "no column can hold"),
        ("class Own(dict):\n    def keys(self): 1 / 0\n    __iter__ = keys\ndef rows(): yield Own(a=1)", "no column"),
    ],
    ids=["broken Arrow", "in itself", "deep", "digits", "raising"],
)
def test_what_nothing_can_hold_is_said(collect: Callable[..., Collected], text: str, said: str) -> None:
    """Broken Arrow data would end the process."""
    with pytest.raises(ProviderRefused, match=said):
        collect(text)


def test_a_module_that_is_still_being_imported_has_no_frames(
    collect: Callable[..., Collected], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another dataset's thread may be in the middle of importing pandas."""
    monkeypatch.setitem(sys.modules, "pandas", types.ModuleType("pandas"))
    assert rows_of(collect("class Own(list): pass\ndef rows(): return Own([{'a': 1}])")) == [{"a": 1}]


def test_a_missing_function_is_told_when_the_configuration_is_read(module: Callable[[str], str]) -> None:
    """With the nearest name, without running the module."""
    name = module("raise RuntimeError('must not run')\ndef rates(): ...")
    with pytest.raises(ValidationError, match="has no `rate`; did you mean `rates`"):
        Options(function=f"{name}:rate")
    with pytest.raises(ValidationError, match="no module `nowhere_at_all`"):
        Options(function="nowhere_at_all:rows")
    with pytest.raises(ValidationError, match="expected `module:name`"):
        Options(function="rates")
    with pytest.raises(ValidationError, match="not valid Python"):
        Options(function=f"{module('def rows(:')}:rows")
    assert Options(function=f"{name}:rates").function == f"{name}:rates"


def test_the_deadline_is_seen_between_items_and_the_generator_is_closed(
    collect: Callable[..., Collected], tmp_path: Path
) -> None:
    """An endless generator ends at the deadline, and its `finally` runs."""
    clock, closed = ManualClock(), tmp_path / "closed"
    text = f"""
    import pathlib
    def rows(tick):
        try:
            while True:
                tick()
                yield []
        finally:
            pathlib.Path({str(closed)!r}).touch()
    """
    with deadline(30.0, clock), pytest.raises(DeadlineExceededError):
        collect(text, params={"tick": lambda: clock.advance(10.0)}, clock=clock)
    assert closed.exists()


def test_equal_rows_are_equal_news(collect: Callable[..., Collected]) -> None:
    """The hash follows the rows, not the run."""
    text, other = "def rows():\n    yield {'a': 1}", "def rows():\n    yield {'a': 2}"
    hashes = [collect(source).provenance.content_sha256 for source in (text, text, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_what_the_function_prints_leaves_standard_output_alone(
    collect: Callable[..., Collected], capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes to standard error, and standard output is itself again afterwards."""
    before = sys.stdout
    assert rows_of(collect("def rows():\n    print('hello')\n    yield {'a': 1}")) == [{"a": 1}]
    assert sys.stdout is before
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "hello\n")


def test_rows_beyond_memory_wait_in_a_file_that_goes_away(collect: Callable[..., Collected], tmp_path: Path) -> None:
    """They can be read twice, and closing gives the space back."""
    collected = collect("def rows():\n    for n in range(300_000): yield {'n': n, 'text': f'{n:060}'}")
    assert collected.rows is not None
    assert len(list(tmp_path.glob("rows-*.arrow"))) == 1
    for _ in range(2):
        assert sum(batch.num_rows for batch in collected.rows()) == 300_000
    assert [next(collected.rows())["n"][0].as_py() for _ in range(2)] == [0, 0]
    collected.close()
    assert not list(tmp_path.glob("rows-*.arrow"))


_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    st.floats(allow_nan=True),
    st.text(),
    st.binary(),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.decimals(),
    st.uuids(),
    st.timedeltas(),
    st.times(),
)
_cells = st.recursive(_values, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


@given(st.lists(st.dictionaries(st.text(max_size=3), _cells, max_size=4), min_size=1, max_size=8))
def test_any_rows_become_columns_of_as_many_cells(rows: list[dict[str, Any]]) -> None:
    """Whatever Python can hold, no row is lost and no name is twice."""
    names, arrays = columns_of(rows)
    assert {len(array) for array in arrays} == {len(rows)}
    assert len(set(names)) == len(names)


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=1))
def test_integers_come_back_as_they_are(values: list[int | None]) -> None:
    """Also with nulls, to the last digit."""
    _, (array,) = columns_of([{"n": value} for value in values])
    assert array.to_pylist() == values
