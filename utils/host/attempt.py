"""One figure that may not be to be had here."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["attempt", "lines", "psutil_or_none"]

T = TypeVar("T")


def attempt(read: Callable[[], T]) -> T | None:
    """What `read` gives; None when it raises, whatever it raises."""
    # psutil raises its own errors, OSError, RuntimeError, or AttributeError where a platform lacks a function (and
    # where psutil itself is missing): whatever it is, this one figure is not to be had, and the others are.
    try:
        return read()
    except Exception:  # noqa: BLE001 - see above
        return None


def lines(path: Path) -> list[str]:
    """The lines of a small file of the kernel's; none where it is not to be had."""
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def psutil_or_none() -> Any:
    """psutil, where it is installed."""
    with contextlib.suppress(ImportError):
        import psutil

        return psutil
    return None
