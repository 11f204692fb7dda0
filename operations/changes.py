"""What differs between two batches of a dataset, in words: configuration, schema, rows, score, rules."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from data_pipeline.store.views import Version
from data_pipeline.validate.report import Report
from operations.words import count_of
from utils.events import Event

__all__ = ["Change", "Same", "between", "drifted", "same_in_a_row"]

ROWS_THAT_MATTER = 0.2
"""A number of rows that moved by less than this share is no news."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `about`: provider, schema, configuration, rows, content, score or rule.

    `since`: when it was first so, RFC 3339, where that is known.
    """

    about: str
    words: str
    since: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"about": self.about, "words": self.words, "since": self.since}


class Same(NamedTuple):
    """The same content so many `times` in a row, `since` a time, RFC 3339."""

    times: int
    since: str


def same_in_a_row(runs: Sequence[dict[str, Any]]) -> Same | None:
    """How often the provider sent what it sent last, of dataset runs, newest first; None: once."""
    asked = [run for run in runs if run["origin"] == "provider"]
    same = 0
    while same < len(asked) and asked[same]["content_sha256"] == asked[0]["content_sha256"]:
        same += 1
    return Same(same, asked[same - 1]["time"]) if same > 1 else None


def between(before: Version, after: Version) -> list[Change]:
    """What differs in a batch from one that came before."""
    return [*_configuration(before, after), *_rows(before, after), *_score(before, after), *_rules(before, after)]


def drifted(events: Sequence[Event]) -> list[Change]:
    """Columns that are not as they were, each once, with the first event that says so. Oldest first."""
    found: dict[str, Change] = {}
    for event in events:
        column, change, old, new = (event.data[name] for name in ("column", "change", "old", "new"))
        words = {
            "new": f"column `{column}` is new ({new})",
            "missing": f"column `{column}` ({old}) is missing",
        }.get(change, f"column `{column}` changed from {old} to {new}")
        found.setdefault(words, Change("schema", words, event.time))
    return list(found.values())


def configuration(body: dict[str, Any], fingerprint: str, layout: str) -> list[Change]:
    """Whether a dataset's configuration is another one than a version came with."""
    if body.get("fingerprint", fingerprint) == fingerprint:
        return []
    if body.get("layout", layout) != layout:
        what = "how it is collected and read (`collect`, `parse` or `columns`)"
    else:
        what = "how it is judged (`rules`, `data_time` or a zone)"
    return [Change("configuration", f"its configuration was changed: {what}")]


def _configuration(before: Version, after: Version) -> list[Change]:
    body = after.body
    return configuration(before.body, body.get("fingerprint", ""), body.get("layout", "")) if "layout" in body else []


def _rows(before: Version, after: Version) -> Iterator[Change]:
    was, now = (Report.from_json(one.body["report"]).rows for one in (before, after))
    if was != now and abs(now - was) >= ROWS_THAT_MATTER * max(was, 1):
        yield Change("rows", f"{count_of(now, 'row')} came, {was:,} before")


def _score(before: Version, after: Version) -> Iterator[Change]:
    was, now = (one.body["quality"]["score"] for one in (before, after))
    if was is not None and now is not None and abs(now - was) >= 1:
        yield Change("score", f"the score is {now:g}, {was:g} before")


def _rules(before: Version, after: Version) -> Iterator[Change]:
    old = {outcome.rule: outcome for outcome in Report.from_json(before.body["report"]).outcomes}
    for outcome in Report.from_json(after.body["report"]).outcomes:
        was = old.get(outcome.rule)
        told = f"{outcome.failed:,} of {outcome.of:,}"
        if outcome.failed and was is None:
            yield Change("rule", f"`{outcome.rule}` ({outcome.severity}) is new, and {told} break it")
        elif outcome.failed and was is not None and not was.failed:
            yield Change("rule", f"`{outcome.rule}` ({outcome.severity}): {told} break it, none before")
        elif was is not None and was.failed and not outcome.of:
            yield Change("rule", f"`{outcome.rule}`: nothing is there to judge, {was.failed:,} broke it before")
        elif was is not None and was.failed and not outcome.failed:
            yield Change("rule", f"`{outcome.rule}`: nothing breaks it any more, {was.failed:,} before")
