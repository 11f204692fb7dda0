"""What pages are put together from: a panel with its heading, its rows, or the face that says why it has none.

Whatever comes from a provider, a configuration or an error goes through `st.text` or a data frame, which show text as
it is; Markdown and HTML are for our own words only.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from dashboard.here import Here
from dashboard.paging import pages_of, part, turn
from dashboard.view_model.base import Face, Panel, Row
from dashboard.words import Tone

# An icon and a word beside the colour: no meaning by colour alone.
ICONS: dict[Tone, str] = {
    "good": ":material/check_circle:",
    "attention": ":material/history:",
    "bad": ":material/error:",
    "busy": ":material/progress_activity:",
    "neutral": ":material/radio_button_unchecked:",
}
LINES = 100
"""Lines of a panel at a time."""

COLOURS: dict[Tone, str] = {"good": "green", "attention": "orange", "bad": "red", "busy": "blue", "neutral": "gray"}
FACES: dict[str, tuple[Tone, str]] = {
    "no data yet": ("neutral", "no data yet"),
    "stale": ("attention", "stale"),
    "broken": ("bad", "cannot be read"),
}


def badge(tone: Tone, word: str) -> None:
    """A small coloured label; `word` is one of ours, never text from elsewhere."""
    st.badge(word.replace("_", " "), icon=ICONS[tone], color=COLOURS[tone])  # type: ignore[arg-type]  # a literal


@contextmanager
def framed(here: Here, name: str, title: str, panel: Panel[Any]) -> Iterator[None]:
    """A panel under its heading; `name` is its stable key, `title` is translated already."""
    with st.container(key=f"panel-{name}"):
        with st.container(
            key=f"heading-{name}", horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"
        ):
            st.subheader(title, anchor=False)
            if panel.note:
                with st.container(key=f"faint-note-{name}", width="content"):
                    st.text(panel.note)
        if panel.face is not None:
            face(here, name, panel.face)
        yield


def rows(kind: str, panel: Panel[Row]) -> None:
    """The lines of a panel, some at a time."""
    _, found = part(panel.rows, f"{kind}-page", LINES)
    lines(kind, found)
    turn(f"{kind}-page", pages_of(panel.rows, LINES))


def lines(kind: str, found: Sequence[Row]) -> None:
    """The lines of a list."""
    with st.container(key=f"list-{kind}", gap="xsmall"):
        for n, row in enumerate(found):
            with st.container(key=f"row-{kind}-{n}", horizontal=True, vertical_alignment="center"):
                if row.when:
                    st.text(row.when)
                badge(row.tone, row.state)
                if row.title:
                    st.text(row.title)
                if row.words:
                    with st.container(key=f"faint-{kind}-{n}", width="content"):
                        st.text(row.words)


def face(here: Here, name: str, face: Face) -> None:
    """Why there is nothing, or not all: a word of ours, then the reason as it came."""
    tone, word = FACES[face.kind]
    word = here.words(word)
    with st.container(key=f"face-{name}", border=True, gap="xsmall"):
        badge(tone, word)
        st.text(face.words)
        if face.hint:
            with st.container(key=f"faint-hint-{name}"):
                st.text(face.hint)


def figures(kind: str, found: Iterable[tuple[str, str]]) -> None:
    """Numbers side by side, each under what it is."""
    with st.container(key=f"figures-{kind}", horizontal=True, gap="medium"):
        for label, value in found:
            st.text(f"{label}\n{value}")


def download(here: Here, name: str, table: Callable[[], Sequence[Mapping[str, object]]]) -> None:
    """A button for the rows of a table as CSV; they are made when somebody asks for them.

    Args:
        name: Of the file, and of the button; no text from elsewhere.
    """
    st.download_button(
        here.words("Download CSV"),
        lambda: as_csv(table()),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"csv-{name}",
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
    )


def as_csv(table: Sequence[Mapping[str, object]]) -> bytes:
    """Rows as CSV (RFC 4180, UTF-8), their keys as the header; nothing for None and NaN.

    A text that a spreadsheet would take for a formula begins with an apostrophe (OWASP, "CSV Injection").

    >>> as_csv([{"name": "=1+1", "rows": -5, "note": None}])
    b"name,rows,note\\r\\n'=1+1,-5,\\r\\n"
    """
    import csv
    import io

    out = io.StringIO(newline="")
    writer = csv.writer(out)
    if table:
        writer.writerow([_cell(name) for name in table[0]])
        writer.writerows([_cell(value) for value in row.values()] for row in table)
    return out.getvalue().encode("utf-8", "replace")


def _cell(value: object) -> object:
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
