"""What the pages say, in the reader's language: our own words; what providers and errors say stays as it came."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal

from operations.words import duration

__all__ = ["LANGUAGES", "Language", "Words", "language_of"]

Language = Literal["en", "pt"]
LANGUAGES: dict[Language, str] = {"en": "English", "pt": "Português"}
MONTHS: dict[Language, tuple[str, ...]] = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "pt": ("jan.", "fev.", "mar.", "abr.", "mai.", "jun.", "jul.", "ago.", "set.", "out.", "nov.", "dez."),
}
"""Short, as the Common Locale Data Repository of Unicode has them."""


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

    def number(self, count: float, one: str, many: str, /, **values: object) -> str:
        """Of one thing or of several; `{n}` is how many.

        >>> [Words().number(count, "1 row of {name}", "{n} rows of {name}", name="fx") for count in (1, 1700)]
        ['1 row of fx', '1,700 rows of fx']
        """
        return self(one if count == 1 else many, n=self.count(count), **values)

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

    def day(self, day: date, *, year: bool = False) -> str:
        """A day.

        >>> day = date(2026, 11, 20)
        >>> Words().day(day), Words("pt").day(day, year=True)
        ('20 Nov', '20 nov. 2026')
        """
        return f"{day.day} {MONTHS[self.language][day.month - 1]}{f' {day.year}' if year else ''}"

    def clock(self, moment: datetime, now: datetime | None = None, *, seconds: bool = False) -> str:
        """A moment in UTC: the time alone on the day of `now`, else with its date, and its year if that is another.

        >>> day, later = datetime(2026, 11, 20, 16, 0, 12, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
        >>> Words().clock(day, day), Words().clock(day, seconds=True), Words("pt").clock(day, later)
        ('16:00', '16:00:12', '20 nov. 2026 16:00')
        """
        moment = moment.astimezone(UTC)
        time = moment.strftime("%H:%M:%S" if seconds else "%H:%M")
        today = moment if now is None else now.astimezone(UTC)
        if today.date() == moment.date():
            return time
        return f"{self.day(moment, year=today.year != moment.year)} {time}"

    def _local(self, english: str) -> str:
        return english if self.language == "en" else english.translate(str.maketrans(",.", ".,"))


def moment(text: str) -> datetime:
    """A moment as the API tells it."""
    return datetime.fromisoformat(text)
