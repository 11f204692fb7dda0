"""The contract of an algorithm: from a view of a history to what was learned, from that to raw strangeness."""

from typing import Any, Protocol

from data_pipeline.detect.robust import Floats
from data_pipeline.detect.view import View


class Learned(Protocol):
    """What an algorithm learned: a NamedTuple of arrays and numbers, so that npz and JSON can hold it."""

    def raw(self, view: View) -> Floats:
        """Strangeness of each point of `view`, shape (n,), finite, 0 and more, higher is stranger; no fixed unit.

        Without `view.hindsight` the figure of a point depends on that point and those before it alone.
        """
        ...

    def _asdict(self) -> dict[str, Any]: ...


class Algorithm(Protocol):
    """Settings of one algorithm; a frozen dataclass."""

    @property
    def kind(self) -> type[Learned]:
        """Of what `learn` gives, to read it back from a state."""
        ...

    def learn(self, history: View) -> Learned:
        """Learn what is usual from a history of one point or more."""
        ...
