"""A run as a timeline (Gantt): a line for each dataset, what it did and what it waited for told apart by patterns."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dashboard.view_model.run import Kind, Lane
from dashboard.words import Tone, in_chart

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["timeline"]


class Look(NamedTuple):
    """Of a kind of piece: a colour of its own, and a pattern, so that nobody needs the colour."""

    colour: str
    pattern: str


# Middle tones: legible on a light page and on a dark one.
LOOKS: Mapping[Kind, Look] = {
    "turn": Look("rgba(138, 146, 153, 0.35)", "."),
    "work": Look("#5f8fa8", ""),
    "open": Look("rgba(95, 143, 168, 0.5)", "/"),
    "rate_limit": Look("#c98a2b", "-"),
    "bulkhead": Look("#7a6fb0", "|"),
    "failed": Look("#c9504b", "x"),
    "pause": Look("#d9a441", "/"),
}
ENDS: Mapping[Tone, tuple[str, str]] = {
    "good": ("#3f9c78", "circle"),
    "attention": ("#cf9430", "diamond"),
    "bad": ("#c9504b", "x"),
    "busy": ("#5f8fa8", "circle-open"),
    "neutral": ("#8a9299", "circle-open"),
}
LANE, FRAME = 26, 96
SHORTEST = 0.004
"""A piece is drawn as wide as this share of the whole, at least: what failed at once is seen."""


def timeline(
    lanes: Sequence[Lane], names: Mapping[Kind, str], ends: Mapping[Tone, str], *, revision: str
) -> "go.Figure":
    """The figure.

    Args:
        names, ends: What the kinds of pieces and the ways to end are called, translated already.
        revision: What is shown: while it is the same, the browser keeps how somebody zoomed.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    reach = max((lane.over_at for lane in lanes), default=0.0) or 1.0
    labels = [in_chart(lane.dataset, limit=28) for lane in lanes]
    for kind, look in LOOKS.items():
        found = [
            (label, piece)
            for label, lane in zip(labels, lanes, strict=True)
            for piece in lane.pieces
            if piece.kind == kind
        ]
        if not found:
            continue
        figure.add_bar(
            orientation="h",
            name=names[kind],
            y=[label for label, _ in found],
            base=[piece.begin for _, piece in found],
            x=[max(piece.end - piece.begin, reach * SHORTEST if kind != "turn" else 0.0) for _, piece in found],
            customdata=[[f"{piece.end - piece.begin:.3g}", in_chart(piece.words, limit=120)] for _, piece in found],
            marker={
                "color": look.colour,
                "line": {"width": 0},
                "pattern": {
                    "fillmode": "overlay",
                    "shape": look.pattern,
                    "fgcolor": "rgba(255, 255, 255, 0.75)",
                    "size": 6,
                    "solidity": 0.35,
                },
            },
            hovertemplate=f"%{{y}}: {names[kind]}, %{{customdata[0]}} s<br>%{{customdata[1]}}<extra></extra>",
        )
    for tone, (colour, symbol) in ENDS.items():
        over = [(label, lane) for label, lane in zip(labels, lanes, strict=True) if lane.tone == tone]
        if over:
            figure.add_scatter(
                name=ends[tone],
                x=[lane.over_at + reach * 0.012 for _, lane in over],
                y=[label for label, _ in over],
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 9, "line": {"width": 1, "color": colour}},
                text=[in_chart(f"{lane.end} · {lane.words}", limit=200) for _, lane in over],
                hovertemplate="%{y}: %{text}<extra></extra>",
            )
    figure.update_layout(
        barmode="overlay",
        bargap=0.35,
        height=FRAME + LANE * len(lanes),
        margin={"l": 4, "r": 12, "t": 8, "b": 4},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "xanchor": "left", "traceorder": "normal"},
        xaxis={"ticksuffix": " s", "rangemode": "tozero", "nticks": 8, "zeroline": False},
        yaxis={"autorange": "reversed", "type": "category", "categoryorder": "array", "categoryarray": labels},
        hovermode="closest",
        font={"size": 11},
        uirevision=revision,
    )
    return figure
