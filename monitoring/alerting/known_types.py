"""The program's own types of events, as far as rules need to know them: what they are about, and what ends them."""

from difflib import get_close_matches
from typing import Literal, NamedTuple

from utils.event_patterns import check, matches

__all__ = ["TYPES", "About", "KnownType", "about", "known", "unknown"]

About = Literal["dataset", "provider", "host", "service", "channel", "network", "clock", "installation"]
"""What the subject of an event names; `installation`: anything else, be it a run or the cache."""


class KnownType(NamedTuple):
    """A type of events.

    Attributes:
        clear: What ends it for the same subject: types, each with a condition if need be (`TYPE if EXPRESSION`).
        fields: Of its data, those that expressions may name; empty: they are many, or not always the same.
        by: Fields that tell things of one subject apart: a dataset has several objectives.
        later: Only what comes of a later run ends it: the delivery that it was told of goes on to its own end.
    """

    about: About
    clear: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    later: bool = False


_RUN = (
    *("run_id", "dataset", "provider", "status", "origin", "accepted", "partial", "unchanged", "rows", "quarantined"),
    *("collected_at", "age_s", "data_time", "data_age_s", "content_sha256", "version", "attempts", "duration_s"),
    *("quality", "failed_rules", "anomalies", "reason", "error", "inputs", "code", "fence", "good", "fresh_until"),
)
_PROMISE = ("state", "before", "until", "left_s", "age_s", "reason", "max_age_s", "due", "zone", "calendar")
_COLLECTED_AGAIN = ("dataset.collected", "dataset.degraded if accepted and origin = 'provider'")
_DATASET, _PROVIDER, _HOST = KnownType("dataset"), KnownType("provider"), KnownType("host")
_REST = KnownType("installation")
_BUDGET = ("run_id", "seconds", "budget_s", "reason")
_SAID_OF_SERVICE = ("reason", "kind", "since", "response_s", "was", "silent_s", "limit_s", "attempt", "exit_code")

_KNOWN: dict[str, KnownType] = {
    "dataset.collected": KnownType("dataset", (), _RUN),
    "dataset.served": KnownType("dataset", (), _RUN),
    "dataset.degraded": KnownType("dataset", _COLLECTED_AGAIN, _RUN),
    "dataset.failed": KnownType("dataset", _COLLECTED_AGAIN, _RUN),
    "dataset.skipped": KnownType("dataset", _COLLECTED_AGAIN, _RUN),
    "dataset.overdue": KnownType("dataset", (*_COLLECTED_AGAIN, "batch.accepted")),
    "dataset.backfilled": _DATASET,
    "dataset.over_budget": KnownType("dataset", ("dataset.within_budget",), _BUDGET),
    "dataset.within_budget": _DATASET,
    "partition.failed": KnownType("dataset", ("dataset.collected", "dataset.backfilled")),
    "quality.scored": _DATASET,
    "rows.quarantined": KnownType(
        "dataset", ("quality.scored if quarantined = 0",), ("run_id", "rows", "of", "share", "path", "reasons")
    ),
    "quarantine.replayed": _DATASET,
    "quarantine.dropped": _DATASET,
    "batch.accepted": _DATASET,
    "batch.held": KnownType("dataset", ("batch.accepted", "batch.rejected")),
    "batch.rejected": _DATASET,
    "schema.drifted": KnownType(
        "dataset", ("dataset.collected",), ("run_id", "column", "change", "old", "new", "policy"), ("column",), True
    ),
    "version.rolled_back": _DATASET,
    "version.damaged": KnownType("dataset", ("version.restored", *_COLLECTED_AGAIN), later=True),
    "version.restored": _DATASET,
    "version.published": _DATASET,
    "publish.failed": KnownType("dataset", ("version.published",), by=("sink",)),
    "sink.declared": _DATASET,
    "promise.at_risk": KnownType("dataset", ("promise.kept", "promise.broken"), _PROMISE),
    "promise.broken": KnownType("dataset", ("promise.kept", "promise.at_risk"), _PROMISE),
    "promise.kept": _DATASET,
    "objective.burning": KnownType("dataset", ("objective.burning if state = 'ended'",), by=("objective",)),
    "anomaly.detected": KnownType("dataset", by=("metric",)),
    "feedback.given": _DATASET,
    "feedback.taken_back": _DATASET,
    "schedule.set": _DATASET,
    "schedule.removed": _DATASET,
    "schedule.skipped": _DATASET,
    "schedule.put_off": _DATASET,
    "schedule.paused": KnownType("dataset", ("schedule.resumed",)),
    "schedule.resumed": _DATASET,
    "schedule.files_seen": _DATASET,
    "breaker.opened": KnownType("provider", ("breaker.closed",), ("before", "reason", "open_until", "held", "actor")),
    "breaker.half_opened": _PROVIDER,
    "breaker.closed": _PROVIDER,
    "network.away": KnownType("network", ("network.back",), ("canaries",)),
    "network.back": KnownType("network"),
    "clock.jumped": KnownType("clock"),
    "host.level_asked": _HOST,
    "host.level_changed": KnownType("host", ("host.level_changed if after != 'CRITICAL'",)),
    "host.throttled": KnownType("host", ("host.throttled if stretch = 1",)),
    "host.overloaded": KnownType("host", ("host.relieved",), ("percent", "limit", "since_s")),
    "host.relieved": KnownType("host", (), ("percent", "limit")),
    "host.disk_filling": KnownType("host", ("host.disk_relieved",)),
    "host.disk_relieved": _HOST,
    "host.running_out": KnownType("host", ("host.replenished",)),
    "host.replenished": _HOST,
    "healing.started": _HOST,
    "healing.finished": _HOST,
    "healing.gave_up": KnownType("host", ("healing.recovered",)),
    "healing.recovered": _HOST,
    "protector.acted": KnownType("host", ("protector.relieved",)),
    "protector.settled": _HOST,
    "protector.gave_up": KnownType("host", ("protector.relieved",)),
    "protector.mode_asked": _HOST,
    "protector.relieved": _HOST,
    "disk.shed": KnownType("host", ("host.disk_relieved", "protector.relieved")),
    "service.started": KnownType("service"),
    "service.stopped": KnownType("service", ("service.started", "service.recovered")),
    "service.unavailable": KnownType("service", ("service.recovered", "service.started")),
    "service.slow": KnownType("service", ("service.recovered",), _SAID_OF_SERVICE),
    "service.recovered": KnownType("service"),
    "backup.made": _REST,
    "state.restored": _REST,
    "state.migrated": _REST,
    "run.queued": _REST,
    "run.cancelled": _REST,
    "run.started": _REST,
    "run.finished": _REST,
    "run.crashed": _REST,
    "run.over_budget": KnownType("installation", ("run.within_budget",), _BUDGET),
    "run.within_budget": _REST,
    "backfill.started": _REST,
    "backfill.paused": KnownType("installation", ("backfill.finished", "backfill.cancelled")),
    "backfill.finished": _REST,
    "backfill.cancelled": _REST,
    "transaction.started": _REST,
    "transaction.step_done": _REST,
    "transaction.turned_back": _REST,
    "transaction.step_undone": _REST,
    "transaction.step_failed": KnownType("installation", ("transaction.completed", "transaction.failed")),
    "transaction.completed": _REST,
    "transaction.failed": _REST,
    "leader.elected": _REST,
    "cache.set_aside": _REST,
    "cache.unavailable": _REST,
    "cache.refresh_failed": _REST,
    "state.set_aside": _REST,
    "log.secret_changed": _REST,
    "log.sealed": _REST,
    "plugin.failed": _REST,
    "maintenance.finished": _REST,
    "alert.sent": KnownType("channel"),
    "alert.failed": KnownType("channel", ("alert.sent",)),
    "alert.resent": KnownType("channel"),
    "alert.raised": _REST,
}
TYPES = frozenset(_KNOWN)
_OURS = frozenset(kind.partition(".")[0] for kind in _KNOWN) | {"alert", "incident", "silence"}
_FIRST: dict[str, About] = {kind.partition(".")[0]: one.about for kind, one in _KNOWN.items()}


def about(kind: str) -> About:
    """What the subject of an event of a type names; of a type that is not ours: `installation`."""
    found = _KNOWN.get(kind)
    return found.about if found is not None else _FIRST.get(kind.partition(".")[0], "installation")


def known(kind: str) -> KnownType:
    """What is known of a type; of a pattern, and of a type that is not ours: what its subject names at most."""
    return _KNOWN.get(kind) or KnownType(about(kind))


def unknown(kind: str) -> str | None:
    """Why no event can be of this type, or of none that the pattern means, with the nearest that is; None: it can.

    Types of plug-ins and of programs are not known; they begin with a word that none of ours begins with.
    """
    try:
        check(kind)
    except ValueError as error:
        return str(error)
    first = kind.partition(".")[0]
    if kind in _KNOWN or first.startswith("*"):
        return None
    if "*" in kind:
        fits = first not in _OURS or any(matches(kind, one) for one in _KNOWN)
        return None if fits else f"no type of events fits `{kind}`"
    if first in {"incident", "silence"}:
        return f"`{kind}` tells of incidents themselves; a rule of it would call itself"
    near = get_close_matches(kind, _KNOWN, n=1, cutoff=0.5 if first in _OURS else 0.8)
    if first not in _OURS and not near:
        return None if "." in kind else f"`{kind}` is no type of events: types are dotted, as in dataset.failed"
    return f"`{kind}` is no type of events" + (f"; did you mean `{near[0]}`?" if near else "")
