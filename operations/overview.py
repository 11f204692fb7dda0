"""Everything at a glance for monitoring clients: datasets, incidents, and this machine, in a few figures."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from integrated_system import IntegratedSystem
from monitoring.alerting.incident import SEVERITIES
from operations.host_snapshots import recent_snapshots
from operations.status import ORDER, Status, status
from utils.release import release

__all__ = ["Overview", "overview"]

LOOKED_BACK_MIN = 10.0


@dataclass(frozen=True, slots=True)
class Overview:
    """How the system stands. `host`: the watch's report, when it runs in this process, and the newest snapshot."""

    app: str
    found: Status
    host: dict[str, Any]

    @property
    def status(self) -> str:
        """`ok`, `degraded` or `failed`: the worst of the datasets, and of incidents that are critical."""
        states = {one.status for one in self.found.datasets}
        if "failed" in states or any(one.severity == "critical" for one in self.found.incidents):
            return "failed"
        return "degraded" if "degraded" in states or self.found.incidents else "ok"

    def to_json(self) -> dict[str, Any]:
        found = self.found
        datasets = Counter(one.status for one in found.datasets)
        incidents = Counter(one.severity for one in found.incidents)
        return {
            "app": self.app,
            "version": release(),
            "status": self.status,
            "sentence": found.sentence,
            "datasets": {name: datasets[name] for name in ORDER},
            "incidents": {name: incidents[name] for name in SEVERITIES},
            "last_run": found.last_run,
            "queued": found.queued,
            "host": self.host,
        }


def overview(system: IntegratedSystem) -> Overview:
    """How everything stands now."""
    watch = system.progressive
    report = None if watch.latest is None else watch.report().to_json()
    seen = recent_snapshots(system, minutes=LOOKED_BACK_MIN).snapshots
    host = {"watched_here": report is not None, "report": report, "latest": seen[-1] if seen else None}
    return Overview(system.settings.app.name, status(system), host)
