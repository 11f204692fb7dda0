"""What a command imports: nothing that it does not need."""

import subprocess
import sys

from tests.integration.exact import EXACT, EXACT_CSV
from tests.integration.installation import PROGRAM, Installation, environment

_LIST_MODULES = """
import runpy, sys
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit:
    pass
sys.stderr.write("\\nMODULES " + " ".join({name.partition(".")[0] for name in sys.modules}))
"""


def modules_after(*command: str) -> set[str]:
    """Top-level modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-c", _LIST_MODULES, *command[1:]],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.rpartition("MODULES ")[2].split())


PROVIDER_LIBRARIES = {
    *("sqlalchemy", "psycopg", "lxml", "fsspec", "s3fs", "boto3", "aiobotocore", "gcsfs", "adlfs", "paramiko"),
    *("python_calamine", "dlt"),
}
"""Each is for one kind of provider or format, and is imported when one of them is read."""


def test_help_imports_nothing_heavy() -> None:
    """`--help` answers in a quarter of a second because it loads nothing that works."""
    loaded = modules_after(sys.executable, str(PROGRAM), "--help")

    working = {"pandas", "pyarrow", "streamlit", "httpx", "rich", "numpy", "pydantic", "sqlite3", "yaml"}
    assert not loaded & (working | PROVIDER_LIBRARIES)


def test_a_run_of_one_csv_imports_nothing_that_it_does_not_need(installation: Installation) -> None:
    """pyarrow without pandas; no HTTP client, no retry library, no structlog, no dashboard."""
    (installation.folder / "exact.csv").write_text(EXACT_CSV)
    installation.configure(EXACT)

    loaded = modules_after(*installation.command("run", "--json"))

    heavy = {"pandas", "sklearn", "scipy", "streamlit", "plotly", "httpx", "tenacity", "structlog", "rich", "psutil"}
    assert "pyarrow" in loaded
    assert not loaded & (heavy | PROVIDER_LIBRARIES | {"dask", "distributed", "tornado"})
