"""Joint window kNN: several metrics of one subject at once, against the stretches of the history most like them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipeline.detect.neighbourhood import Singles, nearest
from data_pipeline.detect.robust import Floats
from data_pipeline.detect.windows import Windows


class JointReferences(NamedTuple):
    width: int
    many: int
    rows: Singles

    def raw(self, table: Floats, *, hindsight: bool) -> Floats:
        """Mean distance of a moment's windows to their nearest neighbours; `table` has shape (n, metrics)."""
        windows = Windows(table, int(self.width), hindsight=hindsight)
        return windows.judge(lambda rows: nearest(rows, self.rows, int(self.many))[0].mean(axis=1))


@dataclass(frozen=True, slots=True)
class JointNeighbours:
    """Windows of `width` moments, all metrics side by side; catches metrics that no longer go together."""

    width: int = 10
    many: int = 5
    references: int = 1000

    kind = JointReferences

    def learn(self, table: Floats) -> JointReferences:
        width = max(1, min(self.width, len(table) // 4))
        rows = Windows(table, width, hindsight=True).sample(self.references)
        return JointReferences(width, self.many, rows.astype(np.float32))
