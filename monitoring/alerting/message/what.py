"""What is wrong and since when: the head of a message, from the cause that explains the others."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from monitoring.alerting.incident import Cause
from monitoring.alerting.message.moments import utc
from monitoring.alerting.message.seen import PROVIDER_ERRORS, Seen
from utils.ages import duration

__all__ = ["OF_PROVIDERS", "About", "Headline", "briefly", "full_at", "headline", "listed"]

About = Literal[
    "network", "clock", "disk", "host", "providers", "provider", "refused", "unreadable", "held", "same", "overdue",
    "promise", "quarantine", "dataset", "objective", "service", "channel", "anomaly", "other",
]  # fmt: skip
"""What kind of trouble it is: what the advice goes by."""

OF_PROVIDERS: frozenset[About] = frozenset({"provider", "providers", "refused", "unreadable"})
"""Of these it is told how often the provider was asked."""

_SAID: Mapping[str, str] = {
    "backfill.paused": "Backfill {subject} waits for its provider {since}",
    "cache.set_aside": "A part of the cache was damaged and set aside {at}",
    "cache.unavailable": "The cache cannot be used {since}",
    "partition.failed": "A piece of {subject} is missing {since}",
    "plugin.failed": "Plug-in {subject} failed {at}",
    "publish.failed": "{subject} cannot be published {since}",
    "run.crashed": "Run {subject} crashed {at}",
    "state.set_aside": "{subject} was damaged and begun anew {at}",
    "transaction.step_failed": "Transaction {subject} is stuck {since}",
    "version.damaged": "A version of {subject} is damaged {since}",
}
"""Of types that have no more to say than this."""

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


class Headline(NamedTuple):
    """The head: `words` and, in brackets behind them, `details`.

    `datasets`: those that the words name; `promises`: those whose promise they tell of.
    """

    about: About
    words: str
    details: tuple[str, ...] = ()
    promises: frozenset[str] = frozenset()

    @property
    def sentence(self) -> str:
        return f"{self.words} ({', '.join(self.details)})" if self.details else self.words


def headline(seen: Seen) -> Headline:
    """What is wrong, since when."""
    for told in _IN_ORDER:
        if (found := told(seen)) is not None:
            return found
    return _other(seen)


def listed(names: Sequence[str], most: int = 3, noun: str = "dataset") -> str:
    """Few by name, many by number.

    >>> listed(["a"]), listed(["a", "b", "c"]), listed(["a", "b", "c", "d"])
    ('a', 'a, b and c', '4 datasets')
    """
    if len(names) > most:
        return f"{len(names):,} {noun}s"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else f"no {noun}"


def briefly(error: str) -> str:
    """An error of a collector in a word or two.

    >>> briefly("fx: https://ecb.test/fx answered 503: busy"), briefly("fx: h: no answer in time (read)"), briefly("")
    ('503', 'no answer in time', '')
    """
    if found := _ANSWERED.search(error):
        return found[1]
    return next((phrase for phrase in _BRIEF if phrase in error), "")


def _since(seen: Seen, causes: Sequence[Cause]) -> str:
    return f"since {seen.moments.said(min(utc(one.since) for one in causes))}"


def _times(seen: Seen) -> tuple[str, ...]:
    """How often it was tried, and when it is tried next."""
    tries = 0 if seen.provider is None else seen.provider.tries
    next_try = seen.next_try
    counted = (f"{tries:,} {'try' if tries == 1 else 'tries'}",) if tries else ()
    return counted + ((f"next {seen.moments.said(next_try)}",) if next_try is not None else ())


def _network(seen: Seen) -> Headline | None:
    causes = seen.of("network.away") or (list(seen.causes) if seen.incident.kind == "network" else [])
    if not causes:
        return None
    providers = sorted({one.provider for one in seen.standings})
    details = (f"{listed(providers, noun='provider')} cannot be reached",) if providers else ()
    return Headline("network", f"Our own network away {_since(seen, causes)}", details)


def _clock(seen: Seen) -> Headline | None:
    if seen.incident.kind != "clock":
        return None
    newest = max(seen.causes, key=lambda one: one.seq)
    by = newest.data.get("by_s")
    way = f" {'forward' if by > 0 else 'back'} by {duration(abs(by))}" if isinstance(by, int | float) else ""
    return Headline("clock", f"The clock of this host was set{way} {seen.moments.at(newest.last)}")


def _host(seen: Seen) -> Headline | None:
    if causes := seen.of("host.disk_filling"):
        newest = max(causes, key=lambda one: one.seq)
        full = full_at(newest)
        words = "Disk fills up" if full is None else f"Disk full {seen.moments.at(full)}, filling"
        free, each = newest.data.get("free_bytes"), newest.data.get("bytes_per_hour")
        left = (f"{free / 1e9:.1f} GB free",) if isinstance(free, int | float) else ()
        speed = (f"{each / 1e9:.1f} GB more an hour",) if isinstance(each, int | float) else ()
        details = (*left, *speed, *_taken(seen)) or _figures(seen, newest)
        return Headline("disk", f"{words} {_since(seen, causes)}", details)
    if causes := seen.of("disk.shed"):
        return _shed(seen, causes)
    if not (causes := seen.of("host.", "healing.", "protector.")):
        return None
    newest = max(causes, key=lambda one: one.seq)
    percent, limit = newest.data.get("percent"), newest.data.get("limit")
    if not isinstance(percent, int | float):
        words = _reason(seen, newest) or f"{newest.subject} {_plain(newest.type)}"
        return Headline("host", f"{_capital(words)} {_since(seen, causes)}")
    name = {"cpu": "CPU"}.get(newest.subject, newest.subject.capitalize())
    above = (f"limit {limit:g} %",) if isinstance(limit, int | float) else ()
    top = newest.data.get("top")
    worst = (f"most by {seen.words(top[0].get('name', '?'), 40)}",) if isinstance(top, list) and top else ()
    about: About = "disk" if newest.subject == "disk" else "host"
    return Headline(about, f"{name} at {percent:.0f} % {_since(seen, causes)}", (*above, *worst))


def _shed(seen: Seen, causes: Sequence[Cause]) -> Headline:
    """What could be had again was dropped, because the disk fills."""
    newest = max(causes, key=lambda one: one.seq)
    before, hours = newest.data.get("before"), newest.data.get("hours_left")
    percent = before.get("percent") if isinstance(before, dict) else None
    words = f"Disk {percent:.0f} % full" if isinstance(percent, int | float) else "Disk full"
    freed = newest.data.get("freed_bytes")
    room = (f"{_size(freed)} made free",) if isinstance(freed, int | float) else ()
    left = (f"full in {duration(hours * 3600.0)} at this pace",) if isinstance(hours, int | float) else ()
    return Headline("disk", f"{words} {_since(seen, causes)}", (*room, *left, *_taken(seen)))


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _taken(seen: Seen) -> tuple[str, ...]:
    """What takes most of the disk, as far as it was looked at."""
    told = [one.data.get("consumers") for one in seen.of("disk.shed")]
    consumers = next((one for one in reversed(told) if isinstance(one, list) and one), [])
    named = [
        f"{seen.words(one.get('name', '?'), 60)} {_size(one['bytes'])}"
        for one in consumers[:3]
        if isinstance(one, dict) and isinstance(one.get("bytes"), int | float)
    ]
    return (f"most of it: {', '.join(named)}",) if named else ()


def full_at(cause: Cause) -> datetime | None:
    """When nothing is free any more, by the forecast that was told."""
    left = cause.data.get("hours_left")
    return utc(cause.last) + timedelta(hours=left) if isinstance(left, int | float) else None


def _figures(seen: Seen, cause: Cause) -> tuple[str, ...]:
    reason = _reason(seen, cause)
    return (reason,) if reason else ()


def _provider(seen: Seen) -> Headline | None:
    causes = [one for one in seen.of("breaker.opened", "dataset.failed", "dataset.degraded") if _is_theirs(one)]
    if seen.incident.kind == "several":
        subjects = sorted({one.provider for one in seen.standings} or {one.subject for one in seen.causes})
        words = f"{listed(subjects, noun='provider')} down {_since(seen, seen.causes)}"
        return Headline("providers", words, ("our own network answers",))
    if not causes:
        return None
    if seen.provider is None:
        return Headline("dataset", f"{_whose(seen, causes)} without new data {_since(seen, causes)}")
    name, since = seen.words(seen.provider.provider, 60), _since(seen, causes)
    brief = briefly(seen.words(seen.provider.last_error, 400))
    told = ((brief,) if brief else ()) + _times(seen)
    if seen.provider.held:
        return Headline("provider", f"Circuit of {name} held open {since}", told)
    if seen.provider.error_type == "ProviderRefused":
        return Headline("refused", f"{name} refuses us {since}", told)
    if seen.provider.error_type == "PayloadUnreadable":
        return Headline("unreadable", f"{name} sends what cannot be read {since}", told)
    return Headline("provider", f"{name} down {since}", told)


def _is_theirs(cause: Cause) -> bool:
    error = cause.data.get("error")
    kind = error.get("type") if isinstance(error, dict) else cause.data.get("error_type")
    return cause.type == "breaker.opened" or kind in PROVIDER_ERRORS


def _held(seen: Seen) -> Headline | None:
    causes = seen.of("batch.held", "schema.drifted")
    if not causes:
        return None
    waits = [one for one in seen.standings if one.held]
    drifts = [one for one in causes if one.type == "schema.drifted"]
    if not waits and seen.incident.state != "resolved":
        if not drifts:
            return None
        return Headline("dataset", f"Columns of {_whose(seen, drifts)} changed {_since(seen, drifts)}", _drift(drifts))
    names = [one.dataset for one in waits] or sorted({one.subject for one in causes})
    whose = f"New batch of {names[0]}" if len(names) == 1 else f"New batches of {listed(names)}"
    details = _drift(drifts) or tuple(seen.words(one.held, 100) for one in waits[:1])
    return Headline("held", f"{whose} held {_since(seen, causes)}", details)


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


def _late(seen: Seen) -> Headline | None:
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
        return Headline("overdue", f"{_whose(seen, overdue)} overdue {_since(seen, overdue)}", details)
    broken = [one for one in seen.standings if one.broken]
    if broken or not seen.standings:
        names = frozenset(one.dataset for one in broken) or frozenset(one.subject for one in causes)
        missed = min([one.breaks_at for one in broken if one.breaks_at] or [utc(one.since) for one in causes])
        whose = listed(sorted(names))
        told = f"{whose} without new data since {seen.moments.said(missed)}, against its promise"
        return Headline("promise", told, (), names)
    return Headline("promise", f"No new data for {_whose(seen, causes)} {_since(seen, causes)}")


def _quarantine(seen: Seen) -> Headline | None:
    if not (causes := seen.of("rows.quarantined")):
        return None
    newest = max(causes, key=lambda one: one.seq)
    share, rows = newest.data.get("share"), newest.data.get("rows")
    much = f"{share:.0%} of its rows" if isinstance(share, float) else f"{rows:,} rows" if rows else "rows"
    return Headline("quarantine", f"{_whose(seen, causes)}: {much} quarantined {_since(seen, causes)}")


def _dataset(seen: Seen) -> Headline | None:
    if not (causes := seen.of("dataset.", "partition.failed", "publish.failed", "version.damaged")):
        return None
    if all(one.type in _SAID for one in causes):
        newest = max(causes, key=lambda one: one.seq)
        return Headline("dataset", _said(seen, newest, causes), _figures(seen, newest))
    worst = any(one.type == "dataset.failed" for one in causes)
    first = next((one for one in seen.standings if one.reason or one.error), None)
    said = _reason(seen, causes[-1]) if first is None else seen.words(first.reason or first.error)
    name = causes[0].subject if first is None else first.dataset
    details = (said.removeprefix(f"{name}: ").rstrip("."),) if said else ()
    state = "failed" if worst else "degraded"
    return Headline("dataset", f"{_whose(seen, causes)} {state} {_since(seen, causes)}", details)


def _objective(seen: Seen) -> Headline | None:
    if not (causes := seen.of("objective.burning")):
        return None
    return Headline("objective", f"{_whose(seen, causes)}: error budget burns {_since(seen, causes)}")


def _service(seen: Seen) -> Headline | None:
    if causes := seen.of("service."):
        newest = max(causes, key=lambda one: one.seq)
        state = "answers slowly" if newest.type == "service.slow" else newest.type.removeprefix("service.")
        return Headline("service", f"{_whose(seen, causes)} {state} {_since(seen, causes)}", _figures(seen, newest))
    if causes := seen.of("alert."):
        whose = listed(sorted({one.subject for one in causes}), noun="channel")
        words = f"Channel {whose} takes no messages {_since(seen, causes)}"
        return Headline("channel", words, _figures(seen, causes[-1]))
    return None


def _anomalies(seen: Seen) -> Headline | None:
    if not (causes := seen.of("anomaly.detected")):
        return None
    count = sum(one.count for one in causes)
    whose = listed(sorted({one.subject for one in causes}))
    words = f"{count} {'anomaly' if count == 1 else 'anomalies'} in {whose} {_since(seen, causes)}"
    return Headline("anomaly", words, _figures(seen, causes[-1]) if len(causes) == 1 else ())


def _other(seen: Seen) -> Headline:
    if not seen.causes:
        about = seen.words(seen.incident.about, 60)
        return Headline("other", f"{_capital(about)} in trouble since {seen.moments.said(seen.incident.opened_at)}")
    newest = max(seen.causes, key=lambda one: one.seq)
    return Headline("other", _said(seen, newest, seen.causes), _figures(seen, newest))


_IN_ORDER: tuple[Callable[[Seen], Headline | None], ...] = (
    _network, _clock, _host, _provider, _held, _late, _quarantine, _dataset, _objective, _service, _anomalies,
)  # fmt: skip
"""What explains the others comes first: a provider that is down explains the promise that breaks."""


def _whose(seen: Seen, causes: Sequence[Cause]) -> str:
    names = sorted({seen.words(one.subject, 60) for one in causes})
    return listed(names)


def _reason(seen: Seen, cause: Cause) -> str:
    for key in ("reason", "words", "message", "detail"):
        if isinstance(said := cause.data.get(key), str) and said:
            return seen.words(said).rstrip(".")
    error = cause.data.get("error")
    said = error.get("message", "") if isinstance(error, dict) else error or ""
    return seen.words(said).rstrip(".")


def _said(seen: Seen, cause: Cause, causes: Sequence[Cause]) -> str:
    """A cause in words: ours, or those of its type."""
    words = _SAID.get(cause.type, f"{{subject}}: {_plain(cause.type)} {{since}}")
    at = seen.moments.at(min(one.since for one in causes))
    return words.format(subject=seen.words(cause.subject, 60), since=_since(seen, causes), at=at)


def _plain(type: str) -> str:
    """
    >>> _plain("orders.late_again")
    'orders late again'
    """
    return re.sub(r"[._]", " ", type)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
