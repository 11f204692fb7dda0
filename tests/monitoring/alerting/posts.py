"""An outbox on a database of a test, with channels that answer as the test says."""

import threading
from collections.abc import Callable, Sequence

from monitoring.alerting.channels import Outcome, Sending
from monitoring.alerting.delivery import Delivery
from monitoring.alerting.incident import Severity
from monitoring.alerting.letter import Post
from monitoring.alerting.message.message import Kind, Message, Part
from monitoring.alerting.outbox import Outbox
from monitoring.alerting.outbox_table import SCHEMA
from tests.databases import opened_at
from utils.clock import Clock
from utils.events import SCHEMA as EVENTS
from utils.events import EventStore

SENT = Outcome("sent")
DOWN = Outcome("failed", "connection refused")
GONE = Outcome("refused", "error=404")


class Receiver:
    """A channel: takes what `answer` says it takes, and knows what it got."""

    def __init__(self, *answers: Outcome) -> None:
        self.answers = list(answers)
        self.got: list[str] = []
        self.keys: list[str] = []
        self.tries = 0

    def __call__(self, message: Message, key: str) -> Outcome:
        self.tries += 1
        outcome = self.answers.pop(0) if len(self.answers) > 1 else (self.answers or [SENT])[0]
        if outcome.state in ("sent", "unknown"):
            self.got.append(message.title)
            self.keys.append(key)
        return outcome


class Hanging:
    """A channel that does not come back until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.let_go = threading.Event()

    def __call__(self, message: Message, key: str) -> Outcome:
        self.entered.release()
        assert self.let_go.wait(120)
        return SENT


class World:
    """The outbox, its log and its channels."""

    def __init__(self, address: str, clock: Clock, *, migrations: Sequence[str] = (f"{EVENTS};{SCHEMA}",)) -> None:
        self.clock = clock
        self.database = opened_at(address, migrations)
        self.events = EventStore(self.database, clock=clock)
        self.outbox = Outbox(self.database, record(self.events), clock=clock)

    def put(self, *posts: Post) -> None:
        self.outbox.put(posts)

    def drain(self, within_s: float = 10.0, **channels: Sending) -> None:
        """Send as a command does that ends."""
        delivery = Delivery(self.outbox, channels, clock=self.clock, gather_s=0.0)
        delivery.drain(within_s)
        delivery.close()

    def told(self, kind: str) -> list[dict[str, object]]:
        return [event.data for event in self.events.read(type=kind)]

    def close(self) -> None:
        self.events.close()
        self.database.close()


def record(events: EventStore) -> Callable[..., object]:
    return lambda news, change: events.append(news, guard=change)


def message(title: str, kind: Kind = "opened", severity: Severity = "error", incident: str = "") -> Message:
    return Message(kind, severity, title, (Part("", f"{title}, in detail."),), incident, incident)


def begun(incident: str, channel: str = "team", *, place: int = 1, severity: Severity = "error") -> Post:
    return _post(incident, channel, place, "opened", severity)


def over(incident: str, channel: str = "team", *, place: int = 2, severity: Severity = "error") -> Post:
    return _post(incident, channel, place, "resolved", severity)


def _post(incident: str, channel: str, place: int, kind: Kind, severity: Severity) -> Post:
    said = {"opened": "down", "resolved": "over"}.get(kind, kind)
    told = message(f"{incident} {said}", kind, severity, incident)
    return Post(f"{incident}-{kind}:{channel}", channel, incident, place, told)


def titles(receivers: Sequence[Receiver]) -> list[list[str]]:
    return [one.got for one in receivers]
