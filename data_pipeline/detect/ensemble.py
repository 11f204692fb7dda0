"""The ensemble: diverse algorithms look at one metric, what they find is put on one scale and fused.

Each member's raw strangeness becomes a z of its own history, clipped so that none decides alone; the
mean of the members that find a point strangest is the ensemble's figure. Its tail over the history says
which figure `rate` points in 1,000 exceed: that is where a score of 0.5 lies. An ensemble of one member
is how a single algorithm fulfils the contract of `detector.Detector`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from data_pipeline.detect.algorithm import Learned
from data_pipeline.detect.detector import Series
from data_pipeline.detect.registry import algorithm
from data_pipeline.detect.robust import MINIMUM_POINTS, Floats, baseline, limit
from data_pipeline.detect.traits import to_scale
from data_pipeline.detect.view import Profile, View
from data_pipeline.detect.wall import UTC_WALL, Wall
from utils.point_order import in_order

CONTEXT = 600  # points before a point that any algorithm may look at
_NEWEST = 4000  # points of the history that members are put on one scale by
_LOWEST, _HIGHEST = -3.0, 8.0  # of a member's z
_YOUNG = 30.0  # points: with so many the limit is twice as far, as windows that overlap say the same again
_FURTHEST = 6.5  # a limit of the fused figure
_FEW = 10.0  # points: with twice as many the limit is all but out of reach, a slope may be the beginning of a season

# Chosen on labelled series judged from the past alone: level, stretch, features, residual, and a quick chart.
MEMBERS = (
    "window_neighbours",
    "window_neighbours_by_length",
    "elliptic_envelope",
    "seasonal_residual",
    "ewma_chart",
)


class Verdict(NamedTuple):
    """What the ensemble says of one point."""

    score: float
    members: dict[str, float]  # each one's z


class Member(NamedTuple):
    """One algorithm that has learned, and what is usual for its raw figures."""

    name: str
    learned: Learned
    mean: float
    deviation: float

    def z(self, raw: Floats, alone: bool) -> Floats:
        """Raw figures in deviations from their mean over the history; clipped unless the member is alone."""
        figures: Floats = (raw - self.mean) / self.deviation
        return figures if alone else np.clip(figures, _LOWEST, _HIGHEST)


@dataclass(frozen=True, slots=True)
class EnsembleDetector:
    """Judge by several algorithms at once, each point by those before it.

    Args:
        members: Names of `registry.ALGORITHMS`, one or more.
        rate: False episodes per 1,000 points that may be expected on noise.
        share: Of the members' figures, the highest ones, whose mean counts.
        wall: Whose days and weeks are a season.
    """

    members: tuple[str, ...] = MEMBERS
    rate: float = 0.5
    share: float = 1.0
    wall: Wall = UTC_WALL

    def __post_init__(self) -> None:
        if not 0.0 < self.rate < 1000.0:
            raise ValueError(f"rate is expected false episodes per 1,000 points, between 0 and 1,000; got {self.rate}")
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"share must be above 0 and at most 1; got {self.share}")
        if not self.members:
            raise ValueError("an ensemble needs one member or more")
        for name in self.members:
            algorithm(name)

    def fit(self, history: Series) -> "EnsembleModel":
        """Learn level, season and every member's idea of usual; an empty or short history gives no verdicts yet."""
        times, values = in_order(history.times, history.values)
        values = to_scale(history.metric, values)
        profile = Profile.of(times, values, growing=True, wall=self.wall)
        tail = slice(max(0, len(values) - CONTEXT), None)
        if len(values) < MINIMUM_POINTS - 1:
            return EnsembleModel(history.metric, self.rate, self.share, profile, (), 0.0, 1.0, times, values)
        view = profile.view(times, values)
        members, figures = learn(self.members, view, newest=_NEWEST)
        fused = fuse(figures, self.share)
        base = baseline(fused[None, :], floor=0.05, relative_floor=0.0)
        centre = float(base.centre[0])
        reach = float(limit(base, self.rate)[0]) * (1.0 + _YOUNG / len(fused))
        if len(members) > 1:  # members agree at most on 8: a short history must not put its limit beyond that
            reach = min(reach, _FURTHEST * (1.0 + (_FEW / len(fused)) ** 2) - centre)
        return EnsembleModel(
            history.metric, self.rate, self.share, profile, members, centre, reach, times[tail], values[tail]
        )


@dataclass(frozen=True, slots=True, eq=False)
class EnsembleModel:
    """What the ensemble learned from one history; `times` and `values` are its end, on the metric's scale."""

    metric: str
    rate: float
    share: float
    profile: Profile
    members: tuple[Member, ...]
    centre: float
    reach: float
    times: Floats
    values: Floats

    @property
    def learning(self) -> str | None:
        """ "learning: 8 of 12 points" while there is no verdict."""
        if self.members:
            return None
        return f"learning: {len(self.values)} of {MINIMUM_POINTS} points"

    def score(self, points: Series) -> Floats:
        """Shape (n,), in the order given: 0.5 at the limit, 2/3 at twice the limit. NaN: no value, or still learning.

        A point is judged by the history that was learned and the points before it in time.
        """
        ratio = np.full(len(points.values), np.nan)
        there = np.flatnonzero(np.isfinite(points.values) & np.isfinite(points.times))
        if self.members and there.size:
            there = there[np.argsort(points.times[there], kind="stable")]
            times = np.asarray(points.times, np.float64)[there]
            values = to_scale(self.metric, np.asarray(points.values, np.float64)[there])
            before = self.times < times[0]
            view = self.profile.view(
                np.concatenate((self.times[before], times)),
                np.concatenate((self.values[before], values)),
                last=len(there),
            )
            fused = fuse(self.figures(view), self.share)[-len(there) :]
            ratio[there] = np.maximum(fused - self.centre, 0.0) / self.reach
        score: Floats = ratio / (1.0 + ratio)
        return score

    def judge(self, times: Floats, values: Floats) -> Verdict:
        """Of the last point; those before it, in order of time and finite, are what it is judged by."""
        view = self.profile.view(times, to_scale(self.metric, values), last=1)
        figures = self.figures(view)[:, -1:]
        ratio = max(float(fuse(figures, self.share)[0]) - self.centre, 0.0) / self.reach
        names = [member.name for member in self.members]
        return Verdict(ratio / (1.0 + ratio), dict(zip(names, figures[:, 0].tolist(), strict=True)))

    def figures(self, view: View) -> Floats:
        """Each member's z of each point, shape (members, n)."""
        alone = len(self.members) == 1
        return np.stack([member.z(member.learned.raw(view), alone) for member in self.members])

    def state(self) -> dict[str, Any]:
        """Everything the model knows, as JSON can hold it; `from_state` reads it."""
        return {
            "kind": "ensemble",
            "metric": self.metric,
            "rate": self.rate,
            "share": self.share,
            "profile": self.profile.state(),
            "members": [
                {
                    "name": member.name,
                    "mean": member.mean,
                    "deviation": member.deviation,
                    "learned": {name: _plain(figure) for name, figure in member.learned._asdict().items()},
                }
                for member in self.members
            ],
            "centre": self.centre,
            "reach": self.reach,
            "times": self.times.tolist(),
            "values": self.values.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "EnsembleModel":
        """The model that `state` came from; ValueError for another detector's state or an unknown member."""
        if state.get("kind") != "ensemble":
            raise ValueError(f"expected the state of an ensemble, got kind {state.get('kind')!r}")
        members = []
        for kept in state["members"]:
            learned = algorithm(kept["name"]).kind(**{name: _array(figure) for name, figure in kept["learned"].items()})
            members.append(Member(kept["name"], learned, kept["mean"], kept["deviation"]))
        return cls(
            state["metric"],
            state["rate"],
            state["share"],
            Profile.from_state(state["profile"]),
            tuple(members),
            state["centre"],
            state["reach"],
            np.array(state["times"], np.float64),
            np.array(state["values"], np.float64),
        )


def learn(names: Sequence[str], view: View, *, newest: int | None = None) -> tuple[tuple[Member, ...], Floats]:
    """Members that learned from `view`, and their z of its points (of the `newest` ones), shape (members, n)."""
    members, figures = [], []
    looked_at = view if newest is None else view.newest(newest)
    for name in names:
        learned = algorithm(name).learn(view)
        raw = learned.raw(looked_at)
        deviation = max(float(raw.std()), 1e-9)
        members.append(Member(name, learned, float(raw.mean()), deviation))
        figures.append(members[-1].z(raw, len(names) == 1))
    return tuple(members), np.stack(figures)


def on_one_scale(raw: Floats) -> Floats:
    """Raw figures as clipped deviations from their own mean."""
    return on_scale_of(raw, raw)


def on_scale_of(known: Floats, raw: Floats) -> Floats:
    """Raw figures as clipped deviations from the mean of those that are `known`."""
    deviation = max(float(known.std()), 1e-9)
    return np.clip((raw - float(known.mean())) / deviation, _LOWEST, _HIGHEST)


def fuse(figures: Floats, share: float) -> Floats:
    """The mean of the highest `share` of the figures of each point; `figures` have shape (members, n)."""
    many = max(1, round(share * len(figures)))
    if many == len(figures):
        mean: Floats = figures.mean(axis=0)
        return mean
    highest: Floats = np.sort(figures, axis=0)[-many:].mean(axis=0)
    return highest


def _plain(figure: Any) -> Any:
    return {"dtype": str(figure.dtype), "values": figure.tolist()} if isinstance(figure, np.ndarray) else figure


def _array(figure: Any) -> Any:
    return np.array(figure["values"], figure["dtype"]) if isinstance(figure, dict) else figure
