"""Anomalies that belong together are one incident: of one dataset, or of several that have one provider.

What is strange at the same time has one cause more often than several. Who looks begins with what stands out most.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import fsum

from data_pipeline.detect.detector import Anomaly, Severity

__all__ = ["Incident", "Part", "incidents"]

_NEAR = 900.0  # seconds: the datasets of one run are collected one after the other
_FURTHEST = 100.0  # times as far out as its limit, beyond which one figure outweighs the others no more


@dataclass(frozen=True, slots=True)
class Part:
    """One figure of an incident. `share`: how much it stands out, of all of them together; they add up to 1."""

    anomaly: Anomaly
    share: float


@dataclass(frozen=True, slots=True)
class Incident:
    """What is strange together.

    Attributes:
        of: The dataset; of several the provider.
        since: When the first of it began; `until`: the newest strange point. Epoch seconds.
        parts: What stands out most comes first.
    """

    of: str
    since: float
    until: float
    parts: tuple[Part, ...]

    @property
    def severity(self) -> Severity:
        return "critical" if any(part.anomaly.severity == "critical" for part in self.parts) else "warning"

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.anomaly.subject for part in self.parts))


def incidents(anomalies: Iterable[Anomaly], provider_of: Callable[[str], str]) -> list[Incident]:
    """The incidents, what stands out most first; an anomaly that stands alone is one, too.

    Anomalies belong together when they have one provider and their episodes overlap, or lie 15 minutes apart at most.

    Args:
        provider_of: Of a subject; its own name for one that has none.
    """
    by_provider: dict[str, list[Anomaly]] = {}
    for one in anomalies:
        by_provider.setdefault(provider_of(one.subject), []).append(one)
    found = [_incident(provider, together) for provider, those in by_provider.items() for together in _by_time(those)]
    return sorted(found, key=lambda one: (-max(_weight(part.anomaly) for part in one.parts), one.since, one.of))


def _by_time(anomalies: Iterable[Anomaly]) -> list[list[Anomaly]]:
    groups: list[list[Anomaly]] = []
    end = 0.0
    for one in sorted(anomalies, key=lambda one: (one.since, one.time)):
        if groups and one.since <= end + _NEAR:
            groups[-1].append(one)
            end = max(end, one.time)
        else:
            groups.append([one])
            end = one.time
    return groups


def _incident(provider: str, anomalies: list[Anomaly]) -> Incident:
    whole = fsum(map(_weight, anomalies))
    parts = sorted(
        (Part(one, _weight(one) / whole) for one in anomalies),
        key=lambda part: (-part.share, part.anomaly.subject, part.anomaly.metric),
    )
    subjects = {one.subject for one in anomalies}
    return Incident(
        of=provider if len(subjects) > 1 else subjects.pop(),
        since=min(one.since for one in anomalies),
        until=max(one.time for one in anomalies),
        parts=tuple(parts),
    )


def _weight(one: Anomaly) -> float:
    """How many times further out than the limit."""
    return min(one.score / (1.0 - one.score), _FURTHEST) if one.score < 1.0 else _FURTHEST
