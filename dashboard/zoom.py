"""Looking closer: who drags over a chart gets that stretch of time, asked for again and in full detail.

The browser is sent about 1,200 points a line, whatever the period holds; so to enlarge what is there would show nothing
new. Where somebody looks stands in the address (`from`, `to`), and a link shows the same.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.here import SPANS, Here

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Period", "back_button", "chart", "period", "reach"]

LONGEST = timedelta(days=400)
"""As far back as hours are kept by default."""

Period = tuple[str, str | None]
"""From (RFC 3339) up to, exclusive; None: now."""


def period(here: Here) -> Period:
    """The stretch of time that charts show: what somebody dragged over, else the period of the page.

    It begins at a round moment, so that for some seconds everybody asks the same.
    """
    begin, end = _moment("from"), _moment("to")
    if begin is not None and end is not None and begin < end:
        return _told(begin), _told(end)
    length = SPANS[here.span] or LONGEST
    step = max(length.total_seconds() / 600, 1.0)
    since = (here.now - length).timestamp() // step * step
    return _told(datetime.fromtimestamp(since, UTC)), here.as_of


def reach(here: Here) -> tuple[datetime, datetime]:
    """The same as moments: as far as an axis goes, whatever was measured of it."""
    since, until = period(here)
    return datetime.fromisoformat(since), here.now if until is None else datetime.fromisoformat(until)


def chart(here: Here, figure: "go.Figure", key: str, *, alt: str) -> None:
    """A chart of a stretch of time; to drag over it looks closer."""
    begin, end = _moment("from"), _moment("to")
    name = (
        f"{key}-{here.span}" if begin is None or end is None else f"{key}-{begin.timestamp():.0f}-{end.timestamp():.0f}"
    )
    figure.update_layout(dragmode="select", selectdirection="h", uirevision=name)
    st.plotly_chart(
        figure,
        key=name,
        on_select=lambda: _look_closer(name),
        selection_mode="box",
        config={"displayModeBar": False},
        alt=alt,
    )


def back_button(here: Here) -> None:
    """The way back to the whole period; nothing when nobody looks closer."""
    if _moment("from") is None or _moment("to") is None:
        return
    st.button(here.words("The whole period"), key="zoom-out", icon=":material/zoom_out_map:", on_click=_look_back)


def _look_closer(key: str) -> None:
    selected: Any = st.session_state.get(key)
    boxes = selected["selection"]["box"] if selected else []
    if boxes and len(boxes[0]["x"]) == 2:
        begin, end = sorted(_of_chart(edge) for edge in boxes[0]["x"])
        if end - begin >= timedelta(seconds=1):
            st.query_params["from"], st.query_params["to"] = _told(begin), _told(end)


def _look_back() -> None:
    for name in ("from", "to"):
        st.query_params.pop(name, None)


def _moment(name: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(st.query_params.get(name, ""))
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # overflow: its zone takes it out of the years 1 to 9999
        return None


def _of_chart(edge: object) -> datetime:
    """What Plotly calls a place on an axis of time: milliseconds, or a text without a zone, which is UTC."""
    if isinstance(edge, int | float):
        return datetime.fromtimestamp(edge / 1000, UTC)
    return datetime.fromisoformat(str(edge)).replace(tzinfo=UTC)


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
