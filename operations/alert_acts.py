"""What people do about incidents: take one, declare it over, keep some quiet; and have dead letters sent again."""

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from typing import TypeVar

from integrated_system import IntegratedSystem
from monitoring.alerting import acting
from monitoring.alerting.engine import IncidentEngine
from monitoring.alerting.incident import Incident
from monitoring.alerting.letter import Letter
from monitoring.alerting.silence import Matcher, Silence
from operations.actor import Actor, UsageError, operation
from operations.alerts import find_incident, is_incident
from operations.incident_engine import incident_engine

__all__ = ["acknowledge", "end_silence", "matcher_of", "resend", "resolve", "silence"]

T = TypeVar("T")

_FIELDS = ("incident", "about", "dataset", "rule", "severity")


@operation("operator")
def acknowledge(
    system: IntegratedSystem, actor: Actor, prefix: str, *, until: datetime | None = None, comment: str = ""
) -> Incident:
    """Take an incident: it is neither repeated nor escalated. `until`: then it comes back if it is still wrong.

    Raises:
        UsageError: none that lasts has this id, or the time is past.
    """
    return _act(system, lambda to: acting.acknowledge(to, prefix, by=actor.name, until=until, comment=comment))


@operation("operator")
def resolve(system: IntegratedSystem, actor: Actor, prefix: str, *, reason: str = "") -> Incident:
    """Declare an incident over. What is still wrong opens a new one when it is seen again.

    Raises:
        UsageError: none that lasts has this id.
    """
    return _act(system, lambda to: acting.resolve(to, prefix, by=actor.name, reason=reason))


@operation("operator")
def silence(
    system: IntegratedSystem,
    actor: Actor,
    matcher: Matcher,
    *,
    until: datetime,
    since: datetime | None = None,
    reason: str = "",
) -> Silence:
    """Tell nobody of incidents that match, until then; `since`: a maintenance window that begins later.

    Raises:
        UsageError: the time is past, or ends before it begins.
    """
    asked = {"until": until, "since": since, "by": actor.name, "reason": reason}
    return _act(system, lambda to: acting.silence(to, matcher, **asked))  # type: ignore[arg-type]  # as they are named


@operation("operator")
def end_silence(system: IntegratedSystem, actor: Actor, prefix: str) -> Silence:
    """Take a silence back: what it kept quiet, and is still wrong, is told.

    Raises:
        UsageError: no silence that holds, or is to begin, has this id.
    """
    return _act(system, lambda to: acting.end_silence(to, prefix, by=actor.name))


@operation("operator")
def resend(system: IntegratedSystem, actor: Actor, keys: Sequence[str] = ()) -> list[Letter]:
    """Have dead letters tried once more, as if they were new; no keys: all of them. Gives those.

    Raises:
        UsageError: a key is of no dead letter, or of several.
    """
    dead = system.alert_outbox.dead()
    found = dead if not keys else [_dead(one, dead) for one in keys]
    system.alert_outbox.resend([one.key for one in found], actor=actor.name)
    return found


def matcher_of(system: IntegratedSystem, words: Sequence[str]) -> Matcher:
    """Which incidents are meant by `dataset=fx_*`, `about=ECB`, `rule=…`, `severity=…`, `incident=…`; all must hold.

    A word without `=` is an incident's id, a dataset, or what incidents are about.

    Raises:
        UsageError: a field that there is not, one twice, an incident that there is not.
    """
    found: dict[str, str] = {}
    for word in words:
        field, _, value = word.partition("=") if "=" in word else (_field_of(system, word), "", word)
        if field not in _FIELDS or not value:
            hint = "write dataset=NAME, about=PROVIDER, rule=NAME, severity=LEVEL or incident=ID; names may have `*`"
            raise UsageError(f"{word!r} does not say which incidents are meant", hint=hint)
        if field in found:
            raise UsageError(f"`{field}` is given twice", hint="use `*` for several: dataset=fx_*")
        found[field] = find_incident(system, value).id if field == "incident" else value
    return Matcher(**found)


def _field_of(system: IntegratedSystem, word: str) -> str:
    if system.settings.find(word) is not None:
        return "dataset"
    return "incident" if is_incident(system, word) else "about"


def _dead(key: str, dead: Sequence[Letter]) -> Letter:
    found = [one for one in dead if key and key in (one.key, one.message.incident)] or [
        one for one in dead if key and one.key.startswith(key)
    ]
    if len(found) == 1:
        return found[0]
    wrong = "several dead letters are meant by" if found else "there is no dead letter"
    raise UsageError(f"{wrong} {key!r}", hint="`alerts dead` lists them with their keys")


def _act(system: IntegratedSystem, act: Callable[[IncidentEngine], T]) -> T:
    with closing(incident_engine(system)) as engine:
        try:
            return act(engine)
        except acting.NoSuchIncident as error:
            raise UsageError(str(error), hint=error.hint, missing=error.missing) from error
        except ValueError as error:
            raise UsageError(str(error), hint="give a time that comes") from error
