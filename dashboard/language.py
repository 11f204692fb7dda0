"""What the pages say, in the reader's language: our own words; what providers and errors say stays as it came."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from operations.words import duration

__all__ = ["LANGUAGES", "Language", "Words", "language_of"]

Language = Literal["en", "pt"]
LANGUAGES: dict[Language, str] = {"en": "English", "pt": "Português"}


def language_of(tag: str | None) -> Language:
    """The language nearest to what a browser asks for.

    >>> language_of("pt-BR"), language_of("de"), language_of(None)
    ('pt', 'en', 'en')
    """
    return "pt" if (tag or "").lower().startswith("pt") else "en"


@dataclass(frozen=True, slots=True)
class Words:
    """Translates sentences that stand in the code in English.

    `words("{done} of {total} datasets", done=1, total=3)`: the text is looked up first and filled in then, so each
    is one literal in the code. A text without a translation is shown in English; a test finds it.
    """

    language: Language = "en"
    texts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, language: Language) -> "Words":
        """The words of a language."""
        if language == "pt":
            from dashboard.portuguese import TEXTS

            return cls("pt", TEXTS)
        return cls()

    def __call__(self, text: str, /, **values: object) -> str:
        found = self.texts.get(text, text)
        return found.format(**values) if values else found

    def count(self, number: float) -> str:
        """A number with its thousands apart.

        >>> Words().count(1234567), Words("pt").count(1234567)
        ('1,234,567', '1.234.567')
        """
        return self._local(f"{number:,}")

    def figure(self, number: float, digits: int = 4) -> str:
        """A measured number, so many digits that matter.

        >>> Words().figure(1234.5678), Words("pt").figure(0.123456)
        ('1,235', '0,1235')
        """
        return self._local(f"{number:,.{digits}g}" if abs(number) < 10**digits else f"{number:,.0f}")

    def ago(self, seconds: float) -> str:
        """How long ago, in one unit.

        >>> Words().ago(90), Words("pt", {"{span} ago": "há {span}"}).ago(3)
        ('1 min ago', 'há 3 s')
        """
        return self("{span} ago", span=self.span(seconds))

    def span(self, seconds: float) -> str:
        """A length of time in one unit; the units are the same in both languages but for days."""
        return duration(max(0.0, seconds))

    def _local(self, english: str) -> str:
        return english if self.language == "en" else english.translate(str.maketrans(",.", ".,"))


def moment(text: str) -> datetime:
    """A moment as the API tells it."""
    return datetime.fromisoformat(text)
