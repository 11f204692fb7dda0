"""The outbox as somebody looks into it: how channels stand, what waits, what was sent, what nobody took."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from integrated_system import IntegratedSystem
from monitoring.alerting.letter import Letter
from operations.actor import Actor, UsageError
from operations.alert_acts import resend
from operations.alerting import deliver
from utils.events.event import stamp

__all__ = ["ChannelState", "Resent", "State", "Written", "channels", "letter", "letters", "resend_now"]

State = Literal["waiting", "sent", "dead"]


@dataclass(frozen=True, slots=True)
class ChannelState:
    """How a channel stands.

    Attributes:
        service: The first word of its address, such as `slack`; the rest of it is secret.
        waiting: Messages that wait for it; `dead`: those of the last day that nobody took.
        told_at: When it took a message last, RFC 3339; None: never, or longer ago than is kept.
        failing_since: Since when it takes nothing, RFC 3339; None: it takes what it gets.
        error: What it said last.
    """

    channel: str
    service: str
    waiting: int
    dead: int
    told_at: str | None
    failing_since: str | None
    error: str

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Written:
    """A letter with its words."""

    letter: Letter

    def to_json(self) -> dict[str, Any]:
        return {**self.letter.to_json(), "message": self.letter.message.to_json()}


@dataclass(frozen=True, slots=True)
class Resent:
    """Letters that were put back, how many messages were sent just now, and how many wait."""

    letters: tuple[Letter, ...]
    sent: int
    waiting: int

    def to_json(self) -> dict[str, Any]:
        return {"letters": [one.to_json() for one in self.letters], "sent": self.sent, "waiting": self.waiting}


def channels(system: IntegratedSystem) -> list[ChannelState]:
    """Every channel that is configured, by name, and others for which something waits."""
    outbox, declared = system.alert_outbox, system.settings.alerts.channels
    standing = {one.channel: one for one in outbox.standing()}
    told = outbox.last_sent()
    found = []
    for name in sorted({*declared, *standing}):
        stands = standing.get(name)
        since = None if stands is None else stands.failing_since
        found.append(
            ChannelState(
                name,
                declared[name].partition("://")[0] if name in declared else "",
                0 if stands is None else stands.waiting,
                0 if stands is None else stands.dead,
                stamp(told[name]) if name in told else None,
                None if since is None else stamp(since),
                "" if stands is None else stands.error,
            )
        )
    return found


def letters(system: IntegratedSystem, state: State, *, limit: int = 50) -> list[Letter]:
    """Messages that wait (in order), that were sent (the latest first), or that nobody took (the oldest first)."""
    outbox = system.alert_outbox
    if state == "sent":
        return outbox.sent(limit)
    return (outbox.undelivered() if state == "waiting" else outbox.dead())[:limit]


def letter(system: IntegratedSystem, key: str) -> Written:
    """One message to one channel, with its words as they were written.

    Raises:
        UsageError: there is none of this key.
    """
    found = system.alert_outbox.one(key)
    if found is None:
        raise UsageError(f"there is no message {key!r}", hint="what was sent is kept for 90 days", missing=True)
    return Written(found)


def resend_now(system: IntegratedSystem, actor: Actor, keys: Sequence[str] = ()) -> Resent:
    """Try dead letters once more and at once, as if they were new; no keys: all of them.

    Raises:
        UsageError: a key is of no dead letter, or of several.
        NotAllowedError: the role does not reach.
    """
    found = resend(system, actor, keys)
    delivered = deliver(system) if found else None
    sent, waiting = (delivered.sent, delivered.waiting) if delivered is not None else (0, 0)
    return Resent(tuple(found), sent, waiting)
