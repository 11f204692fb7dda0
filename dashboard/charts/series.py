"""Figures over time: lines whose spikes are never lost, the band they were expected in, and what stuck out.

What comes from the history is summed up already: each point stands for a stretch of time, with its least and greatest
value (`/metrics/history`). Both are drawn, so a line of 600 stretches is 1,200 points however many values there were,
and a single value that sticks out of a million is seen. Looking closer is asking again for a shorter period.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

from dashboard.words import Tone, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["STRETCHES", "Band", "Line", "Mark", "line_of", "series_figure"]

STRETCHES = 600
"""Stretches of time to ask the history for: two points of each are drawn."""

# Middle tones: legible on a light page and on a dark one. The lines also differ in their dashes.
COLOURS = ("#5f8fa8", "#c98a2b", "#7a6fb0", "#3f9c78", "#b5566b", "#8a9299")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
BAND = "rgba(120, 150, 165, 0.18)"
MARKS: dict[Tone, tuple[str, str]] = {
    "bad": ("#c9504b", "x"),
    "attention": ("#cf9430", "diamond"),
    "good": ("#3f9c78", "circle"),
    "busy": ("#5f8fa8", "circle"),
    "neutral": ("#8a9299", "circle-open"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A figure over time. `times`: epoch milliseconds, rising; `low` and `high` of each stretch, of one length."""

    name: str
    times: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """Between what a figure was expected. `times`: epoch milliseconds."""

    name: str
    times: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that stuck out: when (epoch milliseconds), at which value, and what about it."""

    time: float
    value: float
    words: str
    tone: Tone = "bad"


def line_of(curve: dict[str, Any], name: str = "") -> Line:
    """A line of what `Client.queries.history` gives of one figure."""
    points = curve["points"]
    return Line(
        name or curve["series"],
        tuple(datetime.fromisoformat(point["time"]).timestamp() * 1000 for point in points),
        tuple(point["low"] for point in points),
        tuple(point["high"] for point in points),
    )


def series_figure(
    lines: Sequence[Line],
    *,
    revision: str,
    bands: Sequence[Band] = (),
    marks: Sequence[Mark] = (),
    period: tuple[datetime, datetime] | None = None,
    unit: str = "",
    height: int = 260,
) -> "go.Figure":
    """A chart of lines over time.

    Args:
        revision: What the chart shows: while it is the same, the browser keeps how somebody zoomed.
        bands: Behind the lines.
        marks: Before the lines; their words are shown under the pointer.
        period: From when to when; default: as far as the lines reach.
        unit: Beside the values.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for band in bands:
        _add_band(figure, band)
    for n, line in enumerate(lines):
        times, values = _drawn(line)
        figure.add_scatter(
            x=times,
            y=values,
            name=_text(line.name),
            mode="lines" if len(times) > 1 else "markers",
            line={"color": COLOURS[n % len(COLOURS)], "dash": DASHES[n % len(DASHES)], "width": 1.6},
            connectgaps=False,
            hovertemplate="%{y:,.4~g}" + _text(f" {unit}" if unit else "") + "<extra>%{fullData.name}</extra>",
        )
    _add_marks(figure, marks)
    reach = {"range": [_milliseconds(moment) for moment in period]} if period else {}
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": 4, "t": 24, "b": 4},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        xaxis={"type": "date", **reach},
        yaxis={"title": {"text": _text(unit)} if unit else None, "nticks": 5},
        showlegend=len(lines) > 1 or bool(bands),
        hovermode="x unified" if len(lines) > 1 else "closest",
        uirevision=revision,
    )
    return figure


def _drawn(line: Line) -> tuple[Any, Any]:
    """Each stretch's extremes, in the order that joins on to the stretch before; float32 is finer than a screen."""
    import numpy as np

    low, high = np.array(line.low, np.float64), np.array(line.high, np.float64)
    times = np.array(line.times, np.float64)
    both = high > low
    rising = np.empty(len(times), bool)
    rising[:1] = True
    middle = (low + high) / 2
    rising[1:] = middle[1:] >= middle[:-1]
    first, second = np.where(rising, low, high), np.where(rising, high, low)
    width = np.diff(times, append=times[-1:] if len(times) else times)
    kept = np.column_stack([np.ones(len(times), bool), both]).ravel()
    at = np.column_stack([times, times + width / 2]).ravel()[kept]
    values = np.column_stack([np.where(both, first, low), second]).ravel()[kept]
    least, greatest = (np.nanmin(values), np.nanmax(values)) if np.isfinite(values).any() else (0.0, 0.0)
    # Of large values that hardly differ (an amount in the billions) float32 would make steps.
    fine = np.abs(values[np.isfinite(values)]).max(initial=0.0) < 1e6 * max(greatest - least, 1e-300)
    return at, values.astype(np.float32) if fine else values


def _add_band(figure: "go.Figure", band: Band) -> None:
    import numpy as np

    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": _text(band.name)}
    figure.add_scatter(x=np.array(band.times), y=np.array(band.low, np.float64), showlegend=False, **edge)
    upper = {"fill": "tonexty", "fillcolor": BAND, "name": _text(band.name)}
    figure.add_scatter(x=np.array(band.times), y=np.array(band.high, np.float64), **upper, **edge)


def _add_marks(figure: "go.Figure", marks: Sequence[Mark]) -> None:
    for tone, (colour, symbol) in MARKS.items():
        some = [mark for mark in marks if mark.tone == tone]
        if some:
            figure.add_scatter(
                x=[mark.time for mark in some],
                y=[mark.value for mark in some],
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 9, "line": {"width": 1}},
                text=[_text(mark.words) for mark in some],
                hovertemplate="%{text}<extra></extra>",
                showlegend=False,
            )


def _text(text: str) -> str:
    """Plotly understands some HTML: foreign text is made harmless."""
    return escape(plain(text, limit=200), quote=False)


def _milliseconds(moment: datetime) -> float:
    return moment.timestamp() * 1000
