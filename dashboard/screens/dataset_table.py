"""The rows page by page, and the columns."""

from typing import Any

import streamlit as st

from dashboard import paging, panels
from dashboard.here import Here
from dashboard.view_model.base import Face, Panel
from dashboard.view_model.dataset import Head
from dashboard.view_model.dataset_table import PAGE, as_rows, columns, paged, profiled, rows
from dashboard.view_model.dataset_versions import shortened


def model(_here: Here, _name: str) -> None:
    """Nothing but the head has to change for the section to be drawn again: its version is there."""


def draw(here: Here, head: Head) -> None:
    """Draw the section."""
    words = here.words
    versions = (here.ask("versions", head.name, as_of=here.as_of).document or {}).get("versions", ())
    version = st.query_params.get("version")
    one = next((one for one in versions if one["version"] == version or (not version and one["current"])), None)
    asked = version or (one["version"] if one and here.as_of else None)
    count = one["rows"] if one else head.rows
    number, pages = paged(count, paging.number("page"))
    if not (asked or one or head.rows):
        hint = words("A batch waits for a decision.") if head.held else words("Run now collects it.")
        empty = Face("no data yet", words("Nothing was delivered yet."), hint)
        with panels.framed(here, "rows", words("Rows"), Panel(face=empty)):
            return
    more: dict[str, Any] = {"version": asked} if asked else {}
    found, face = rows(here.ask("table", head.name, after=(number - 1) * PAGE, limit=PAGE, **more), words)
    note = words("{rows} rows", rows=words.count(count)) if found is not None else ""
    with panels.framed(here, "rows", words("Rows"), Panel(note=note, face=face)):
        if version:
            _of_version(here, one)
        if found is not None and found.num_rows:
            st.dataframe(found, hide_index=True, key="table-rows", alt=words("Rows of the table, page {n}", n=number))
            _pages(here, number, pages)
    report = here.ask("quality", head.name)
    _columns(here, head, columns(found, report, words))


def _of_version(here: Here, one: dict[str, Any] | None) -> None:
    words = here.words
    with st.container(key="faint-version", horizontal=True, vertical_alignment="center"):
        text = words("Version #{version}", version=shortened(one["version"])) if one else words("There is none such.")
        st.text(text)
        st.button(words("Show what readers get"), key="table-current", type="tertiary", on_click=_current)


def _current() -> None:
    for name in ("version", "page"):
        st.query_params.pop(name, None)


def _pages(here: Here, number: int, pages: int) -> None:
    if pages == 1:
        return
    words = here.words
    with st.container(key="pages", horizontal=True, vertical_alignment="center"):
        go: dict[str, Any] = {"on_click": _go, "type": "tertiary"}
        st.button(words("Before"), key="page-before", disabled=number == 1, args=(number - 1,), **go)
        st.text(words("Page {n} of {pages}", n=words.count(number), pages=words.count(pages)))
        st.button(words("Next"), key="page-next", disabled=number == pages, args=(number + 1,), **go)


def _go(number: int) -> None:
    st.query_params["page"] = str(number)


def _columns(here: Here, head: Head, found: Panel[Any]) -> None:
    words = here.words
    measured = st.query_params.get("measured") == "1" and here.as_of is None
    shown = profiled(here.ask("profile", head.name), words) if measured else found
    note = shown.note or (words("figures of the last batch") if shown.rows else "")
    with panels.framed(here, "columns", words("Columns"), Panel(shown.rows, note, shown.face)):
        if shown.rows:
            lines = as_rows(shown.rows, words)
            st.dataframe(
                lines, hide_index=True, key="table-columns", placeholder="", alt=words("Columns with their figures")
            )
            with st.container(key="column-acts", horizontal=True):
                panels.download(here, "columns", lambda: lines)
                if not measured and here.as_of is None:
                    text = words("Measure all rows")
                    st.button(text, key="measure", type="tertiary", icon=":material/straighten:", on_click=_measure)


def _measure() -> None:
    st.query_params["measured"] = "1"
