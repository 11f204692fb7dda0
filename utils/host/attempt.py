"""One figure that may not be to be had here."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["attempt", "lines", "psutil_or_none"]

T = TypeVar("T")

_MOST_BYTES = 65_536


def attempt(read: Callable[[], T]) -> T | None:
    """What `read` gives; None when it raises, whatever it raises."""
    # psutil raises its own errors, OSError, RuntimeError, or AttributeError where a platform lacks a function (and
    # where psutil itself is missing): whatever it is, this one figure is not to be had, and the others are.
    try:
        return read()
    except Exception:  # noqa: BLE001 - see above
        return None


def lines(path: Path) -> list[str]:
    """The lines of a small file of the kernel's (64 KB at most); none where it is not to be had."""
    # A dozen of them are read for each sample, and a file object costs three times what is in them.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        return os.read(descriptor, _MOST_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return []
    finally:
        os.close(descriptor)


def psutil_or_none() -> Any:
    """psutil, where it is installed."""
    with contextlib.suppress(ImportError):
        import psutil

        return psutil
    return None
