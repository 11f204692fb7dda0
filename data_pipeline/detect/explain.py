"""Why a point is an anomaly, in one sentence a person can act on."""

import numpy as np

from data_pipeline.detect.robust import Floats
from data_pipeline.detect.season import Season


def reason(
    metric: str, time: float, value: float, band: tuple[float, float], past: Floats, season: Season | None = None
) -> str:
    """ "rows 1,204, expected 2,310 to 2,480; lowest of 90 points", or "... on a Tuesday; lowest of 12 such points".

    `past` (n,) are the finite values before the point it may be compared with (under a season: the other
    Tuesdays), `band` what was expected; all in the metric's own unit.
    """
    low, high = (number(edge, value, *band) for edge in band)
    expected = low if low == high else f"{low} to {high}"
    when = "" if season is None else f" {season.phrase(time)}"
    return f"{metric} {number(value, *band)}, expected {expected}{when}; {_rank(value, value < band[0], past, season)}"


def number(value: float, *beside: float) -> str:
    """`value` with thousands separators and as many decimals as it takes to tell it from those `beside` it.

    >>> number(1204.0, 2310.0, 2480.0), number(0.98213, 1.0), number(3.2e12)
    ('1,204', '0.982', '3.2e+12')
    """
    largest = max(abs(edge) for edge in (value, *beside))
    if largest >= 1e12 or 0.0 < largest < 1e-3:
        return f"{value:.3g}"
    if value == int(value) or largest >= 1000.0:
        return f"{value:,.0f}"
    decimals = 1 if largest >= 100.0 else 2 if largest >= 10.0 else 3
    return f"{value:,.{decimals}f}".rstrip("0").rstrip(".")


def _rank(value: float, down: bool, past: Floats, season: Season | None) -> str:
    as_far = int(np.count_nonzero(past <= value if down else past >= value))
    kind, extreme = "points" if season is None else "such points", "low" if down else "high"
    if as_far == 0:
        return f"{extreme}est of {len(past) + 1} {kind}"
    return f"{as_far} of the {len(past)} {kind} before it {'was' if as_far == 1 else 'were'} as {extreme}"
