"""Window kNN: how far the stretch round a point is from the most similar stretches of the history."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from data_pipeline.detect.neighbourhood import Singles, nearest
from data_pipeline.detect.robust import Floats
from data_pipeline.detect.view import View
from data_pipeline.detect.windows import Windows, width_for

Of = Literal["level", "rest"]


class References(NamedTuple):
    of_rest: bool
    width: int
    many: int
    rows: Singles

    def raw(self, view: View) -> Floats:
        """Mean distance of a point's windows to their nearest neighbours, in sigmas times the root of the width."""
        windows = Windows(
            view.rest if self.of_rest else view.level, int(self.width), hindsight=view.hindsight, last=view.last
        )
        return windows.judge(lambda rows: nearest(rows, self.rows, int(self.many))[0].mean(axis=1))


@dataclass(frozen=True, slots=True)
class WindowNeighbours:
    """Windows are compared as they are, not normalised: a wrong level is strange, too.

    Args:
        width: Points of a window; `None`: a fortieth of the history, 10 to 400.
        many: Neighbours whose distances are averaged.
        of: `level` keeps the season in the windows, `rest` takes it off first.
        references: Windows of the history that are kept.
    """

    width: int | None = 10
    many: int = 5
    of: Of = "level"
    references: int = 1000

    kind = References

    def learn(self, history: View) -> References:
        n = len(history.level)
        width = width_for(min(max(10, n // 40), 400) if self.width is None else self.width, n)
        values = history.rest if self.of == "rest" else history.level
        rows = Windows(values, width, hindsight=True).sample(self.references)
        return References(self.of == "rest", width, self.many, rows.astype(np.float32))
