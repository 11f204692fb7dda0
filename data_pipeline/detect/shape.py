"""A repeating shape by day, week or the series' own period, slot by slot, used only when it helps.

`season.Season` serves the alarm path: it is few-slotted, must help plainly, and has words. A `Shape` may have a
slot for each minute and be any period long; it is what the algorithms of the ensemble take off.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from data_pipeline.detect.robust import Floats, Ints
from data_pipeline.detect.season import slot_medians
from data_pipeline.detect.wall import DAY, MONDAY, UTC_WALL, WEEK, Wall

_HELPS = 0.95  # a shape must bring the residual below this share of the plain one
_FEWEST = 16  # points before one is looked for
_DAY_SLOTS, _WEEK_SLOTS = 1440, 2016
_ALIKE = 0.05  # of autocorrelation is no difference
_CORRELATED = 0.2  # least autocorrelation at a period


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """`centres[i]` is what slot i of `period` seconds adds; periods begin on a Monday, 00:00 of the wall."""

    period: float
    centres: Floats
    wall: Wall = UTC_WALL

    def expected(self, times: Floats) -> Floats:
        """What the shape adds at each of `times` (epoch seconds)."""
        return self.centres[_slots(self.wall.of(times), self.period, len(self.centres))]

    def state(self) -> dict[str, Any]:
        """As JSON can hold it; a calendar of days off is not part of it."""
        return {"period": self.period, "centres": self.centres.tolist(), "zone": self.wall.zone}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Shape":
        """The shape that `state` came from."""
        return cls(state["period"], np.array(state["centres"], np.float64), Wall(state.get("zone", "UTC")))


def choose_shape(times: Floats, values: Floats, wall: Wall = UTC_WALL) -> Shape | None:
    """The shape that lowers the median deviation of `values` (finite, in order of time) most, or `None`.

    The more slots a shape has for the points there are, the better it fits by chance; the deviation is
    corrected for that as the variance of a mean's residuals is.
    """
    n = len(values)
    if n < _FEWEST or times[-1] <= times[0]:
        return None
    step = float(np.median(np.diff(times)))
    if step <= 0.0:
        return None
    centred = values - np.median(values)
    middle, bulk = _deviation(centred)
    best, least = None, _HELPS * middle
    shown = wall.of(times)
    for period, slots in _candidates(times, centred, step):
        # A period of the series' own knows no clock.
        clock = wall if period in {DAY, WEEK} else UTC_WALL
        slot = _slots(shown if clock is wall else times, period, slots)
        number = np.bincount(slot, minlength=slots)
        visits = n / max(int(np.count_nonzero(number)), 1)
        if visits < 1.9:
            continue
        centres = slot_medians(slot, number, centred)
        options = [(centres, visits)]
        if slots >= 48:  # neighbouring slots stand in for visits that a fine shape lacks
            reach = max(1, slots // 96)
            options.append((_smoothed(centres, number, reach), visits * (reach + 1)))
        for shape, support in options:
            spent = ((support + 1.0) / max(support - 1.0, 0.3)) ** 0.5
            now, now_bulk = _deviation(centred - shape[slot])
            if now * spent < least and now_bulk * spent < _HELPS * bulk:
                best, least = Shape(period, shape, clock), 0.97 * now * spent
    return best


def _candidates(times: Floats, centred: Floats, step: float) -> list[tuple[float, int]]:
    found: list[tuple[float, int]] = []
    span = float(times[-1] - times[0])
    for period, finest, coarse in ((DAY, _DAY_SLOTS, (24,)), (WEEK, _WEEK_SLOTS, (7, 168))):
        slots = round(period / step)
        if slots >= 2 and span >= 1.9 * period:
            fine = min(slots, finest)
            found += [(period, many) for many in sorted({fine, *(few for few in coarse if few < fine)})]
    for lag in _periods(centred, len(centred) // 3):
        if all(abs(lag * step - period) > 0.02 * period for period, _ in found):
            found.append((lag * step, lag))
    return found


def _periods(centred: Floats, longest: int) -> list[int]:
    """The two lags (4 and more) at which the series resembles itself most; of a lag and its multiples the lag."""
    n = len(centred)
    spread = float(np.median(np.abs(centred))) * 1.4826
    x = np.clip(centred, -4.0 * spread, 4.0 * spread)
    x = x - x.mean()
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(x, size)
    alike = np.fft.irfft(np.abs(spectrum) ** 2, size)[: longest + 1]
    if not alike[0] > 0.0:
        return []
    alike = alike / alike[0] * n / (n - np.arange(len(alike)))
    peaks = np.flatnonzero((alike[1:-1] > alike[:-2]) & (alike[1:-1] >= alike[2:])) + 1
    peaks = peaks[(peaks >= 4) & (alike[peaks] > _CORRELATED)]
    # A multiple of a period is as much alike, by chance a little more.
    order = np.lexsort((peaks, -np.round(alike[peaks] / _ALIKE)))
    return [int(lag) for lag in peaks[order][:2]]


def _deviation(centred: Floats) -> tuple[float, float]:
    away = np.sort(np.abs(centred))
    return float(np.median(np.abs(centred - np.median(centred)))), float(away[: max(1, len(away) * 9 // 10)].mean())


def _slots(times: Floats, period: float, slots: int) -> Ints:
    # The hair that is added keeps a time on a slot's edge from falling below it by rounding.
    return ((times + MONDAY) % period * (slots / period) + 1e-9).astype(np.intp) % slots


def _smoothed(centres: Floats, number: Ints, reach: int) -> Floats:
    kernel = np.concatenate((np.arange(1, reach + 2), np.arange(reach, 0, -1))).astype(np.float64)
    seen = (number > 0).astype(np.float64)
    weighted = np.convolve(np.pad(centres * seen, reach, mode="wrap"), kernel, "valid")
    weight = np.convolve(np.pad(seen, reach, mode="wrap"), kernel, "valid")
    return np.where(weight > 0.0, weighted / np.maximum(weight, 1e-12), 0.0)
