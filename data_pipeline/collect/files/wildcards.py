"""Patterns over names with slashes: `*`, `?`, `[…]` inside a folder, `**` over any number of folders."""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import cached_property

__all__ = ["Pattern", "escaped", "has_magic", "split_members"]

_MAGIC = re.compile(r"[*?[]")


def has_magic(text: str) -> bool:
    return _MAGIC.search(text) is not None


def escaped(text: str) -> str:
    """`text` as a pattern that means only itself.

    >>> escaped("a*b[1]")
    'a[*]b[[]1]'
    """
    return _MAGIC.sub(r"[\g<0>]", text)


def split_members(path: str) -> tuple[str, str | None]:
    """A path, and the pattern of members behind `.zip!`, if there is one.

    >>> split_members("in/*.zip!**/*.csv")
    ('in/*.zip', '**/*.csv')
    """
    spot = path.lower().find(".zip!")
    return (path, None) if spot < 0 else (path[: spot + 4], path[spot + 5 :])


class Pattern:
    """A pattern that is walked name by name, so that only folders which can lead to a match are looked into.

    As in a shell, a name that begins with a dot is matched only by a pattern that begins with one.

    >>> Pattern("dt=*/**/*.csv").matches("dt=1/a/b/x.csv")
    True
    """

    def __init__(self, pattern: str) -> None:
        self._steps = tuple(None if step == "**" else re.compile(translate(step)) for step in pattern.split("/"))
        self._dotted = tuple(step.startswith(".") for step in pattern.split("/"))

    @cached_property
    def start(self) -> frozenset[int]:
        return self._with_skipped({0})

    def after(self, positions: Iterable[int], name: str) -> frozenset[int]:
        """Where in the pattern one stands behind this name; empty: nothing below it can match."""
        hidden = name.startswith(".")
        found = set()
        for position in positions:
            if position == len(self._steps):
                continue
            step = self._steps[position]
            if hidden and not self._dotted[position]:
                continue
            if step is None:
                found.add(position)
            elif step.match(name):
                found.add(position + 1)
        return self._with_skipped(found)

    def is_end(self, positions: frozenset[int]) -> bool:
        return len(self._steps) in positions

    def leads_on(self, positions: frozenset[int]) -> bool:
        return any(position < len(self._steps) for position in positions)

    def matches(self, path: str) -> bool:
        positions = self.start
        for name in path.split("/"):
            positions = self.after(positions, name)
        return self.is_end(positions)

    def _with_skipped(self, positions: set[int]) -> frozenset[int]:
        """`**` may stand for no folder at all."""
        for position in range(len(self._steps)):
            if position in positions and self._steps[position] is None:
                positions.add(position + 1)
        return frozenset(positions)
