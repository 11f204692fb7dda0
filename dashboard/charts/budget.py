"""How much of an error budget is left, as a bar."""

from dashboard.words import Tone

__all__ = ["budget_bar"]

COLOURS: dict[Tone, str] = {
    "good": "#3f9c78",
    "attention": "#cf9430",
    "bad": "#c9504b",
    "busy": "#5f8fa8",
    "neutral": "#8a9299",
}
WIDTH, HEIGHT = 320, 6


def budget_bar(left: float, tone: Tone) -> str:
    """An SVG image; the share that is left (0 to 1) is filled, the rest only outlined."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'preserveAspectRatio="none"><rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="2.5" '
        f'fill="none" stroke="#8a9299" stroke-opacity="0.5"/><rect width="{left * WIDTH:.1f}" height="{HEIGHT}" rx="3" '
        f'fill="{COLOURS[tone]}"/></svg>'
    )
