"""The words of a quality report that its faces share."""

from collections.abc import Mapping

from operations.report import DatasetReport, RunReport
from operations.words import count_of, duration, listed, moment

__all__ = ["column_words", "headline", "percent", "points", "reason", "title"]


def title(report: RunReport) -> str:
    """What the report is about."""
    names = [dataset.dataset for dataset in report.datasets]
    return names[0] if len(names) == 1 else f"the run of {moment(report.started_at)}"


def headline(report: RunReport) -> str:
    """What matters, in one sentence."""
    by_status: dict[str, list[str]] = {}
    for dataset in report.datasets:
        by_status.setdefault(dataset.status, []).append(dataset.dataset)
    if len(report.datasets) == 1:
        (one,) = report.datasets
        broken = count_of(len(one.broken), "rule")
        words = {"succeeded": "was delivered as it should be", "skipped": "was skipped"}.get(one.status, one.status)
        verb = words if words.startswith("was") else f"has {words}" if words == "failed" else f"is {words}"
        return f"{one.dataset} {verb}{f', {broken} broken' if one.broken else ''}"
    good = len(by_status.get("succeeded", ()))
    if good == len(report.datasets):
        return f"All {good} datasets were delivered as they should be"
    told = [f"{len(names)} {status} ({listed(names)})" for status, names in by_status.items() if status != "succeeded"]
    return f"{good} of {len(report.datasets)} datasets delivered as they should be; {', '.join(told)}"


def reason(dataset: DatasetReport) -> str:
    """Why it is not a plain success; the name, which stands above it, is left out."""
    return str(dataset.run["reason"] or "").removeprefix(f"{dataset.dataset}: ")


def column_words(figures: Mapping[str, float | None]) -> str:
    """What was measured of a column, but for its empty cells.

    >>> column_words({"nulls": 0.0, "mean": 40.6734, "std": 35.27})
    'mean 40.67, deviation 35.27'
    >>> column_words({"length_min": 2.0, "length_max": 2.0})
    '2 characters'
    >>> column_words({"nulls": 1.0, "mean": None}), column_words({"true": 0.25, "distinct": 2.0})
    ('', '25 % true, 2 different')
    """
    known = {name: value for name, value in figures.items() if value is not None}
    told = []
    if "mean" in known:
        told.append(f"mean {known['mean']:.4g}")
    if "std" in known:
        told.append(f"deviation {known['std']:.4g}")
    told += [f"{name} {known[name]:.4g}" for name in ("p05", "p50", "p95", "p99") if name in known]
    if "length_min" in known and "length_max" in known:
        low, high = int(known["length_min"]), int(known["length_max"])
        told.append(count_of(low, "character") if low == high else f"{low:,} to {high:,} characters")
    if "true" in known:
        told.append(f"{percent(known['true'])} true")
    if "age_s" in known:
        told.append(f"newest {duration(known['age_s'], decimals=1)} old")
    if "distinct" in known:
        told.append(f"{int(known['distinct']):,} different")
    return ", ".join(told)


def points(score: float | None) -> str:
    """A score as people read it.

    >>> points(97.0), points(85.5), points(None)
    ('97', '85.5', '–')
    """
    return "–" if score is None else f"{score:g}"


def percent(share: float) -> str:
    """A share with as many digits as it needs: neither all nor nothing unless it is.

    >>> percent(0.0), percent(0.00001), percent(0.056), percent(0.5), percent(0.99999), percent(1.0)
    ('0 %', '<0.01 %', '5.6 %', '50 %', '99.99 %', '100 %')
    """
    if 0 < share < 0.0001:
        return "<0.01 %"
    whole = int(share * 10_000 + 0.5) if share < 0.9999 else int(share * 10_000 + 1e-9)
    digits = whole / 100
    return f"{digits:.3g} %" if digits < 99 else f"{digits:g} %"
