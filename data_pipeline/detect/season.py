"""Seasons by the clock (hour of the day, day of the week, hour of the week), used only when they clearly help."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_pipeline.detect.robust import Floats, Ints
from data_pipeline.detect.wall import DAY, MONDAY, UTC_WALL, WEEK, Wall

_HELPS = 0.75  # a season must bring the residual spread below this share of the plain one
_CYCLES = 3  # and every slot must have been seen about this often

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Season:
    """A repeating shape: `centres[i]` is what slot i of the period adds to the level.

    Attributes:
        period: Length in seconds, a day or a week; weeks begin on Monday 00:00 of the wall's clock.
        centres: Shape (slots,), in units of the values; a slot never seen adds 0.
        wall: Whose clock.
    """

    period: float
    centres: Floats
    wall: Wall = UTC_WALL

    def expected(self, times: Floats) -> Floats:
        """What the season adds at each of `times` (epoch seconds)."""
        return self.centres[_slots(self.wall.of(times), self.period, len(self.centres))]

    def alike(self, times: Floats, time: float) -> NDArray[np.bool_]:
        """Which of `times` stand in the same slot as `time`: the other Tuesdays of a Tuesday."""
        slots = _slots(self.wall.of(np.append(times, time)), self.period, len(self.centres))
        alike: NDArray[np.bool_] = slots[:-1] == slots[-1]
        return alike

    def phrase(self, time: float) -> str:
        """When `time` is, in the season's own words: "on a Tuesday", "on a day off", "at 14:00 UTC"."""
        shown = float(self.wall.shown(np.array([time]))[0])
        day = "day off" if self.wall.is_day_off(time) else _WEEKDAYS[int((shown + MONDAY) % WEEK // DAY)]
        if len(self.centres) == 7:
            return f"on a {day}"
        minutes = int(shown % DAY // 60)
        clock = f"{minutes // 60:02d}:{minutes % 60:02d} {self.wall.zone}"
        return f"at {clock}" if self.period == DAY else f"on a {day} at {clock}"


def choose(times: Floats, values: Floats, wall: Wall = UTC_WALL) -> Season | None:
    """The season that shrinks the spread of `values` most, or `None` when none helps clearly.

    Both arrays have shape (n,), are finite and in order of time. A shape with many slots fits any noise
    a little, so its spread is corrected for the points it spent (as the residuals of a mean are).
    """
    n = len(values)
    if n < 2 * _CYCLES or times[-1] - times[0] < 2 * DAY:
        return None
    level = float(np.median(values))
    centred = values - level
    shown = wall.of(times)
    best: Season | None = None
    least = _HELPS * _trimmed_spread(centred)
    for period, slots in _candidates(times):
        slot = _slots(shown, period, slots)
        number = np.bincount(slot, minlength=slots)
        seen = number[number > 0]
        # Mean visits to a slot that is visited at all: fewer, and the shape would be the points themselves.
        visits = n / len(seen)
        if visits < _CYCLES or len(seen) < 2 or times[-1] - times[0] < (_CYCLES - 0.5) * period:
            continue
        centres = slot_medians(slot, number, centred)
        spread = _trimmed_spread(centred - centres[slot]) * ((visits + 1.0) / (visits - 1.0)) ** 0.5
        if spread < least:
            best, least = Season(period, centres, wall), 0.9 * spread  # a finer shape must earn its slots
    return best


def _candidates(times: Floats) -> list[tuple[float, int]]:
    step = float(np.median(np.diff(times)))
    if step >= 0.9 * DAY:
        return [(WEEK, 7)]
    fine = 24 if step >= 3600.0 else 96 if step >= 900.0 else 288
    return [(DAY, 24), (WEEK, 7), (WEEK, 168)] + ([(DAY, fine)] if fine > 24 else [])


def _slots(times: Floats, period: float, slots: int) -> Ints:
    return ((times + MONDAY) % period * (slots / period)).astype(np.intp)


def _trimmed_spread(centred: Floats) -> float:
    # Not the median deviation: weekends are less than half of the days. Not the mean: incidents would count.
    deviations = np.sort(np.abs(centred))
    return float(np.mean(deviations[: max(1, len(deviations) * 9 // 10)]))


def slot_medians(slot: Ints, number: Ints, values: Floats) -> Floats:
    order = np.lexsort((values, slot))
    ordered = values[order]
    start = np.cumsum(number) - number
    last = len(values) - 1
    low = ordered[np.minimum(start + np.maximum(number - 1, 0) // 2, last)]
    high = ordered[np.minimum(start + number // 2, last)]
    return np.where(number > 0, 0.5 * (low + high), 0.0)
