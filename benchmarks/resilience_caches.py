"""Our disk cache beside diskcache with its own pickle, turn by turn in one process, and a bare row of SQLite."""

import hashlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import diskcache
import orjson

from benchmarks.loops import Table, Value, loop, nanoseconds
from utils.cache import DiskCache

if TYPE_CHECKING:
    import pandas as pd

LIMIT = 4 * 2**30
DOCUMENT: dict[str, Any] = {
    "id": "ds-1",
    "provider": "acme",
    "tags": ["a", "b"],
    "rows": [{"k": number, "v": number * 1.5, "name": f"row number {number}"} for number in range(24)],
}
"""1 KB of JSON."""


def small(folder: Path, seconds: float) -> Table:
    """Microseconds to look up and to store 1 KB, as a JSON document and as bytes. Ours checks a SHA-256 each time."""
    raw = orjson.dumps(DOCUMENT)
    with TemporaryDirectory(dir=folder) as place, diskcache.Cache(f"{place}/diskcache") as theirs:
        ours = DiskCache(Path(place) / "ours", size_limit=LIMIT)
        floor = _Row(f"{place}/floor.db")
        for number in range(200):  # not alone in there
            ours.set(f"other{number}", DOCUMENT, ttl=3600)
            theirs.set(f"other{number}", DOCUMENT, expire=3600)
        stores: dict[str, dict[str, Callable[[], object]]] = {
            "cache_set_1kb_us": {
                "ours": lambda: ours.set("json", DOCUMENT, ttl=3600),
                "diskcache": lambda: theirs.set("json", DOCUMENT, expire=3600),
                "floor": lambda: floor.set("json", DOCUMENT),
            },
            "cache_set_1kb_bytes_us": {
                "ours": lambda: ours.set("bytes", raw, ttl=3600),
                "diskcache": lambda: theirs.set("bytes", raw, expire=3600),
            },
        }
        lookups: dict[str, dict[str, Callable[[], object]]] = {
            "cache_hit_1kb_us": {
                "ours": lambda: ours.get("json"),
                "diskcache": lambda: theirs.get("json"),
                "floor": lambda: floor.get("json"),
            },
            "cache_hit_1kb_bytes_us": {"ours": lambda: ours.get("bytes"), "diskcache": lambda: theirs.get("bytes")},
        }
        told = {figure: microseconds(functions, seconds) for figure, functions in stores.items()}
        found = ours.get("json")
        if found is None or not found.value == theirs.get("json") == floor.get("json") == DOCUMENT:
            raise RuntimeError("a cache did not keep the document")
        told |= {figure: microseconds(functions, seconds) for figure, functions in lookups.items()}
        ours.close()
        floor.close()
    return told


def frame(folder: Path, seconds: float) -> Table:
    """A frame of 50 MB (5 when `seconds` are few): bytes stored, milliseconds to store it and to have it back.

    `frame_*` begins and ends with a pandas frame; `table_*` is the Arrow table that travels down our line. pandas gives
    texts 32-bit offsets at first and 64-bit ones once it was pickled: `table_stored_mb` is of the first kind.
    """
    from utils.arrow import pa

    made = make_frame(50 if seconds >= 0.01 else 5)
    table = pa.Table.from_pandas(made, preserve_index=False)
    with TemporaryDirectory(dir=folder) as place, diskcache.Cache(f"{place}/diskcache", size_limit=LIMIT) as theirs:
        ours = DiskCache(Path(place) / "ours", size_limit=LIMIT)

        def ours_back() -> Any:
            hit = ours.get("frame")
            assert hit is not None
            return hit.value

        steps: dict[tuple[str, str], Callable[[], object]] = {
            ("table_set_ms", "ours"): lambda: ours.set("frame", table, ttl=3600),
            ("frame_set_ms", "ours"): lambda: ours.set(
                "frame", pa.Table.from_pandas(made, preserve_index=False), ttl=3600
            ),
            ("frame_set_ms", "diskcache"): lambda: theirs.set("frame", made, expire=3600),
            ("table_get_ms", "ours"): ours_back,
            ("frame_get_ms", "ours"): lambda: ours_back().to_pandas(),
            ("frame_get_ms", "diskcache"): lambda: theirs.get("frame"),
        }
        ours.set("frame", table, ttl=3600)
        told: Table = {"table_stored_mb": {"ours": _stored(Path(place) / "ours") / 1e6}}
        least = dict.fromkeys(steps, float("inf"))
        for _ in range(3):
            for step, function in steps.items():
                began = time.perf_counter()
                function()
                least[step] = min(least[step], (time.perf_counter() - began) * 1000)
        if not ours_back().to_pandas().equals(made) or not theirs.get("frame").equals(made):
            raise RuntimeError("a cache did not keep the frame")
        told["frame_stored_mb"] = {name: _stored(Path(place) / name) / 1e6 for name in ("ours", "diskcache")}
        ours.close()
    for (figure, name), value in least.items():
        told.setdefault(figure, {})[name] = value
    return told


def make_frame(megabytes: int) -> "pd.DataFrame":
    """A moment, three numbers and two texts a row; the same every time."""
    import numpy as np
    import pandas as pd

    count, random = megabytes * 1_000_000 // 52, np.random.default_rng(1)
    return pd.DataFrame(
        {
            "at": pd.date_range("2024-01-01", periods=count, freq="s"),
            "value": random.normal(size=count),
            "count": random.integers(0, 1000, count),
            "share": random.random(count).round(3),
            "category": random.choice(["alpha", "beta", "gamma", "delta"], count),
            "name": [f"item-{number % 5000}" for number in range(count)],
        }
    )


class _Row:
    """The least that keeps the promise: one row, JSON, its SHA-256 before it."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("CREATE TABLE kept (key TEXT PRIMARY KEY, expires REAL, value BLOB) WITHOUT ROWID")

    def set(self, key: str, value: Any) -> None:
        payload = orjson.dumps(value)
        row = (key, time.time() + 3600, hashlib.sha256(payload).digest() + payload)
        self._connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", row)

    def get(self, key: str) -> Any:
        query = "SELECT value FROM kept WHERE key = ? AND expires > ?"
        (value,) = self._connection.execute(query, (key, time.time())).fetchone()
        if value[:32] != hashlib.sha256(value[32:]).digest():
            raise RuntimeError("the value is damaged")
        return orjson.loads(value[32:])

    def close(self) -> None:
        self._connection.close()


def microseconds(functions: dict[str, Callable[[], object]], seconds: float) -> dict[str, Value]:
    """What one call of each takes."""
    taken = nanoseconds({name: loop(function) for name, function in functions.items()}, 2 * seconds)
    return {name: value / 1000 for name, value in taken.items()}


def _stored(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
