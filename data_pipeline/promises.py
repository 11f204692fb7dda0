"""The promises of a configuration, each made when it is first asked for."""

from datetime import datetime

from config.datasets import DatasetSettings
from config.settings import Settings
from data_pipeline.promise import Promise
from utils.calendars import EVERY_DAY

__all__ = ["Promises"]


class Promises:
    """What the datasets promise. Thread-safe: what two threads make at once is equal.

    Raises:
        ConfigError: the holidays of a calendar cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, Promise] = {}
        # Read now: a run is to say it before it begins, and not in the middle.
        for dataset in settings.datasets if settings.calendars else ():
            self.of(dataset)

    def of(self, dataset: DatasetSettings) -> Promise | None:
        """What a dataset promises; None: nothing."""
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
