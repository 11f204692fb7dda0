"""Window LOF (Breunig et al., "LOF: Identifying Density-Based Local Outliers", SIGMOD 2000), for novelty."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipeline.detect.neighbourhood import Singles, nearest
from data_pipeline.detect.robust import Floats, Ints
from data_pipeline.detect.view import View
from data_pipeline.detect.windows import Windows, width_for

_CLIP = 50.0  # a window beside many equal ones is not infinitely strange
_LEAST = 1e-2  # least distance, in sigmas: equal windows are not infinitely dense


class Densities(NamedTuple):
    width: int
    many: int
    rows: Singles
    reach: Floats  # of each row: distance of its last neighbour
    density: Floats  # of each row: local reachability density

    def raw(self, view: View) -> Floats:
        """How many times sparser the surroundings of a point's windows are than those of their neighbours."""
        return Windows(view.level, int(self.width), hindsight=view.hindsight, last=view.last).judge(self._sparse)

    def _sparse(self, rows: Floats) -> Floats:
        distances, who = nearest(rows, self.rows, int(self.many))
        sparse: Floats = self.density[who].mean(axis=1) / _density(distances, who, self.reach)
        return np.minimum(sparse, _CLIP)


@dataclass(frozen=True, slots=True)
class WindowLof:
    """LOF of windows of `width` points, with `many` neighbours among `references` windows of the history."""

    width: int = 10
    many: int = 30
    references: int = 1000

    kind = Densities

    def learn(self, history: View) -> Densities:
        width = width_for(self.width, len(history.level))
        rows = Windows(history.level, width, hindsight=True).sample(self.references).astype(np.float32)
        distances, who = nearest(rows.astype(np.float64), rows, self.many)
        reach = np.maximum(distances[:, -1], _LEAST)
        return Densities(width, self.many, rows, reach, _density(distances, who, reach))


def _density(distances: Floats, who: Ints, reach: Floats) -> Floats:
    density: Floats = 1.0 / np.maximum(np.maximum(distances, reach[who]).mean(axis=1), _LEAST)
    return density
