"""The head of a message, and the words that all heads are made of."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from monitoring.alerting.incident import Cause
from monitoring.alerting.message.moments import utc
from monitoring.alerting.message.seen import Seen

__all__ = [
    "OF_PROVIDERS",
    "SAID",
    "About",
    "Headline",
    "capital",
    "figures_of",
    "listed",
    "plain_words",
    "reason_of",
    "said_of",
    "since_words",
    "whose_words",
]

About = Literal[
    "network", "clock", "disk", "host", "providers", "provider", "refused", "unreadable", "held", "same", "overdue",
    "promise", "quarantine", "dataset", "objective", "service", "channel", "anomaly", "other",
]  # fmt: skip
"""What kind of trouble it is: what the advice goes by."""

OF_PROVIDERS: frozenset[About] = frozenset({"provider", "providers", "refused", "unreadable"})
"""Of these it is told how often the provider was asked."""

SAID: Mapping[str, str] = {
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


def listed(names: Sequence[str], most: int = 3, noun: str = "dataset") -> str:
    """Few by name, many by number.

    >>> listed(["a"]), listed(["a", "b", "c"]), listed(["a", "b", "c", "d"])
    ('a', 'a, b and c', '4 datasets')
    """
    if len(names) > most:
        return f"{len(names):,} {noun}s"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else f"no {noun}"


def since_words(seen: Seen, causes: Sequence[Cause]) -> str:
    """`since 02:12`, when the first of these began; without any, when the incident was opened."""
    return f"since {seen.moments.said(min([utc(one.since) for one in causes] or [utc(seen.incident.opened_at)]))}"


def whose_words(seen: Seen, causes: Sequence[Cause]) -> str:
    """Whose causes these are, by name or number."""
    names = sorted({seen.words(one.subject, 60) for one in causes})
    return listed(names)


def reason_of(seen: Seen, cause: Cause) -> str:
    """Why, in the words of the event; "": it does not say."""
    for key in ("reason", "words", "message", "detail"):
        if isinstance(said := cause.data.get(key), str) and said:
            return seen.words(said).rstrip(".")
    error = cause.data.get("error")
    said = error.get("message", "") if isinstance(error, dict) else error or ""
    return seen.words(said).rstrip(".")


def figures_of(seen: Seen, cause: Cause) -> tuple[str, ...]:
    """The same, as details of a head."""
    reason = reason_of(seen, cause)
    return (reason,) if reason else ()


def said_of(seen: Seen, cause: Cause, causes: Sequence[Cause]) -> str:
    """A cause in words: ours, or those of its type."""
    words = SAID.get(cause.type, f"{{subject}}: {plain_words(cause.type)} {{since}}")
    at = seen.moments.at(min(one.since for one in causes))
    return words.format(subject=seen.words(cause.subject, 60), since=since_words(seen, causes), at=at)


def plain_words(type: str) -> str:
    """
    >>> plain_words("orders.late_again")
    'orders late again'
    """
    return re.sub(r"[._]", " ", type)


def capital(words: str) -> str:
    """With a capital at the beginning."""
    return words[:1].upper() + words[1:]
