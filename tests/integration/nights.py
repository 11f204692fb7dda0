"""A night in an installation: things happen on a clock of its own, and what people are told of them is written down."""

import os
from datetime import datetime
from pathlib import Path

from integrated_system import IntegratedSystem
from monitoring.alerting.incident import IncidentNews
from monitoring.alerting.message import KINDS, compose
from operations.actor import Actor
from operations.incident_engine import incident_engine
from operations.promises import judge_promises
from operations.run import run
from operations.situation import InstallationSituation
from utils.clock import ManualClock
from utils.events import NewEvent

GOLDEN = Path(__file__).parent / "golden"
QUARTER = 900.0


class Night:
    """Runs datasets of an installation, and lets time pass.

    Attributes:
        told: The messages, each with the time at which it was written.
        incidents: The ids in them, and a name for each that is the same on every machine.
    """

    def __init__(self, system: IntegratedSystem, clock: ManualClock) -> None:
        self.system = system
        self.clock = clock
        self.told: list[str] = []
        self.incidents: dict[str, str] = {}
        self._engine = incident_engine(system)
        self._seen = 0

    def run(self, *names: str) -> None:
        """Collect these, or all, and see to what came of it."""
        run(self.system, Actor("test"), names, fresh=True, workers=1)
        self.look()

    def happens(self, event: NewEvent) -> None:
        """Another part of the program writes to the log."""
        self.system.events.append([event])
        self.look()

    def until(self, text: str) -> None:
        """Let the clock go on to a moment, RFC 3339, looking every quarter of an hour."""
        end = datetime.fromisoformat(text)
        while (left := (end - self.clock.now()).total_seconds()) > 0:
            self.clock.advance(min(left, QUARTER))
            self.look()

    def look(self) -> None:
        """See what came of it, as `serve` does all the time."""
        judge_promises(self.system)
        self._engine.step(hurry=True)
        for event in self.system.events.read(after=self._seen, type="incident.*"):
            self._seen = event.seq
            self._tell(IncidentNews.from_json(event.data))

    def close(self) -> None:
        self._engine.close()

    def _tell(self, news: IncidentNews) -> None:
        if news.notice is None:
            return
        message = compose(news.incident, KINDS[news.notice.kind], InstallationSituation(self.system), self.clock.now())
        at = f"{self.clock.now():%Y-%m-%d %H:%M} UTC"
        self.incidents.setdefault(news.incident.id, f"INCIDENT-{len(self.incidents) + 1}")
        self.told.append(f"--- {at}, {message.kind}, {message.severity}\n{message.title}\n\n{message.text}\n")


def golden(name: str, night: Night) -> None:
    """What was told is what stands in the file, but for what differs from machine to machine.

    `GOLDEN=write` in the environment writes the file anew: read what changed before you keep it.
    """
    text = "\n".join(night.told)
    places = {str(night.system.config): "CONFIG", str(night.system.state_dir): "STATE"}
    for here, anywhere in {**places, **night.incidents}.items():
        text = text.replace(here, anywhere)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()
