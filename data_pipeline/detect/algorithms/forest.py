"""Isolation forest on features (Liu, Ting & Zhou, "Isolation Forest", ICDM 2008), as plain arrays.

Every tree is a full one of the same depth, so that all of them grow and judge together, and the
state is four arrays that no library version can break.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipeline.detect.features import features
from data_pipeline.detect.robust import Floats, Ints
from data_pipeline.detect.view import View

_ROWS = 8192  # judged at a time
_EULER = 0.5772156649
_BEYOND = 1e300  # where a node does not split; infinity is no JSON


class Forest(NamedTuple):
    feature: Ints  # (trees, nodes): which feature a node asks for
    threshold: Floats  # (trees, nodes): larger values go right
    path: Floats  # (trees, leaves): expected number of questions until a point there is alone
    usual: float  # the same for an ordinary point

    def raw(self, view: View) -> Floats:
        """Shape (n,), 0..1: near 1 is alone after few questions, 0.5 and less is ordinary."""
        return self.judge(features(view))

    def judge(self, rows: Floats) -> Floats:
        """The same for rows (n, d)."""
        trees, leaves = self.path.shape
        depth = leaves.bit_length() - 1
        out = np.empty(len(rows))
        for start in range(0, len(rows), _ROWS):
            columns = np.ascontiguousarray(rows[start : start + _ROWS].T)
            n = columns.shape[1]
            flat, lane, total = columns.ravel(), np.arange(n), np.zeros(n)
            for tree in range(trees):
                offset, threshold, node = self.feature[tree] * n, self.threshold[tree], np.zeros(n, np.intp)
                for _ in range(depth):
                    node = 2 * node + 1 + (flat[offset[node] + lane] > threshold[node])
                total += self.path[tree][node - (leaves - 1)]
            out[start : start + n] = 2.0 ** (-total / (trees * self.usual))
        return out


@dataclass(frozen=True, slots=True)
class ResidualForest:
    """`trees` trees of `sample` points each; under 512 points the trees are smaller."""

    trees: int = 60
    sample: int = 256
    seed: int = 0

    kind = Forest

    def learn(self, history: View) -> Forest:
        return grow(features(history), self.trees, self.sample, self.seed)


def grow(rows: Floats, trees: int, sample: int, seed: int) -> Forest:
    """A forest on `rows` (n, d)."""
    random = np.random.default_rng(seed)
    n, width = rows.shape
    size = max(2, min(sample, n if n < 64 else max(64, n // 2)))
    depth = max(1, math.ceil(math.log2(size)))
    points = rows[random.integers(0, n, (trees, size))].reshape(-1, width)
    tree = np.repeat(np.arange(trees), size)
    lane = np.arange(len(points))
    nodes = 2**depth - 1
    feature, threshold = np.zeros((trees, nodes), np.intp), np.full((trees, nodes), _BEYOND)
    node = np.zeros(len(points), np.intp)
    for level in range(depth):
        first, many = 2**level - 1, 2**level
        asked = random.integers(0, width, (trees, many))
        place = tree * many + node - first
        value = points[lane, asked.ravel()[place]]
        low, high = np.full(trees * many, np.inf), np.full(trees * many, -np.inf)
        np.minimum.at(low, place, value)
        np.maximum.at(high, place, value)
        splits = high > low
        cut = np.full(trees * many, _BEYOND)
        cut[splits] = low[splits] + random.random(int(splits.sum())) * (high[splits] - low[splits])
        feature[:, first : first + many], threshold[:, first : first + many] = asked, cut.reshape(trees, many)
        node = 2 * node + 1 + (value > cut[place])
    leaf = np.zeros((trees, nodes + 1))
    np.add.at(leaf, (tree, node - nodes), 1.0)
    return Forest(feature, threshold, _paths(leaf, depth), float(_expected(np.array([size]))[0]))


def _paths(leaf: Floats, depth: int) -> Floats:
    """Questions asked until a point stood alone, with what was saved by stopping at `depth` added."""
    path = np.full(leaf.shape, np.nan)
    for level in range(depth + 1):
        together = leaf.reshape(len(leaf), 2**level, -1).sum(axis=2)
        here = np.repeat(together, 2 ** (depth - level), axis=1)
        done = np.isnan(path) & ((here <= 1.0) | (level == depth))
        path[done] = level + _expected(here[done])
    return path


def _expected(points: Floats | Ints) -> Floats:
    """Mean depth of an unsuccessful search among so many points."""
    many = np.maximum(points, 2).astype(np.float64)
    depth = 2.0 * (np.log(np.maximum(many - 1.0, 1.0)) + _EULER) - 2.0 * (many - 1.0) / many
    return np.where(points > 2, depth, np.where(points == 2, 1.0, 0.0))
