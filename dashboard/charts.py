"""The drawings: a small line for each dataset, and the last runs as bars."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from dashboard.view_model import Bar

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Middle tones: legible on a light page and on a dark one. Each status also has its own pattern, so that the chart
# can be read without its colours.
COLOURS = {"succeeded": "#3f9c78", "degraded": "#cf9430", "failed": "#c9504b", "skipped": "#8a9299"}
PATTERNS = {"succeeded": "", "degraded": "/", "failed": "x", "skipped": "."}
LINE = "#5f8fa8"

WIDTH, HEIGHT, MARGIN = 320, 40, 5


def sparkline(points: Sequence[float]) -> str:
    """A line of at least two points as SVG, the newest point marked.

    An image of numbers only, not a Plotly figure: fifty of those on a page cost seconds, fifty of these nothing.
    """
    low, high = min(points), max(points)
    span = (high - low) or 1.0
    flat = high == low
    step = (WIDTH - 2 * MARGIN) / (len(points) - 1)
    places = [
        (MARGIN + n * step, HEIGHT / 2 if flat else HEIGHT - MARGIN - (value - low) / span * (HEIGHT - 2 * MARGIN))
        for n, value in enumerate(points)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    x, y = places[-1]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f'<polyline points="{line}" fill="none" stroke="{LINE}" stroke-width="2" stroke-linejoin="round" '
        f'stroke-linecap="round"/><circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{LINE}"/></svg>'
    )


@lru_cache(maxsize=16)
def runs_figure(bars: tuple[Bar, ...]) -> "go.Figure":
    """The last runs, oldest on the left: how many datasets ended how."""
    import plotly.graph_objects as go

    figure = go.Figure()
    places = max(len(bars), 8)  # a single run is a bar, not a wall
    for state, colour in COLOURS.items():
        heights = [dict(bar.counts).get(state, 0) for bar in bars]
        if any(heights):
            figure.add_bar(
                name=state,
                x=list(range(len(bars))),  # by position: two runs may begin in the same second
                customdata=[bar.when for bar in bars],
                y=heights,
                marker={
                    "color": colour,
                    "pattern": {"shape": PATTERNS[state], "size": 6, "solidity": 0.3, "fillmode": "overlay"},
                },
                hovertemplate="%{customdata}: %{y} " + state + "<extra></extra>",
            )
    figure.update_layout(
        barmode="stack",
        bargap=0.25,
        height=170,
        margin={"l": 4, "r": 4, "t": 28, "b": 4},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        xaxis={"showticklabels": False, "fixedrange": True, "range": [-0.5, places - 0.5]},
        yaxis={"fixedrange": True, "nticks": 4, "rangemode": "tozero"},
        showlegend=True,
        uirevision="runs",
    )
    return figure
