"""A quality report as Markdown, for a pull request: a table that fits on a screen, details folded below it."""

import html
from collections.abc import Iterator

from operations.report import DatasetReport, RunReport
from operations.report_words import headline, percent, points, reason
from operations.sampled import Row, Sampled
from operations.words import duration, moment

__all__ = ["markdown"]

_SIGNS = {"succeeded": "✅", "degraded": "⚠️", "failed": "❌", "skipped": "➖"}
MOST_SAMPLES = 5


def markdown(report: RunReport) -> str:
    """The report as GitHub-flavoured Markdown. What comes from data stands in code spans or is escaped."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: RunReport) -> Iterator[str]:
    yield f"## {_sign(report.status)} {_plain(headline(report))}"
    yield ""
    took = "" if report.duration_s is None else f", {duration(report.duration_s, decimals=1)}"
    yield f"Run `{report.run_id}` of {moment(report.started_at)}{took}, by {_plain(report.actor)}."
    yield ""
    yield "| dataset | status | rows | set aside | score | rules broken |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for dataset in report.datasets:
        run, quality = dataset.run, dataset.quality
        score = points(quality.score if quality else None)
        if quality and quality.cap:
            score += f" (cap: {_code(quality.cap.by)})"
        broken = f"{len(dataset.broken)} of {len(dataset.rules)}" if dataset.rules else "–"
        yield (
            f"| {_code(dataset.dataset)} | {_sign(dataset.status)} {dataset.status} | {run['rows']:,} |"
            f" {run['quarantined']:,} | {score} | {broken} |"
        )
    for dataset in report.datasets:
        if dataset.status != "succeeded" or dataset.broken or dataset.anomalies:
            yield ""
            yield from _details(dataset)


def _details(dataset: DatasetReport) -> Iterator[str]:
    yield f"<details><summary><b>{dataset.dataset}</b>: {html.escape(_summary(dataset))}</summary>"
    yield ""
    if dataset.run["reason"]:
        yield f"> {_plain(reason(dataset))}"
        yield ""
    if dataset.broken:
        yield "| rule | severity | failed | of | share |"
        yield "| --- | --- | ---: | ---: | ---: |"
        for rule in dataset.broken:
            told = " (within its tolerance)" if rule.passed else ""
            counts = f"{rule.failed:,} | {rule.of:,} | {percent(rule.share)}"
            yield f"| {_code(rule.rule)}{told} | {rule.severity} | {counts} |"
        yield ""
    yield from _section("Changed since the version before", [_plain(change.words) for change in dataset.changes])
    advised = [f"{_plain(one['text'])}{_pasted(one['paste'])}" for one in dataset.advice]
    yield from _section("What to do", advised)
    yield from _section("Unlikely", [f"{_code(one['metric'])}: {_plain(one['reason'])}" for one in dataset.anomalies])
    if dataset.samples:
        shown = _shown(dataset, dataset.samples)
        yield f"**Rows that were set aside** ({len(shown)} of {dataset.samples.of:,})"
        yield ""
        yield f"| row | broke | {' | '.join(map(_code, dataset.samples.columns))} |"
        yield f"| ---: | --- |{' --- |' * len(dataset.samples.columns)}"
        for row in shown:
            cells = " | ".join("null" if cell is None else _code(cell) for cell in row.cells)
            yield f"| {row.number:,} | {', '.join(map(_code, row.rules))} | {cells} |"
        yield ""
    yield "</details>"


def _shown(dataset: DatasetReport, samples: Sampled) -> list[Row]:
    """A few of the sample, of each broken rule in turn."""
    left, shown = list(samples.rows), list[Row]()
    while left and len(shown) < MOST_SAMPLES:
        for rule in dataset.broken:
            found = next((row for row in left if rule.rule in row.rules), None)
            if found is not None and len(shown) < MOST_SAMPLES:
                left.remove(found)
                shown.append(found)
        left = [row for row in left if any(rule.rule in row.rules for rule in dataset.broken)]
    return sorted(shown, key=lambda row: row.number)


def _summary(dataset: DatasetReport) -> str:
    worst = ", ".join(f"{rule.rule} ({rule.failed:,} of {rule.of:,})" for rule in dataset.broken[:3])
    more = len(dataset.broken) - 3
    return (f"{worst} and {more} more" if more > 0 else worst) or dataset.status


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"**{title}**"
        yield ""
        yield from (f"- {line}" for line in lines)
        yield ""


def _pasted(line: str) -> str:
    return "" if not line else f"\n  ```yaml\n  {line}\n  ```"


def _sign(status: str) -> str:
    return _SIGNS.get(status, "•")


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is; code spans that our own words have stay.

    >>> _plain("a|b <b> *c* `<d>`")
    'a|b &lt;b&gt; \\\\*c\\\\* `<d>`'
    """
    text = " ".join(text.split())
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a lone backtick is no code
        parts = [text.replace("`", "'")]
    told = [_escaped(part) if at % 2 == 0 else part for at, part in enumerate(parts)]
    return "`".join(told)


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{sign}" if sign in "\\*_[]#@!~" else sign for sign in text)


def _code(text: str) -> str:
    """A code span in a table's cell, whatever is in the text.

    >>> _code("a`b|c")
    '`` a`b\\\\|c ``'
    """
    flat = " ".join(text.split()).replace("|", "\\|")
    longest = max((len(run) for run in "".join(c if c == "`" else " " for c in flat).split()), default=0)
    fence = "`" * (longest + 1)
    padded = f" {flat} " if longest else flat
    return f"{fence}{padded}{fence}" if flat else "` `"
