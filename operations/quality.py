"""How good the data of all datasets is: their scores, the rules that their last batches broke, and scores by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from data_pipeline.validate.report import Report
from integrated_system import IntegratedSystem
from operations.actor import UsageError
from operations.advice import advice
from operations.moments import moment_of
from operations.report import RuleReport, rule_report
from utils.history.series import labels_of

__all__ = ["DatasetQuality", "Day", "Days", "JudgedRule", "Qualities", "qualities", "quality_days"]

MOST_ADVISED = 200
"""Broken rules that are given advice, the worst ones."""

LONGEST_D = 400
"""Days in one answer."""

_SEVERITIES = ("critical", "error", "warning")


@dataclass(frozen=True, slots=True)
class DatasetQuality:
    """The batch of a dataset that came last, held or accepted.

    Attributes:
        version, time, rows: Of the batch (RFC 3339); None and 0 where none ever came.
        score: 0 to 100 points; None: not measured. `dimensions`: its parts, those that were measured.
        rules, broken, failed: How many rules there are, how many something broke, and how many beyond what they allow.
        waiting: Rows of all its batches that wait in quarantine.
    """

    dataset: str
    version: str | None = None
    state: str | None = None
    time: str | None = None
    rows: int = 0
    score: float | None = None
    dimensions: dict[str, float] | None = None
    rules: int = 0
    broken: int = 0
    failed: int = 0
    waiting: int = 0

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"dimensions": self.dimensions or {}}


@dataclass(frozen=True, slots=True)
class JudgedRule:
    """A rule of a dataset, what came of it, and what to do where it was broken: in words, and a line to paste."""

    dataset: str
    rule: RuleReport
    advice: str = ""
    paste: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"dataset": self.dataset, **self.rule.to_json(), "advice": self.advice, "paste": self.paste}


@dataclass(frozen=True, slots=True)
class Qualities:
    """All datasets, the worst score first, those without one last; and rules, the worst first."""

    datasets: tuple[DatasetQuality, ...]
    rules: tuple[JudgedRule, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "datasets": [one.to_json() for one in self.datasets],
            "rules": [one.to_json() for one in self.rules],
        }


@dataclass(frozen=True, slots=True)
class Day:
    """The scores of the batches of a day (`2026-11-20`): the least, their mean, the last one, and how many."""

    day: str
    low: float
    mean: float
    last: float
    count: int

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Days:
    """The scores by day of the zone, from the first day to the last; of each dataset the days that had any."""

    zone: str
    first: str
    last: str
    datasets: tuple[tuple[str, tuple[Day, ...]], ...]

    def to_json(self) -> dict[str, Any]:
        datasets = [{"dataset": name, "days": [day.to_json() for day in days]} for name, days in self.datasets]
        return {"zone": self.zone, "first": self.first, "last": self.last, "datasets": datasets}


def qualities(system: IntegratedSystem, *, passed: bool = False) -> Qualities:
    """The quality of every declared dataset, by the batch that came last. `passed`: also rules that nothing broke."""
    waiting: dict[str, int] = {}
    for entry in system.views.quarantined():
        waiting[entry.dataset] = waiting.get(entry.dataset, 0) + entry.rows
    datasets, judged = [], []
    for dataset in system.settings.datasets:
        name = dataset.name
        last = system.views.collected_last(name)
        if last is None:
            datasets.append(DatasetQuality(name, waiting=waiting.get(name, 0)))
            continue
        report, quality = Report.from_json(last.body["report"]), last.body["quality"]
        rules = [rule_report(one) for one in report.outcomes]
        judged += [JudgedRule(name, one) for one in rules if passed or one.failed]
        datasets.append(
            DatasetQuality(
                name,
                last.version,
                last.state,
                last.time,
                report.rows,
                quality["score"],
                {part: points for part, points in quality["dimensions"].items() if points is not None},
                len(rules),
                sum(one.failed > 0 for one in rules),
                sum(not one.passed for one in rules),
                waiting.get(name, 0),
            )
        )
    datasets.sort(key=lambda one: (one.score is None, one.score or 0.0, one.dataset))
    judged.sort(key=_worst_first)
    return Qualities(tuple(datasets), tuple(_advised(system, judged)))


def quality_days(
    system: IntegratedSystem, datasets: Sequence[str] = (), *, since: str | None = None, until: str | None = None
) -> Days:
    """The scores of these datasets, or of all that are declared, by day of the installation's zone.

    Args:
        since: RFC 3339; default: 30 days before `until`.
        until: RFC 3339, exclusive; default: now, the score of this moment included.

    Raises:
        ConfigError: no such dataset.
        UsageError: a time cannot be read, the range is empty or too long.
    """
    names = [system.settings.dataset(name).name for name in datasets] or [one.name for one in system.settings.datasets]
    end = system.clock.now() + timedelta(milliseconds=1) if until is None else moment_of("until", until)
    start = end - timedelta(days=30) if since is None else moment_of("since", since)
    if start >= end:
        raise UsageError("since: it is not before `until`", hint="the earlier time comes first")
    if (end - start).days > LONGEST_D:
        raise UsageError(f"these are more than {LONGEST_D} days", hint="ask for a shorter time")
    zone = system.settings.app.zone
    place, between = ZoneInfo(zone), {"since": start.timestamp(), "until": end.timestamp()}
    found = []
    for name in names:
        days = system.history.aggregates("quality", labels_of(name), by="day", zone=zone, **between)
        rows = zip(days.times, days.low, days.mean, days.last, days.count, strict=True)
        told = (Day(_day(at, place), float(low), float(mean), float(last), int(n)) for at, low, mean, last, n in rows)
        found.append((name, tuple(told)))
    first, last_day = _day(start.timestamp(), place), _day((end - timedelta(microseconds=1)).timestamp(), place)
    return Days(zone, first, last_day, tuple(found))


def _day(seconds: float, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone).date().isoformat()


def _worst_first(one: JudgedRule) -> tuple[bool, bool, int, float, str, str]:
    rule = one.rule
    return not rule.failed, rule.passed, _SEVERITIES.index(rule.severity), -rule.share, one.dataset, rule.rule


def _advised(system: IntegratedSystem, judged: Sequence[JudgedRule]) -> list[JudgedRule]:
    """With what to do, by the reports alone: no row is read."""
    worst = {one.dataset for one in judged[:MOST_ADVISED] if one.rule.failed}
    found = {(name, one.rule): one for name in worst for one in advice(system, name, most_rows=0)}
    told = []
    for one in judged:
        known = found.get((one.dataset, one.rule.rule))
        told.append(one if known is None else JudgedRule(one.dataset, one.rule, known.text, known.paste))
    return told
