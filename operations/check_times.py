"""What `config check` finds of calendars and schedules: files that cannot be read, schedules that are never due."""

from collections.abc import Iterator
from dataclasses import replace

from config.errors import ConfigError, KeyPath, Problem, key_text
from config.layers import locate
from integrated_system import IntegratedSystem

__all__ = ["problems_of_times"]


def problems_of_times(system: IntegratedSystem) -> Iterator[Problem]:
    """Each with file and line; of schedules only when all calendars can be read."""
    from data_pipeline.scheduling.calendars import calendar_of

    settings, whole = system.settings, True
    for name in settings.calendars:
        try:
            calendar_of(settings, name)
        except ConfigError as error:
            whole = False
            file, line = locate(system.loaded.layers, ("calendars", name, "holidays"))
            yield from (replace(problem, file=file, line=line) for problem in error.problems)
    if whole and any(dataset.schedule is not None for dataset in settings.datasets):
        yield from _never_due(system)


def _never_due(system: IntegratedSystem) -> Iterator[Problem]:
    from data_pipeline.scheduling.scheduled import scheduled

    now = system.clock.now()
    for one in scheduled(system.settings):
        if one.has_times and one.timetable.next(now) is None:
            path: KeyPath = ("datasets", one.dataset, "schedule")
            file, line = locate(system.loaded.layers, path)
            days = f"the days of the calendar `{one.asked.calendar}`" if one.asked.calendar else "any day"
            message = f"is never due: its times fall on none of {days}"
            yield Problem(file, line, key_text(path), message, "Take other times, or another calendar.")
