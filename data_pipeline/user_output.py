"""What a user's function prints goes to standard error: standard output may be carrying a result as JSON."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_threads: dict[int, int] = {}
"""Thread -> how often it stands inside `to_standard_error`."""


class _Divided:
    """Standard output that threads which run a user's function see as standard error; all others as it is."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr if threading.get_ident() in _threads else self.stream, name)


@contextmanager
def to_standard_error() -> Iterator[None]:
    """For the current thread. Threads that the function starts itself still write to standard output."""
    me = threading.get_ident()
    with _lock:
        _threads[me] = _threads.get(me, 0) + 1
        if not isinstance(sys.stdout, _Divided):
            sys.stdout = _Divided(sys.stdout)
    try:
        yield
    finally:
        with _lock:
            _threads[me] -= 1
            if not _threads[me]:
                del _threads[me]
            if not _threads and isinstance(sys.stdout, _Divided):
                sys.stdout = sys.stdout.stream
