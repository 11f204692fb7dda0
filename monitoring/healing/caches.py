"""Empties caches, and gives back memory that is held for nothing."""

import ctypes
import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from monitoring.healing.treatment import Request, Treated

__all__ = ["Cached", "Caches", "Holds", "collect_garbage"]

Holds = Literal["memory", "disk"]
"""Where a cache keeps what it has."""

_EMPTY = ("clear", "cache_clear")


@dataclass(frozen=True, slots=True)
class Cached:
    """A cache: how it drops what has expired (None: it cannot), and how everything."""

    holds: Holds
    purge: Callable[[], object] | None
    empty: Callable[[], object]


class Caches:
    """The caches that were registered."""

    def __init__(self) -> None:
        self._caches: dict[str, Cached] = {}

    def register(self, name: str, cache: Any, *, holds: Holds) -> None:
        """A cache with `clear` (a dict, ours) or `cache_clear` (`functools`), or a function that empties one.

        Raises:
            TypeError: it is none of these.
        """
        empty = next((found for one in _EMPTY if callable(found := getattr(cache, one, None))), None)
        if empty is None and callable(cache):
            empty = cache
        if empty is None:
            raise TypeError(
                f"{name}: a {type(cache).__name__} has neither `clear` nor `cache_clear`, nor can be called"
            )
        purge = getattr(cache, "purge", None)
        self._caches[name] = Cached(holds, purge if callable(purge) else None, empty)

    def treat(self, request: Request) -> Treated:
        """Drop what has expired; all of it when it is critical, or somebody asked for it by hand.

        What cannot tell what has expired is emptied only then.
        """
        wanted = request.trouble if request.trouble in {"memory", "disk"} else None
        everything = request.critical or request.trouble is None
        names, count, freed = [], 0, 0
        for name, cache in self._caches.items():
            drop = cache.empty if everything else cache.purge
            if drop is None or wanted not in {None, cache.holds}:
                continue
            names.append(name)
            if not request.dry_run:
                found = drop()
                entries = getattr(found, "entries", found)
                count += entries if isinstance(entries, int) and not isinstance(entries, bool) else 0
                freed += getattr(found, "bytes", 0)
        did = "would be emptied" if request.dry_run else "emptied"
        if not everything:
            did = "would be rid of what has expired" if request.dry_run else "rid of what has expired"
        return Treated(count, freed, f"{', '.join(names)}: {did}" if names else "there is no cache to empty")


def collect_garbage(request: Request) -> Treated:
    """Collect what nothing refers to, and hand free memory back to the system, also that of Arrow if it is loaded."""
    if request.dry_run:
        return Treated(detail="objects that nothing refers to would be collected")
    count = gc.collect()
    if (arrow := sys.modules.get("pyarrow")) is not None:
        arrow.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # the allocator of glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)
    return Treated(count, detail="objects that nothing refered to collected")
