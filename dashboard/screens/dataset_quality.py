"""The score over time by dimension, the broken rules with advice, and rows that broke them."""

import streamlit as st

from dashboard import panels
from dashboard.charts.series import series_figure
from dashboard.here import Here
from dashboard.view_model.base import Panel
from dashboard.view_model.dataset import Head
from dashboard.view_model.dataset_quality import QualityPart, RuleLine, quality

POINTS = 300


def model(here: Here, name: str) -> QualityPart:
    """The section as it stands."""
    since = None if here.since is None else here.since.replace(second=0, microsecond=0).isoformat()
    history = here.ask("quality_history", name, since=since, as_of=here.as_of, limit=POINTS)
    report = here.ask("quality", name) if here.as_of is None else None
    last = None if here.as_of is None else here.ask("dataset_runs", name, limit=1, as_of=here.as_of)
    return quality(history, report, last, here.now, here.words)


def draw(here: Here, head: Head) -> None:
    """Draw the section."""
    words, found = here.words, model(here, head.name)
    with panels.framed(here, "score", words("Score"), Panel(note=found.of, face=found.face)):
        panels.figures("score", found.figures)
        if found.cap:
            with st.container(key="faint-cap"):
                st.text(found.cap)
        if found.lines:
            st.plotly_chart(
                series_figure(
                    found.lines,
                    marks=found.marks,
                    revision=f"{head.name}-quality-{here.span}",
                    period=None if here.since is None else (here.since, here.now),
                    unit=words("points"),
                ),
                key="chart-quality",
                alt=words("The score and its parts over time"),
                config={"displaylogo": False},
            )
    if found.figures or found.rules.rows:
        with panels.framed(here, "rules", words("Rules"), found.rules):
            for n, rule in enumerate(found.rules.rows):
                _rule(here, rule, n)
            if found.kept:
                with st.container(key="faint-kept"):
                    if found.rules.rows:
                        st.text(words.number(found.kept, "1 rule is kept.", "{n} rules are kept."))
                    else:
                        st.text(words.number(found.kept, "The one rule is kept.", "All {n} rules are kept."))
    if found.rows.rows:
        lines = [dict(row) for row in found.rows.rows]
        with panels.framed(here, "broken", words("Rows that broke a rule"), Panel(note=found.rows.note)):
            st.dataframe(lines, hide_index=True, key="table-broken", alt=words("Rows that broke a rule"))
            with st.container(key="broken-acts", horizontal=True, vertical_alignment="center"):
                panels.download(here, "broken-rows", lambda: lines)
                here.link("quality", words("Replay or drop them in quarantine"), dataset=head.name)


def _rule(here: Here, rule: RuleLine, n: int) -> None:
    with st.container(key=f"row-rule-{n}", horizontal=True, vertical_alignment="center"):
        panels.badge(rule.tone, rule.severity)
        st.text(rule.rule)
        with st.container(key=f"faint-rule-{n}", width="stretch"):
            st.text(rule.words)
    if rule.advice:
        with st.container(key=f"reason-rule-{n}"):
            st.text(rule.advice)
    if rule.paste:
        with st.expander(here.words("To paste into the configuration"), key=f"paste-{n}"):
            st.code(rule.paste, language=None)
