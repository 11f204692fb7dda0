"""Pydantic's verdicts in our words: which key, what was expected, what came instead, what to do."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from config.errors import Faults, KeyPath, shown

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "`true` or `false`",
    "bool_parsing": "`true` or `false`",
    "list_type": "a list such as `[a, b]`",
    "tuple_type": "a list such as `[a, b]`",
    "dict_type": "a map (`key: value`)",
    "model_type": "a map (`key: value`)",
    "model_attributes_type": "a map (`key: value`)",
    "path_type": "a path",
    "none_required": "nothing (null)",
    "string_unicode": "text",
    "union_tag_not_found": "a map with `kind`",
}
_MEANT = {
    "xls": "excel", "xlsx": "excel", "xlsb": "excel", "ods": "excel", "tsv": "csv", "ndjson": "jsonl",
    "int": "integer", "number": "float", "double": "float", "text": "string", "datetime": "timestamp",
}  # fmt: skip
"""What people write -> the choice they mean, where letters alone would lead elsewhere."""
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One fault, not yet tied to a file."""

    path: KeyPath
    message: str
    hint: str = ""


def explain(error: ValidationError, data: Any, model: type[BaseModel]) -> list[Wrong]:
    """Every fault of `error`, which `model` raised over `data`, each key once, in the order of the file."""
    found: dict[KeyPath, list[Wrong]] = {}
    for wrong in _all(error, data, model, ()):
        found.setdefault(wrong.path, []).append(wrong)
    return [_joined(wrongs) for wrongs in found.values()]


def _joined(wrongs: list[Wrong]) -> Wrong:
    """A key that may be one of several types is refused once by each: say all of them in one sentence."""
    first = wrongs[0]
    _, _, got = first.message.partition(", got ")
    wanted = dict.fromkeys(
        wrong.message.removeprefix("expected ").partition(", got ")[0]
        for wrong in wrongs
        if wrong.message.startswith("expected ") and wrong.message.partition(", got ")[2] == got
    )
    if not got or len(wanted) < 2:
        return first
    return Wrong(first.path, f"expected {' or '.join(wanted)}, got {got}")


def _all(error: ValidationError, data: Any, model: type[BaseModel] | None, prefix: KeyPath) -> Iterator[Wrong]:
    for detail in error.errors(include_url=False):
        place = (*prefix, *(part for part in detail["loc"] if part != "[key]"))  # a wrong key is told at it
        inner = detail.get("ctx", {}).get("error")
        if isinstance(inner, Faults):
            for below, cause, owner in inner.found:
                if isinstance(cause, ValidationError):
                    yield from _all(cause, data, owner, (*place, *below))
                else:
                    yield _fault(cause, _path(data, (*place, *below)))
        else:
            known = _known_keys(model, detail["loc"][:-1]) if model is not None else []
            yield _word(detail, _path(data, place), known)


def _fault(cause: ValueError, path: KeyPath) -> Wrong:
    return Wrong(path, _one_line(str(cause)), getattr(cause, "hint", ""))


def _word(detail: Mapping[str, Any], path: KeyPath, known: list[str]) -> Wrong:
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        return _unknown(path, known)
    if kind == "missing":
        return Wrong(path, "is missing", f"Add `{path[-1]}`." if path else "")
    if kind.startswith("union_tag") and isinstance(value, dict):
        path, value = (*path, "kind"), value.get("kind")
        if value is None:
            return Wrong(path, "is missing", "Known kinds are none, basic, bearer, header, query and oauth2.")
    return _refused(kind, path, value, detail)


def _refused(kind: str, path: KeyPath, value: Any, detail: Mapping[str, Any]) -> Wrong:
    """A value that is not what its key takes."""
    context = detail.get("ctx", {})
    if kind in ("value_error", "assertion_error"):
        cause = context.get("error")
        said = _one_line(str(cause or detail["msg"]))
        return Wrong(path, said, getattr(cause, "hint", ""))
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        return _choice(path, value, str(context.get("expected") or context.get("expected_tags", "")))
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return Wrong(path, f"expected {words} {_number(context.get(bound))}, got {shown(value)}")
    if kind == "string_pattern_mismatch":
        return _pattern(path, value, str(context.get("pattern", "")))
    if kind in ("string_too_short", "too_short"):
        return Wrong(path, "must not be empty")
    if kind in _EXPECTED:
        quote = f'Put quotes around it: `"{value}"`.' if kind == "string_type" and _is_plain(value) else ""
        return Wrong(path, f"expected {_EXPECTED[kind]}, got {shown(value)}", quote)
    message = str(detail["msg"])
    for start in ("Input should be ", "Value should be "):
        if message.startswith(start):
            return Wrong(path, f"expected {message[len(start) :]}, got {shown(value)}")
    return Wrong(path, _one_line(message[:1].lower() + message[1:]))


def _unknown(path: KeyPath, known: list[str]) -> Wrong:
    key = str(path[-1])
    near = get_close_matches(key.lower(), known, n=1)
    hint = "" if near or not known else f"Known keys here: {', '.join(known)}."
    return Wrong(path, f"unknown key {shown(key)}" + (f"; did you mean `{near[0]}`?" if near else ""), hint)


def _choice(path: KeyPath, value: Any, expected: str) -> Wrong:
    choices = re.findall(r"'([^']*)'", expected) or [one.strip() for one in expected.split(",") if one.strip()]
    if choices == [""] or not choices:
        return Wrong(path, f"must be empty, got {shown(value)}")
    listed = ", ".join(f"`{choice}`" for choice in choices)
    return Wrong(
        path, f"expected {'one of ' if len(choices) > 1 else ''}{listed}, got {shown(value)}{_near(value, choices)}"
    )


def _pattern(path: KeyPath, value: Any, pattern: str) -> Wrong:
    if path[-1:] == ("name",):
        hint = "Use 1 to 64 of a-z, 0-9, `_` and `-`."
        return Wrong(path, f"expected a name such as `fx_daily`, got {shown(value)}", hint)
    return Wrong(path, f"expected text that matches `{pattern}`, got {shown(value)}")


def _near(value: Any, choices: list[str]) -> str:
    near = get_close_matches(value.lower(), choices, n=1) if isinstance(value, str) else []
    if isinstance(value, str) and (meant := _MEANT.get(value.lower().lstrip("."))) in choices:
        near = [str(meant)]
    return f"; did you mean `{near[0]}`?" if near else ""


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float) and len(shown(value)) < 60


def _path(data: Any, place: KeyPath) -> KeyPath:
    """Pydantic's place as a key path: names instead of positions, without the union tags that are in no file."""
    path: list[str | int] = []
    for number, part in enumerate(place):
        last = number == len(place) - 1
        if isinstance(data, dict):
            if part in data:
                data = data[part]
            elif not last:
                continue
            else:
                data = None
            path.append(part)
        elif isinstance(data, list | tuple):
            if not isinstance(part, int) or part >= len(data):
                continue
            data = data[part]
            name = data.get("name") if isinstance(data, dict) else None
            path.append(name if isinstance(name, str) and name else part)
    return tuple(path)


def _known_keys(model: type[BaseModel], place: KeyPath) -> list[str]:
    """The keys of the model that stands at `place` below `model`; none if that cannot be told."""
    here: Any = model
    for part in place:
        models = _models(here)
        fields = {(info.alias or name): info.annotation for each in models for name, info in each.model_fields.items()}
        if models and part in fields:
            here = fields[str(part)]
        elif models and len(models) > 1:
            tagged = [m for m in models if part in get_args(getattr(m.model_fields.get("kind"), "annotation", None))]
            here = tagged[0] if tagged else here
    return [info.alias or name for each in _models(here)[:1] for name, info in each.model_fields.items()]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models(part)]
