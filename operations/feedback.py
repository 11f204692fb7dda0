"""What people say about anomalies: given, listed, taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from data_pipeline.detect.feedback_views import EVERYTHING, FeedbackGiven, Kind, Said
from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations.actor import Actor, UsageError, operation
from operations.detect_names import Target, asked_for
from operations.moments import moment_of
from utils.events import NewEvent, rfc3339

__all__ = ["Given", "exclude", "fine_since", "given", "normal_since", "not_an_anomaly", "say", "take_back"]

_TOLD = 1_000  # anomalies looked back at
_SHOWN = 5
LAST = "last"


@dataclass(frozen=True, slots=True)
class Given:
    """What was said. `numbers` name it when it is to be taken back."""

    said: tuple[Said, ...]

    def to_json(self) -> dict[str, Any]:
        return {"feedback": [one.to_json() for one in self.said]}


def given(system: IntegratedSystem, names: Sequence[str] = ()) -> Given:
    """All that was said and counts, oldest first; or what is about the named series.

    Raises:
        PipelineError: a name has no history, or there is no such metric.
    """
    said = FeedbackGiven(system.database).all()
    if names:
        targets = asked_for(system, names).targets
        said = tuple(one for one in said if any(_concerns(one, target) for target in targets))
    return Given(said)


@operation("operator")
def not_an_anomaly(
    system: IntegratedSystem, actor: Actor, names: Sequence[str], at: str = LAST, *, reason: str = ""
) -> Given:
    """The anomaly that was told of the named series at that time, or the `last` one, is fine.

    Raises:
        UsageError: no series was named, or `at` is no time.
        PipelineError: nothing was told of one of them then; nothing at all is kept then.
    """
    moment = None if at == LAST else moment_of("not-an-anomaly", at).timestamp()
    events = []
    for target in _named(system, names, "--not-an-anomaly"):
        there = _told(system, target)
        chosen = there[:1] if moment is None else [one for one in there if abs(one["time"] - moment) < 1.0]
        if not chosen:
            when = ", ".join(_text(one["time"]) for one in there[:_SHOWN])
            raise PipelineError(
                f"{target.shown}: no anomaly was told{'' if moment is None else ' at ' + _text(moment)}",
                hint=f"of this series were told: {when}" if when else "`detect --backtest` shows what would have been",
            )
        # The newest anomalies of all figures of a dataset are those of one moment.
        chosen = [one for one in there if one["time"] == chosen[0]["time"]]
        events += _fine(target.subject, chosen, chosen[0]["time"], chosen[0]["time"], actor, reason)
    return _append(system, events)


@operation("operator")
def fine_since(system: IntegratedSystem, actor: Actor, names: Sequence[str], since: str, *, reason: str = "") -> Given:
    """All anomalies that were told since then are fine, of the named series or of all. Empty when there were none.

    Raises:
        UsageError: `since` is no time.
        PipelineError: a name has no history, or there is no such metric.
    """
    first = moment_of("all-since", since).timestamp()
    until = system.clock.now().timestamp()
    targets = asked_for(system, names).targets if names else ()
    told: dict[str, list[dict[str, Any]]] = {}
    for one in system.views.anomalies(limit=_TOLD):
        subject = _subject(one)
        if one["time"] >= first and (not names or any(_is_of(one, target) for target in targets)):
            told.setdefault(subject, []).append(one)
    events = [event for subject, those in told.items() for event in _fine(subject, those, first, until, actor, reason)]
    return _append(system, events)


@operation("operator")
def normal_since(
    system: IntegratedSystem, actor: Actor, names: Sequence[str], since: str, *, reason: str = ""
) -> Given:
    """What the named series are since then is normal: nothing before counts as their past.

    Raises:
        UsageError: no series was named, or `since` is no time, or lies ahead.
        PipelineError: a name has no history, or there is no such metric.
    """
    moment = moment_of("normal-since", since).timestamp()
    if moment > system.clock.now().timestamp():
        hint = "say it once it is so; a time ahead that is not to count: --exclude FROM..TO"
        raise UsageError(f"--normal-since: {since} lies ahead", hint=hint)
    targets = _named(system, names, "--normal-since")
    return _append(system, [_event(target, "normal_since", moment, None, actor, reason) for target in targets])


@operation("operator")
def exclude(system: IntegratedSystem, actor: Actor, names: Sequence[str], period: str, *, reason: str = "") -> Given:
    """The time `FROM..TO` neither counts as past nor is judged, of the named series or of all.

    Raises:
        UsageError: it is no period.
        PipelineError: a name has no history, or there is no such metric.
    """
    first, separator, end = period.partition("..")
    if not separator:
        hint = "write it as 2026-11-20T08:00:00Z..2026-11-20T12:00:00Z"
        raise UsageError(f"--exclude: {period!r} is not a period", hint=hint)
    since, until = (moment_of("exclude", text).timestamp() for text in (first, end))
    if not since < until:
        raise UsageError(f"--exclude: {period!r} ends before it begins", hint="the earlier time comes first")
    targets = asked_for(system, names).targets if names else (Target(EVERYTHING, "", EVERYTHING),)
    return _append(system, [_event(target, "excluded", since, until, actor, reason) for target in targets])


@operation("operator")
def say(
    system: IntegratedSystem,
    actor: Actor,
    kind: Literal["fine", "fine_since", "normal_since", "excluded"],
    names: Sequence[str],
    *,
    at: str | None = None,
    until: str | None = None,
    reason: str = "",
) -> Given:
    """One of the above, by its name; `at`: the time that it needs, `until`: the end of what is excluded.

    Raises:
        UsageError: a time is missing, or too much; and as the operation itself.
        PipelineError: as the operation itself.
    """
    if kind != "excluded" and until is not None:
        raise UsageError(f"until: it does not go with {kind}", hint="leave it out")
    if kind == "fine":
        return not_an_anomaly(system, actor, names, at or LAST, reason=reason)
    if at is None or (kind == "excluded" and until is None):
        raise UsageError(f"{kind} needs {'at and until' if kind == 'excluded' else 'at'}", hint="say since when")
    if kind == "excluded":
        return exclude(system, actor, names, f"{at}..{until}", reason=reason)
    said = fine_since if kind == "fine_since" else normal_since
    return said(system, actor, names, at, reason=reason)


@operation("operator")
def take_back(system: IntegratedSystem, actor: Actor, number: int) -> Given:
    """What was said under this number counts no more.

    Raises:
        UsageError: there is none.
    """
    said = FeedbackGiven(system.database).all()
    found = tuple(one for one in said if one.number == number)
    if not found:
        there = ", ".join(str(one.number) for one in said[-20:])
        hint = f"there are: {there}" if there else "none was given"
        raise UsageError(f"there is no feedback {number}", hint=hint, missing=True)
    data = {"feedback": number, "actor": actor.name}
    system.events.append([NewEvent("feedback.taken_back", found[0].shown, data, source="detect")])
    return Given(found)


def _named(system: IntegratedSystem, names: Sequence[str], option: str) -> tuple[Target, ...]:
    if not names:
        raise UsageError(f"{option} needs the name of a series", hint=f"e.g. `detect feedback orders.rows {option} …`")
    return asked_for(system, names).targets


def _told(system: IntegratedSystem, target: Target) -> list[dict[str, Any]]:
    """Anomalies that were told of a series, those of the newest points first."""
    subject = target.shown if target.subject.startswith("{") else target.subject
    there = [one for one in system.views.anomalies(dataset=subject, limit=_TOLD) if _is_of(one, target)]
    return sorted(there, key=lambda one: -one["time"])


def _is_of(one: dict[str, Any], target: Target) -> bool:
    return _subject(one) == target.subject and target.metric in ("", one["metric"])


def _subject(told: dict[str, Any]) -> str:
    """The subject in the history: an event names a recorded number as people write it."""
    return str(told["subject"])


def _concerns(one: Said, target: Target) -> bool:
    return one.subject in (EVERYTHING, target.subject) and (
        one.metric == target.metric or "" in (one.metric, target.metric)
    )


def _fine(
    subject: str, told: Sequence[dict[str, Any]], since: float, until: float, actor: Actor, reason: str
) -> list[NewEvent]:
    by_metric: dict[str, list[dict[str, Any]]] = {}
    for one in told:
        by_metric.setdefault(one["metric"], []).append(one)
    events = []
    for metric, those in by_metric.items():
        target = Target(subject, metric, those[0].get("series") or f"{subject}.{metric}")
        kept = [{"time": one["time"], "direction": one["direction"], "score": one["score"]} for one in those]
        events.append(_event(target, "fine", since, until, actor, reason, told=kept))
    return events


def _event(
    target: Target, kind: Kind, since: float, until: float | None, actor: Actor, reason: str, **more: Any
) -> NewEvent:
    data = {
        "of": target.subject,
        "metric": target.metric,
        "kind": kind,
        "since": since,
        "until": until,
        "shown": target.shown,
        "actor": actor.name,
        "reason": reason,
        **more,
    }
    subject = target.shown if target.subject.startswith("{") else target.subject
    return NewEvent("feedback.given", subject, data, source="detect")


def _append(system: IntegratedSystem, events: Sequence[NewEvent]) -> Given:
    if not events:
        return Given(())
    numbers = {event.seq for event in system.events.append(events)}
    return Given(tuple(one for one in FeedbackGiven(system.database).all() if one.number in numbers))


def _text(time: float) -> str:
    return rfc3339(datetime.fromtimestamp(time, UTC))
