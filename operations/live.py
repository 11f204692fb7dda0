"""The log as those hear it who look on live: each event once, and what people are told by it, in words.

One `LogTail` for all who listen in a process; who joins late reads what was before with `replayed`.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import orjson

from integrated_system import IntegratedSystem
from monitoring.alerting.alert import Alert
from monitoring.alerting.alert_files import AlertFiles
from monitoring.alerting.incident import SEVERITIES, Incident
from monitoring.alerting.notices import alert_of
from monitoring.alerting.views import Incidents
from operations.actor import UsageError
from operations.alerts import told_now
from operations.situation import InstallationSituation
from utils.database import StateError
from utils.event_patterns import check, matches
from utils.events import Event
from utils.logger import get_logger

__all__ = ["ActiveAlerts", "Heard", "LogTail", "Topics", "active_alerts", "alert_json", "replayed"]

ALERTS = "alerts"
TELLING = ("incident.*", "alert.raised")
"""Events by which people may be told something."""

PAGE = 500
LOOK_AGAIN_S = 5.0
"""Should news ever be missed."""

TROUBLE_S = 1.0
RECENT, LOOKED_AT = 20, 400
"""Alerts that are listed, and events of incidents among which they are looked for: not each one is told to people."""

CRITICAL = 100
"""Critical incidents whose message is written for a list; there are hardly ever ten."""


class Heard:
    """An event, with the alert that it is; both as JSON, made once for all who get it.

    Attributes:
        severity: Of the alert; "": nobody is told anything by it.
    """

    def __init__(self, event: Event, alert: Alert | None) -> None:
        self.event = event
        self.alert = alert
        self.seq = event.seq
        self.severity: str = "" if alert is None else alert.level

    @cached_property
    def alert_text(self) -> str:
        """`{"type": "alert", "severity", "title", "message", "context"}`."""
        assert self.alert is not None
        return orjson.dumps(alert_json(self.alert, seq=self.seq)).decode()

    @cached_property
    def event_text(self) -> str:
        """The event alone."""
        return orjson.dumps(self.event.to_json()).decode()

    @cached_property
    def told_event(self) -> str:
        """`{"type": "event", "event": …}`."""
        return f'{{"type":"event","event":{self.event_text}}}'


class Topics:
    """What somebody wants to hear of.

    `alerts`: whatever people are told; `alerts.critical`: of that severity only; `run.finished`, `dataset.*`, `**`:
    events of these types.

    Raises:
        UsageError: one of them is none of these.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(dict.fromkeys(names))
        self.severities: set[str] = set()
        self._patterns: list[str] = []
        self._known: dict[str, bool] = {}
        for name in self.names:
            severity = name.removeprefix(f"{ALERTS}.")
            if name == ALERTS:
                self.severities |= set(SEVERITIES)
            elif severity != name and severity in SEVERITIES:
                self.severities.add(severity)
            else:
                self._patterns.append(_pattern(name))

    @property
    def only_alerts(self) -> bool:
        return not self._patterns

    def takes_event(self, kind: str) -> bool:
        """Whether events of a type are asked for."""
        found = self._known.get(kind)
        if found is None:
            found = self._known[kind] = any(matches(pattern, kind) for pattern in self._patterns)
        return found

    def texts(self, heard: Heard) -> list[str]:
        """What of it is wanted, as a client gets it."""
        found = [heard.alert_text] if heard.severity in self.severities else []
        return [*found, heard.told_event] if self._patterns and self.takes_event(heard.event.type) else found


class LogTail:
    """Tells what is committed from now on, by any process, in a thread of its own; in order, each event once.

    Args:
        tell: Called in that thread, with some events at a time.

    Attributes:
        began: The position from which on it tells.

    Raises:
        StateError: the log cannot be read.
    """

    def __init__(self, system: IntegratedSystem, tell: "Callable[[LogTail, Sequence[Heard]], None]") -> None:
        self._system = system
        self._tell = tell
        self._closed = threading.Event()
        self._ear = system.database.news()  # before the position: what comes between the two is looked for
        try:
            self.began = system.events.head()[0]
        except BaseException:
            self._ear.close()
            raise
        self._thread = threading.Thread(target=self._follow, name="live", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it; comes back once the thread has ended."""
        self._closed.set()
        self._ear.close()
        self._thread.join()

    def _follow(self) -> None:
        after = self.began
        while not self._closed.is_set():
            try:
                events = self._system.events.read(after=after, limit=PAGE)
                told = _heard(self._system, events)
            except StateError as error:
                get_logger("api").warning("live.waits", reason=str(error))
                self._closed.wait(TROUBLE_S)
                continue
            if events:
                after = events[-1].seq
                self._tell(self, told)
            else:
                self._ear.wait(LOOK_AGAIN_S)


def replayed(system: IntegratedSystem, topics: Topics, *, after: int, limit: int = PAGE) -> tuple[list[Heard], int]:
    """Events after a position as far as `topics` may want them, and the position up to which that is all of them."""
    if not topics.only_alerts:
        events = system.events.read(after=after, limit=limit)
        return _heard(system, events), events[-1].seq if events else after
    until = system.events.head()[0]
    found: list[Event] = []
    for kind in TELLING:
        page = [one for one in system.events.read(after=after, limit=limit, type=kind) if one.seq <= until]
        if len(page) == limit:
            until = page[-1].seq
        found += page
    events = sorted((one for one in found if one.seq <= until), key=lambda one: one.seq)
    return _heard(system, events), max(after, until)


def alert_json(alert: Alert, *, seq: int | None = None) -> dict[str, Any]:
    """An alert as clients get it. `context.seq`: its position in the log, from which on others can be asked for."""
    of_alert = {"id": alert.id, "time": alert.time, "type": alert.type, "kind": alert.kind, "source": alert.source}
    context = {**of_alert, "incident": alert.incident or None, "datasets": list(alert.datasets), "seq": seq}
    told = {"severity": alert.level, "title": alert.title, "message": alert.message}
    return {"type": "alert", **told, "context": context}


class ActiveAlerts:
    """Alerts that matter now.

    Attributes:
        critical: Of incidents that are critical and not over, the oldest first, as they stand now.
        latest: The 20 that people were told last, the newest first.
        active: Incidents that are not over, whatever their severity.
    """

    def __init__(self, critical: Sequence[Alert], latest: Sequence[tuple[int, Alert]], active: int) -> None:
        self.critical, self.latest, self.active = tuple(critical), tuple(latest), active

    def to_json(self) -> dict[str, Any]:
        return {
            "active": self.active,
            "critical": [alert_json(one) for one in self.critical],
            "latest": [alert_json(one, seq=seq) for seq, one in self.latest],
        }


def active_alerts(system: IntegratedSystem) -> ActiveAlerts:
    """What is critical, and what was told last."""
    active = Incidents(system.database).active()
    critical = [_standing(system, one) for one in active if one.severity == "critical"][:CRITICAL]
    events = system.events.read(type="incident.*", newest_first=True, limit=LOOKED_AT)
    events = [one for one in events if one.data.get("notice")][:RECENT]
    events += system.events.read(type="alert.raised", newest_first=True, limit=RECENT)
    newest = sorted(events, key=lambda one: -one.seq)[:RECENT]
    told = [one for one in _heard(system, newest) if one.alert is not None]
    return ActiveAlerts(critical, [(one.seq, one.alert) for one in told if one.alert], len(active))


def _standing(system: IntegratedSystem, incident: Incident) -> Alert:
    message = told_now(system, incident)
    kind = incident.rules[0] if incident.rules else incident.kind
    said = (message.severity, kind, message.title, message.text, "incidents", message.kind)
    return Alert(incident.id, incident.opened_at, *said, incident.id, incident.datasets)


def _heard(system: IntegratedSystem, events: Sequence[Event]) -> list[Heard]:
    situation: InstallationSituation | None = None
    found = []
    for event in events:
        alert = None
        if event.type == "alert.raised":
            alert = _raised(system, event)
        elif event.type.startswith("incident."):
            situation = situation or InstallationSituation(system)
            alert = alert_of(event, situation, system.clock.now())
        found.append(Heard(event, alert))
    return found


def _raised(system: IntegratedSystem, event: Event) -> Alert | None:
    """What a program said. Its words are in its file; without that (another machine's) the title has to do."""
    data = event.data
    identity = str(data.get("id", event.id))
    if (written := AlertFiles(system.alerts_dir).find(identity)) is not None:
        return written
    level, kind, title = (str(data.get(name, "")) for name in ("level", "type", "title"))
    if level not in SEVERITIES:
        return None
    source = event.subject if event.subject != kind else ""
    return Alert(identity, event.time, level, kind, title, source=source)


def _pattern(name: str) -> str:
    try:
        check(name)
    except ValueError:
        pass
    else:
        if ("." in name or "*" in name) and not name.startswith(f"{ALERTS}."):
            return name
    hint = "there are alerts, alerts.critical (error, warning, info), and types of events: run.finished, dataset.*, **"
    raise UsageError(f"{name!r} is no topic", hint=hint)
