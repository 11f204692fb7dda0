"""What is asked of a run, and why: as it travels to the runner, and as it stands in the log until somebody begins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from utils.events import rfc3339

__all__ = ["ASKED", "Because", "Kind", "RunRequest"]

Kind = Literal["asked", "schedule", "after", "on_file", "backfill"]
_KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Because:
    """Why a run was asked for.

    Attributes:
        kind: `asked`: somebody did; `schedule`, `after`, `on_file`: a schedule's own trigger; `backfill`.
        schedule: The dataset whose schedule it was, or the id of the backfill; "": none.
        due: The moment that the schedule named; None: there is none.
        what: What happened, where the kind does not say it: the dataset that delivered, the file that came.
    """

    kind: Kind = "asked"
    schedule: str = ""
    due: datetime | None = None
    what: str = ""

    @property
    def is_due(self) -> bool:
        """Whether a schedule asks, and not a person."""
        return self.kind in ("schedule", "after", "on_file")

    def to_json(self) -> dict[str, Any]:
        """What is empty is left out."""
        due = rfc3339(self.due) if self.due is not None else ""
        told = {"kind": self.kind, "schedule": self.schedule, "due": due, "what": self.what}
        return {name: value for name, value in told.items() if value}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Because":
        """What `to_json` wrote; a kind of a later release counts as asked for."""
        due = found.get("due")
        kind = next((kind for kind in _KINDS if kind == found.get("kind")), _KINDS[0])
        moment = datetime.fromisoformat(due) if due else None
        return cls(kind, found.get("schedule", ""), moment, found.get("what", ""))


ASKED = Because()


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run that is asked for.

    Attributes:
        datasets: By name.
        run_id: "": one is made. The id of an `Occurrence` keeps it from being run twice.
        priority: Of those that wait, the highest is begun first.
        fresh: Ask the providers also within the TTL.
        full: Take everything, whatever the cursors say.
        from_raw: The run whose raw answers are taken in place of the providers'.
        partitions: Keys of the pieces to collect, exactly these; (): what is due.
        fallback: Whether a copy is served when a provider does not deliver.
    """

    datasets: tuple[str, ...] = ()
    actor: str = "local"
    run_id: str = ""
    priority: int = 0
    fresh: bool = False
    full: bool = False
    from_raw: str = ""
    because: Because = field(default=ASKED)
    partitions: tuple[str, ...] = ()
    fallback: bool = True

    def to_json(self) -> dict[str, Any]:
        """As it stands in `run.queued` and `run.started`; what few runs have is left out where it is not so."""
        data: dict[str, Any] = {
            "actor": self.actor,
            "fresh": self.fresh,
            "full": self.full,
            "from_raw": self.from_raw or None,
            "datasets": list(self.datasets),
        }
        if self.priority:
            data["priority"] = self.priority
        if self.because != ASKED:
            data["because"] = self.because.to_json()
        if self.partitions:
            data["partitions"] = list(self.partitions)
        if not self.fallback:
            data["fallback"] = False
        return data

    @classmethod
    def from_json(cls, run_id: str, found: Mapping[str, Any]) -> "RunRequest":
        """What `to_json` wrote, also that of an earlier release, which knew less to ask for."""
        return cls(
            datasets=tuple(found.get("datasets", ())),
            actor=found.get("actor", "local"),
            run_id=run_id,
            priority=found.get("priority", 0),
            fresh=found.get("fresh", False),
            full=found.get("full", False),
            from_raw=found.get("from_raw") or "",
            because=Because.from_json(found.get("because", {})),
            partitions=tuple(found.get("partitions", ())),
            fallback=found.get("fallback", True),
        )
