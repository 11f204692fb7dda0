"""The promises of a configuration, each made when it is first asked for."""

from datetime import datetime

from config.datasets import DatasetSettings
from config.settings import Settings
from data_pipeline.promise import Promise
from utils.calendars import EVERY_DAY

__all__ = ["Promises"]


class Promises:
    """What the datasets promise. Thread-safe: what two threads make at once is equal."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, Promise] = {}

    def with_calendars(self) -> "Promises":
        """The same, once all calendars were read: a run is to say it before it begins, and not in the middle.

        Raises:
            ConfigError: the holidays of a calendar cannot be read.
        """
        if self._settings.calendars:
            from data_pipeline.scheduling.calendars import calendars

            calendars(self._settings)
        return self

    def of(self, dataset: DatasetSettings) -> Promise | None:
        """What a dataset promises; None: nothing.

        Raises:
            ConfigError: the holidays of its calendar cannot be read, and never were.
        """
        asked = dataset.promise
        if not asked.made:
            return None
        made = self._made.get(dataset.name)
        if asked.calendar is None and made is not None:
            return made
        calendar = EVERY_DAY
        if asked.calendar is not None:
            from data_pipeline.scheduling.calendars import calendar_of

            calendar = calendar_of(self._settings, asked.calendar)
            if made is not None and made.calendar is calendar:
                return made
        from zoneinfo import ZoneInfo

        zone = ZoneInfo(asked.zone or self._settings.app.zone)
        made = self._made[dataset.name] = Promise(asked.max_age, asked.due, zone, calendar, asked.calendar or "")
        return made

    def holds_until(
        self, dataset: DatasetSettings, collected_at: str | None, data_time: str | None, now: datetime
    ) -> datetime | None:
        """The last moment at which the promise of a dataset is kept; None: nobody knows, or nothing is promised."""
        promise = self.of(dataset)
        return None if promise is None else promise.judge(collected_at, data_time, now).until
