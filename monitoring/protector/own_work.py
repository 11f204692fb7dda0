"""What the protector may ask of the program that it is part of: to make room, and to begin nothing more for a while."""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["NoWork", "OwnWork"]


class OwnWork(Protocol):
    """The work of this program, as far as it can be held back. What it does it tells in events of its own."""

    def shed(self, *, dry_run: bool) -> bool:
        """Drop what can be had again from the disk; whether there was anything."""
        ...

    def pause(self, *, dry_run: bool) -> Sequence[str]:
        """Begin none of the datasets of low priority from now on; gives their names. Again: nothing changes."""
        ...

    def resume(self) -> None:
        """Let them begin again. What a person has paused stays so."""
        ...


class NoWork:
    """A program without anything to hold back."""

    def shed(self, *, dry_run: bool) -> bool:
        return False

    def pause(self, *, dry_run: bool) -> Sequence[str]:
        return ()

    def resume(self) -> None:
        """There is nothing."""
