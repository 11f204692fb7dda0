"""The versions of a dataset: which one readers see, what waits, who decided what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from integrated_system import IntegratedSystem
from operations.past import views_at

__all__ = ["VersionLine", "Versions", "versions"]

State = Literal["accepted", "damaged", "held", "rejected", "rolled_back"]


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version. Times RFC 3339; `size` in bytes; `score` 0..100.

    Attributes:
        state: `held` waits for a decision; `rejected` never was what readers see; `rolled_back` is so no more.
        current: Whether readers see it.
        time: When it came to be accepted, or held.
        rows: Of the table that it is, if the dataset keeps one.
        reason: Why the gate held it, or accepted it with doubts.
        actor: Who decided about it last; None: nobody, the gate did.
        decided_at: When.
        why: What they gave as their reason.
        restores: The earlier version whose rows it has, since a rollback.
        inputs: Of a derived dataset: dataset -> the version of it that this one was made from; None: it is not derived.
    """

    version: str
    state: State
    current: bool
    time: str
    collected_at: str
    rows: int
    size: int
    score: float | None
    reason: str
    actor: str | None = None
    decided_at: str | None = None
    why: str = ""
    restores: str | None = None
    inputs: Mapping[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Versions:
    """All versions that are kept of a dataset, newest first. `current`: the one that readers see; None: none yet."""

    dataset: str
    current: str | None
    versions: tuple[VersionLine, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "current": self.current,
            "versions": [version.to_json() for version in self.versions],
        }


def versions(system: IntegratedSystem, name: str, *, as_of: str | None = None) -> Versions:
    """What is kept of a dataset, or was at a past moment (RFC 3339): accepted, held, rejected and rolled back.

    Raises:
        ConfigError: no such dataset.
        UsageError: the moment cannot be read, or has not come yet.
    """
    system.settings.dataset(name)
    views = views_at(system, as_of)
    standing, decisions = views.current_of(name), views.decisions.of(name)
    current = None if standing is None else standing.version
    lines = []
    for one in sorted(views.versions(name), key=lambda version: version.age, reverse=True):
        decision, body = decisions.get(one.version), one.body
        line = VersionLine(
            version=one.version,
            state=one.state,  # type: ignore[arg-type]  # the view holds no other
            current=one.version == current,
            time=one.time,
            collected_at=body["collected_at"],
            rows=one.rows,
            size=one.size,
            score=(body["quality"] or {}).get("score"),
            reason=body.get("over") or ("" if "restores" in body else body["reason"]),
            actor=None if decision is None else decision.actor,
            decided_at=None if decision is None else decision.time,
            why="" if decision is None else decision.reason,
            restores=body.get("restores"),
            inputs=body.get("inputs"),
        )
        lines.append(line)
    return Versions(name, current, tuple(lines))
