"""The panels of a page: each draws its rows, or the face that says why it has none.

Whatever comes from a provider, a configuration or an error goes through `st.text` or a data frame, which show text as
it is; Markdown and HTML are for our own words only.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard.charts import runs_figure, sparkline
from dashboard.view_model import Bar, Face, Headline, Panel, Row, Tile
from dashboard.words import Tone

# An icon and a word beside the colour: no meaning by colour alone.
ICONS: dict[Tone, str] = {
    "good": ":material/check_circle:",
    "attention": ":material/history:",
    "bad": ":material/error:",
    "busy": ":material/progress_activity:",
    "neutral": ":material/radio_button_unchecked:",
}
COLOURS: dict[Tone, str] = {"good": "green", "attention": "orange", "bad": "red", "busy": "blue", "neutral": "gray"}
FACES: dict[str, tuple[Tone, str]] = {
    "no data yet": ("neutral", "no data yet"),
    "stale": ("attention", "stale"),
    "broken": ("bad", "cannot be read"),
}


def badge(tone: Tone, word: str) -> None:
    """A small coloured label; `word` is one of ours, never text from elsewhere."""
    st.badge(word.replace("_", " "), icon=ICONS[tone], color=COLOURS[tone])  # type: ignore[arg-type]  # a literal


def headline(shown: Headline) -> None:
    """The verdict and the sentence."""
    with st.container(key="verdict"):
        badge(shown.tone, shown.verdict)
    with st.container(key="sentence"):
        st.text(shown.sentence)


def tiles(panel: Panel[Tile]) -> None:
    """A tile for every dataset, worst first."""
    with _panel("Datasets", panel):
        if panel.rows:
            with st.grid(min_column_width=330, gap="small", key="tiles"):
                for tile in panel.rows:
                    _tile(tile)


def runs(panel: Panel[Row], bars: tuple[Bar, ...]) -> None:
    """The last runs: bars, then lines."""
    with _panel("Last runs", panel):
        if bars:
            st.plotly_chart(
                runs_figure(bars),
                key="runs",
                config={"displayModeBar": False},
                alt="Bars: for each of the last runs, how many datasets succeeded, were degraded, failed or skipped",
            )
        _rows("run", panel)


def events(panel: Panel[Row]) -> None:
    """What happened, newest first."""
    with _panel("Events", panel):
        _rows("event", panel)


def providers(panel: Panel[Row]) -> None:
    """Each provider's circuit and retries."""
    with _panel("Providers", panel):
        _rows("provider", panel)


def configuration(panel: Panel[tuple[str, str, str]]) -> None:
    """The effective values, secrets masked, folded away."""
    with _panel("Configuration", panel):
        if panel.rows:
            with st.expander("Every value and where it comes from", icon=":material/tune:"):
                columns = [list(column) for column in zip(*panel.rows, strict=True)]
                names = ("key", "value", "from")
                st.dataframe(dict(zip(names, columns, strict=True)), hide_index=True, height=420, key="configuration")


@contextmanager
def _panel(title: str, panel: Panel[object] | Panel[Tile] | Panel[Row] | Panel[tuple[str, str, str]]) -> Iterator[None]:
    name = title.lower().replace(" ", "-")
    with st.container(key=f"panel-{name}"):
        with st.container(
            key=f"heading-{name}", horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"
        ):
            st.subheader(title, anchor=False)
            if panel.note:
                with st.container(key=f"faint-note-{name}", width="content"):
                    st.text(panel.note)
        if panel.face is not None:
            _face(name, panel.face)
        yield


def _rows(kind: str, panel: Panel[Row]) -> None:
    with st.container(key=f"list-{kind}", gap="xsmall"):
        for n, row in enumerate(panel.rows):
            with st.container(key=f"row-{kind}-{n}", horizontal=True, vertical_alignment="center"):
                if row.when:
                    st.text(row.when)
                badge(row.tone, row.state)
                if row.title:
                    st.text(row.title)
                if row.words:
                    with st.container(key=f"faint-{kind}-{n}", width="content"):
                        st.text(row.words)


def _face(name: str, face: Face) -> None:
    tone, word = FACES[face.kind]
    with st.container(key=f"face-{name}", border=True, gap="xsmall"):
        badge(tone, word)
        st.text(face.words)
        if face.hint:
            with st.container(key=f"faint-hint-{name}"):
                st.text(face.hint)


def _tile(tile: Tile) -> None:
    name = tile.dataset
    with st.container(key=f"tile-{name}", border=True, gap="small", height="stretch"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            with st.container(key=f"name-{name}", width="content"):
                st.text(name)
            badge(tile.tone, tile.state)
        with st.container(key=f"faint-source-{name}"):
            st.text(tile.source)
        with st.container(key=f"figures-{name}", horizontal=True, gap="medium"):
            st.text(f"Copy age\n{tile.copy_age}")
            st.text(f"Data age\n{tile.data_age}")
            st.text(f"Score\n{tile.score}")
        if tile.points:
            st.image(sparkline(tile.points), width="stretch", alt=tile.trend)
        with st.container(key=f"faint-trend-{name}"):
            st.text(tile.trend)
        if tile.reason:
            with st.container(key=f"reason-{name}"):
                st.text(tile.reason)
