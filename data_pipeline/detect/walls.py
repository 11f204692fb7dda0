"""Whose clock and whose days off the figures of a dataset go by."""

from config.datasets import DatasetSettings
from config.settings import Settings
from data_pipeline.detect.wall import Wall
from utils.calendars import Calendar

__all__ = ["Walls"]


class Walls:
    """The wall of each dataset: the zone and the calendar of its schedule, or of its promise, or its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def of(self, dataset: DatasetSettings) -> Wall:
        """Datasets of one zone and one calendar have equal ones.

        Raises:
            ConfigError: the holidays of its calendar cannot be read, and never were.
        """
        schedule, promise = dataset.schedule, dataset.promise
        zone = (schedule and schedule.zone) or promise.zone
        if zone is None:
            zone = self._settings.app.zone if dataset.zone in {None, "UTC"} else dataset.zone
        return Wall(zone or "UTC", self._calendar((schedule and schedule.calendar) or promise.calendar))

    def _calendar(self, name: str | None) -> Calendar | None:
        if name is None:
            return None
        from data_pipeline.scheduling.calendars import calendar_of

        return calendar_of(self._settings, name)
