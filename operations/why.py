"""Why a dataset is as it is: what readers get, what went wrong since when, what changed, what to do about it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from config.datasets import DatasetSettings
from config.errors import ConfigError
from data_pipeline.store.quarantine_views import Quarantined
from data_pipeline.store.upstreams import NOTHING_NEEDED, Needed, Upstream
from data_pipeline.store.views import Version
from integrated_system import IntegratedSystem
from operations.advice import advice
from operations.breakers import Breaker
from operations.breakers import listed as breakers
from operations.changes import Change, between, configuration, drifted, same_in_a_row
from operations.next_try import next_try
from operations.objectives import Stand
from operations.status import DatasetStatus, status_of
from operations.words import count_of, duration, listed, moment
from utils.events import rfc3339

__all__ = ["Command", "Why", "why"]

REMEMBERED = 500
"""Runs that are asked since when it is so."""

_PROVIDER_ERRORS = frozenset({"ProviderUnavailable", "NetworkAway", "ProviderRefused", "RequestRefused"})


@dataclass(frozen=True, slots=True)
class Command:
    """A command to paste, and what it does."""

    command: str
    does: str

    def to_json(self) -> dict[str, Any]:
        return {"command": self.command, "does": self.does}


@dataclass(frozen=True, slots=True)
class Why:
    """All of it. Times RFC 3339; what there is none of is None or empty.

    Attributes:
        sentence: The answer, in one sentence.
        well: Nothing has to be done.
        last_good: The version that readers get: when it was accepted and collected, its rows and score.
        last_run: The last run that was not skipped, and what came of it.
        since: Since when the dataset is not as it should be; `runs`: how many runs in a row.
        held: The candidate that waits for a decision, and what stands against it.
        blocked: The datasets it depends on that keep it from running, and why they do.
        quarantine: What the newest batch with bad rows left there.
        next_try: When the provider is asked next, in words; `at`: not before.
    """

    dataset: str
    status: str
    sentence: str
    well: bool
    last_good: dict[str, Any] | None
    last_run: dict[str, Any] | None
    since: dict[str, Any] | None
    changes: tuple[Change, ...]
    held: dict[str, Any] | None
    quarantine: dict[str, Any] | None
    advice: tuple[dict[str, Any], ...]
    next_try: dict[str, Any]
    objective: Stand | None
    commands: tuple[Command, ...]
    blocked: tuple[dict[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "status": self.status,
            "sentence": self.sentence,
            "well": self.well,
            "last_good": self.last_good,
            "last_run": self.last_run,
            "since": self.since,
            "changes": [change.to_json() for change in self.changes],
            "held": self.held,
            "blocked": list(self.blocked),
            "quarantine": self.quarantine,
            "advice": list(self.advice),
            "next_try": self.next_try,
            "objective": self.objective.to_json() if self.objective else None,
            "commands": [command.to_json() for command in self.commands],
        }


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was looked up of a dataset.

    `runs`: newest first, without skipped ones; `good_at`: when last good came, or came again unchanged, RFC 3339.
    """

    dataset: DatasetSettings
    now: DatasetStatus
    good: Version | None
    good_at: str
    newest: Version | None
    held: Version | None
    runs: Sequence[dict[str, Any]]
    breaker: Breaker | None
    needed: Needed = NOTHING_NEEDED

    @property
    def blocked(self) -> Sequence[Upstream]:
        """What keeps it from running."""
        return [one for one in self.needed.upstreams if one.blocked]

    @property
    def doubtful(self) -> Sequence[Upstream]:
        """What it is made of, and is not as it should be."""
        return [one for one in self.needed.upstreams if one.doubt and self.dataset.transform is not None]

    @property
    def last(self) -> dict[str, Any] | None:
        return self.runs[0] if self.runs else None

    @property
    def error(self) -> dict[str, Any]:
        return (self.last or {}).get("error") or {}


def why(system: IntegratedSystem, name: str) -> Why:
    """Why the dataset is as it is.

    Raises:
        ConfigError: no such dataset; it names the nearest.
    """
    try:
        dataset = system.settings.dataset(name)
    except ConfigError as error:
        hint = "Name a dataset, or an incident by its id: `alerts list` shows those."
        raise ConfigError(error.problems, hint=hint, missing=error.missing) from error
    now = status_of(system, name)
    versions = system.views.versions(name)
    current = system.views.current_of(name)
    good = system.results.last_good(current, thorough=False)
    good_at = "" if good is None or current is None else max(good.time, current.collected_at or "")
    held = next((one for one in versions if one.state == "held" and one.time > good_at), None)
    runs = [run for run in system.views.recent(name, limit=REMEMBERED) if run["status"] != "skipped"]
    breaker = next((one for one in breakers(system) if one.provider == now.provider), None)
    needed = system.upstreams.of(dataset)
    seen = _Seen(dataset, now, good, good_at, system.views.collected_last(name), held, runs, breaker, needed)
    well = now.status == "succeeded" and not seen.blocked
    since = None if now.status == "succeeded" or not runs else _since(system, seen)
    waiting = next((entry for entry in system.views.quarantined(name) if entry.waits), None)
    told = () if seen.newest is None else tuple(one.to_json() for one in advice(system, name))
    return Why(
        dataset=name,
        status=now.status,
        sentence=_sentence(seen, since),
        well=well,
        last_good=_good(seen),
        last_run=_last_run(seen),
        since=since,
        changes=tuple(_changes(system, seen, since)),
        held=_held(seen),
        quarantine=None if waiting is None else waiting.to_json(),
        advice=told,
        next_try=next_try(system, dataset, breaker, seen.last),
        objective=now.objective,
        commands=tuple(_commands(seen, waiting)),
        blocked=tuple({"dataset": one.dataset, "reason": one.blocked} for one in seen.blocked),
    )


def _sentence(seen: _Seen, since: dict[str, Any] | None) -> str:
    now, name = seen.now, seen.dataset.name
    if seen.blocked:
        reasons = "; ".join(one.blocked for one in seen.blocked)
        kept = f"readers keep what came {moment(seen.good_at)}" if seen.good else "nothing was delivered of it yet"
        return f"{name} is blocked: {reasons}; {kept}."
    if now.status == "never ran":
        return f"{name} never ran: nothing is known of it yet."
    if now.status == "succeeded":
        score = "" if now.score is None else f", score {now.score:g}"
        old = "" if now.data_age_s is None else f", its data {duration(now.data_age_s)} old"
        origin = "from our copy within its TTL" if now.origin == "cache" else "from the provider"
        if seen.dataset.transform is not None:
            origin = f"made of {listed(list(seen.dataset.depends_on))}"
        rows = count_of(now.rows, "row")
        risk = "" if now.promise is None or now.promise.state == "kept" else f" But {now.promise.judged.words}."
        return f"{name} is well: {rows} {origin}, collected {duration(now.age_s)} ago{old}{score}.{risk}"
    state = "has failed" if now.status == "failed" else "is degraded"
    start = "" if since is None else f" since {moment(since['time'])}"
    return f"{name} {state}{start}: {_without(name, now.reason or 'nobody knows why')}."


def _without(name: str, reason: str) -> str:
    """A reason without the dataset's name before it, and without a full stop behind it."""
    return reason.removeprefix(f"{name}: ").rstrip(".")


def _good(seen: _Seen) -> dict[str, Any] | None:
    """What readers get."""
    good = seen.good
    if good is None:
        return None
    return {
        "version": good.version,
        "accepted_at": good.time,
        "collected_at": good.body["collected_at"],
        "data_time": good.body["data_time"],
        "rows": good.rows,
        "score": good.body["quality"]["score"],
    }


def _last_run(seen: _Seen) -> dict[str, Any] | None:
    last = seen.last
    if last is None:
        return None
    wanted = ("run_id", "time", "status", "origin", "accepted", "rows", "attempts", "reason", "error")
    return {name: last.get(name) for name in wanted}


def _since(system: IntegratedSystem, seen: _Seen) -> dict[str, Any]:
    """When it began: with the first of the runs in a row that did not succeed, or when the data became too old."""
    bad = 0
    while bad < len(seen.runs) and seen.runs[bad]["status"] != "succeeded":
        bad += 1
    if bad:
        first = seen.runs[bad - 1]
        return {"time": first["time"], "run_id": first["run_id"], "runs": bad}
    promise = seen.now.promise
    until = None if promise is None else promise.judged.until
    return {"time": rfc3339(until or system.clock.now()), "run_id": None, "runs": 0}


def _changes(system: IntegratedSystem, seen: _Seen, since: dict[str, Any] | None) -> Iterator[Change]:
    """What is not as it was when the last good version came."""
    yield from _provider(system, seen, since)
    good, newest = seen.good, seen.newest
    if good is None:
        return
    yield from configuration(good.body, seen.dataset.fingerprint, seen.dataset.layout)
    drifts = system.events.read(type="schema.drifted", subject=seen.dataset.name, since=seen.good_at)
    yield from drifted([event for event in drifts if event.data["run_id"] != good.version])
    if newest is not None and newest.version != good.version and newest.time > good.time:
        yield from (change for change in between(good, newest) if change.about != "configuration")
    elif since is not None:
        yield from _same_content(seen)


def _provider(system: IntegratedSystem, seen: _Seen, since: dict[str, Any] | None) -> Iterator[Change]:
    provider, breaker, error = seen.now.provider, seen.breaker, seen.error
    if error.get("type") == "NetworkAway":
        words = "our own network is away: that says nothing about the provider"
        yield Change("provider", words, (since or {}).get("time"))
    elif error.get("type") in _PROVIDER_ERRORS:
        words = _without(seen.dataset.name, error["message"])
        yield Change("provider", f"{provider} does not deliver: {words}", (since or {}).get("time"))
    if breaker is not None and breaker.state != "closed":
        until = "" if breaker.open_until is None else f" until {moment(breaker.open_until)}"
        held = "held " if breaker.held else ""
        state = breaker.state.replace("_", " ")
        yield Change("provider", f"the circuit of {provider} is {held}{state}{until}: {breaker.reason}")
    if error.get("type") in _PROVIDER_ERRORS:
        others = {name: body for name, body in system.views.latest().items() if body["provider"] == provider}
        others.pop(seen.dataset.name, None)
        bad = sorted(name for name, body in others.items() if body["status"] in {"degraded", "failed"})
        if others:
            them = f": {listed(bad)}" if bad else ", so it may be this dataset's address or credentials"
            of = f"{len(bad)} of {count_of(len(others), 'other dataset')} of {provider}"
            yield Change("provider", f"{of} {'is' if len(bad) == 1 else 'are'} not as they should be{them}")


def _same_content(seen: _Seen) -> Iterator[Change]:
    """A provider that goes on sending the same lets data grow old as surely as one that is down."""
    if (same := same_in_a_row(seen.runs)) is not None:
        yield Change("content", f"the provider sent the same content {same.times} times in a row", same.since)


def _held(seen: _Seen) -> dict[str, Any] | None:
    held = seen.held
    if held is None:
        return None
    return {"version": held.version, "time": held.time, "rows": held.rows, "objections": held.body["reason"]}


def _commands(seen: _Seen, waiting: Quarantined | None) -> Iterator[Command]:
    name, now = seen.dataset.name, seen.now
    for one in seen.blocked:
        yield Command(f"why {one.dataset}", "see why it cannot be built on")
        if one.needs_decision:
            yield Command(f"accept {one.dataset}", "let readers see the batch that is held")
            yield Command(f"reject {one.dataset}", "turn it away")
    if seen.blocked:
        yield Command(f"run +{name}", "run it again with all that it needs")
        return
    if now.status == "never ran":
        yield Command(f"try {name}", "collect it once and look, without storing anything")
        yield Command(f"run {name}", "collect it")
        return
    if seen.held is not None:
        if seen.held.rows or seen.dataset.allow_empty:
            yield Command(f"show {name} --batch", "look at the batch that is held")
            yield Command(f"accept {name}", "let readers see it all the same")
        yield Command(f"reject {name}", "turn it away")
    if waiting is not None:
        yield Command(f"quarantine show {name}", f"look at the {count_of(waiting.rows, 'row')} that broke a rule")
    if now.status == "succeeded":
        return
    if seen.breaker is not None and seen.breaker.state != "closed":
        yield Command(f"breakers close {now.provider}", "let calls to the provider pass again")
    if seen.error.get("type") in {"PayloadUnreadable", "ProviderRefused"}:
        yield Command(f"try {name}", "see what the provider sends, without storing anything")
    for one in seen.doubtful:
        yield Command(f"why {one.dataset}", "see why what it is made of is not as it should be")
    if now.origin == "provider" and seen.good is not None and now.status == "degraded" and not seen.doubtful:
        yield Command(f"rollback {name}", "give readers the version before")
    again = "ask the provider again now" if seen.dataset.transform is None else "make it again now"
    yield Command(f"run {name} --fresh", again)
    yield Command(f"report {name}", "everything about its last batch")
