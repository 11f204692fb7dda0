"""The causal ensemble fitted to one series, and the models of many series that a process keeps."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipeline.detect.ensemble import CONTEXT, MEMBERS, Member, fuse, learn
from data_pipeline.detect.median import MedianDetector, MedianModel
from data_pipeline.detect.robust import Floats
from data_pipeline.detect.season import Season, choose
from data_pipeline.detect.view import Profile
from data_pipeline.detect.wall import UTC_WALL, Wall

MEMORY = 1_000  # newest points learned from
_GROWTH = 0.3  # learned again after so much growth
_SOON = 8  # points, at least
_LEARNED = 200_000  # points that the models of a process were learned from together: some 30 MB
_LOWEST, _HIGHEST = -3.0, 8.0


def with_sharp(figure: Floats, ratio: Floats) -> Floats:
    """Fused figures of the members and the median's ratio, the point-sharp member, as one figure."""
    sharp = np.clip(4.0 * ratio - 1.0, _LOWEST, _HIGHEST)
    fused: Floats = (len(MEMBERS) * figure + sharp) / (len(MEMBERS) + 1)
    return fused


class Figures(NamedTuple):
    """Of the points that were judged. `fused`: -3 to 8, shape (n,); `members`: each one's, shape (members, n)."""

    fused: Floats
    members: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What was learned from `points` points up to the moment `until` (epoch seconds)."""

    metric: str
    points: int
    until: float
    profile: Profile
    members: tuple[Member, ...]
    season: Season | None

    @classmethod
    def to(cls, metric: str, times: Floats, values: Floats, wall: Wall = UTC_WALL) -> "Fitted":
        """Learn from finite values on the metric's scale, in order of time; a few milliseconds."""
        times, values = times[-MEMORY:], values[-MEMORY:]
        profile = Profile.of(times, values, growing=True, wall=wall)
        members, _ = learn(MEMBERS, profile.view(times, values))
        return cls(metric, len(times), float(times[-1]), profile, members, choose(times, values, wall))

    def figures(self, times: Floats, values: Floats, new: int) -> Figures:
        """Of the last `new` points, each judged by what was learned and those before it."""
        first = len(times) - new
        seen = slice(max(0, first - CONTEXT), None)
        view = self.profile.view(times[seen], values[seen], last=new)
        members = np.stack([member.z(member.learned.raw(view), alone=False) for member in self.members])[:, -new:]
        before = slice(max(0, first - MEMORY), first)
        sharp = MedianModel(
            MedianDetector(window=MEMORY), self.metric, self.season, times[before], values[before]
        ).judge(times[first:], values[first:])
        return Figures(with_sharp(fuse(members, 1.0), np.nan_to_num(sharp.ratio)), members)


class Models:
    """The models of the series that were asked about last. Thread-safe.

    Args:
        most: Points that they were learned from together.
    """

    def __init__(self, most: int = _LEARNED) -> None:
        self._left = most
        self._guard = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[object, Fitted]] = OrderedDict()

    def fitted(
        self,
        key: tuple[str, str],
        times: Floats,
        values: Floats,
        new: int,
        mark: object = None,
        wall: Wall = UTC_WALL,
    ) -> Fitted:
        """A model of what lies before the last `new` points: the one that is kept, unless the series has outgrown it.

        Args:
            key: Subject and metric.
            mark: What else a model depends on; one with another mark is not used.
            wall: Whose days and weeks are a season.
        """
        first = len(times) - new
        with self._guard:
            kept_mark, kept = self._kept.get(key, (None, None))
        if kept is not None and kept_mark == (mark, wall) and kept.until < times[first]:
            since = first - int(np.searchsorted(times, kept.until, side="right"))
            if since <= max(_SOON, int(_GROWTH * kept.points)):
                with self._guard:
                    if key in self._kept:
                        self._kept.move_to_end(key)
                return kept
        made = Fitted.to(key[1], times[:first], values[:first], wall)
        with self._guard:
            if key in self._kept:
                self._left += self._kept.pop(key)[1].points
            self._kept[key] = ((mark, wall), made)
            self._left -= made.points
            while self._left < 0 and len(self._kept) > 1:
                self._left += self._kept.popitem(last=False)[1][1].points
        return made
