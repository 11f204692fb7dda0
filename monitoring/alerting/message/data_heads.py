"""Heads of trouble with data: providers, held batches, what is late, rows, objectives, anomalies."""

import re
from collections.abc import Sequence

from monitoring.alerting.grouping import is_theirs
from monitoring.alerting.incident import Cause
from monitoring.alerting.message.headline import (
    SAID,
    Headline,
    figures_of,
    listed,
    reason_of,
    said_of,
    since_words,
    whose_words,
)
from monitoring.alerting.message.moments import utc
from monitoring.alerting.message.seen import Seen

__all__ = ["anomalies", "briefly", "dataset", "held", "late", "objective", "provider", "quarantine"]

_ANSWERED = re.compile(r"\banswered (\d{3})\b")
_BRIEF = (
    "no answer in time",
    "no connection in time",
    "no connection",
    "the answer was cut off",
    "the connection broke",
    "no trusted TLS connection",
    "the proxy failed",
    "is down",
)
"""Phrases of the collectors' errors that say it all."""


def provider(seen: Seen) -> Headline | None:
    """A provider, or several, do not deliver."""
    causes = [
        one for one in seen.of("breaker.opened", "dataset.failed", "dataset.degraded") if is_theirs(one.type, one.data)
    ]
    if seen.incident.kind == "several":
        subjects = sorted({one.provider for one in seen.standings} or {one.subject for one in seen.causes})
        words = f"{listed(subjects, noun='provider')} down {since_words(seen, seen.causes)}"
        return Headline("providers", words, ("our own network answers",))
    if not causes:
        return None
    if seen.provider is None:
        return Headline("dataset", f"{whose_words(seen, causes)} without new data {since_words(seen, causes)}")
    name, since = seen.words(seen.provider.provider, 60), since_words(seen, causes)
    brief = briefly(seen.words(seen.provider.last_error, 400))
    told = ((brief,) if brief else ()) + _times(seen)
    if seen.provider.held:
        return Headline("provider", f"Circuit of {name} held open {since}", told)
    if seen.provider.error_type == "ProviderRefused":
        return Headline("refused", f"{name} refuses us {since}", told)
    if seen.provider.error_type == "PayloadUnreadable":
        return Headline("unreadable", f"{name} sends what cannot be read {since}", told)
    return Headline("provider", f"{name} down {since}", told)


def _times(seen: Seen) -> tuple[str, ...]:
    """How often it was tried, and when it is tried next."""
    tries = 0 if seen.provider is None else seen.provider.tries
    next_try = seen.next_try
    counted = (f"{tries:,} {'try' if tries == 1 else 'tries'}",) if tries else ()
    return counted + ((f"next {seen.moments.said(next_try)}",) if next_try is not None else ())


def briefly(error: str) -> str:
    """An error of a collector in a word or two.

    >>> briefly("fx: https://ecb.test/fx answered 503: busy"), briefly("fx: h: no answer in time (read)"), briefly("")
    ('503', 'no answer in time', '')
    """
    if found := _ANSWERED.search(error):
        return found[1]
    return next((phrase for phrase in _BRIEF if phrase in error), "")


def held(seen: Seen) -> Headline | None:
    """A batch waits for a decision, or columns changed."""
    causes = seen.of("batch.held", "schema.drifted")
    if not causes:
        return None
    waits = [one for one in seen.standings if one.held]
    drifts = [one for one in causes if one.type == "schema.drifted"]
    if not waits and seen.incident.state != "resolved":
        if not drifts:
            return None
        return Headline(
            "dataset", f"Columns of {whose_words(seen, drifts)} changed {since_words(seen, drifts)}", _drift(drifts)
        )
    names = [one.dataset for one in waits] or sorted({one.subject for one in causes})
    whose = f"New batch of {names[0]}" if len(names) == 1 else f"New batches of {listed(names)}"
    details = _drift(drifts) or tuple(seen.words(one.held, 100) for one in waits[:1])
    return Headline("held", f"{whose} held {since_words(seen, causes)}", details)


def _drift(causes: Sequence[Cause]) -> tuple[str, ...]:
    told = []
    for one in causes[:3]:
        column, change = str(one.data.get("column", "")), str(one.data.get("change", ""))
        if change == "changed":
            told.append(f"{column}: {one.data.get('old')} became {one.data.get('new')}")
        elif column:
            told.append(f"{column} is {change}")
    more = (f"{len(causes) - 3} more",) if len(causes) > 3 else ()
    return (*told, *more)


def late(seen: Seen) -> Headline | None:
    """A promise is at risk or broken, or a window closed, without the provider failing."""
    causes = seen.of("promise.at_risk", "promise.broken", "dataset.overdue")
    same = [one for one in seen.standings if one.same > 1]
    if not causes:
        return None
    if same and seen.incident.state != "resolved":
        newest = max(same, key=lambda one: one.same)
        since = "" if newest.same_since is None else f" since {seen.moments.said(newest.same_since)}"
        whose = listed([one.dataset for one in same])
        dated = () if newest.data_time is None else (f"data of {seen.moments.dated(newest.data_time)}",)
        return Headline("same", f"{whose}: the same data again{since}", (f"{newest.same} times", *dated))
    if overdue := seen.of("dataset.overdue"):
        newest_one = max(overdue, key=lambda one: one.seq)
        tries = newest_one.data.get("tries")
        details = (f"{tries} tries",) if isinstance(tries, int) and tries else ()
        return Headline("overdue", f"{whose_words(seen, overdue)} overdue {since_words(seen, overdue)}", details)
    broken = [one for one in seen.standings if one.broken]
    if broken or not seen.standings:
        names = frozenset(one.dataset for one in broken) or frozenset(one.subject for one in causes)
        missed = min([one.breaks_at for one in broken if one.breaks_at] or [utc(one.since) for one in causes])
        whose = listed(sorted(names))
        told = f"{whose} without new data since {seen.moments.said(missed)}, against its promise"
        return Headline("promise", told, (), names)
    return Headline("promise", f"No new data for {whose_words(seen, causes)} {since_words(seen, causes)}")


def quarantine(seen: Seen) -> Headline | None:
    """Many rows were set aside."""
    if not (causes := seen.of("rows.quarantined")):
        return None
    newest = max(causes, key=lambda one: one.seq)
    share, rows = newest.data.get("share"), newest.data.get("rows")
    much = f"{share:.0%} of its rows" if isinstance(share, float) else f"{rows:,} rows" if rows else "rows"
    return Headline("quarantine", f"{whose_words(seen, causes)}: {much} quarantined {since_words(seen, causes)}")


def dataset(seen: Seen) -> Headline | None:
    """A dataset fails for another reason."""
    if not (causes := seen.of("dataset.", "partition.failed", "publish.failed", "version.damaged")):
        return None
    if all(one.type in SAID for one in causes):
        newest = max(causes, key=lambda one: one.seq)
        return Headline("dataset", said_of(seen, newest, causes), figures_of(seen, newest))
    worst = any(one.type == "dataset.failed" for one in causes)
    first = next((one for one in seen.standings if one.reason or one.error), None)
    said = reason_of(seen, causes[-1]) if first is None else seen.words(first.reason or first.error)
    name = causes[0].subject if first is None else first.dataset
    details = (said.removeprefix(f"{name}: ").rstrip("."),) if said else ()
    state = "failed" if worst else "degraded"
    return Headline("dataset", f"{whose_words(seen, causes)} {state} {since_words(seen, causes)}", details)


def objective(seen: Seen) -> Headline | None:
    """An error budget burns."""
    if not (causes := seen.of("objective.burning")):
        return None
    return Headline("objective", f"{whose_words(seen, causes)}: error budget burns {since_words(seen, causes)}")


def anomalies(seen: Seen) -> Headline | None:
    """Something was unlikely."""
    if not (causes := seen.of("anomaly.detected")):
        return None
    count = sum(one.count for one in causes)
    whose = listed(sorted({one.subject for one in causes}))
    words = f"{count} {'anomaly' if count == 1 else 'anomalies'} in {whose} {since_words(seen, causes)}"
    return Headline("anomaly", words, figures_of(seen, causes[-1]) if len(causes) == 1 else ())
