"""Keep one instance a name."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Named(Generic[T]):
    """Instances of one pattern, each made when its name is first asked for. Thread-safe.

    Args:
        what: What they are, for the error: `breaker`.
        make: Makes one from its name and settings.
    """

    def __init__(self, what: str, make: Callable[..., T]) -> None:
        self._what = what
        self._make = make
        self._lock = threading.Lock()
        self._made: dict[str, tuple[Mapping[str, Any], T]] = {}

    def get(self, name: str, settings: Mapping[str, Any]) -> T:
        """The one of this name. Without settings: as it is; if there is none yet, with the defaults.

        Raises:
            ValueError: It was made with other settings, or cannot be made with these.
            TypeError: There is no such setting.
        """
        with self._lock:
            if name not in self._made:
                self._made[name] = settings, self._make(name, **settings)
            before, instance = self._made[name]
        if settings and settings != before:
            raise ValueError(
                f"{self._what} {name}: it was made with {_shown(before)}, now it is asked for with {_shown(settings)}; "
                "ask for it with the same settings or with none, or choose another name"
            )
        return instance

    def all(self) -> dict[str, T]:
        """By name, sorted."""
        with self._lock:
            return {name: instance for name, (_, instance) in sorted(self._made.items())}


def _shown(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in settings.items()) or "the defaults"
