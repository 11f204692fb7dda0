"""One configuration file -> plain data: YAML (safe, no surprises), TOML or JSON; and the line of each key."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.errors import ConfigError, KeyPath, Problem

if TYPE_CHECKING:
    import yaml

SUFFIXES = (".yaml", ".yml", ".toml", ".json")
MAX_NODES = 1_000_000
"""Values of one file with its YAML aliases expanded; a few lines of aliases can mean billions."""
MAX_DEPTH = 100


def read_text(path: Path) -> str:
    """The file's text, without a byte order mark.

    Raises:
        ConfigError: it is missing, a folder, unreadable, or not UTF-8.
    """
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise _broken(path, None, "does not exist") from error
    except IsADirectoryError as error:
        raise _broken(path, None, "is a folder, not a file") from error
    except UnicodeDecodeError as error:
        raise _broken(path, None, f"is not UTF-8 text (byte {error.start})", "Save it as UTF-8.") from error
    except (OSError, ValueError) as error:
        raise _broken(path, None, f"cannot be read ({getattr(error, 'strerror', None) or error})") from error


def parse_text(text: str, path: Path) -> dict[str, Any]:
    """The map at the top of a file. `path` decides the format and is named in errors.

    Raises:
        ConfigError: the text is broken (with line and column), or holds something else than a map.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise _broken(path, None, "has an unknown suffix", f"Use one of {', '.join(SUFFIXES)}.")
    try:
        if suffix == ".json":
            data = _parse_json(text, path)
        elif suffix == ".toml":
            data = _parse_toml(text, path)
        else:
            data = _parse_yaml(text, path)
    except RecursionError as error:
        raise _broken(path, None, "is nested too deeply") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        got = "a list" if isinstance(data, list) else "a single value"
        raise _broken(path, None, f"expected a map (`key: value`) at the top, got {got}")
    return data


def lines_of(text: str, path: Path) -> dict[KeyPath, int]:
    """Line (from 1) of every key and list item, by position in lists. Empty for TOML and for text that YAML refuses."""
    import yaml

    if path.suffix.lower() == ".toml":
        return {}
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)  # JSON is, but for tabs, YAML
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return dict(_lines(root, (), 0)) if root is not None else {}


def _lines(node: "yaml.Node", path: KeyPath, depth: int) -> Iterator[tuple[KeyPath, int]]:
    if depth > MAX_DEPTH:
        return
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key.value, str):
                yield (*path, key.value), key.start_mark.line + 1
                yield from _lines(value, (*path, key.value), depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield (*path, position), item.start_mark.line + 1
            yield from _lines(item, (*path, position), depth + 1)


def _parse_json(text: str, path: Path) -> Any:
    import orjson

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if not text.strip():
            return None
        raise _broken(path, error.lineno, f"is not valid JSON ({error.msg}, column {error.colno})") from error


def _parse_toml(text: str, path: Path) -> Any:
    import re
    import tomllib

    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError) as error:
        line = re.search(r"at line (\d+)", str(error))
        raise _broken(path, int(line[1]) if line else None, f"is not valid TOML ({error})") from error


def _parse_yaml(text: str, path: Path) -> Any:
    import yaml

    from config.yaml_values import Refused, value_of

    try:
        return value_of(text, max_nodes=MAX_NODES, max_depth=MAX_DEPTH)
    except Refused as error:
        raise _broken(path, error.line, str(error), error.hint) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, f", column {mark.column + 1}") if mark else (None, "")
        what = error.problem or error.context or "syntax error"
        raise _broken(path, line, f"is not valid YAML ({what}{column})", _yaml_hint(text, line, what)) from error
    except (yaml.YAMLError, ValueError) as error:
        raise _broken(path, None, f"is not valid YAML ({' '.join(str(error).split())})") from error


def _yaml_hint(text: str, line: int | None, what: str) -> str:
    """What most often makes YAML say this of such a line."""
    lines = text.splitlines()
    written = lines[line - 1] if line and line <= len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())] or "tab" in what:
        return "Indent with spaces, not with tabs."
    if any(sign in written for sign in "{}[]") or "mapping values" in what:
        return "Put quotes around a value that holds any of `{ } [ ] , # : ` or begins with `* & ! % @`."
    return ""


def _broken(path: Path, line: int | None, message: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem(str(path), line, "", message, hint)])
