"""What a backfill would do and cost: which pieces, how many requests, how long; nothing is asked of the provider."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any, Literal

from config.datasets import DatasetSettings
from config.resilience import RateLimitSettings
from data_pipeline.backfill.policy import most_at_once
from data_pipeline.backfill_views import Backfills
from data_pipeline.collect.placeholders import Partition
from data_pipeline.errors import PipelineError
from data_pipeline.partitions import Asked, NoSuchPiece, all_of, asked_for, fits, span
from integrated_system import IntegratedSystem
from operations.actor import UsageError
from operations.words import count_of, duration, listed
from utils.events import rfc3339
from utils.resilience.quota import window_of

__all__ = ["MOST_PIECES", "ONLY", "Only", "Plan", "plan"]

MOST_PIECES = 20_000
"""Pieces of one backfill at most; each is a row, and is named in the event that begins it."""

PAST_VERSIONS = 20
"""Versions that tell what a piece costs."""

Only = Literal["missing", "failed", "held"]
ONLY: tuple[Only, ...] = ("missing", "failed", "held")


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done.

    Attributes:
        pieces: Keys to collect, in the order of the table; (): none is in one of the states of `only`.
        states: How many of them are there already (`collected`), `held`, `failed` or `missing`.
        only: What was asked for: pieces of these states; (): all.
        left_out: Pieces that were asked for and are not collected, by why: `before_start`, `incomplete`, `other_state`.
        concurrency: Pieces at once.
        requests: About how many; None: nothing is known of it.
        duration_s: About how long; None: the dataset never ran, so nobody knows what a piece takes.
        per_piece_s: Seconds that one took lately.
        notes: What a reader should know before.
    """

    dataset: str
    provider: str
    pieces: tuple[str, ...]
    states: dict[str, int]
    only: tuple[str, ...]
    left_out: dict[str, tuple[str, ...]]
    concurrency: int
    requests: int
    duration_s: float | None
    per_piece_s: float | None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in self.__slots__ if name not in {"pieces", "left_out"}}
        left_out = {why: list(keys) for why, keys in self.left_out.items()}
        return {"dry_run": True, **found, "partitions": list(self.pieces), "left_out": left_out}


def plan(
    system: IntegratedSystem,
    name: str,
    *,
    begin: str | None = None,
    end: str | None = None,
    keys: Sequence[str] = (),
    only: Sequence[str] = (),
    concurrency: int | None = None,
) -> Plan:
    """What a backfill would collect.

    Args:
        begin, end: Where the first piece begins, and the first that is not wanted any more; by default
            `partition.start` and now. Dates and hours without a zone are those of the partition.
        keys: These pieces, in the place of a stretch.
        only: Pieces of these states.
        concurrency: Pieces at once; default: half of what the provider may have, at most 4.

    Raises:
        ConfigError: no such dataset.
        UsageError: what was asked for is no piece, or none of it can be collected.
        PipelineError: another backfill has some of them.
    """
    dataset = system.settings.dataset(name)
    asked = _asked(system, dataset, begin, end, tuple(keys))
    if unknown := [one for one in only if one not in ONLY]:
        raise UsageError(f"--only: {unknown[0]!r} is no state", hint=f"say {', '.join(ONLY)}")
    backfills = Backfills(system.database)
    stands = backfills.pieces(name)
    states = {piece.key: stands[piece.key].state if piece.key in stands else "missing" for piece in asked.pieces}
    wanted = [key for key, state in states.items() if not only or state in only]
    other = tuple(key for key in states if key not in set(wanted))
    left_out = {"before_start": asked.before_start, "incomplete": asked.incomplete, "other_state": other}
    if not wanted and not other:
        raise UsageError(f"{name}: nothing is left to collect: {_why(left_out)}", hint=f"see `partitions {name}`")
    _refuse_twice(backfills, name, wanted)
    provider = system.collector.provider_of(dataset)
    resilience = system.settings.provider(provider, kind=dataset.collect.kind).resilience
    most = resilience.bulkhead.concurrency if resilience.bulkhead is not None else None
    at_once = concurrency or most_at_once(most)
    cost = _costs(system, dataset, provider)
    requests = math.ceil(len(wanted) * (cost.requests or 1.0))
    seconds, notes = _seconds(system, provider, len(wanted), requests, cost, min(at_once, most or at_once), resilience)
    if most is not None and at_once > most:
        notes.append(f"{provider} may have {count_of(most, 'request')} at once (`bulkhead.concurrency`): others wait")
    verdict = system.verdicts.load(provider)
    if verdict is not None and verdict.state != "closed":
        state = verdict.state.replace("_", "-")
        notes.append(f"the circuit of {provider} is {state}: it begins once that lets calls through")
    return Plan(
        name,
        provider,
        tuple(wanted),
        {
            state: count
            for state in ("missing", "failed", "held", "collected")
            if (count := _count(states, wanted, state))
        },
        tuple(only),
        {why: some for why, some in left_out.items() if some},
        at_once,
        requests,
        seconds,
        cost.seconds,
        tuple(notes),
    )


def in_pieces(dataset: DatasetSettings) -> None:
    """Refuses a dataset that is no table in pieces.

    Raises:
        UsageError: it is none.
    """
    if dataset.partition is None:
        raise UsageError(
            f"{dataset.name} is not a table in pieces",
            hint=f"`partition` in its block makes it one; `run {dataset.name} --full` collects all of it",
        )


def expected(system: IntegratedSystem, dataset: DatasetSettings, known: Sequence[str]) -> tuple[Partition, ...]:
    """The pieces that the table of a dataset should have by now, the newest `MOST_PIECES` of them."""
    assert dataset.partition is not None
    by = dataset.partition.by
    timed = [key for key in known if not isinstance(by, tuple) and fits(key, by)]  # `by` may have been another
    return all_of(dataset.partition, min(timed, default=None), now=system.clock.now(), most=MOST_PIECES)


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of one piece, the median of the last ones; None: not known."""

    seconds: float | None
    requests: float | None


def _asked(
    system: IntegratedSystem, dataset: DatasetSettings, begin: str | None, end: str | None, keys: tuple[str, ...]
) -> Asked:
    in_pieces(dataset)
    assert dataset.partition is not None
    now = system.clock.now()
    if keys and (begin is not None or end is not None):
        raise UsageError("--partition names pieces, --from and --to a stretch of them", hint="give one or the other")
    try:
        if keys:
            return asked_for(dataset.partition, keys, now=now)
        if isinstance(dataset.partition.by, tuple) and begin is None and end is None:
            return asked_for(dataset.partition, dataset.partition.by, now=now)
        return span(dataset.partition, begin, end, now=now, most=MOST_PIECES)
    except NoSuchPiece as error:
        raise UsageError(f"{dataset.name}: {error}", hint=error.hint) from error


def _why(left_out: dict[str, tuple[str, ...]]) -> str:
    words = {"before_start": "before `partition.start`", "incomplete": "not complete yet"}
    told = [
        f"{listed(list(keys))} {'is' if len(keys) == 1 else 'are'} {words_of}"
        for why, words_of in words.items()
        if (keys := left_out[why])
    ]
    return "; ".join(told) or "there is no piece"


def _refuse_twice(backfills: Backfills, name: str, wanted: Sequence[str]) -> None:
    for other in backfills.running():
        if other.dataset == name:
            waiting = {part.key for part in backfills.of(other.id, "waiting")}
            if twice := [key for key in wanted if key in waiting]:
                raise PipelineError(
                    f"{name}: {listed(twice)} {'waits' if len(twice) == 1 else 'wait'} in backfill {other.id} already",
                    hint=f"`backfills resume {other.id}` goes on with it, `backfills cancel {other.id}` calls it off",
                )


def _count(states: dict[str, str], wanted: Sequence[str], state: str) -> int:
    return sum(states[key] == state for key in wanted)


def _costs(system: IntegratedSystem, dataset: DatasetSettings, provider: str) -> _Cost:
    """What pieces cost lately. Requests are counted by provider and run: those of runs of this dataset alone."""
    seconds: list[float] = []
    requests: list[float] = []
    for version in system.views.versions(dataset.name, limit=PAST_VERSIONS):
        count = len(version.body.get("pieces", ()))
        if not count or "restores" in version.body:
            continue
        if (latency := version.body["measured"].get("latency_s")) is not None:
            seconds.append(latency / count)
        run = system.views.run(version.body["run_id"])
        if run is not None and run.summary is not None and run.request.get("datasets") == [dataset.name]:
            made = run.summary.get("providers", {}).get(provider, {}).get("requests")
            if made:
                requests.append(made / count)
    return _Cost(median(seconds) if seconds else None, median(requests) if requests else None)


def _seconds(
    system: IntegratedSystem,
    provider: str,
    pieces: int,
    requests: int,
    cost: _Cost,
    at_once: int,
    resilience: Any,
) -> tuple[float | None, list[str]]:
    """How long all of it takes: the work of the provider, the rate it allows, the windows of its quota."""
    notes = []
    if cost.requests is None:
        notes.append("no run says how many requests a piece takes: counted as one")
    rate: RateLimitSettings | None = resilience.rate_limit
    by_rate = 0.0 if rate is None else max(0, requests - rate.burst) * rate.per / rate.rate
    waits = 0.0
    if rate is not None and rate.quota is not None:
        now = system.clock.time()
        window, ends = window_of(now, rate.quota_per)
        left = max(0, rate.quota - system.quotas.used(provider, rate.quota_per, window))
        if requests > left:
            more = math.ceil((requests - left) / rate.quota)
            waits = ends - now + (more - 1) * rate.quota_per
            until = rfc3339(system.clock.now() + timedelta(seconds=ends - now))
            notes.append(
                f"the quota of {provider} ({rate.quota:,} in {duration(rate.quota_per)}) has {left:,} requests left: "
                f"it pauses until {until[:16].replace('T', ' ')} UTC, {count_of(more, 'time')} in all"
            )
    if cost.seconds is None:
        return (waits or by_rate or None), [*notes, "no piece was ever collected: nobody knows how long one takes"]
    return round(max(pieces * cost.seconds / at_once, by_rate) + waits, 1), notes
