"""Scores by dataset and day: a cell for each, its value written in it, for colour alone tells some people nothing."""

from typing import TYPE_CHECKING

from dashboard.view_model.quality import Heat
from dashboard.words import in_chart

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["heatmap"]

# From bad to good: the ends differ in hue, the middle in lightness as well. Figures can be read on each: Plotly has
# them in dark grey or white, so what lies between, on which neither is legible, is a short step.
SCALE = (
    (0.0, "#9c342f"),
    (0.5, "#b5552e"),
    (0.55, "#e0aa75"),
    (0.7, "#e9c08d"),
    (0.85, "#efdcaa"),
    (0.95, "#d5e5d8"),
    (1.0, "#97c9b2"),
)
MOST_WRITTEN = 35
"""Days whose scores are written into the cells; of more there is no room."""

ROW, HEAD, LEAST = 26, 46, 120


def heatmap(heat: Heat, *, revision: str) -> "go.Figure":
    """A map, the first dataset at the top; `revision` as that of `series_figure`."""
    import plotly.graph_objects as go

    written = len(heat.days) <= MOST_WRITTEN
    names = [in_chart(name, limit=32) for name in heat.datasets]
    cells = [["" if score is None else f"{score:.0f}" for score in row] for row in heat.scores]
    said = [
        [in_chart(f"{name}, {day}: {words}", limit=200) for day, words in zip(heat.days, row, strict=True)]
        for name, row in zip(heat.datasets, heat.words, strict=True)
    ]
    short = [day.rpartition(" ")[0] for day in heat.days]
    figure = go.Figure(
        go.Heatmap(
            x=list(range(len(heat.days))),
            y=list(range(len(names))),
            z=heat.scores,
            text=cells,
            texttemplate="%{text}" if written else None,
            textfont={"size": 11},
            customdata=said,
            hovertemplate="%{customdata}<extra></extra>",
            hoverongaps=False,
            colorscale=SCALE,
            zmin=0,
            zmax=100,
            xgap=2,
            ygap=2,
            showscale=not written,
        )
    )
    step = max(1, len(short) // 10)
    ticks = list(range(len(short) - 1, -1, -step))[::-1]
    axis = {"showgrid": False, "zeroline": False, "fixedrange": True}
    figure.update_layout(
        height=max(LEAST, HEAD + ROW * len(names)),
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
        xaxis={"tickvals": ticks, "ticktext": [short[n] for n in ticks], **axis},
        yaxis={
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "autorange": "reversed",
            "automargin": True,
            **axis,
        },
        uirevision=revision,
    )
    return figure
