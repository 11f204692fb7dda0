"""Looking for events: by a text in their names, or all that belongs to a run. Quick in a log of any length.

Neither is a column of the log. A text is looked for among the names of sources, types and subjects, which are few, and
the links of the log lead to the events of each; so nothing is read that is not found. Where too many names have it in
them, and for what a run did to its datasets, a stretch of the log is looked through: a bounded one for each page.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from integrated_system import IntegratedSystem
from operations.events import recent
from operations.moments import moment_of
from utils.events import Event, rfc3339
from utils.events.wanted import Wanted

__all__ = ["Found", "find_events"]

NAMES = 40
"""Names whose events are looked for one by one; of more of them there is one on nearly every page of the log."""

STRETCH = 20_000
"""Events that are looked through for one page at most."""

PAGE = 1_000


class Found(NamedTuple):
    """Events, newest first. `before`: where to go on; None: at the beginning of the log. Fewer than were asked for
    may be there although there is more: then a stretch was looked through in vain."""

    events: list[Event]
    before: int | None


def find_events(
    system: IntegratedSystem,
    *,
    text: str = "",
    run: str = "",
    type: str | None = None,
    source: str | None = None,
    subject: str | None = None,
    since: str | None = None,
    until: str | None = None,
    before: int = 0,
    limit: int = 50,
) -> Found:
    """The newest events that match all of it.

    Args:
        text: Stands in the subject, the type or the source; large and small letters are the same.
        run: Only what is about this run: its own events, and what it did to its datasets.
        before: Only events before this position, to go on where a page ended; 0: to the end of the log.

    Raises:
        UsageError: a time that cannot be read.
    """
    wanted = {"type": type, "source": source, "subject": subject, "since": since, "until": until}
    words = text.strip()
    if run:
        first, last = _stretch_of(system, run)
        if not first:
            return Found([], None)
        # To the end of the log while it is not over.
        before = min(before, last + 1) if before and last else before or (last + 1 if last else 0)
        return _looked_through(system, wanted, lambda e: _is_of(e, run) and _has(e, words), before, limit, first - 1)
    if not words:
        found = recent(system, **wanted, before=before, limit=limit + 1)[::-1]
        return Found(found[:limit], found[limit - 1].seq if len(found) > limit else None)
    names = system.events.names(words, limit=NAMES + 1)
    if len(names) > NAMES:
        return _looked_through(system, wanted, lambda event: _has(event, words), before, limit, 0)
    return _of_names(system, wanted, names, before, limit)


def _of_names(
    system: IntegratedSystem, wanted: dict[str, str | None], names: list[tuple[str, str]], before: int, limit: int
) -> Found:
    found: dict[int, Event] = {}
    for kind, name in names:
        asked = wanted.get(kind)
        if asked is not None and asked != name and not (asked.endswith("*") and name.startswith(asked[:-1])):
            continue
        events = recent(system, **{**wanted, kind: name}, before=before, limit=limit + 1)
        found.update((event.seq, event) for event in events)
    newest = sorted(found.values(), key=lambda event: event.seq, reverse=True)
    return Found(newest[:limit], newest[limit - 1].seq if len(newest) > limit else None)


def _looked_through(
    system: IntegratedSystem,
    wanted: dict[str, str | None],
    takes: Callable[[Event], bool],
    before: int,
    limit: int,
    after: int,
) -> Found:
    """Back from a position to another one, through so many events at most.

    They are read without a filter: to go along the links from the end of the log for each page takes longer.
    """
    since, until = _moment(wanted["since"]), _moment(wanted["until"])
    kind = Wanted(type=wanted["type"])
    found: list[Event] = []
    for event in _backwards(system, before, after):
        if event is None or (since is not None and event.time < since):
            return Found(found, None)
        before = event.seq
        if (
            (until is None or event.time < until)
            and kind.takes_type(event.type)
            and wanted["source"] in (None, event.source)
            and wanted["subject"] in (None, event.subject)
            and takes(event)
        ):
            found.append(event)
            if len(found) == limit:
                break
    return Found(found, before if before > after + 1 else None)


def _backwards(system: IntegratedSystem, before: int, after: int) -> Iterator[Event | None]:
    """A stretch of the log, newest first; None after it when the log has no more."""
    for _ in range(STRETCH // PAGE):
        page = system.events.read(after=after, before=before, limit=PAGE, newest_first=True)
        yield from page
        if len(page) < PAGE:
            yield None
            return
        before = page[-1].seq


def _moment(text: str | None) -> str | None:
    return None if text is None else rfc3339(moment_of("since", text))


def _stretch_of(system: IntegratedSystem, run: str) -> tuple[int, int]:
    """Positions of the first and the last event of a run itself; 0: there is none, or it is not over."""
    own = system.events.read(subject=run, limit=PAGE)
    if not own:
        return 0, 0
    stored = system.views.run(run)
    is_over = stored is not None and stored.status not in {"queued", "running"}
    return own[0].seq, own[-1].seq if is_over else 0


def _is_of(event: Event, run: str) -> bool:
    return event.subject == run or event.data.get("run_id") == run


def _has(event: Event, words: str) -> bool:
    lower = words.lower()
    return any(lower in name.lower() for name in (event.subject, event.type, event.source))
