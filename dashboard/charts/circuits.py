"""Circuits over time: a strip for each provider, its states told apart by patterns as well as colours."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dashboard.view_model.resilience import State, Stretch
from dashboard.words import in_chart

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["circuits_figure"]

LOOKS: Mapping[State, tuple[str, str]] = {
    "closed": ("rgba(63, 156, 120, 0.55)", ""),
    "half_open": ("#cf9430", "/"),
    "open": ("#c9504b", "x"),
}
STRIP, FRAME = 26, 84


def circuits_figure(
    stretches: Sequence[Stretch], names: Mapping[State, str], *, period: tuple[float, float], revision: str
) -> "go.Figure":
    """The figure.

    Args:
        names: What the states are called, translated already.
        period: From when to when, epoch milliseconds.
        revision: What is shown: while it is the same, the browser keeps how somebody zoomed.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for state, (colour, pattern) in LOOKS.items():
        some = [stretch for stretch in stretches if stretch.state == state]
        if some:
            figure.add_bar(
                name=in_chart(names[state]),
                orientation="h",
                y=[in_chart(stretch.provider, limit=28) for stretch in some],
                base=[stretch.begin for stretch in some],
                x=[stretch.end - stretch.begin for stretch in some],
                customdata=[in_chart(stretch.words, limit=200) for stretch in some],
                hovertemplate="%{y}: %{customdata}<extra></extra>",
                marker={
                    "color": colour,
                    "pattern": {"shape": pattern, "size": 6, "solidity": 0.3, "fillmode": "overlay"},
                    "line": {"width": 0},
                },
            )
    strips = len({stretch.provider for stretch in stretches})
    figure.update_layout(
        barmode="overlay",
        height=FRAME + STRIP * strips,
        margin={"l": 4, "r": 4, "t": 28, "b": 4},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        xaxis={"type": "date", "range": list(period)},
        yaxis={"automargin": True, "autorange": "reversed", "fixedrange": True},
        showlegend=True,
        uirevision=revision,
    )
    return figure
