"""What messages about incidents ask of the installation: how datasets and providers stand, and what to paste."""

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from config.datasets import DatasetSettings
from data_pipeline.promise import FOR_EVER
from integrated_system import IntegratedSystem
from monitoring.alerting.situation import DatasetStanding, ProviderStanding
from monitoring.alerting.views import Incidents
from operations.breakers import Breaker, breaker_of
from operations.changes import same_in_a_row
from operations.next_try import next_try
from operations.promises import Attempts
from operations.status import DatasetStatus, statuses_of
from utils.events import rfc3339

__all__ = ["InstallationSituation"]

_MOST_RUNS = 1000
"""Dataset runs of a provider that are counted, the newest; after ten days of trouble nobody counts the tries."""

_SENT_BEFORE = 100
"""Runs in which the same content is looked for."""


class InstallationSituation:
    """The `Situation` of an installation. Asks for what is needed when it is asked; keeps nothing that changes."""

    def __init__(self, system: IntegratedSystem) -> None:
        self._system = system

    @property
    def zone(self) -> str:
        return self._system.settings.app.zone

    @property
    def app(self) -> str:
        return self._system.settings.app.name

    def datasets(self, names: Sequence[str]) -> list[DatasetStanding]:
        """How these stand, in this order; those that are not declared any more are left out."""
        system = self._system
        asked = [one for name in names if (one := system.settings.find(name)) is not None]
        bodies = system.views.latest([dataset.name for dataset in asked])
        attempts = Attempts(system, system.database)
        breakers: dict[str, Breaker] = {}
        found = []
        for dataset, status in zip(asked, statuses_of(system, asked), strict=True):
            breaker = breakers.get(status.provider)
            if breaker is None:
                breaker = breakers[status.provider] = breaker_of(system, status.provider)
            last = bodies.get(dataset.name)
            again = next_try(system, dataset, breaker, last, attempts)["at"]
            found.append(self._standing(dataset, status, last or {}, again))
        return found

    def concerned(self, incidents: Sequence[str]) -> list[str]:
        """The datasets that these incidents are about, each once."""
        views = Incidents(self._system.database)
        news = (views.news(one) for one in incidents)
        return sorted({name for one in news if one is not None for name in one.incident.datasets})

    def provider(self, name: str, since: datetime) -> ProviderStanding:
        """How it answers, and what came of asking it `since` then."""
        system = self._system
        breaker, settings = breaker_of(system, name), system.settings.provider(name)
        runs = self._runs_of(name, since)
        errors = [run["error"] for run in runs if run["error"]]
        # What our own circuit refused says nothing of how the provider answers.
        theirs = next((error for error in errors if error["type"] != "RequestRefused"), None)
        error = theirs or (errors[0] if errors else {})
        until = _moment(breaker.open_until)
        return ProviderStanding(
            provider=name,
            breaker=breaker.state,
            tries=sum(run["attempts"] for run in runs),
            last_error=error.get("message") or ("" if breaker.state == "closed" else breaker.reason),
            error_type=error.get("type", ""),
            hint=error.get("hint", ""),
            next_try=until if until is not None and until > system.clock.now() else None,
            held=breaker.held and breaker.state == "open",
            owner=settings.owner,
            runbook=settings.runbook,
        )

    def command(self, arguments: str) -> str:
        """A command of this program as it is to be pasted in the program's folder."""
        where = []
        if self._system.config is not None:
            where += ["--config", str(self._system.config.absolute())]
        if self._system.state_dir != Path(self._system.settings.app.state_dir).absolute():
            where += ["--state-dir", str(self._system.state_dir)]
        return " ".join(["python integrated_system.py", arguments, *map(shlex.quote, where)])

    def link(self, incident: str) -> str:
        """The page of an incident; "": there is none."""
        return self._system.settings.alerts.link.replace("{id}", incident)

    def redacted(self, text: str) -> str:
        """The text without secrets."""
        return self._system.loaded.known.redacted(text)

    def _standing(
        self, dataset: DatasetSettings, status: DatasetStatus, last: dict[str, Any], again: str | None
    ) -> DatasetStanding:
        promise, error = status.promise, last.get("error") or {}
        until = None if promise is None or promise.judged.until == FOR_EVER else promise.judged.until
        same = None
        if promise is not None and promise.state != "kept" and last.get("origin") == "provider":
            same = same_in_a_row(self._system.views.recent(dataset.name, limit=_SENT_BEFORE))
        settings = self._system.settings.provider(status.provider)
        return DatasetStanding(
            dataset=dataset.name,
            provider=status.provider,
            status=status.status,
            origin=status.origin,
            age_s=status.age_s,
            data_age_s=status.data_age_s,
            data_time=_moment(status.data_time),
            collected_at=_moment(status.collected_at),
            next_try=_moment(again),
            breaks_at=until,
            promised=promise is not None,
            broken=promise is not None and promise.state == "broken",
            at_risk=status.at_risk,
            reason=status.reason or "",
            error=error.get("message", ""),
            error_type=error.get("type", ""),
            hint=error.get("hint", ""),
            owner=dataset.owner or settings.owner,
            runbook=dataset.runbook or settings.runbook,
            held=self._objections(dataset.name, status.held),
            same=0 if same is None else same.times,
            same_since=None if same is None else _moment(same.since),
            blocked=status.blocked or "",
            readers=self._readers.get(dataset.name, ()),
        )

    def _objections(self, dataset: str, held: str | None) -> str:
        if held is None:
            return ""
        version = self._system.views.version(dataset, held)
        return "" if version is None else str(version.body.get("reason") or "it waits for a decision")

    @cached_property
    def _readers(self) -> dict[str, tuple[str, ...]]:
        """Dataset -> those that are made of it."""
        found: dict[str, list[str]] = {}
        for dataset in self._system.settings.datasets:
            for upstream in dataset.depends_on:
                found.setdefault(upstream, []).append(dataset.name)
        return {name: tuple(readers) for name, readers in found.items()}

    def _runs_of(self, provider: str, since: datetime) -> list[dict[str, Any]]:
        """What came of its datasets since then, newest first."""
        # A run's id begins with when it was due: one that made up for a missed time is looked for a day back.
        first = f"{int((since - timedelta(days=1)).timestamp() * 1000):012x}"
        sql = (
            "SELECT r.body FROM dataset_runs r JOIN datasets d ON d.dataset = r.dataset"
            " WHERE r.run_id >= ? AND r.time >= ? AND d.provider = ? ORDER BY r.run_id DESC LIMIT ?"
        )
        values = (f"{first[:8]}-{first[8:]}", rfc3339(since), provider, _MOST_RUNS)
        return [orjson.loads(body) for (body,) in self._system.database.query(sql, values)]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
