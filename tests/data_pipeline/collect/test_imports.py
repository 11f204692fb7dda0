"""Reading a configuration imports the collectors; that must stay cheap."""

import subprocess
import sys

HEAVY = ("httpx", "httpcore", "psutil", "pyarrow", "pandas", "utils.host", "utils.arrow")


def test_importing_the_collectors_imports_nothing_heavy() -> None:
    """httpx, psutil and pyarrow come with the first collection that needs them."""
    code = (
        "import sys\n"
        "import data_pipeline.collect.http.http, data_pipeline.collect.files.file\n"
        "import data_pipeline.collect.host, data_pipeline.collect.simulated\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
