"""An incident as it is at this moment, for its event: made of what the engine remembers."""

from collections.abc import Iterable
from typing import Any

from monitoring.alerting.incident import SEVERITIES, Cause, Incident, IncidentState, Severity
from monitoring.alerting.memory import Memory, Ongoing, Wrong
from monitoring.alerting.setup import Setup

__all__ = ["frozen", "rank", "rules_in", "wrongs_in"]

MOST_CAUSES = 100

_RANK = {severity: number for number, severity in enumerate(SEVERITIES)}


def rank(severity: Severity) -> int:
    """How urgent it is, from 0."""
    return _RANK[severity]


def wrongs_in(ongoing: Ongoing, memory: Memory) -> list[Wrong]:
    """What is, or was, wrong in it; of providers that went down together what is wrong in each."""
    keys: Iterable[str] = ongoing.keys
    if ongoing.kind == "several":
        keys = [key for one in ongoing.explains if one in memory.ongoing for key in memory.ongoing[one].keys]
    return [memory.wrongs[key] for key in keys]


def rules_in(ongoing: Ongoing, memory: Memory) -> list[str]:
    """The names of the rules that fired in it, each once."""
    return list(dict.fromkeys(one.rule for one in wrongs_in(ongoing, memory)))


def frozen(ongoing: Ongoing, memory: Memory, setup: Setup, **changes: Any) -> Incident:
    """The incident. `changes`: fields that are otherwise."""
    wrongs = wrongs_in(ongoing, memory)
    wrongs.sort(key=lambda one: (one.since_at, one.seq))
    listed = wrongs
    if len(wrongs) > MOST_CAUSES:
        listed = sorted(wrongs, key=lambda one: one.over is not None)[:MOST_CAUSES]
    by_name = setup.by_name
    names = dict.fromkeys((*(one.rule for one in wrongs), *ongoing.were.get("rules", ())))
    datasets = {one.dataset for one in wrongs if one.dataset} | set(ongoing.were.get("datasets", ()))
    fields: dict[str, Any] = {
        "rules": tuple(sorted(names, key=lambda name: -rank(by_name[name].severity) if name in by_name else 0)),
        "datasets": tuple(sorted(datasets)),
        "causes": tuple(map(_cause, listed)),
        "to": tuple(ongoing.to),
        "told_at": ongoing.told_at,
        "acknowledged_by": ongoing.acknowledged_by,
        "acknowledged_until": ongoing.acknowledged_until,
        "comment": ongoing.comment,
        "inhibited_by": ongoing.inhibited_by,
        "silenced_by": ongoing.silenced_by,
        "flapping": ongoing.flapping,
        "step": ongoing.step,
        "explains": tuple(ongoing.explains),
    }
    return Incident(
        id=ongoing.id,
        kind=ongoing.kind,
        about=ongoing.about,
        group=ongoing.group,
        severity=ongoing.severity,
        opened_at=ongoing.opened_at,
        **{"state": _state(ongoing), **fields, **changes},
    )


def _state(ongoing: Ongoing) -> IncidentState:
    if ongoing.inhibited_by is not None:
        return "inhibited"
    if ongoing.silenced_by is not None:
        return "silenced"
    return "acknowledged" if ongoing.acknowledged_by is not None else "open"


def _cause(one: Wrong) -> Cause:
    return Cause(
        one.rule, one.type, one.subject, one.seq, one.since, one.last, count=one.count, over=one.over, data=one.data
    )
