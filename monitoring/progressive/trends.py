"""Stand-in until utils.host has it."""

from typing import NamedTuple


class Trend(NamedTuple):
    mean: float
    per_hour: float | None


def trend(points: list[tuple[float, float]]) -> Trend | None:
    if not points:
        return None
    n = len(points)
    t = sum(p[0] for p in points) / n
    mean = sum(p[1] for p in points) / n
    square = sum((p[0] - t) ** 2 for p in points)
    return Trend(mean, 3600.0 * sum((p[0] - t) * (p[1] - mean) for p in points) / square if square else None)
