"""What people do about incidents, committed: `alerts ack`, `alerts silence`, and the like."""

from datetime import UTC, datetime
from typing import TypeVar

from monitoring.alerting.core import Core
from monitoring.alerting.engine import IncidentEngine
from monitoring.alerting.freezing import frozen
from monitoring.alerting.incident import Incident
from monitoring.alerting.memory import Ongoing
from monitoring.alerting.silence import Matcher, Silence

__all__ = ["NoSuchIncident", "acknowledge", "end_silence", "resolve", "silence"]

T = TypeVar("T")


class NoSuchIncident(LookupError):
    """No incident that lasts, or silence that holds, has this id; or several begin so. `hint`: what to do.

    `missing`: there is none.
    """

    def __init__(self, message: str, hint: str, *, missing: bool = True) -> None:
        super().__init__(message)
        self.hint, self.missing = hint, missing


def acknowledge(
    engine: IncidentEngine, id: str, *, by: str, until: datetime | None = None, comment: str = ""
) -> Incident:
    """Somebody takes an incident: it is neither repeated nor escalated.

    Args:
        id: Its id, or how it begins.
        until: Aware; then it comes back if it is still wrong. None: to its end.

    Raises:
        NoSuchIncident: none that lasts has this id.
        ValueError: `until` is past.
    """

    def act(core: Core, at: float) -> Incident:
        ongoing = _find(core, id)
        end = None if until is None else _ahead(until, at)
        core.acts.acknowledge(ongoing, by, end, comment)
        return frozen(ongoing, core.memory, core.setup)

    return engine.change(act)


def resolve(engine: IncidentEngine, id: str, *, by: str, reason: str = "") -> Incident:
    """Somebody says that an incident is over. What is still wrong opens a new one when it is seen again.

    Raises:
        NoSuchIncident: none that lasts has this id.
    """
    return engine.change(lambda core, at: core.acts.resolve(_find(core, id), by, reason, at))


def silence(
    engine: IncidentEngine,
    matcher: Matcher,
    *,
    until: datetime,
    by: str,
    reason: str = "",
    since: datetime | None = None,
) -> Silence:
    """Nobody is told of what matches until then; `since` makes it a maintenance window that begins later.

    Raises:
        ValueError: `until` is past, or not after `since`.
    """

    def act(core: Core, at: float) -> Silence:
        end = _ahead(until, at)
        begin = at if since is None else max(at, since.timestamp())
        if begin >= end:
            raise ValueError("the silence would end before it begins")
        made = core.acts.add_silence(matcher, begin, end, by, reason)
        core.tick(at)
        return made

    return engine.change(act)


def end_silence(engine: IncidentEngine, id: str, *, by: str) -> Silence:
    """Take a silence back: what it kept quiet, and is still wrong, is told.

    Raises:
        NoSuchIncident: no silence that holds, or is to begin, has this id.
    """

    def act(core: Core, at: float) -> Silence:
        return core.acts.end_silence(_one(id, core.memory.silences, "silence"), at, by=by)

    return engine.change(act)


def _find(core: Core, id: str) -> Ongoing:
    return _one(id, core.memory.ongoing, "incident that lasts")


def _one(id: str, known: dict[str, T], what: str) -> T:
    if id in known:
        return known[id]
    found = [name for name in known if id and name.startswith(id)]
    if len(found) == 1:
        return known[found[0]]
    if found:
        raise NoSuchIncident(f"`{id}` begins the ids {', '.join(sorted(found))}", "Write more of it.", missing=False)
    listed = ", ".join(list(known)[:10])
    raise NoSuchIncident(f"there is no {what} `{id}`", f"There are: {listed}." if listed else "There is none.")


def _ahead(until: datetime, at: float) -> float:
    end = until.timestamp()
    if end <= at:
        raise ValueError(f"{until.astimezone(UTC).isoformat(timespec='seconds')} is past")
    return end
