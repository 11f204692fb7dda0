"""Who is told what, when and where: channels, hours and rules of `alerts`."""

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config import kinds
from config.durations import Duration, SomeTime
from config.errors import Fault, KeyPath, shown
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


LEAST_REPEAT_S = 60.0
RULE_FAULTS = "monitoring.alerting.rules:faults"
"""What judges the events and expressions of rules; loaded when there are any."""

Found = tuple[KeyPath, ValueError, type | None]


def _channel(value: str) -> str:
    if "://" not in value:
        raise Fault(
            f"expected an address such as `slack://…`, got {shown(value)}",
            hint="Channels are Apprise URLs; a Slack webhook's https address works as it is.",
        )
    return value


def _repeat(value: float | str) -> float | str:
    if isinstance(value, float) and value < LEAST_REPEAT_S:
        raise Fault(f"told again every `{value:g}s` nobody reads it", hint="Write at least `1m`, better some hours.")
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

    `for_` and `repeat` in seconds. `to` empty: every channel. `clear`: the event that ends it (`TYPE`, or
    `TYPE if EXPRESSION`), None: the counterpart. `consecutive`: only from the so many-th in a row on.
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
    repeat: Annotated[Duration | Literal["off"], AfterValidator(_repeat)] = "off"
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


def alert_faults(alerts: AlertsSettings, calendars: Collection[str]) -> Iterator[Found]:
    """Names of channels, hours and calendars that are none; two rules of one name; events that are never appended."""
    for name, hours in alerts.hours.items():
        if hours.calendar is not None and hours.calendar not in calendars:
            fault = _no_such("calendar", hours.calendar, calendars, "`calendars`")
            yield ("alerts", "hours", name, "calendar"), fault, None
    named: set[str] = set()
    for position, rule in enumerate(alerts.rules):
        here: KeyPath = ("alerts", "rules", position)
        if rule.name and rule.name in named:
            fault = Fault(f"{shown(rule.name)} is the name of two rules", hint="Rename one of the two.")
            yield (*here, "name"), fault, None
        named.add(rule.name)
        escalated = rule.escalate.to if rule.escalate is not None else ()
        for keys, channels in ((("to",), rule.to), (("escalate", "to"), escalated)):
            for at, channel in enumerate(channels):
                if channel not in alerts.channels:
                    yield (*here, *keys, at), _no_such("channel", channel, alerts.channels, "`alerts.channels`"), None
        if rule.escalate is not None and not rule.escalate.to:
            yield (
                (*here, "escalate", "to"),
                Fault("nobody is named", hint="Name the channels that are told then."),
                None,
            )
        if rule.hours is not None and rule.hours not in alerts.hours:
            yield (*here, "hours"), _no_such("hours", rule.hours, alerts.hours, "`alerts.hours`"), None
    if alerts.rules:
        for position, key, fault in kinds.load(RULE_FAULTS)(alerts.rules):
            yield ("alerts", "rules", position, key), fault, None


def _no_such(what: str, name: str, known: Collection[str], place: str) -> Fault:
    near = get_close_matches(name, known, n=1)
    suggestion = f"; did you mean `{near[0]}`?" if near else ""
    listed = f"Declared are: {', '.join(sorted(known)[:20])}." if known else f"None are declared under {place}."
    words = "are no hours" if what == "hours" else f"is no {what}"
    return Fault(f"{shown(name)} {words}{suggestion}", hint=listed)
