"""Try one way after the other, and say which one served."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Served(Generic[T]):
    """What came, and how.

    Args:
        value: The result of the first way that did not raise.
        index: Which way served: 0 the wanted one, 1 the first alternative, and so on.
        errors: Why those before it did not, in their order; as many as `index`.
    """

    value: T
    index: int
    errors: tuple[Exception, ...] = ()

    @property
    def error(self) -> Exception | None:
        """What went wrong with the wanted way; `None` when it served."""
        return self.errors[0] if self.errors else None


def with_fallback(wanted: Callable[[], T], *alternatives: Callable[[], T]) -> Served[T]:
    """The result of `wanted`, else of the first alternative that does not raise.

    Raises:
        Exception: That of `wanted` when every way failed, with a note for each alternative.
            A cancellation (`Cancelled`, Ctrl-C) ends it at once.

    >>> with_fallback(lambda: 1 / 0, lambda: 42.0).value
    42.0
    """
    errors: list[Exception] = []
    for index, way in enumerate((wanted, *alternatives)):
        try:
            return Served(way(), index, tuple(errors))
        except Exception as error:  # noqa: BLE001 - nothing is swallowed: it is in the result, or raised below
            errors.append(error)
    first = errors[0]
    for index, later in enumerate(errors[1:], start=1):
        first.add_note(f"fallback {index} failed too: {type(later).__name__}: {later}")
    raise first
