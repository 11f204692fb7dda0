"""Processes whose disk takes as long to flush as we say: for figures that hold on another disk than this one's.

`slow_flush.c` is compiled when it is asked for, and preloaded; the true flush is part of the time.
"""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


def slowed(folder: Path, seconds: float) -> Mapping[str, str] | None:
    """Variables for a process in which a flush takes at least so long; None where there is no C compiler.

    Raises:
        subprocess.CalledProcessError: There is one, and it failed.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    library = folder / "slow_flush.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library), "BENCHMARK_FLUSH_NS": str(round(seconds * 1e9))}
