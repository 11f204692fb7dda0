"""What every page is given: who looks, at which time, in which language, and whom it may ask."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from dashboard.actions import Actions
from dashboard.caller import Caller
from dashboard.language import Words
from dashboard.source import Answer, Source, asked_as
from dashboard.words import label as harmless

__all__ = ["KEPT_IN_LINKS", "SPANS", "Drawing", "Here"]

KEPT_IN_LINKS = ("span", "as_of", "live", "lang")
"""What the shell has in the address; the rest belongs to one page."""

SPANS: dict[str, timedelta | None] = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "all": None,
}
SPAN_NAMES = {
    "1h": "1 hour",
    "6h": "6 hours",
    "24h": "24 hours",
    "7d": "7 days",
    "30d": "30 days",
    "all": "everything",
}


@dataclass(slots=True)
class Drawing:
    """One drawing of a page shows one state: until it ends, equal questions get equal answers.

    So what is compared with the page afterwards is what was drawn.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    ended: bool = True

    def begin(self) -> None:
        self.ended = False

    def end(self) -> None:
        self.ended = True
        self.answers.clear()


@dataclass(frozen=True, slots=True)
class Here:
    """One drawing of one page.

    Attributes:
        as_of: The moment that the page shows, RFC 3339; None: now. Buttons that change something are not drawn then.
        span: The period, a key of `SPANS`.
        live: Whether the page follows what happens.
        pages: The pages to go to, by name.
        drawing: Begun by the shell, ended by `pulse`.
    """

    source: Source
    actions: Actions
    caller: Caller
    words: Words
    span: str
    as_of: str | None
    live: bool
    pages: Mapping[str, Any]
    drawing: Drawing = field(default_factory=Drawing)

    def ask(self, question: str, /, *args: Any, **kwargs: Any) -> Answer:
        """What the API gives (`Client.queries`), shared with all who ask the same."""
        if self.drawing.ended:
            return self.source.ask(self.caller, question, *args, **kwargs)
        key = asked_as(None, question, args, kwargs)
        if key not in self.drawing.answers:
            self.drawing.answers[key] = self.source.ask(self.caller, question, *args, **kwargs)
        return self.drawing.answers[key]

    @property
    def now(self) -> datetime:
        """The moment the page is about."""
        return self.source.now() if self.as_of is None else datetime.fromisoformat(self.as_of)

    @property
    def since(self) -> datetime | None:
        """Where the period begins; None: at the beginning of everything."""
        length = SPANS[self.span]
        return None if length is None else self.now - length

    @property
    def may_change(self) -> bool:
        """Whether buttons are drawn: the role reaches, and the page is not about the past."""
        return self.as_of is None and self.caller.may("operator")

    def link(self, page: str, label: str, *, icon: str | None = None, help: str | None = None, **query: str) -> None:
        """A link to another page (`link("dataset", "orders", dataset="orders")`); the period and moment go with it.

        Args:
            label: May come from elsewhere: it is shown as it is. `help` is ours.
        """
        kept = {name: st.query_params[name] for name in KEPT_IN_LINKS if name in st.query_params}
        st.page_link(self.pages[page], label=harmless(label), icon=icon, help=help, query_params={**kept, **query})
