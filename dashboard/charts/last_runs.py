"""The last runs as bars: how many datasets ended how."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from dashboard.language import Words

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["last_runs"]

# Middle tones: legible on a light page and on a dark one. Each status also has its own pattern, so that the chart
# can be read without its colours.
COLOURS = {"succeeded": "#3f9c78", "degraded": "#cf9430", "failed": "#c9504b", "skipped": "#8a9299"}
PATTERNS = {"succeeded": "", "degraded": "/", "failed": "x", "skipped": "."}
FEWEST = 12
"""Places for so many runs at least: a single run is a bar, not a wall."""


class Bar(Protocol):
    """A run: when it was, and how many datasets ended how."""

    @property
    def when(self) -> str: ...

    @property
    def counts(self) -> tuple[tuple[str, int], ...]: ...


def last_runs(bars: Sequence[Bar], words: Words) -> "go.Figure":
    """The runs, oldest on the left."""
    import plotly.graph_objects as go

    figure = go.Figure()
    most = max((sum(count for _, count in bar.counts) for bar in bars), default=0)
    for state, colour in COLOURS.items():
        heights = [dict(bar.counts).get(state, 0) for bar in bars]
        if any(heights):
            figure.add_bar(
                name=words(state),
                x=list(range(len(bars))),  # by position: two runs may begin in the same second
                customdata=[bar.when for bar in bars],
                y=heights,
                marker={
                    "color": colour,
                    "line": {"width": 0},
                    "pattern": {"shape": PATTERNS[state], "size": 6, "solidity": 0.3, "fillmode": "overlay"},
                },
                hovertemplate="%{customdata}: %{y} " + words(state) + "<extra></extra>",
            )
    figure.update_layout(
        barmode="stack",
        bargap=0.25,
        height=170,
        margin={"l": 4, "r": 4, "t": 28, "b": 4},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        xaxis={"showticklabels": False, "fixedrange": True, "range": [-0.5, max(len(bars), FEWEST) - 0.5]},
        yaxis={"fixedrange": True, "rangemode": "tozero", **({"nticks": 4} if most > 4 else {"dtick": 1})},
        showlegend=True,
        uirevision="last-runs",
    )
    return figure
