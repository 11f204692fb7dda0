"""The newest event of each source, type and subject: where the links of the log's rows begin."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Self

from utils.events.event import Event, NewEvent

__all__ = ["Newest"]

_REMEMBERED = 100_000


class Newest:
    """Positions by name (0: the name is new), and the versions of the subjects.

    Attributes:
        sources, types, subjects: Name -> position of its newest event.
        versions: Subject -> how many events it has, sealed ones included.
    """

    __slots__ = ("sources", "subjects", "types", "versions")

    def __init__(self) -> None:
        self.sources: dict[str, int] = {}
        self.types: dict[str, int] = {}
        self.subjects: dict[str, int] = {}
        self.versions: dict[str, int] = {}

    def of(self, events: Collection[NewEvent]) -> Self:
        """What is known of the names of these events, as a copy."""
        part = type(self)()
        for known, copied, names in (
            (self.sources, part.sources, {event.source for event in events}),
            (self.types, part.types, {event.type for event in events}),
            (self.subjects, part.subjects, {event.subject for event in events}),
        ):
            copied.update((name, known[name]) for name in names if name in known)
        part.versions.update((name, self.versions[name]) for name in part.subjects)
        return part

    def links(self, event: NewEvent) -> tuple[int, int, int, int] | None:
        """Positions of the newest events of its source, type and subject, and the subject's version.

        None when one of its names is not known.
        """
        subject = event.subject
        try:
            return self.sources[event.source], self.types[event.type], self.subjects[subject], self.versions[subject]
        except KeyError:
            return None

    def moved(self, event: Event) -> None:
        """An event of names that are known was written."""
        self.sources[event.source] = self.types[event.type] = self.subjects[event.subject] = event.seq
        self.versions[event.subject] = event.version

    def lacking(self, events: Collection[NewEvent]) -> tuple[list[str], list[str], list[str]]:
        """The names of these events that are not known, by kind, each once."""
        return (
            list({event.source: 0 for event in events if event.source not in self.sources}),
            list({event.type: 0 for event in events if event.type not in self.types}),
            list({event.subject: 0 for event in events if event.subject not in self.subjects}),
        )

    def note(self, rows: Iterable[Sequence[Any]]) -> None:
        """Take over what the table of names says."""
        by_kind = {"source": self.sources, "type": self.types, "subject": self.subjects}
        for kind, name, newest, version in rows:
            by_kind[kind][name] = newest
            if kind == "subject":
                self.versions[name] = version

    def note_new(self, names: tuple[Iterable[str], Iterable[str], Iterable[str]]) -> None:
        """These names have no event yet, unless something is known of them."""
        for known, some in zip((self.sources, self.types, self.subjects), names, strict=True):
            for name in some:
                known.setdefault(name, 0)
        for name in names[2]:
            self.versions.setdefault(name, 0)

    def update(self, other: "Newest") -> None:
        """Take over what another knows; all is forgotten when it becomes too much."""
        self.sources.update(other.sources)
        self.types.update(other.types)
        self.subjects.update(other.subjects)
        self.versions.update(other.versions)
        if len(self.subjects) + len(self.sources) + len(self.types) > _REMEMBERED:
            self.clear()

    def clear(self) -> None:
        for known in (self.sources, self.types, self.subjects, self.versions):
            known.clear()

    def rows(self, events: Iterable[Event]) -> list[tuple[str, str, int, int]]:
        """The rows of the table of names that change with these events, the last that were added."""
        sources, types, subjects, versions = self.sources, self.types, self.subjects, self.versions
        changed: set[tuple[str, str, int, int]] = set()
        head = 0
        for event in events:
            source, kind, subject, head = event.source, event.type, event.subject, event.seq
            changed.add(("source", source, sources[source], 0))
            changed.add(("type", kind, types[kind], 0))
            changed.add(("subject", subject, subjects[subject], versions[subject]))
        changed.add(("log", "", head, 0))
        return sorted(changed)  # along the table: its pages are found one after the other
