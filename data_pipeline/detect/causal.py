"""A series judged from the past alone, point after point: learned again as it grows, alarms by episode."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_pipeline.detect.alarm import alarms
from data_pipeline.detect.algorithms.joint_distance import JointDistance
from data_pipeline.detect.algorithms.joint_neighbours import JointNeighbours
from data_pipeline.detect.algorithms.residual import SeasonalResidual
from data_pipeline.detect.detector import Series
from data_pipeline.detect.ensemble import CONTEXT, MEMBERS, fuse, learn, on_scale_of
from data_pipeline.detect.fitted import with_sharp
from data_pipeline.detect.median import MedianDetector
from data_pipeline.detect.robust import MINIMUM_POINTS, Floats
from data_pipeline.detect.view import Profile

_MEMORY = 10_000  # newest points learned from
_NEWEST = 4_000  # of them, those that members are put on one scale by
_GROWTH = 1.3  # learned again after so much growth
_MEDIAN_WINDOW = 1_000
_MEDIAN_GROWTH = 1.15
_CLIP = 15.0
_STRANGEST = 3

Judge = Callable[[Floats, Sequence[Floats]], Floats]


class Judged(NamedTuple):
    """What the past said about each point; shapes (n,)."""

    figure: Floats  # fused z, -3 to 8
    alarm: NDArray[np.bool_]  # an episode is open
    onset: NDArray[np.bool_]  # the point that says so, and stands for its episode


def judge_causally(times: Floats, columns: Sequence[Floats]) -> Judged:
    """Judge each point by those before it; `columns` are finite, each of shape (n,), `times` rise."""
    n = len(times)
    figure = np.full(n, -1.0)
    start = min(MINIMUM_POINTS, n)
    again = _again_for_one if len(columns) == 1 else _again_for_several
    # The grid depends on positions alone, so a prefix of the series is judged exactly as the series is.
    for first, behind in _grid(start, n, _GROWTH):
        past, seen = slice(max(0, first - _MEMORY), first), slice(max(0, first - CONTEXT), behind)
        judge = again(times[past], [column[past] for column in columns])
        figure[first:behind] = judge(times[seen], [column[seen] for column in columns])[first - behind :]
    if len(columns) == 1:
        # The point-sharp member: windows smear an incident over the points after it.
        figure[start:] = with_sharp(figure, _median_ratio(times, columns[0]))[start:]
    found = alarms(figure)
    return Judged(figure, found.open, found.onset)


def _grid(start: int, n: int, growth: float) -> list[tuple[int, int]]:
    found = []
    while start < n:
        behind = min(n, max(start + 8, int(start * growth)))
        found.append((start, behind))
        start = behind
    return found


def _again_for_one(times: Floats, columns: Sequence[Floats]) -> Judge:
    profile = Profile.of(times, columns[0], growing=True)
    members, _ = learn(MEMBERS, profile.view(times, columns[0]), newest=_NEWEST)

    def judge(new_times: Floats, new: Sequence[Floats]) -> Floats:
        view = profile.view(new_times, new[0])
        return fuse(np.stack([member.z(member.learned.raw(view), alone=False) for member in members]), 1.0)

    return judge


def _again_for_several(times: Floats, columns: Sequence[Floats]) -> Judge:
    profiles = [Profile.of(times, column) for column in columns]
    usual = [SeasonalResidual().learn(p.view(times, column)) for p, column in zip(profiles, columns, strict=True)]
    distance, neighbours = JointDistance(), JointNeighbours()

    def tables(at: Floats, values: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
        views = [profile.view(at, column) for profile, column in zip(profiles, values, strict=True)]
        alone = np.stack([one.raw(view) for one, view in zip(usual, views, strict=True)])
        strangest = np.sort(alone, axis=0)[-_STRANGEST:].mean(axis=0)
        levels = np.clip(np.stack([view.level for view in views], axis=1), -_CLIP, _CLIP)
        rests = np.clip(np.stack([view.rest for view in views], axis=1), -_CLIP, _CLIP)
        return strangest, levels, rests

    strangest, levels, rests = tables(times, columns)
    even = np.maximum(levels.std(axis=0), 1.0)
    like_levels, like_rests, together = neighbours.learn(levels / even), neighbours.learn(rests), distance.learn(levels)

    def raws(strangest: Floats, levels: Floats, rests: Floats) -> list[Floats]:
        return [
            strangest,
            like_levels.raw(levels / even, hindsight=False),
            like_rests.raw(rests, hindsight=False),
            together.raw(levels, hindsight=False),
        ]

    newest = slice(-_NEWEST, None)
    scales = raws(strangest[newest], levels[newest], rests[newest])

    def judge(new_times: Floats, new: Sequence[Floats]) -> Floats:
        figures = raws(*tables(new_times, new))
        return fuse(np.stack([on_scale_of(known, raw) for known, raw in zip(scales, figures, strict=True)]), 1.0)

    return judge


def _median_ratio(times: Floats, values: Floats) -> Floats:
    detector = MedianDetector(window=_MEDIAN_WINDOW)
    scores = np.zeros(len(values))
    for first, behind in _grid(MINIMUM_POINTS - 1, len(values), _MEDIAN_GROWTH):
        past, now = slice(max(0, first - 2 * _MEMORY), first), slice(first, behind)
        model = detector.fit(Series("", "", times[past], values[past]))
        scores[now] = np.nan_to_num(model.score(Series("", "", times[now], values[now])))
    ratio: Floats = scores / (1.0 - np.minimum(scores, 0.9999))
    return ratio
