"""Which version a decision is about, and what stands against it, in words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from config.datasets import DatasetSettings
from data_pipeline.asking import keeps_a_table
from data_pipeline.candidates import entering_of
from data_pipeline.errors import DatasetBusy, PipelineError
from data_pipeline.store.views import Current, Version
from integrated_system import IntegratedSystem
from operations.words import listed, moment

__all__ = [
    "accepted_since",
    "alone_at",
    "candidate_of",
    "refuse_empty",
    "refuse_stale",
    "standing",
    "target_of",
]


@contextmanager
def alone_at(system: IntegratedSystem, name: str, *more: str) -> Iterator[int]:
    """Hold a dataset's lease as a run does, so that none is under way; gives its fencing number.

    Raises:
        DatasetBusy: somebody else holds it, or one of `more`.
    """
    lease = f"dataset:{name}"
    current = system.views.current_of(name)
    wanted = (lease, *more)
    granted = system.leases.acquire(wanted, above={lease: current.fence if current is not None else 0})
    try:
        if lease not in granted:
            raise DatasetBusy(f"{name}: it runs just now", hint="wait until the run is over, then try again")
        if len(granted) < len(wanted):
            raise DatasetBusy(f"{name}: old versions are being removed just now", hint="try again in a moment")
        yield granted[lease].fence
    finally:
        system.leases.release(granted)


def standing(system: IntegratedSystem, name: str) -> Current:
    """Where a dataset stands.

    Raises:
        PipelineError: it never ran.
    """
    current = system.views.current_of(name)
    if current is None:
        raise PipelineError(f"{name}: nothing was ever collected", hint=f"run it: `run {name}`")
    return current


def candidate_of(system: IntegratedSystem, dataset: DatasetSettings, version: str | None, verb: str) -> Version:
    """The held version that is meant, by default the newest; to be accepted also one that was rolled back.

    Raises:
        PipelineError: there is none, or it was decided about already.
    """
    name = dataset.name
    if version is None:
        found = next((one for one in system.views.versions(name) if one.state == "held"), None)
        if found is None:
            raise PipelineError(f"{name}: nothing is held", hint=f"`versions {name}` lists what there is")
        return found
    known = _known(system, name, version)
    if known.state == "held" or (verb == "accept" and _can_come_back(system, known)):
        return known
    decision = system.views.decisions.of(name).get(version)
    who = "" if decision is None else f" by {decision.actor}, {moment(decision.time)}"
    if known.is_accepted:
        hint = f"`rollback {name}` gives readers the version before" if verb == "reject" else f"`show {name}` has it"
        raise PipelineError(f"{name}: version {version} was accepted already{who}", hint=hint)
    if known.state == "rejected":
        hint = f"collect it again: `run {name}`; the new batch is judged anew"
        raise PipelineError(f"{name}: version {version} was rejected already{who}", hint=hint)
    again = f"quarantine replay {name}" if "replayed" in known.body else f"run {name}"
    hint = f"its rows come again: `{again}`"
    raise PipelineError(f"{name}: version {version} was rolled back", hint=hint)


def refuse_empty(dataset: DatasetSettings, candidate: Version) -> None:
    """Not even by hand nothing takes the place of something, unless the dataset says that none is normal.

    Raises:
        PipelineError: it would.
    """
    if not candidate.rows and not dataset.allow_empty:
        raise PipelineError(
            f"{dataset.name}: version {candidate.version} has no row to deliver",
            hint=f"`quarantine show {dataset.name}` has what broke a rule; if none is normal: `allow_empty: true`",
        )


def accepted_since(system: IntegratedSystem, candidate: Version) -> list[Version]:
    """The versions with newer rows that were accepted since a batch came, newest first."""
    found = [
        one
        for one in system.views.versions(candidate.dataset)
        if one.is_accepted and one.age > candidate.age and "restores" not in one.body
    ]
    return sorted(found, key=lambda one: one.age, reverse=True)


def refuse_stale(
    system: IntegratedSystem, dataset: DatasetSettings, candidate: Version, newer: Sequence[Version]
) -> None:
    """An older batch may add to what came since; it must not take its place, nor stand there twice.

    Raises:
        PipelineError: it would.
    """
    why = _stale(system, dataset, candidate, newer)
    if why:
        name, version = dataset.name, candidate.version
        raise PipelineError(
            f"{name}: version {version} came {moment(candidate.time)}, and since then {why}",
            hint=f"turn it away: `reject {name} {version}`; or take it all the same: `accept {name} {version} --force`",
        )


def _stale(system: IntegratedSystem, dataset: DatasetSettings, candidate: Version, newer: Sequence[Version]) -> str:
    for version in newer:
        if _content(version) == _content(candidate):
            return f"the same content was accepted as version {version.version}"
    entering = entering_of(dataset, candidate)
    if entering is None or entering.anew:
        return f"version {newer[0].version} was accepted: the older rows would take its place"
    if entering.pieces is not None:
        came = {key for version in newer for key in version.body.get("pieces", ())}
        again = [key for key, _ in entering.pieces if key in came]
        return f"{listed(again)} came again: the older rows would take the place of the newer ones" if again else ""
    if dataset.write == "merge" and dataset.incremental is None:
        return f"version {newer[0].version} was accepted, and nothing says which rows of a key are newer"
    ledger = system.views.ledger(dataset.name)
    again = [file[0] for file in candidate.body.get("files", ()) if file[0] in ledger]
    return f"{listed(again)} was read again: its rows would stand there twice" if again else ""


def _content(version: Version) -> tuple[str, list[str]]:
    return version.body["content_sha256"], version.body.get("pieces", [])


def target_of(system: IntegratedSystem, current: Current, version: str | None) -> Version:
    """The accepted version that readers are to get again, by default the one before what they see.

    Raises:
        PipelineError: there is none.
        StoreError: it is damaged or gone.
    """
    name, now = current.dataset, system.results.newest(current)
    if now is None:
        raise PipelineError(f"{name}: nothing was ever accepted", hint=f"`versions {name}` lists what there is")
    origin = system.views.version(name, now.body.get("restores", now.version)) or now
    if version is None:
        before = system.results.before(origin)
        while before is not None and before.path == now.path:  # the same rows, restored once more
            before = system.results.before(before)
        if before is None:
            hint = f"`versions {name}` lists what there is; how many are kept: `retention.versions`"
            raise PipelineError(f"{name}: there is no version before {origin.version}", hint=hint)
        return before
    target = _known(system, name, version)
    if target.path == now.path:
        raise PipelineError(f"{name}: readers get version {version} already", hint=f"`show {name}` has it")
    if not target.is_accepted:
        other = {
            "held": f"is held: nobody accepted it yet (`accept {name} {version}`)",
            "rejected": "was rejected: it never was what readers saw",
            "rolled_back": "was rolled back itself"
            + (f" (`accept {name} {version}` brings it back)" if _can_come_back(system, target) else ""),
        }[target.state]
        raise PipelineError(f"{name}: version {version} {other}", hint=f"`versions {name}` lists what there is")
    system.results.check(target)
    return target


def _can_come_back(system: IntegratedSystem, version: Version) -> bool:
    """Whether a rolled back version may be accepted: it is all its rows, and none of them waits in quarantine again."""
    whole = not keeps_a_table(system.settings.dataset(version.dataset))
    return version.state == "rolled_back" and whole and "replayed" not in version.body


def _known(system: IntegratedSystem, name: str, version: str) -> Version:
    found = system.views.version(name, version)
    if found is None:
        raise PipelineError(
            f"{name}: there is no version {version}, or it was removed as `retention.versions` says",
            hint=f"`versions {name}` lists what there is",
            missing=True,
        )
    return found
