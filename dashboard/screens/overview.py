"""Is everything all right?"""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import panels, visits
from dashboard.buttons import act
from dashboard.here import Here
from dashboard.paging import pages_of, part, turn
from dashboard.pulse import pulse
from dashboard.view_model.base import Panel
from dashboard.view_model.news import News
from dashboard.view_model.overview import RUNS, Behind, Budget, Overview, Tile, ToDo, behind, top
from operations.words import size

BUDGETS = 4
"""Objectives that are shown at once, the worst first; the others are folded."""

MORE_BUDGETS = 50
"""So many of those at a time."""

LARGE = 12
"""So many datasets all have a large tile; of more, the first of those that need a look."""

SMALL, TO_DO = 60, 10
"""Small tiles, and things that wait for somebody, at a time."""


def draw(here: Here) -> None:
    """Draw the sentence, then what lies behind it; from then on the pulse looks for what would look different."""
    head = _top(here)
    with st.container(key="verdict"):
        panels.badge(head.headline.tone, head.headline.verdict)
    with st.container(key="sentence"):
        st.text(head.headline.sentence)
    if head.face is not None:
        panels.face(here, "status", head.face)
    _buttons(here)
    with st.container(key="pulse-place"):
        place = st.empty()
    rest = _behind(here)
    _to_do(here, rest)
    _news(here, rest.news)
    tiles = rest.tiles.rows
    trouble = sum(tile.tone not in {"good", "neutral"} for tile in tiles)
    large = len(tiles) if len(tiles) <= LARGE else min(trouble, LARGE)
    if large or not tiles:
        with panels.framed(here, "tiles", here.words("Datasets"), rest.tiles):
            with _grid("tiles", 330):
                for n, tile in enumerate(tiles[:large]):
                    _tile(here, n, tile)
            if tiles and large == len(tiles):
                _download(here, tiles)
    left, right = st.columns(2, gap="medium")
    with left:
        _runs(here, rest)
    with right:
        _budgets(here, rest)
    if tiles[large:]:
        title = here.words("The other datasets") if large else here.words("Datasets")
        with panels.framed(here, "small-tiles", title, Panel() if large else rest.tiles):
            before, found = part(tiles[large:], "tiles-page", SMALL)
            with _grid("small-tiles", 240):
                for n, tile in enumerate(found, large + before):
                    _small_tile(here, n, tile)
            turn("tiles-page", pages_of(tiles[large:], SMALL))
            _download(here, tiles)
    visits.keep()
    with place.container():
        pulse(here, lambda: (_top(here), _behind(here)))


def _top(here: Here) -> Overview:
    return top(here.ask("status", as_of=here.as_of), here.words, here.now)


def _behind(here: Here) -> Behind:
    as_of, since = here.as_of, None
    if as_of is None:
        since = visits.since(here.now)
    return behind(
        here.ask("status", as_of=as_of),
        here.ask("trends", as_of=as_of),
        here.ask("runs", limit=RUNS, as_of=as_of),
        None if since is None else here.ask("news", since),
        here.words,
        here.now,
        here.since,
    )


def _buttons(here: Here) -> None:
    words = here.words
    if not here.may_change:
        return
    with st.container(key="buttons", horizontal=True, vertical_alignment="center"):
        act(
            here,
            words("Run now"),
            "run",
            key="run_now",
            icon=":material/play_arrow:",
            primary=True,
            told=lambda _: words("The run waits for its turn."),
            follow="run",
            help=words("Collect every dataset now, in a process of its own"),
        )
        act(
            here,
            words("Maintenance"),
            "maintain",
            key="maintenance",
            icon=":material/cleaning_services:",
            told=lambda done: _maintained(here, done),
            help=words("Purge, prune, compact, verify the log, check health; Settings shows first what would go"),
        )


def _maintained(here: Here, done: dict[str, Any]) -> str:
    words = here.words
    told = [words("Maintenance freed {size}.", size=size(done["freed_bytes"]))]
    told += [
        f"{step['count']} {step['detail']}."
        for step in done["steps"]
        if step["count"] and step["detail"] and step["well"]
    ]
    for step in done["steps"]:
        if not step["well"]:
            told.append(words("Not well: {name}: {detail}.", name=step["name"], detail=step["detail"]))
    if done["left"]:
        told.append(words("Left for the next time: {names}.", names=", ".join(done["left"])))
    return " ".join(told)


def _to_do(here: Here, rest: Behind) -> None:
    if rest.to_do.rows or rest.to_do.face is not None:
        with panels.framed(here, "to-do", here.words("What waits for somebody"), rest.to_do):
            before, found = part(rest.to_do.rows, "to-do-page", TO_DO)
            for n, one in enumerate(found, before):
                _one_to_do(here, n, one)
            turn("to-do-page", pages_of(rest.to_do.rows, TO_DO))
        return
    with st.container(key="faint-nothing-to-do"):
        st.text(here.words("No incident is open, no version is held."))


def _one_to_do(here: Here, n: int, one: ToDo) -> None:
    with st.container(key=f"row-to-do-{n}", horizontal=True, vertical_alignment="center"):
        panels.badge(one.tone, one.state)
        here.link(one.page, one.title, **dict(one.query))
        with st.container(key=f"faint-to-do-{n}", width="content"):
            st.text(one.words)


def _news(here: Here, news: News | None) -> None:
    if news is None:
        return
    with st.container(key="news", border=True, gap="small"):
        if news.face is not None:
            panels.face(here, "news", news.face)
        if news.summary:
            st.text(news.summary)
        panels.lines("news", news.rows)
        if news.more:
            label = here.words("{count} more in the log", count=news.more)
            here.link("events", label, icon=":material/history:", since=news.since)


def _grid(key: str, least: int) -> Any:
    return st.grid(min_column_width=least, gap="small", key=key)


def _tile(here: Here, n: int, tile: Tile) -> None:
    words = here.words
    with st.container(key=f"tile-{n}", border=True, gap="xsmall", height="stretch"):
        _named(here, tile)
        with st.container(key=f"figures-{n}", horizontal=True, gap="small"):
            st.text(f"{words('Copy age')}\n{tile.copy_age}")
            st.text(f"{words('Data age')}\n{tile.data_age}")
            st.text(f"{words('Score')}\n{tile.score}")
        _line(tile)
        with st.container(key=f"faint-trend-{n}"):
            st.text(f"{tile.source}\n{tile.trend}")
        if tile.reason:
            with st.container(key=f"reason-{n}"):
                st.text(tile.reason)


def _small_tile(here: Here, n: int, tile: Tile) -> None:
    """Where there are many datasets, those that are well take less room."""
    words = here.words
    with st.container(key=f"small-tile-{n}", border=True, gap="xsmall", height="stretch"):
        _named(here, tile)
        _line(tile)
        figures = (words("Copy age"), tile.copy_age, words("Data age"), tile.data_age, words("Score"), tile.score)
        st.text("{} {} · {} {}\n{} {}".format(*figures))


def _named(here: Here, tile: Tile) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False):
        here.link("dataset", tile.dataset, dataset=tile.dataset)
        panels.badge(tile.tone, tile.state)


def _line(tile: Tile) -> None:
    from dashboard.charts.sparkline import sparkline

    if tile.points:
        st.image(sparkline(tile.points), width="stretch", alt=tile.trend)


def _download(here: Here, tiles: Sequence[Tile]) -> None:
    panels.download(here, "datasets", lambda: [_as_row(tile) for tile in tiles])


def _as_row(tile: Tile) -> dict[str, object]:
    return {
        "dataset": tile.dataset,
        "status": tile.state,
        "source": tile.source,
        "copy age": tile.copy_age,
        "data age": tile.data_age,
        "score": tile.score,
        "reason": tile.reason,
    }


def _budgets(here: Here, rest: Behind) -> None:
    with panels.framed(here, "budgets", here.words("Objectives and error budgets"), rest.budgets):
        for n, one in enumerate(rest.budgets.rows[:BUDGETS]):
            _budget(here, n, one)
        more = rest.budgets.rows[BUDGETS:]
        if more:
            with st.expander(here.words("{count} more", count=len(more)), key="more-budgets"):
                before, found = part(more, "budgets-page", MORE_BUDGETS)
                for n, one in enumerate(found, BUDGETS + before):
                    _budget(here, n, one)
                turn("budgets-page", pages_of(more, MORE_BUDGETS))


def _budget(here: Here, n: int, one: Budget) -> None:
    from dashboard.charts.budget import budget_bar

    with st.container(key=f"row-budget-{n}", horizontal=True, vertical_alignment="center"):
        panels.badge(one.tone, one.state)
        here.link("dataset", one.dataset, dataset=one.dataset)
        with st.container(key=f"faint-budget-{n}", width="content"):
            st.text(one.words)
    with st.container(key=f"bar-budget-{n}"):
        st.image(budget_bar(one.left, one.tone), width="stretch", alt=one.words)


def _runs(here: Here, rest: Behind) -> None:
    with panels.framed(here, "runs", here.words("Last runs"), rest.runs):
        if rest.runs.rows:
            from dashboard.charts.last_runs import last_runs

            st.plotly_chart(
                last_runs(rest.runs.rows, here.words),
                key="last-runs",
                config={"displayModeBar": False},
                alt=here.words("Bars: for each of the last runs, how many datasets ended how"),
            )
        here.link("runs", here.words("All runs"), icon=":material/view_timeline:")
