"""A value as YAML on one line, as it stands in a configuration: what is shown to be pasted, or written for the user."""

from typing import Any

__all__ = ["flow"]


def flow(value: Any, *, literal: bool = True) -> str:
    """A value on one line of YAML. `literal`: what looks like a variable is not one.

    >>> flow({"not_null": "id", "tolerance": 0.05}), flow(["${HOME}"])
    ('{not_null: id, tolerance: 0.05}', "['$${HOME}']")
    """
    import yaml

    made = _escaped(value) if literal else value
    text = yaml.safe_dump(made, default_flow_style=True, sort_keys=False, width=10**9, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {_escaped(key): _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(inner) for inner in value]
    return value.replace("${", "$${") if isinstance(value, str) else value
