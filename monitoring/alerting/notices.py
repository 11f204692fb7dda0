"""From the log to the outbox: each event that says that somebody is to be told becomes a message for each channel."""

from collections.abc import Callable, Sequence
from datetime import datetime

from monitoring.alerting.alert import Alert
from monitoring.alerting.alert_files import AlertFiles
from monitoring.alerting.incident import IncidentNews, Notice
from monitoring.alerting.letter import Post
from monitoring.alerting.message.compose import KINDS, compose
from monitoring.alerting.message.message import Kind, Message, Part
from monitoring.alerting.outbox import Outbox
from monitoring.alerting.situation import Situation
from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import Database, StateError
from utils.events import Event
from utils.events.following import Consumer
from utils.logger import get_logger

__all__ = ["CONSUMER", "PATTERN", "Notices", "alert_of", "is_behind"]

CONSUMER, PATTERN = "alerts.outbox", "incident.*"
"""Its cursor's name, and what it follows."""

_BEHIND = (
    "SELECT 1 FROM names WHERE kind = 'type' AND name >= 'incident.' AND name < 'incident/' "
    "AND newest > COALESCE((SELECT seq FROM cursors WHERE cursors.name = ?), 0) LIMIT 1"
)

PAGE = 20
"""Events that are put into the outbox together."""


def is_behind(database: Database) -> bool:
    """Whether there are events of incidents that nobody has written messages about."""
    return bool(database.query(_BEHIND, (CONSUMER,)))


class Notices:
    """Follows `incident.*`. An event that is seen twice gives the same messages with the same keys.

    Args:
        situation: Asked when there is something to be written; what it costs to build is paid only then.
        files: Where each alert is kept as a file, whoever else is told.
    """

    def __init__(
        self, outbox: Outbox, situation: Callable[[], Situation], files: AlertFiles, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._outbox = outbox
        self._situation = situation
        self._files = files
        self._clock = clock

    def consumer(self) -> Consumer:
        """For whoever runs it."""
        return Consumer(name=CONSUMER, handler=self.take, pattern=PATTERN, start="beginning", batch=PAGE)

    def take(self, events: Sequence[Event]) -> None:
        """Put what is to be told into the outbox, all of it in one commit.

        Raises:
            StateError: the outbox cannot be written: nothing of it is in it.
        """
        told = [(event, news, news.notice) for event in events if (news := _news(event)) is not None and news.notice]
        posts: list[Post] = []
        alerts: list[Alert] = []
        for event, news, notice in told:
            message = _composed(event, news, KINDS[notice.kind], self._situation(), self._clock.now())
            posts += _posts(event, news, notice, message)
            alerts.append(_alert(event, news, message))
        self._outbox.put(posts)
        for alert in alerts:
            _written(self._files, alert)


def alert_of(event: Event, situation: Situation, now: datetime) -> Alert | None:
    """What people are told by an event `incident.*`; None: nobody is.

    Raises:
        StateError: the situation cannot be looked at.
    """
    news = _news(event)
    if news is None or news.notice is None:
        return None
    return _alert(event, news, _composed(event, news, KINDS[news.notice.kind], situation, now))


def _composed(event: Event, news: IncidentNews, kind: Kind, situation: Situation, now: datetime) -> Message:
    """The message; what cannot be told well is told badly rather than not at all."""
    try:
        return compose(news.incident, kind, situation, now)
    except StateError:
        raise
    except Exception as error:  # noqa: BLE001 - in the middle of a night, one odd event must not hold up the rest
        get_logger("alerts").error("alert.not_composed", incident=news.incident.id, seq=event.seq, exc=error)
        incident = news.incident
        said = "over" if kind == "resolved" else "wrong"
        title = f"{incident.about}: {said} ({', '.join(incident.rules) or incident.kind})"
        advice = (Part("", f"Since {incident.opened_at}."), Part("See", f"why {incident.id}", "command"))
        return Message(kind, incident.severity, title, advice, incident.id, incident.id, incident.datasets)


def _news(event: Event) -> IncidentNews | None:
    """What an event tells; None when a tool or a later release wrote it in a form that we do not know."""
    try:
        return IncidentNews.from_json(event.data)
    except (KeyError, TypeError, AttributeError) as error:
        get_logger("alerts").warning("alert.not_understood", seq=event.seq, type=event.type, reason=str(error))
        return None


def _posts(event: Event, news: IncidentNews, notice: Notice, message: Message) -> list[Post]:
    incident = news.incident
    # Who does not answer is not told that he does not.
    to = [name for name in notice.to if not (incident.kind == "channel" and incident.about == name)]
    return [Post(f"{event.id}:{name}", name, incident.id, event.seq, message) for name in to]


def _alert(event: Event, news: IncidentNews, message: Message) -> Alert:
    incident = news.incident
    kind = incident.rules[0] if incident.rules else incident.kind
    return Alert(
        *(event.id, event.time, message.severity, kind, message.title, message.text, "incidents"),
        *(message.kind, incident.id, incident.datasets),
    )


def _written(files: AlertFiles, alert: Alert) -> None:
    try:
        files.write(alert)
    except OSError as error:
        get_logger("alerts").warning("alert.no_file", incident=alert.incident, reason=str(error))
