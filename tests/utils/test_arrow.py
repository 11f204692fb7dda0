"""pyarrow without pandas, until pandas is wanted."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from utils.arrow import has_nan

ROOT = Path(__file__).resolve().parents[2]

KERNELS = """
import pyarrow.csv, pyarrow.json, pyarrow.parquet as pq
table = pa.table({"a": [3, 1, None], "b": ["x", "y", "x"], "c": pa.array([1.5, None, 2.5])})
compute.filter(table, compute.greater(table["a"], 1))
table.take([0, 1]).sort_by("a").group_by("b").aggregate([("a", "sum")])
compute.match_substring_regex(table["b"], "^x$"); pa.scalar(1); compute.is_in(table["b"], pa.array(["x"]))
table["c"].to_numpy(); table["a"].to_pylist(); pa.RecordBatch.from_pydict({"a": [1]})
sink = pa.BufferOutputStream(); pq.write_table(table, sink); pq.read_table(pa.BufferReader(sink.getvalue()))
pyarrow.csv.read_csv(pa.BufferReader(b"a,b\\n1,2\\n")); pyarrow.json.read_json(pa.BufferReader(b'{"a": 1}\\n'))
"""


def _run(code: str) -> str:
    """Run code in a fresh interpreter; gives what it printed."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_usual_kernels_do_not_import_pandas() -> None:
    """Neither does importing our module."""
    printed = _run(f"import sys; from utils.arrow import pa, compute\n{KERNELS}\nprint('pandas' in sys.modules)")

    assert printed == "False"


def test_without_our_module_they_would() -> None:
    """The reason for the module: when pyarrow stops importing pandas by itself, the module can go."""
    printed = _run("import sys; import pyarrow as pa; pa.array([1]); print('pandas' in sys.modules)")

    assert printed == "True"


def test_pyarrow_sees_pandas_when_it_is_wanted() -> None:
    """NaN of a Series is null then, and frames go back and forth."""
    printed = _run(
        "from utils.arrow import pa, with_pandas\n"
        "pa.array([1, 2])\n"
        "pd = with_pandas()\n"
        "print(pa.array(pd.Series([1.0, float('nan')])).null_count, end=' ')\n"
        "print(pa.Table.from_pandas(pd.DataFrame({'a': [1, 2]})).to_pandas()['a'].sum(), end=' ')\n"
        "print(pa.table({'a': [1, None]}).to_pandas(types_mapper=pd.ArrowDtype)['a'].dtype)"
    )

    assert printed == "1 3 int64[pyarrow]"


def test_pandas_can_be_imported_as_ever() -> None:
    """Nothing of the trick stays behind: no finder, and no half-imported module."""
    printed = _run(
        "import sys, utils.arrow\n"
        "ours = [finder for finder in sys.meta_path if type(finder).__module__.startswith('utils')]\n"
        "print(ours, 'pandas' in sys.modules, end=' ')\n"
        "import pandas; print(pandas.DataFrame({'a': [1]}).shape)"
    )

    assert printed == "[] False (1, 1)"


def test_pandas_that_is_there_already_is_seen() -> None:
    """A program that uses pandas itself loses nothing by importing us."""
    printed = _run(
        "import pandas as pd; from utils.arrow import pa\nprint(pa.array(pd.Series([1.0, float('nan')])).null_count)"
    )

    assert printed == "1"


@pytest.mark.parametrize("name", ["have_pandas", "pd"])
def test_the_private_name_we_lean_on_is_still_there(name: str) -> None:
    """When pyarrow renames it, everything works on, only slower; this test is how we notice."""
    assert hasattr(pa.lib._pandas_api, name)


def test_a_pyarrow_without_the_private_name_still_works() -> None:
    """Only slower: pandas is imported when pyarrow feels like it."""
    printed = _run(
        "import pyarrow.lib; del pyarrow.lib._pandas_api\n"
        "from utils.arrow import pa, with_pandas\n"
        "print(pa.array([1, 2]).to_pylist(), with_pandas().__name__)"
    )

    assert printed == "[1, 2] pandas"


@pytest.mark.parametrize("rows", [1, 1000], ids=["few", "many"])
@pytest.mark.parametrize(
    ("last", "expected"), [(float("nan"), True), (None, False), (float("inf"), False)], ids=["nan", "null", "infinite"]
)
def test_nan_is_seen_among_few_floats_and_many(rows: int, last: float | None, expected: bool) -> None:
    """No value and an infinite one are none."""
    floats = pa.array([1.5] * rows + [last], pa.float64())

    assert has_nan(floats) is expected
