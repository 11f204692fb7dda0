"""The datasets that have a schedule, as the configuration declares them, each with its timetable."""

import hashlib
from graphlib import TopologicalSorter
from typing import NamedTuple

import orjson

from config.datasets import DatasetSettings
from config.schedule import HOLIDAY_FILE, ScheduleSettings
from config.settings import Settings
from data_pipeline.scheduling.calendars import calendars
from data_pipeline.scheduling.timetable import Timetable

__all__ = ["Scheduled", "fingerprint", "scheduled"]

_WHAT_IS_DUE = ("every", "cron", "calendar", "opens", "until", "after", "on_file")


class Scheduled(NamedTuple):
    """One of them.

    Attributes:
        fingerprint: Changes with what its occurrences are, not with what is done about them.
        rank: Of datasets that are due at the same moment those with a lower one come first: others depend on them.
    """

    dataset: str
    asked: ScheduleSettings
    timetable: Timetable
    priority: int
    fingerprint: str
    rank: int = 0

    @property
    def has_times(self) -> bool:
        """Whether a clock says when it is due; else something that happened does."""
        return self.asked.kind not in ("after", "on_file")


def scheduled(settings: Settings, *, of_files: bool = False) -> list[Scheduled]:
    """Every dataset with a schedule, in the order of the configuration. `of_files`: whose days off lie in files.

    Raises:
        ConfigError: a file of holidays cannot be read.
    """
    known = calendars(settings)
    in_files = {name for name, one in settings.calendars.items() if any(map(_is_file, one.holidays))}
    ranks = _ranks(settings)
    return [
        Scheduled(
            one.name,
            one.schedule,
            Timetable.of(one, settings, known),
            one.priority,
            fingerprint(one, settings),
            ranks.get(one.name, 0),
        )
        for one in settings.datasets
        if one.schedule is not None and (not of_files or one.schedule.calendar in in_files)
    ]


def _ranks(settings: Settings) -> dict[str, int]:
    """Places in an order in which every dataset stands behind those that it depends on; none where none does."""
    needs = {one.name: one.depends_on for one in settings.datasets if one.depends_on}
    return {name: place for place, name in enumerate(TopologicalSorter(needs).static_order())} if needs else {}


def _is_file(holiday: str) -> bool:
    return holiday.startswith(HOLIDAY_FILE)


def fingerprint(dataset: DatasetSettings, settings: Settings) -> str:
    """16 hex digits of what decides when a dataset is due; "" when nothing does."""
    asked = dataset.schedule
    if asked is None:
        return ""
    parts = {name: value for name in _WHAT_IS_DUE if (value := getattr(asked, name))}
    if asked.kind in ("cron", "window") or asked.calendar is not None:
        parts["zone"] = asked.zone or settings.app.zone
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
