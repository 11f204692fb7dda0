"""The invariants: what is shown held against what must hold. Each violation in words."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from tests.chaos.world.judge import Key
from tests.chaos.world.model import Model, Standing, Version
from tests.chaos.world.seen import Seen, SeenTable

__all__ = ["GROWTH", "HANDLES", "THREADS", "calm", "violations"]

HANDLES, THREADS = 120, 24
"""Files and threads that a world of one process may have open at most; of several, whoever stays."""

GROWTH = 128 * 2**20
"""Bytes that a world may add to its process: less than one that leaks at each step, more than what is loaded late."""

CLOCKS_DIFFER_S = 5.0
MOST_VERSIONS = 10
BEGINS = frozenset({"opened", "flapping"})
ONCE = BEGINS | {"resolved"}


def violations(model: Model, seen: Seen, *, alone: bool = True, room: bool = True) -> list[str]:
    """All that is wrong; what readers were found to have is settled in the model.

    Args:
        alone: Nothing else works at this moment.
        room: The disk is not full: on one that is an incident may find no place, and is told when there is room.
    """
    found = [*model.wrong, *_log(model, seen), *_incidents(seen)]
    model.wrong = []
    for name, standing in model.standing.items():
        table = seen.tables[name]
        wrong = [
            *_readers(standing, table, alone=alone),
            *_claims(standing, table, seen, alone=alone),
            *_kept(standing, table),
        ]
        if alone:
            wrong += [*_told_well(standing, table), *(_failing(standing, table, name, seen) if room else ())]
        found += [f"{name}: {words}" for words in wrong]
    if alone and seen.handles > HANDLES:
        found.append(f"{seen.handles} files are open")
    if alone and seen.threads > THREADS:
        found.append(f"{seen.threads} threads are there")
    model.resident = model.resident or seen.resident
    if alone and seen.resident > model.resident + GROWTH:
        found.append(f"memory: {model.resident:,} bytes after the first step, {seen.resident:,} by now")
    model.head = seen.head
    return found


def calm(model: Model, seen: Seen) -> list[str]:
    """What more must hold once all providers have been well for long: all is delivered, and every incident is over."""
    found = []
    for name, standing in model.standing.items():
        last = standing.last
        if last is None or not last["accepted"] or last["status"] != "succeeded":
            found.append(f"{name}: is not delivered, though all is well: {(last or {}).get('reason')}")
        if (state := seen.tables[name].status).status != "succeeded":
            found.append(f"{name}: `status` calls it {state.status}, though all is well: {state.reason}")
    found += [f"incident {name} ({', '.join(datasets)}) is not over" for name, datasets in seen.active.items()]
    begun = {one.incident for one in seen.notices if one.kind in BEGINS}
    over = {one.incident for one in seen.notices if one.kind == "resolved"}
    found += [f"incident {name} was told, and its end was not" for name in sorted(begun - over)]
    return [*found, *_untold(seen)]


def _untold(seen: Seen) -> Iterator[str]:
    """What the log says is told has reached the channel; an end may tell the beginning, a summary may tell both."""
    taken = {(one.incident, one.kind) for one in seen.told if one.taken}
    if any(kind == "summary" for _, kind in taken):
        return
    for incident, kind in sorted(seen.meant):
        over = (incident, "resolved") in taken
        reached = over or (kind != "over" and (incident, "opened") in taken)
        if kind in {"begun", "over"} and not reached and incident not in seen.waiting:
            yield f"the channel: incident {incident} was never told to be {kind}"


def _log(model: Model, seen: Seen) -> Iterator[str]:
    if seen.fault is not None:
        yield f"the chain is not whole: {seen.fault}"
    if seen.gaps:
        yield f"the log has {seen.gaps} gaps"
    if seen.head[0] < model.head[0]:
        yield f"the log ends at {seen.head[0]}, and ended at {model.head[0]} before"
    for run_id, name in model.acknowledged:
        if (run_id, name) not in seen.said:
            yield f"{name}: run {run_id} was acknowledged, and is not in the log"


def _readers(standing: Standing, table: SeenTable, *, alone: bool) -> Iterator[str]:
    """Readers get what was accepted last, whole; or what was before it, when that is damaged.

    Who works beside us may be about to accept what went out since: that stays possible.
    """
    if table.rows is None:
        if standing.now is not None and not standing.damaged:
            yield f"readers get an error, though rows were accepted: {table.trouble}"
        return
    mine = Counter(table.rows)
    got = next((one for one in standing.allowed() if Counter(one.rows) == mine), None)
    if got is None:
        yield f"readers get what they must not: {_difference(standing, mine)}"
    coming = [] if alone or got is None else [one for one in standing.maybe if one.content > got.content]
    if got is not None and got is not standing.now and got in standing.maybe and table.version is not None:
        standing.take(table.version, got)
    if got is not None and got is standing.now:
        standing.maybe = coming


def _difference(standing: Standing, mine: "Counter[Key]") -> str:
    wanted = Counter(standing.now.rows) if standing.now is not None else Counter()
    more, less = list((mine - wanted).elements()), list((wanted - mine).elements())
    return f"{len(more)} rows too many {more[:3]}, {len(less)} too few {less[:3]}"


def _claims(standing: Standing, table: SeenTable, seen: Seen, *, alone: bool) -> Iterator[str]:
    """Nothing is called fresher, or better, than it is."""
    stands = table.status
    if stands.collected_at is not None and table.rows is not None:
        collected = datetime.fromisoformat(stands.collected_at).timestamp()
        mine = Counter(table.rows)
        # Who works beside us may bring newer rows between the two looks.
        behind = [one for one in standing.allowed() if not alone or Counter(one.rows) == mine]
        if behind and not any(one.since - 0.002 <= collected <= one.until + 0.002 for one in behind):
            yield f"is said to be of {stands.collected_at}, and was not collected then"
        age = seen.at - collected
        if stands.age_s is None:
            if age > -CLOCKS_DIFFER_S:
                yield "its age is not told"
        elif stands.age_s < age - 0.002:
            yield f"is said to be {stands.age_s} s old, and is {age}"
        if standing.table.write == "replace" and behind and not any(_dated(one, stands.data_time) for one in behind):
            yield f"its data is said to be of {stands.data_time}, and is of {behind[0].data_time}"
        yield from _promised(standing, stands.status, collected, stands.data_time, seen.at)
    if stands.status == "succeeded" and table.rows is None:
        yield "is called well, and has no rows"


def _told_well(standing: Standing, table: SeenTable) -> Iterator[str]:
    well = standing.last is not None and standing.last["status"] == "succeeded"
    if table.status.status == "succeeded" and not well and not standing.maybe:
        yield "is called well, and the last run was not"


def _dated(version: Version, told: str | None) -> bool:
    mine = None if version.data_time is None else datetime.fromisoformat(version.data_time)
    return mine == (None if told is None else datetime.fromisoformat(told))


def _promised(standing: Standing, status: str, collected: float, data_time: str | None, now: float) -> Iterator[str]:
    most = standing.table.max_age
    if most is None:
        return
    oldest = min(collected, collected if data_time is None else datetime.fromisoformat(data_time).timestamp())
    if now - oldest > most + 0.002 and status != "failed":
        yield f"is called {status}, and is {now - oldest:.0f} s old where {most:.0f} were promised"


def _kept(standing: Standing, table: SeenTable) -> Iterator[str]:
    """Versions that were acknowledged are there, and so is every bad row."""
    for name in list(standing.versions)[-MOST_VERSIONS:]:
        if name not in table.versions:
            yield f"version {name} was acknowledged, and is gone"
    for run_id, rows in standing.quarantined.items():
        waiting = table.quarantined.get(run_id)
        if waiting is None or Counter(waiting) != Counter(rows):
            yield f"the bad rows of run {run_id} are not in quarantine: {len(waiting or ())} of {len(rows)}"
    for run_id in standing.held.keys() - standing.unsure:
        if table.versions.get(run_id) != "held":
            yield f"the batch of run {run_id} was not accepted, and is not held: {table.versions.get(run_id)}"


def _incidents(seen: Seen) -> Iterator[str]:
    """Each is told once, its end once, in that order."""
    for place, notices in (
        ("the alerts", [(one.incident, one.kind) for one in seen.notices]),
        ("the channel", [(one.incident, one.kind) for one in seen.told if one.taken]),
    ):
        told = [one for one in notices if one[0]]
        for (incident, kind), times in Counter(told).items():
            if times > 1 and kind in ONCE:
                yield f"{place}: incident {incident} was told to be {kind} more than once"
        ends = {incident: at for at, (incident, kind) in enumerate(told) if kind == "resolved"}
        for at, (incident, kind) in enumerate(told):
            if kind != "resolved" and at > ends.get(incident, at):
                yield f"{place}: incident {incident} was told to be {kind} after it was over"
    ended = {one.incident for one in seen.notices if one.kind == "resolved"}
    for incident in sorted(ended & set(seen.active)):
        yield f"incident {incident} was told to be over, and is not"


def _failing(standing: Standing, table: SeenTable, name: str, seen: Seen) -> Iterator[str]:
    """What failed is part of an incident."""
    failed = standing.last is not None and standing.last["status"] == table.status.status == "failed"
    if failed and not any(name in datasets for datasets in seen.active.values()):
        yield "failed, and no incident says so"
