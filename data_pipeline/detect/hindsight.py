"""The whole series in hand: every point is judged by all others, by those after it as well."""

from collections.abc import Sequence

import numpy as np

from data_pipeline.detect.algorithms.joint_distance import JointDistance
from data_pipeline.detect.algorithms.joint_neighbours import JointNeighbours
from data_pipeline.detect.algorithms.residual import SeasonalResidual
from data_pipeline.detect.algorithms.window_neighbours import WindowNeighbours
from data_pipeline.detect.ensemble import fuse, learn, on_one_scale
from data_pipeline.detect.robust import Floats
from data_pipeline.detect.view import Profile, View

_SHORT = 3000  # points: with more, long windows pay
_SHORT_MEMBERS = ("window_neighbours", "window_neighbours_by_length", "window_lof", "seasonal_residual")
_LONG_MEMBERS = (
    "window_neighbours",
    "window_neighbours_20",
    "window_neighbours_200",
    "window_neighbours_by_length",
    "window_lof",
    "window_lof_32",
    "window_lof_100",
    "elliptic_envelope",
)
_LONG_SHARE = 0.45  # of the members' figures, the highest ones: in a long series few members see what is wrong
_LEAST_OPENING = 10  # points of ordinary history that are worth learning from alone
_STRANGEST = 3  # metrics that stand for all: an incident seldom shows in every one
_JOINT_SHARE = 0.5
_CLIP = 15.0


def judge_one(times: Floats, values: Floats, opening: int) -> Floats:
    """The ensemble's fused figure of each point, shape (n,).

    `values` are finite and in order of time, n >= 1; the first `opening` of them are ordinary history.
    """
    view = Profile.of(times, values).view(times, values, hindsight=True)
    if len(values) < _SHORT:
        return fuse(learn(_SHORT_MEMBERS, view)[1], 1.0)
    figures = learn(_LONG_MEMBERS, view)[1]
    if opening >= _LEAST_OPENING:
        novel = WindowNeighbours(200).learn(view.oldest(opening)).raw(view)
        figures = np.concatenate((figures, on_one_scale(novel)[None]))
    return fuse(figures, _LONG_SHARE)


def judge_several(times: Floats, columns: Sequence[Floats], opening: int) -> Floats:
    """The same for several metrics of one subject, each of shape (n,): alone, and how they go together."""
    views = [Profile.of(times, column).view(times, column, hindsight=True) for column in columns]
    levels, rests = _table([view.level for view in views]), _table([view.rest for view in views], even=False)
    alone = np.stack([on_one_scale(_residual(view)) for view in views])
    figures = [
        np.sort(alone, axis=0)[-_STRANGEST:].mean(axis=0),
        JointNeighbours().learn(levels).raw(levels, hindsight=True),
        JointNeighbours().learn(rests).raw(rests, hindsight=True),
    ]
    if opening >= _LEAST_OPENING:
        figures += [
            JointNeighbours(width).learn(table[:opening]).raw(table, hindsight=True)
            for width, table in ((10, levels), (50, levels), (10, rests))
        ]
        figures.append(JointDistance().learn(levels[:opening]).raw(levels, hindsight=True))
    return fuse(np.stack([on_one_scale(figure) for figure in figures]), _JOINT_SHARE)


def _table(columns: Sequence[Floats], *, even: bool = True) -> Floats:
    """Columns side by side; `even`: one that moves a lot at times weighs no more than the others."""
    table = np.clip(np.stack(columns, axis=1), -_CLIP, _CLIP)
    return table / np.maximum(table.std(axis=0), 1.0) if even else table


def _residual(view: View) -> Floats:
    return SeasonalResidual().learn(view).raw(view)
