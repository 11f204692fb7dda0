"""How a collection went: the waits for limits and places, the attempts that failed, the pauses before the next one."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

__all__ = ["MOST", "Course", "Kind", "Step"]

Kind = Literal["rate_limit", "bulkhead", "failed", "pause"]

MOST = 40
"""Steps that are told of one dataset's turn; of more only the number and the seconds."""

SHORTEST_S = 0.001
"""A wait that is shorter is none."""

WORDS = 160


class Step(NamedTuple):
    """One of them. `at`: seconds after the turn began; `seconds`: how long it took; `words`: why an attempt failed."""

    kind: Kind
    at: float
    seconds: float
    words: str = ""


class Course:
    """Takes note of what does not go by itself. What does, is not in it, and costs nothing. For any thread.

    Args:
        monotonic: Of the clock, in seconds.
        began: When the dataset's turn began, by the same clock.
    """

    __slots__ = ("_began", "_left_out", "_left_out_s", "_steps", "monotonic")

    def __init__(self, monotonic: Callable[[], float], began: float) -> None:
        self.monotonic = monotonic
        self._began = began
        self._steps: list[Step] = []
        self._left_out = 0
        self._left_out_s = 0.0

    def add(self, kind: Kind, began: float, seconds: float, words: str = "") -> None:
        """Something began at a moment of `monotonic` and took so long."""
        if len(self._steps) >= MOST:
            self._left_out += 1
            self._left_out_s += seconds
        else:
            self._steps.append(Step(kind, began - self._began, seconds, words))

    def waited(self, kind: Literal["rate_limit", "bulkhead"], seconds: float) -> None:
        """A wait is over now."""
        if seconds >= SHORTEST_S:
            self.add(kind, self.monotonic() - seconds, seconds)

    def pauses(self, seconds: float) -> None:
        """A pause before the next attempt begins now."""
        self.add("pause", self.monotonic(), seconds)

    def failed(self, began: float, error: BaseException) -> None:
        """An attempt that began then has failed now."""
        self.add("failed", began, self.monotonic() - began, str(error) or type(error).__name__)

    def to_json(self, redacted: Callable[[str], str]) -> dict[str, Any]:
        """For the event of the dataset run; {}: there is nothing to tell."""
        if not self._steps:
            return {}
        steps = [[kind, round(at, 3), round(s, 3), redacted(words)[:WORDS]] for kind, at, s, words in self._steps]
        told: dict[str, Any] = {"steps": steps}
        if self._left_out:
            told |= {"left_out": self._left_out, "left_out_s": round(self._left_out_s, 3)}
        return {"course": told}
