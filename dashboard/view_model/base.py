"""What all pages' models are made of: panels with rows, and the face that says why there are none."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from dashboard.source import Answer
from dashboard.words import Tone, prose
from operations.trouble import Trouble

__all__ = ["Face", "Panel", "Row", "face_of"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Face:
    """Why a panel does not show all it could. `kind`: no data yet, stale, broken."""

    kind: str
    words: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Panel(Generic[T]):
    """Rows to draw, a note beside the heading, and perhaps a face above them."""

    rows: tuple[T, ...] = ()
    note: str = ""
    face: Face | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list: what state, what it is about, when, and more in words."""

    tone: Tone
    state: str
    title: str
    when: str
    words: str


def face_of(answer: Answer, *, empty: str = "", hint: str = "") -> Face | None:
    """The face of a panel over one answer: broken, stale, or, when it is empty and `empty` says so, no data yet."""
    if answer.trouble is not None:
        return _troubled(answer.trouble, "stale" if answer.document is not None else "broken")
    if not empty or answer.document:
        return None
    return Face("no data yet", prose(empty, limit=600), prose(hint, limit=300))


def _troubled(trouble: Trouble, kind: str) -> Face:
    return Face(kind, prose(trouble.message, limit=600, lines=True), prose(trouble.hint, limit=300))
