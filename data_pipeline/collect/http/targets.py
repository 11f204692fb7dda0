"""Where a value goes in a request: `params.after`, `body.page.after`, `headers.X-Page`."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Target", "target"]

Place = Literal["params", "headers", "body"]
_PLACES: tuple[Place, ...] = ("params", "headers", "body")


@dataclass(frozen=True, slots=True)
class Target:
    """A place of a request, and the name there; in a body the names of all levels."""

    place: Place
    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((self.place, *self.path))


def target(text: str) -> Target:
    """A bare word is a query parameter.

    >>> target("body.page.after"), str(target("offset"))
    (Target(place='body', path=('page', 'after')), 'params.offset')

    Raises:
        ValueError: it names no such place.
    """
    head, dot, rest = text.partition(".")
    if not dot:
        head, rest = "params", text
    path = tuple(rest.split("."))
    for place in _PLACES:
        # Names of parameters and headers may hold dots themselves.
        if head == place and all(path):
            return Target(place, path if place == "body" else (rest,))
    raise ValueError(
        f"`{text}` is no place in a request; write it like params.after, body.page.after or headers.X-Page"
    )
