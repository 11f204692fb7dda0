"""Who is told what, when and where: channels, hours and rules of `alerts`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.durations import Duration, SomeTime
from config.errors import Fault, shown
from config.model import Names, Section
from config.schedule import TimeOfDay
from config.sections import Zone

__all__ = [
    "AlertRuleSettings",
    "AlertsSettings",
    "EscalationSettings",
    "HeartbeatSettings",
    "HoursSettings",
    "Severity",
]

Severity = Literal["info", "warning", "error", "critical"]


def _channel(value: str) -> str:
    if "://" not in value:
        raise Fault(
            f"expected an address such as `slack://…`, got {shown(value)}",
            hint="Channels are Apprise URLs; a Slack webhook's https address works as it is.",
        )
    return value


ChannelUrl = Annotated[str, AfterValidator(_channel)]
ChannelName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]


class HoursSettings(Section):
    """When somebody is there: days of a calendar, and a span of the day. `until` before `from`: over midnight."""

    calendar: str | None = None
    from_: TimeOfDay = Field("00:00", alias="from")
    to: TimeOfDay = "24:00"
    zone: Zone | None = None


class EscalationSettings(Section):
    """Who else is told when nobody acknowledged within `after` seconds."""

    after: SomeTime
    to: Names


class AlertRuleSettings(Section):
    """One rule: `when` an event comes (`if` it is so, `for` so long), who is told how urgently.

    `for_` and `repeat` in seconds; `repeat` None: once. `to` empty: every channel. `clear`: the event that ends it,
    None: the counterpart. `consecutive`: only from the so many-th in a row on.
    """

    name: str = ""
    when: str = Field(min_length=1)
    if_: str = Field("", alias="if")
    for_: Duration = Field(0.0, alias="for")
    consecutive: Annotated[int, Field(ge=1)] = 1
    severity: Severity = "error"
    to: Names = ()
    group_by: Literal["provider", "dataset", "rule"] = "provider"
    clear: str | None = None
    repeat: Duration | Literal["off"] = "off"
    escalate: EscalationSettings | None = None
    hours: str | None = None
    enabled: bool = True


def _web(value: str) -> str:
    if value and not value.startswith(("https://", "http://")):
        raise Fault("expected a web address", hint="Write the address that is to be asked: https://…")
    return value


class HeartbeatSettings(Section):
    """Who notices that we are silent: `url` is asked `every` so many seconds, as long as alerts work; "": nobody."""

    url: Annotated[str, AfterValidator(_web)] = ""
    every: SomeTime = 300.0


class AlertsSettings(Section):
    """Channels by name (Apprise URLs), hours by name, and rules over the shipped ones.

    `link`: the address of an incident's page, told in messages; `{id}` in it stands for the incident.
    """

    channels: dict[ChannelName, ChannelUrl] = Field(default_factory=dict)
    hours: dict[ChannelName, HoursSettings] = Field(default_factory=dict)
    rules: tuple[AlertRuleSettings, ...] = ()
    link: str = ""
    heartbeat: HeartbeatSettings = HeartbeatSettings()
