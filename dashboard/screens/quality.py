"""How good the data is: broken rules first, scores by day and over time, and what waits in quarantine."""

from datetime import datetime, timedelta

import streamlit as st

from dashboard import paging, panels
from dashboard.address import choice, given
from dashboard.charts.heatmap import heatmap
from dashboard.charts.series import STRETCHES, Line, line_of, series_figure
from dashboard.here import Here
from dashboard.pulse import pulse
from dashboard.screens import quality_quarantine
from dashboard.view_model.base import Face, Panel, face_of
from dashboard.view_model.quality import (
    DAYS,
    DIMENSIONS,
    FILTERS,
    Filter,
    Heat,
    Quality,
    Rule,
    floor,
    heat,
    mapped,
    quality,
    rule_table,
)
from dashboard.words import plain

MOST_LINES = 6


def draw(here: Here) -> None:
    """Draw the page."""
    words, found = here.words, _quality(here)
    with st.container(key="sentence"):
        st.text(found.sentence)
    with panels.framed(here, "rules", words("Broken rules"), Panel((), "", found.face)):
        choice("rules", words("Which rules"), dict(found.filters), "all")
        _rules(here, _quality(here))
    _map(here)
    _trend(here, found)
    quality_quarantine.draw(here)
    _table(here, found)
    pulse(here, lambda: _model(here))


def _model(here: Here) -> object:
    """All that is drawn."""
    found = _quality(here)
    return found, _heat(here, found), _lines(here, _followed(found)), quality_quarantine.model(here)


def _quality(here: Here) -> Quality:
    asked = given("rules", "all")
    chosen: Filter = next((one for one in FILTERS if one == asked), "all")
    return quality(here.ask("qualities"), here.words, here.now, chosen)


def _rules(here: Here, found: Quality) -> None:
    words = here.words
    if not found.rules and found.face is None:
        st.text(words("Nothing broke one of these."))
    for n, rule in enumerate(found.rules):
        _rule(here, n, rule)
    if found.more:
        st.text(words("and {n} more", n=words.count(found.more)))
    panels.download(here, "rules", lambda: rule_table(_asked_now(here, "qualities", passed=True)["rules"]))


def _rule(here: Here, n: int, rule: Rule) -> None:
    words = here.words
    with st.container(key=f"tile-rule-{n}", border=True, gap="xsmall"):
        with st.container(key=f"row-rule-{n}", horizontal=True, vertical_alignment="center"):
            panels.badge(rule.tone, rule.severity)
            here.link("dataset", rule.dataset, icon=":material/table:", dataset=rule.dataset)
            st.text(rule.rule)
            with st.container(key=f"faint-rule-{n}", width="content"):
                st.text(rule.share + (f" · {words('within what it allows')}" if rule.allowed else ""))
            if rule.paste:
                title = words("Line to paste")
                with st.popover(title, icon=":material/content_paste:", type="tertiary", key=f"paste-{n}"):
                    st.code(rule.paste, language="yaml", wrap_lines=True)
        if rule.advice:
            with st.container(key=f"reason-rule-{n}"):
                st.text(rule.advice)


def _heat(here: Here, found: Quality) -> Heat:
    names, pages = mapped(found, paging.number("days"))
    if not names:
        return Heat(Face("no data yet", here.words("No score is kept of these days.")), (), (), (), (), 1, "")
    since = floor(here.now - timedelta(days=DAYS - 1), here.now)
    return heat(here.ask("quality_days", *names, since=since), here.words, pages)


def _map(here: Here) -> None:
    words, shown = here.words, _heat(here, _quality(here))
    note = words("the least score of each day, {zone}", zone=shown.zone) if shown.datasets else ""
    with panels.framed(here, "heat", words("Score by day"), Panel((), note, shown.face)):
        if not shown.datasets:
            return
        alt = words("Scores of {n} datasets on {days} days", n=len(shown.datasets), days=len(shown.days))
        with st.container(key="wide-heat"):
            config = {"displayModeBar": False}
            st.plotly_chart(heatmap(shown, revision="heat"), key="heat", alt=alt, config=config)
        paging.turn("days", shown.pages)


def _followed(found: Quality) -> list[str]:
    """The datasets whose scores are drawn over time: those of the address, else the worst three."""
    known = [one.dataset for one in found.datasets if one.score is not None]
    asked = [name for name in st.query_params.get_all("follow") if name in known]
    return asked[:MOST_LINES] or known[:3]


def _lines(here: Here, names: list[str]) -> tuple[tuple[Line, ...], Face | None]:
    if not names:
        return (), Face("no data yet", here.words("No dataset has a score yet."))
    since = floor(here.since, here.now)
    answer = here.ask("history", *(f"{name}.quality" for name in names), since=since, points=STRETCHES)
    curves = zip(answer.document or (), names, strict=False)
    lines = tuple(line_of(curve, name) for curve, name in curves if curve["points"])
    if not lines and answer.trouble is None:
        return (), Face("no data yet", here.words("No batch came in this period: choose a longer one."))
    return lines, face_of(answer)


def _trend(here: Here, found: Quality) -> None:
    words = here.words
    known = [one.dataset for one in found.datasets if one.score is not None]
    chosen = _followed(found)
    lines, face = _lines(here, chosen)
    with panels.framed(here, "trend", words("Score over time"), Panel((), "", face)):
        if not known:
            return
        st.session_state["follow-choice"] = chosen
        st.multiselect(
            words("Datasets"),
            known,
            format_func=plain,
            key="follow-choice",
            max_selections=MOST_LINES,
            on_change=_follow,
        )
        if lines:
            alt = words("Scores of {names} over time", names=", ".join(chosen))
            revision = f"{here.span} {chosen}"
            begin = datetime.fromisoformat(floor(here.since, here.now)) if here.since is not None else None
            period = None if begin is None else (begin, here.now)
            figure = series_figure(lines, revision=revision, period=period, unit=words("points"))
            st.plotly_chart(figure, key="trend", alt=alt, config={"displayModeBar": False})


def _follow() -> None:
    st.query_params["follow"] = st.session_state["follow-choice"]


def _table(here: Here, found: Quality) -> None:
    words = here.words
    if not found.datasets:
        return
    shown = st.expander(words("All datasets, and the parts of their scores"), key="fold-scores", on_change="rerun")
    if not shown.open:
        return
    names = {
        "completeness": words("complete"),
        "validity": words("valid"),
        "uniqueness": words("unique"),
        "consistency": words("consistent"),
        "timeliness": words("in time"),
        "volume": words("as many"),
        "accuracy": words("accurate"),
    }
    with shown:
        table = [
            {
                words("dataset"): one.dataset,
                words("score"): one.score,
                **{names[part]: points for part, points in zip(DIMENSIONS, one.dimensions, strict=True)},
                words("rows"): one.rows,
                words("rules"): one.rules,
                words("broken"): one.broken,
                words("in quarantine"): one.waiting,
                words("collected"): one.when,
            }
            for one in found.datasets
        ]
        st.dataframe(table, hide_index=True, key="scores", alt=words("Scores of all datasets"), placeholder="")
        with st.container(key="faint-scores"):
            st.text(words("Empty: not measured. What is accurate nobody knows without something to compare with."))
        panels.download(here, "scores", lambda: table)


def _asked_now(here: Here, question: str, **kwargs: object) -> dict[str, list[dict[str, object]]]:
    """For a download, which is made beside the page: asked anew, and kept by nobody."""
    found: dict[str, list[dict[str, object]]] = getattr(here.source.client(here.caller).queries, question)(**kwargs)
    return found
