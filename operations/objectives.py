"""Objectives of the declared datasets: how they stand at this moment, and the event when one begins or ends to burn."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.objective import Standing, standings
from data_pipeline.objective_views import Burning, Objectives, burning_pace
from integrated_system import IntegratedSystem
from utils.database import Connection, Database, StateError
from utils.events import NewEvent, rfc3339

__all__ = ["Stand", "stands", "tell_burning"]

_WORST = ("spent", "burning", "kept", "unmeasured")


@dataclass(frozen=True, slots=True)
class Stand:
    """How a dataset's objectives stand. `state`: the worst of them; `words`: a sentence for each."""

    objectives: tuple[Standing, ...]

    @property
    def state(self) -> str:
        return min((one.state for one in self.objectives), key=_WORST.index)

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(one.words for one in self.objectives)

    @property
    def trouble(self) -> str:
        """What is wrong, in words; empty when nothing is."""
        return "; ".join(one.words for one in self.objectives if one.state in {"spent", "burning"})

    def to_json(self) -> dict[str, Any]:
        return {"state": self.state, "objectives": [one.to_json() for one in self.objectives]}


def stands(datasets: Sequence[DatasetSettings], database: Database, now: datetime) -> dict[str, Stand]:
    """Of those datasets that declare an objective, by name; nothing is read when none does.

    Args:
        database: Where the views are: of today, or of a past moment.
    """
    asked = [dataset for dataset in datasets if dataset.objective is not None]
    if not asked:
        return {}
    spans = Objectives(database).spans([dataset.name for dataset in asked])
    return {dataset.name: Stand(standings(dataset, spans[dataset.name], now)) for dataset in asked}


def tell_burning(system: IntegratedSystem) -> int:
    """Write an event for each objective that began to burn, burns fast now, or burns no more; how many.

    It is told once, also when several processes look at the same moment. That a fast burn has become a slow one is no
    news. Of an objective that is not declared any more the end is told.
    """
    found = stands(system.settings.datasets, system.database, system.clock.now())
    told = Objectives(system.database).burning()
    now = rfc3339(system.clock.now())
    count = 0
    for name, stand in found.items():
        for standing in stand.objectives:
            before = told.pop((name, standing.objective), None)
            if before is None and standing.pace is None:
                continue
            if before is not None and standing.pace in {before.pace, "slow"}:
                continue
            state = "ended" if standing.pace is None else "burning"
            since = now if before is None else before.since
            data = {**standing.to_json(), "state": state, "since": since, "reason": standing.words}
            count += _append(system, name, data, before)
    for (name, objective), before in told.items():
        data = {**before.told, "state": "ended", "pace": None, "reason": "this objective is declared no more"}
        count += _append(system, name, {**data, "objective": objective}, before)
    return count


def _append(system: IntegratedSystem, dataset: str, data: dict[str, Any], before: Burning | None) -> bool:
    """Whether it was news: nobody else told it meanwhile."""

    def as_it_was(connection: Connection) -> None:
        if burning_pace(connection, dataset, data["objective"]) != (None if before is None else before.pace):
            raise _ToldAlready(f"{dataset}: another process told it")

    try:
        system.events.append([NewEvent("objective.burning", dataset, data, source="operations")], guard=as_it_was)
    except _ToldAlready:
        return False
    return True


class _ToldAlready(StateError):
    """Another process looked at the same moment."""
