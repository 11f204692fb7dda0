"""Is everything all right? The five seconds of the first page."""

from dataclasses import dataclass

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, face_of
from dashboard.words import plain

__all__ = ["Overview", "overview"]


@dataclass(frozen=True, slots=True)
class Overview:
    """All that is drawn. Equal ones look the same."""

    sentence: str
    face: Face | None


def overview(status: Answer, words: Words) -> Overview:
    """The page for the answer of `status`."""
    found = status.document
    return Overview(
        plain(found["sentence"], limit=600) if found else "", face_of(status, empty=words("Nothing has run yet."))
    )
