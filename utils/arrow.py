"""pyarrow without the pandas it would import behind our back.

With pandas installed, pyarrow imports it (0.7 to 1.1 s) on the first `pa.array(list)`, `filter`, `take`, `group_by` or
`to_numpy`, only to ask whether a value is a pandas object. A command that never touches pandas must not pay for it, so
right after the import a finder, bound to this thread and gone a moment later, answers "no pandas" while pyarrow asks
for the first and last time. `with_pandas()` wakes it up again where frames are wanted.

This leans on one private name of pyarrow. If a release renames it, everything still works, only slower, and
`tests/utils/test_arrow.py` says so.
"""

import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from math import isnan
from types import ModuleType
from typing import Any

import pyarrow as pa

__all__ = ["compute", "has_nan", "pa", "with_pandas"]

_FEW = 32


class _NoPandas(MetaPathFinder):
    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "pandas" and threading.get_ident() == self._thread:
            raise ModuleNotFoundError("pandas is not needed here", name="pandas")
        return None


def _ask_without_pandas() -> None:
    if "pandas" in sys.modules:
        return  # already paid for
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.lib._pandas_api.have_pandas  # noqa: B018 - the question itself is what we want
        pa.array([1])
    except AttributeError:
        pass  # the private name is gone: pyarrow falls back to importing pandas when it feels like it
    finally:
        sys.meta_path.remove(finder)


_ask_without_pandas()

from pyarrow import compute  # noqa: E402 - after the question, or it would import pandas


def has_nan(floats: "pa.Array") -> bool:
    """Whether NaN is among some floats."""
    if len(floats) <= _FEW:  # a kernel takes ten times as long to be called
        return any(one is not None and isnan(one) for one in floats.to_pylist())
    return bool(compute.is_nan(floats).true_count)


def with_pandas() -> Any:
    """The pandas module, with pyarrow told that it is there (else `pa.array(Series)` keeps NaN as a value)."""
    import pandas as pd

    api = getattr(pa.lib, "_pandas_api", None)
    if api is not None:
        api.pd  # noqa: B018 - reading it makes pyarrow look again
    return pd
