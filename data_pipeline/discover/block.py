"""The block of a dataset as YAML that a person wants to read: every guess with its reason beside it."""

from collections.abc import Iterator, Mapping
from typing import Any

from data_pipeline.discover.findings import Finding
from data_pipeline.discover.look import Look
from data_pipeline.discover.times import written
from data_pipeline.validate.written import line_of
from data_pipeline.yaml_line import flow

FRESH_ENOUGH = 0.7
"""Share of a promise that the newest row may be old already for the promise to be made."""

_DAY = 86_400.0


def block(name: str, collect: Mapping[str, Any], look: Look) -> str:
    """One entry of `datasets`, beginning with `- name:`, without indentation and with a line break at its end."""
    lines = [f"- name: {name}", "  collect:"]
    for key, value in collect.items():
        lines.append(f"    {key}: {flow(value, literal=False)}")
    lines += _keys(look.layout.collect, "    ")
    if look.layout.parse:
        lines.append("  parse:")
        lines += _keys(look.layout.parse, "    ")
    if look.columns:
        lines.append("  columns:")
        lines += [f"    {flow(name)}: {flow(kind.block())}{_why(kind.why)}" for name, kind in look.columns.items()]
    if look.key:
        lines.append(f"  key: {flow(list(look.key))}{_why(look.key_why)}")
    if look.data_time is not None:
        lines += _keys([look.data_time], "  ")
    lines += _promised(look)
    if look.rules:
        lines.append("  rules:")
        lines += [f"    - {line_of(rule.rule)}{_why(rule.why)}" for rule in look.rules]
    return "\n".join(lines) + "\n"


def _keys(found: list[Finding], indent: str) -> Iterator[str]:
    for one in found:
        yield f"{indent}{'' if one.sure else '# '}{one.key}: {flow(one.value)}{_why(one.why)}"


def _promised(look: Look) -> Iterator[str]:
    """What could be promised about the age, if the newest row keeps it by now; when to collect, as a comment."""
    rhythm = look.rhythm
    if rhythm is None or rhythm.usual <= 0:
        return
    beat = written(rhythm.usual)
    if not rhythm.regular:
        longest = written(max(_DAY, rhythm.promise))
        yield f"  # promise: {{max_age: {longest}}}  # rows come at odd times; what do your readers need?"
        return
    keeps = 0 <= rhythm.age <= FRESH_ENOUGH * rhythm.promise
    reason = (
        f"a new row about every {beat}" if keeps else f"a row every {beat}, but the newest is {written(rhythm.age)} old"
    )
    yield f"  {'' if keeps else '# '}promise: {{max_age: {written(rhythm.promise)}}}  # {reason}"
    yield f"  # schedule: {{every: {beat}}}  # as often as rows come; `schedule` or `serve` sees to it"


def _why(text: str) -> str:
    """A comment; a provider's words must not end the line."""
    words = "".join(sign if sign.isprintable() else "·" for sign in text)
    return f"  # {words}" if words else ""
