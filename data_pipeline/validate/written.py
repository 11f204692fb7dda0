"""A rule as it would stand in a configuration: the way back from `parse_rule`."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from data_pipeline.validate.arguments import KEYS, SHORT_FORM
from data_pipeline.validate.rules import KINDS, SEVERITIES, Rule, parse_rule
from data_pipeline.yaml_line import flow

__all__ = ["entry_of", "line_of"]


def entry_of(rule: Rule, **changed: Any) -> dict[str, Any] | None:
    """The mapping that declares a rule, with some of its fields changed; None: there is none that says just that.

    What a rule leaves at its default is left out.

    >>> (rule,) = parse_rule({"range": {"column": "price", "min": 0}, "severity": "critical"})
    >>> entry_of(rule, tolerance=0.05)
    {'range': {'column': 'price', 'min': 0}, 'severity': 'critical', 'tolerance': 0.05}
    """
    wanted = replace(rule, **changed)
    entry: dict[str, Any] = {rule.kind: _argument(wanted)}
    if wanted.severity != "error":
        entry["severity"] = wanted.severity
    if wanted.tolerance:
        entry["tolerance"] = wanted.tolerance
    if wanted.dimension != KINDS[wanted.kind]:
        entry["dimension"] = wanted.dimension
    if wanted.weight != SEVERITIES[wanted.severity]:
        entry["weight"] = wanted.weight
    if wanted.scope != "batch":
        entry["scope"] = wanted.scope
    if wanted.where:
        entry["where"] = wanted.where
    if wanted.by:
        entry["by"] = list(wanted.by)
    for made in (entry, {**entry, "id": wanted.id}):
        try:
            if parse_rule(made) == [wanted]:
                return made
        except ValueError:
            continue
    return None


def line_of(entry: Mapping[str, Any]) -> str:
    """An entry of `rules` on one line of YAML, without its dash: the kind first, everything else within.

    >>> line_of({"not_null": "id", "tolerance": 0.1}), line_of({"unique": ["a", "b"]})
    ('not_null: {column: id, tolerance: 0.1}', 'unique: [a, b]')
    """
    (kind, argument), *common = entry.items()
    if any(key in KEYS[kind] for key, _ in common):
        return flow(entry)  # `change` has a `by` of its own
    if common and not isinstance(argument, Mapping):
        short = SHORT_FORM[kind]
        argument = {"column" if short == "columns" and isinstance(argument, str) else short: argument}
    return f"{kind}: {flow({**argument, **dict(common)} if common else argument)}"


def _argument(rule: Rule) -> Any:
    given = {key: value for key, value in rule.params.items() if value is not None and value is not False}
    settings = {key: _duration(value) if key == "within" else _plain(value) for key, value in given.items()}
    if "columns" in KEYS[rule.kind] and rule.columns:
        one = len(rule.columns) == 1
        settings = {"column" if one else "columns": rule.columns[0] if one else list(rule.columns), **settings}
    short = SHORT_FORM.get(rule.kind, "")
    if len(settings) == 1 and (bare := settings.get(short, settings.get("column") if short == "columns" else None)):
        return bare
    return settings


def _duration(seconds: float) -> Any:
    """Seconds in the largest unit that holds them whole."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return seconds


def _plain(value: Any) -> Any:
    """The value as YAML writes it."""
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if not isinstance(value, date) else value.isoformat()
