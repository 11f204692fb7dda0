"""A quality report as one page: no script, nothing fetched, readable on paper and on a phone."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.report import DatasetReport, RunReport
from operations.report_words import column_words, headline, percent, points, reason, title
from operations.sampled import Row
from operations.words import duration, moment

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["page"]

TEMPLATE = "report.html.jinja"

_TONES = {
    **dict.fromkeys(("succeeded", "kept"), "good"),
    **dict.fromkeys(("degraded", "warning", "burning", "crashed", "interrupted", "running"), "doubt"),
    **dict.fromkeys(("failed", "error", "critical", "spent"), "bad"),
}
_SIGNS = {"succeeded": "✓", "degraded": "≈", "failed": "✗"}
_ORIGINS = {
    "cache": "our copy, within its TTL",
    "last_good": "the last good copy",
    "snapshot": "the shipped snapshot",
    "none": "there is no data",
}


def page(report: RunReport) -> str:
    """The report as HTML. All that comes from data or configuration is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters.update(_FILTERS)
    return environment.get_template(TEMPLATE).render(report=report, title=title(report), headline=headline(report))


def _grade(score: float | None) -> str:
    """The tone of points: 85 is what an error leaves, 60 what a broken critical rule does."""
    if score is None:
        return "none"
    return "good" if score > 85 else "doubt" if score > 60 else "bad"


def _breaks(dataset: DatasetReport, row: Row, at: int) -> bool:
    """Whether a cell is one that a rule which this row broke speaks of."""
    assert dataset.samples is not None
    named = {column for rule in dataset.rules if rule.rule in row.rules for column in rule.columns}
    return dataset.samples.columns[at] in named


def _coded(text: str) -> "Markup":
    """Text in which what stands between backticks is code; everything is escaped."""
    from markupsafe import Markup

    parts = text.split("`")
    if len(parts) % 2 == 0:  # a lone backtick is no code
        return Markup("{}").format(text)
    plain, code = Markup("{}"), Markup("<code>{}</code>")
    return Markup("").join((code if at % 2 else plain).format(part) for at, part in enumerate(parts))


def _unmeasured(dimensions: Mapping[str, float | None]) -> str:
    return ", ".join(name for name, points in dimensions.items() if points is None)


def _empty(figures: Mapping[str, float | None]) -> str:
    """The share of a column's cells that are empty."""
    share = figures.get("nulls")
    return "–" if share is None else percent(share)


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "tone": lambda word: _TONES.get(word, "none"),
    "sign": lambda status: _SIGNS.get(status, "·"),
    "words": lambda origin: _ORIGINS.get(origin, origin),
    "grade": _grade,
    "points": points,
    "percent": percent,
    "count": lambda number: f"{number:,}",
    "moment": moment,
    "span": lambda seconds: duration(seconds, decimals=1),
    "breaks": _breaks,
    "measured": column_words,
    "empty": _empty,
    "coded": _coded,
    "unmeasured": _unmeasured,
    "reason": reason,
}
