"""Bodies about incidents and who is told of them."""

from typing import Any, Literal

from pydantic import Field

from api.shapes.base import Time, Told

__all__ = [
    "Channels",
    "Explained",
    "Incident",
    "Incidents",
    "Letters",
    "ListedIncident",
    "Resent",
    "Sent",
    "Silence",
    "Silences",
    "Trial",
    "WrittenLetter",
]

Severity = Literal["info", "warning", "error", "critical"]


class Cause(Told):
    """An event that belongs to an incident; `over`: when it was."""

    rule: str
    type: str = Field(examples=["dataset.failed"])
    subject: str = Field(examples=["orders"])
    seq: int
    since: Time
    last: Time
    count: int
    over: Time | None
    data: dict[str, Any]


class Incident(Told):
    """What is wrong, since when, who takes it, and whom it concerns."""

    id: str = Field(examples=["3f2a81c0"])
    kind: str = Field(examples=["provider"])
    about: str = Field(examples=["partner"])
    group: str
    severity: Severity = Field(examples=["error"])
    state: Literal["open", "acknowledged", "silenced", "inhibited", "resolved"] = Field(examples=["open"])
    opened_at: Time
    rules: list[str]
    datasets: list[str] = Field(examples=[["orders"]])
    causes: list[Cause]
    to: list[str]
    told_at: Time | None
    resolved_at: Time | None
    acknowledged_by: str | None
    acknowledged_until: Time | None
    comment: str
    inhibited_by: str | None
    silenced_by: str | None
    flapping: bool
    step: int
    explains: list[str]


class ListedIncident(Incident):
    """`title`: what a message would say of it now."""

    title: str


class Matcher(Told):
    """Which incidents; all that is given must hold."""

    incident: str
    about: str
    dataset: str = Field(examples=["fx_*"])
    rule: str
    severity: str


class Silence(Told):
    """For how long nobody is told of certain incidents."""

    id: str = Field(examples=["s-1a2b3c"])
    matcher: Matcher
    since: Time
    until: Time
    by: str = Field(examples=["token:robot"])
    reason: str
    ended_at: Time | None
    ended_by: str


class Silences(Told):
    """What keeps quiet, and the maintenance windows that are to come."""

    silences: list[Silence]


class Incidents(Silences):
    """Those that are not over first, the most urgent of them before others."""

    incidents: list[ListedIncident]


class Happened(Told):
    """A change of an incident; `notice`: what was told of it then, null: nothing."""

    time: Time
    change: str = Field(examples=["opened"])
    notice: str | None
    to: list[str] = Field(examples=[["team"]])
    reason: str
    actor: str


class Due(Told):
    """What comes next, if nothing changes."""

    at: Time
    what: str
    to: list[str]


class Sent(Told):
    """What came of a test."""

    channel: str = Field(examples=["team"])
    state: Literal["sent", "failed", "refused", "unknown"]
    error: str


class ChannelNow(Told):
    """How a channel stands; `service`: the first word of its address."""

    channel: str = Field(examples=["team"])
    service: str = Field(examples=["slack"])
    waiting: int
    dead: int
    told_at: Time | None
    failing_since: Time | None
    error: str


class Channels(Told):
    """Who is told of incidents."""

    channels: list[ChannelNow]


class Letter(Told):
    """A message to a channel, and what came of it; `into`: another one tells it."""

    key: str
    channel: str = Field(examples=["team"])
    incident: str | None
    kind: str = Field(examples=["opened"])
    severity: Severity
    state: Literal["waiting", "sending", "sent", "dead", "merged", "summarised"]
    title: str
    attempts: int
    created: Time
    next_try: Time | None
    told_at: Time | None
    error: str
    into: str | None


class Letters(Told):
    """Messages of the outbox."""

    letters: list[Letter]


class Resent(Letters):
    """What was put back; how many messages were sent just now, and how many wait."""

    sent: int
    waiting: int


class Message(Told):
    """What people would be told."""

    kind: str
    severity: Severity
    title: str
    parts: list[dict[str, Any]]
    footer: str
    incident: str
    datasets: list[str]


class WrittenLetter(Letter):
    """A message with its words, as they were written."""

    message: Message


class Explained(Told):
    """When and why each notice went out, or did not, to whom, and what is due next."""

    incident: Incident
    happened: list[Happened]
    letters: list[Letter]
    due: list[Due]
    quiet: list[str]
    message: Message | None = Field(description="What a message would say of it now; null: of a past moment.")


class Reaction(Told):
    """What a rule does with the event; `calls`: whether it opens an incident."""

    rule: str = Field(examples=["dataset_failed"])
    severity: Severity
    calls: bool
    words: str


class WouldTell(Told):
    """A message, when it would go out, and to whom."""

    after_s: float
    to: list[str]
    message: Message


class Trial(Told):
    """What would come of an event; nothing was sent."""

    event: str = Field(examples=["dataset.failed"])
    subject: str = Field(examples=["orders"])
    data_of: str | None
    reactions: list[Reaction]
    told: list[WouldTell]
