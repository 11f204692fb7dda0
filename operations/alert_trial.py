"""Trying out alerts: a message to one channel; and who would be told what, when, if an event came (nothing is sent)."""

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from integrated_system import IntegratedSystem
from monitoring.alerting.core import Core
from monitoring.alerting.incident import IncidentNews
from monitoring.alerting.known_types import TYPES, unknown
from monitoring.alerting.known_types import about as about_type
from monitoring.alerting.message import KINDS, Message, Part, compose
from monitoring.alerting.rules import Rule
from monitoring.alerting.setup import Setup
from operations.actor import Actor, UsageError, operation
from operations.incident_engine import incident_engine
from operations.situation import InstallationSituation
from operations.words import duration
from utils.event_patterns import matches
from utils.events import Event, rfc3339, uuid7

__all__ = ["Reaction", "Sent", "Trial", "WouldTell", "try_channel", "would_tell"]

AHEAD_S, MOST_TOLD = 7 * 86_400.0, 5
"""So far it is looked ahead, and at so many messages."""

_OWN = {"host": "host", "network": "network", "clock": "clock"}


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a message to a channel. `state`: `sent failed refused unknown`; `error`: why it was not."""

    channel: str
    state: str
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"channel": self.channel, "state": self.state, "error": self.error}


@operation("operator")
def try_channel(system: IntegratedSystem, actor: Actor, name: str) -> Sent:
    """Send a message that says that it is a test, at once and past the outbox.

    Raises:
        UsageError: there is no such channel.
    """
    channel = system.alert_channels.get(name)
    if channel is None:
        known_names = sorted(system.alert_channels)
        near = get_close_matches(name, known_names, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(known_names) or 'none'}"
        raise UsageError(f"there is no channel {name!r} in `alerts.channels`", hint=hint, missing=True)
    app = system.settings.app
    parts = (
        Part("", f"{actor.name} tried the channel `{name}` of {app.name}. Whoever reads this is told of incidents."),
        Part("You do", "nothing"),
    )
    message = Message("test", "info", f"A test of {app.name}: nothing is wrong", parts, f"times in {app.zone}")
    outcome = channel.send(message, f"test-{uuid7(system.clock.time())}")
    return Sent(name, outcome.state, outcome.error)


@dataclass(frozen=True, slots=True)
class Reaction:
    """A rule for the event: whether it calls somebody, and in words why not, or on what conditions."""

    rule: str
    severity: str
    calls: bool
    words: str

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class WouldTell:
    """A message: `after_s` seconds after the event, to these channels (none: only kept as a file)."""

    after_s: float
    to: tuple[str, ...]
    message: Message

    def to_json(self) -> dict[str, Any]:
        return {"after_s": self.after_s, "to": list(self.to), "message": self.message.to_json()}


@dataclass(frozen=True, slots=True)
class Trial:
    """What an event would come to, were nothing else wrong.

    Attributes:
        subject: Whose event it would be; `data_of`: when such an event came last, whose data is taken; None: never.
    """

    event: str
    subject: str
    data_of: str | None
    reactions: tuple[Reaction, ...]
    told: tuple[WouldTell, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "event": self.event,
            "subject": self.subject,
            "data_of": self.data_of,
            "reactions": [one.to_json() for one in self.reactions],
            "told": [one.to_json() for one in self.told],
        }


def would_tell(system: IntegratedSystem, kind: str, subject: str = "") -> Trial:
    """Who would be told what, and when, if an event of this type came now. Nothing is written or sent.

    Args:
        subject: A dataset; of an event of a provider, the provider or a dataset of it; else whatever it is about.

    Raises:
        UsageError: there is no such type, or it is not said whose event it is.
    """
    if (fault := unknown(kind)) is not None:
        raise UsageError(fault, hint="docs/events.md lists the types")
    if "*" in kind:
        near = ", ".join(sorted(one for one in TYPES if matches(kind, one))[:5])
        raise UsageError(f"{kind!r} is a pattern", hint=f"name one type, such as {near}")
    name = _subject(system, kind, subject)
    found = system.events.read(type=kind, subject=name, newest_first=True, limit=1)
    data = dict(found[0].data) if found else {}
    with closing(incident_engine(system)) as engine:
        setup = engine.look(lambda core: core.setup)
    now = system.clock.time()
    event = Event(1, uuid7(now), rfc3339(system.clock.now()), "test", kind, name, data, 1, "", "")
    reactions = tuple(_reaction(rule, data) for rule in setup.rules if matches(rule.when, kind))
    told = tuple(_told(system, setup, event, now))
    return Trial(kind, name, found[0].time if found else None, reactions, told)


def _subject(system: IntegratedSystem, kind: str, subject: str) -> str:
    named = about_type(kind)
    dataset = system.settings.find(subject) if subject else None
    if named == "provider" and dataset is not None:
        return system.collector.provider_of(dataset)
    if named == "dataset":
        if not subject:
            raise UsageError(f"of which dataset would {kind} be?", hint="add --dataset NAME")
        return system.settings.dataset(subject).name
    if subject:
        return subject
    if named not in _OWN:
        raise UsageError(f"whose would {kind} be?", hint="add --dataset NAME")
    return _OWN[named]


def _reaction(rule: Rule, data: dict[str, Any]) -> Reaction:
    conditions = []
    if rule.for_s:
        conditions.append(f"when it lasts {duration(rule.for_s)}")
    if rule.consecutive > 1:
        conditions.append(f"from the {rule.consecutive}. in a row on")
    if rule.hours:
        conditions.append(f"within the hours `{rule.hours}`")
    if rule.joins:
        conditions.append("only listed in an incident that is open")
    if rule.digest:
        conditions.append("once a day, together with others")
    if rule.condition is None or rule.condition(data):
        return Reaction(rule.name, rule.severity, True, ", ".join(conditions))
    missing = rule.condition.missing(data)
    why = f"the event has no {', '.join(missing)}" if missing else "what it asks of the event does not hold"
    return Reaction(rule.name, rule.severity, False, why)


def _told(system: IntegratedSystem, setup: Setup, event: Event, now: float) -> list[WouldTell]:
    """The messages, on an engine of its own that forgets it all."""
    core, situation = Core(setup), InstallationSituation(system)
    most = max((rule.consecutive for rule in setup.rules if matches(rule.when, event.type)), default=1)
    for number in range(most):
        core.take(event._replace(seq=number + 1), now)
    found: list[WouldTell] = []
    at = now
    while at <= now + AHEAD_S and len(found) < MOST_TOLD:
        core.tick(at)
        for one in core.drain():
            news = IncidentNews.from_json(one.data) if one.type.startswith("incident.") else None
            if news is None or news.notice is None or news.notice.kind == "over":
                continue
            then = datetime.fromtimestamp(at, UTC)
            message = compose(news.incident, KINDS[news.notice.kind], situation, then)
            found.append(WouldTell(round(at - now, 3), news.notice.to, message))
        at = max(core.memory.due, at + 1.0)
    return found
