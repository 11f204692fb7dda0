"""Where every thread of this process is right now: bounded, and without secrets."""

import linecache
import sys
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import FrameType
from typing import Any

__all__ = ["ThreadStack", "all_stacks", "seems_to_wait_for_a_lock"]

_LONGEST_LINE = 200
_LONGEST_FILE = 100


@dataclass(frozen=True, slots=True)
class ThreadStack:
    """One thread. `frames`: `file:line in function: source`, the outermost first; never the values of variables."""

    thread: str
    ident: int
    frames: tuple[str, ...]
    waits: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"thread": self.thread, "frames": list(self.frames)}


def all_stacks(
    redacted: Callable[[str], str] = str,
    *,
    first: Collection[int] = (),
    frames: int = 30,
    characters: int = 60_000,
) -> tuple[ThreadStack, ...]:
    """The stacks of all threads but the calling one; of very many, those that fit into an event.

    Args:
        redacted: Takes secrets out of a text: a line of source may hold one.
        first: Thread idents that come first, so that the limit does not take them.
        frames: How many frames of each at most; the outermost are left out.
        characters: Of all frames together, about; a pool of fifty idle threads is no reason for a large event.
    """
    own = threading.get_ident()
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    running = {ident: frame for ident, frame in sys._current_frames().items() if ident != own}
    found: list[ThreadStack] = []
    for ident in sorted(running, key=lambda ident: ident not in first):
        if characters <= 0:
            break
        frame, name = running[ident], names.get(ident, f"thread {ident}")
        lines = _lines(frame, frames, redacted)
        characters -= sum(map(len, lines))
        found.append(ThreadStack(name, ident, lines, seems_to_wait_for_a_lock(frame)))
    return tuple(found)


def seems_to_wait_for_a_lock(frame: FrameType) -> bool:
    """Whether the line it is at takes a lock. A guess: `lock.acquire` is C and has no frame of its own."""
    code = frame.f_code
    if code.co_filename == threading.__file__:
        return True
    line = linecache.getline(code.co_filename, frame.f_lineno).strip()
    return ".acquire(" in line or line.startswith("with ")


def _lines(frame: FrameType, most: int, redacted: Callable[[str], str]) -> tuple[str, ...]:
    found: list[str] = []
    here: FrameType | None = frame
    while here is not None and len(found) < most:
        code = here.f_code
        source = linecache.getline(code.co_filename, here.f_lineno).strip()
        file = code.co_filename
        file = file if len(file) <= _LONGEST_FILE else "…" + file[1 - _LONGEST_FILE :]
        line = f"{file}:{here.f_lineno} in {code.co_qualname}" + (f": {source}" if source else "")
        found.append(redacted(line)[:_LONGEST_LINE])
        here = here.f_back
    if here is not None:
        found.append("…")
    return tuple(reversed(found))
