"""A small line for each dataset."""

from collections.abc import Sequence

__all__ = ["sparkline"]

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
