"""What the engine is built of: rules, channels, hours, and what the configuration says of datasets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cached_property
from zoneinfo import ZoneInfo

from config.alerts import AlertsSettings
from config.schedule import seconds_of_day
from monitoring.alerting.grouping import Declared
from monitoring.alerting.hours import Hours
from monitoring.alerting.rules import Rule, rules_of
from monitoring.alerting.shipped import SHIPPED
from utils.calendars import EVERY_DAY, Calendar

__all__ = ["Setup", "setup_of"]


@dataclass(frozen=True)
class Setup:
    """All of it, ready for use. `hours`: by name; `zone`: of the day of the digest."""

    declared: Declared
    rules: tuple[Rule, ...] = SHIPPED
    channels: tuple[str, ...] = ()
    hours: Mapping[str, Hours] = field(default_factory=dict)
    zone: tzinfo = UTC

    @cached_property
    def by_name(self) -> Mapping[str, Rule]:
        return {rule.name: rule for rule in self.rules}


def setup_of(
    settings: AlertsSettings, declared: Declared, *, zone: str, calendar_of: Callable[[str], Calendar]
) -> Setup:
    """That of a configuration. `zone`: of hours that name none; `calendar_of`: the calendar of a name."""
    hours = {
        name: Hours(
            seconds_of_day(one.from_),
            seconds_of_day(one.to),
            ZoneInfo(one.zone or zone),
            EVERY_DAY if one.calendar is None else calendar_of(one.calendar),
        )
        for name, one in settings.hours.items()
    }
    return Setup(declared, rules_of(settings, SHIPPED), tuple(settings.channels), hours, ZoneInfo(zone))
