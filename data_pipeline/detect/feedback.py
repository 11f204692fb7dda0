"""What people said about anomalies, heeded: what is no past, what is no anomaly, and what is judged more quietly.

"That was fine" widens the limit on that side to a little beyond where the point lay, but at most ten times: a
series that never moved must not be deaf after one word. Who says so again is heard again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from data_pipeline.detect.detector import CRITICAL, Anomaly
from data_pipeline.detect.feedback_views import Said
from data_pipeline.detect.robust import Floats
from utils.history import Block

__all__ = ["answered", "heard", "masked", "widened"]

_BEYOND = 1.05  # the limit lies so much further out than the point that was fine
_AT_MOST = 10.0  # times as wide, each time somebody says so
_SAME = 1e-3  # seconds


def masked(blocks: Iterable[Block], said: Sequence[Said]) -> Iterator[Block]:
    """The blocks, without the points that are no past and are not judged: those before "normal since", and excluded
    ones. A block that nothing was said about is given as it is."""
    cutting = [one for one in said if one.kind != "fine"]
    for block in blocks:
        about = [(one, _columns(one, block)) for one in cutting]
        yield _without(block, [(one, columns) for one, columns in about if columns]) if about else block


def heard(anomalies: Iterable[Anomaly], said: Sequence[Said]) -> list[Anomaly]:
    """The anomalies that still are some; their score, severity, band and words by the limit as it is now."""
    fine = [one for one in said if one.kind == "fine"]
    if not fine:
        return list(anomalies)
    return [found for one in anomalies if (found := _heard(one, fine)) is not None]


def answered(said: Iterable[Said], subject: str, metric: str, time: float) -> bool:
    """Whether what was told of that point (epoch seconds) counts no more: it was fine, or is no past of the series."""
    return any(
        _is_fine(one, time) if one.kind == "fine" else bool(_gone(one, np.array([time]))[0])
        for one in said
        if one.is_about(subject, metric)
    )


def widened(said: Iterable[Said], subject: str, metric: str, direction: str) -> float:
    """How many times as wide as without feedback the limit of a metric is on one side; 1: as it was."""
    width = 1.0
    for one in said:
        if one.kind != "fine" or not one.is_about(subject, metric):
            continue
        furthest = max((_ratio(told.score) for told in one.told if told.direction == direction), default=0.0)
        width = max(width, min(_BEYOND * furthest, _AT_MOST * width))
    return width


def _heard(one: Anomaly, fine: Sequence[Said]) -> Anomaly | None:
    about = [said for said in fine if said.is_about(one.subject, one.metric)]
    if any(_is_fine(said, one.time) for said in about):
        return None
    width = widened(about, one.subject, one.metric, one.direction)
    if width == 1.0:
        return one
    ratio = _ratio(one.score) / width
    if ratio < 1.0:
        return None
    score = ratio / (1.0 + ratio) if ratio < np.inf else 1.0
    reach = (width - 1.0) * (one.expected_high - one.expected_low) / 2.0
    low = one.expected_low - reach
    if one.expected_low >= 0.0:
        low = max(low, 0.0)  # what was never expected to be negative still is not
    return replace(
        one,
        score=score,
        severity="critical" if score >= CRITICAL else "warning",
        expected_low=low if one.direction == "down" else one.expected_low,
        expected_high=one.expected_high + reach if one.direction == "up" else one.expected_high,
        reason=f"{one.reason}; even for a limit {width:.2g} times as wide, because the like was said to be fine",
    )


def _is_fine(one: Said, time: float) -> bool:
    return one.since - _SAME <= time <= (one.until or one.since) + _SAME


def _ratio(score: float) -> float:
    """How many times further out than the limit a point of this score lies."""
    return score / (1.0 - score) if score < 1.0 else np.inf


def _columns(one: Said, block: Block) -> list[int]:
    return [column for column, metric in enumerate(block.metrics) if one.is_about(block.subject, metric)]


def _without(block: Block, about: Sequence[tuple[Said, list[int]]]) -> Block:
    gone = [(_gone(one, block.times), columns) for one, columns in about]
    gone = [(rows, columns) for rows, columns in gone if rows.any()]
    if not gone:
        return block
    values = np.array(block.values)
    for rows, columns in gone:
        for column in columns:
            values[rows, column] = np.nan
    return Block(block.subject, block.metrics, block.times, values)


def _gone(one: Said, times: Floats) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    if one.kind == "normal_since" or one.until is None:
        return times < one.since
    return (times >= one.since) & (times < one.until)
