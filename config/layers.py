"""Layers of a configuration: files and variables, each with its place, laid over one another."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from config.errors import Fault, KeyPath, Problem, key_text
from config.files import MAX_DEPTH, lines_of
from config.variables import Secrets, fill, plain

PREFIX = "ORCHESTRATOR_"
RESERVED = frozenset({"ORCHESTRATOR_CONFIG", "ORCHESTRATOR_ENV"})
OTHER_NAMES = {
    "LOKI_URL": ("logging", "loki", "url"),
    "LOKI_LABELS": ("logging", "loki", "labels"),
    "MONITORING_HTTP_PORT": ("api", "port"),
    "MONITORING_EXPORTER_ENABLE": ("api", "exporter"),
}
"""Variables that other programs know too; ours of the same key lie over them."""

"""Variables of ours that are no keys of the configuration."""

_PATH_KEYS: tuple[tuple[str, ...], ...] = (
    ("storage", "url"),
    ("providers", "*", "tls", "ca"),
    ("providers", "*", "tls", "client_cert"),
    ("providers", "*", "tls", "client_key"),
    ("monitor", "health", "*", "disk"),
    ("datasets", "*", "snapshot"),
    ("datasets", "*", "schedule", "on_file"),
)

_SHORT_FORMS = (("retention", "events", "age"),)
_MAY_NEED_FILLING = re.compile(rb"\$|://[^/?#\s]*@")


@dataclass
class Layer:
    """One file, or all variables.

    Attributes:
        label: How errors name it.
        folder: Where its relative paths start.
        data: Its content, values filled in, known paths absolute.
        text: As read; empty for variables.
    """

    label: str
    folder: Path
    data: dict[str, Any]
    text: str = ""
    path: Path | None = None
    variables: dict[KeyPath, str] = field(default_factory=dict)

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return lines_of(self.text, self.path) if self.path is not None else {}

    def find(self, path: KeyPath) -> tuple[int, KeyPath]:
        """How many keys of `path` this layer has, and the same with positions instead of names in lists."""
        value: Any = self.data
        found: list[str | int] = []
        for part in path:
            if isinstance(value, dict) and part in value:
                value = value[part]
                found.append(part)
            elif isinstance(value, list):
                position = part if isinstance(part, int) else position_of(value, part)
                if position is None or position >= len(value):
                    break
                value = value[position]
                found.append(position)
            else:
                break
        return len(found), tuple(found)

    def place(self, found: KeyPath, path: KeyPath) -> tuple[str, int | None]:
        """File and line, or the variable, of what `find` found."""
        if self.path is None:
            for length in range(len(path), 0, -1):
                for known, name in self.variables.items():
                    if known[:length] == path[:length]:
                        return f"variable {name}", None
            return self.label, None
        for length in range(len(found), 0, -1):
            line = self._lines.get(found[:length])
            if line:
                return self.label, line
        return self.label, None


def is_named_list(value: Any) -> bool:
    """Whether every item is a map with a text `name`: such lists merge by name."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in value)
    )


def position_of(items: list[Any], name: str | int) -> int | None:
    """Where the item of that name stands."""
    for position, item in enumerate(items):
        if isinstance(item, dict) and item.get("name") == name:
            return position
    return None


def _as_it_is(item: Any) -> bool:
    """Whether nothing in it is to be filled in, and nothing may be a secret: no `$`, no user part of an address.

    As bytes that takes a tenth of the time of a walk.
    """
    try:
        written = orjson.dumps(item, option=orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:  # TOML's dates, integers beyond 64 bit, keys that are no text, very deep nesting
        return False
    return _MAY_NEED_FILLING.search(written) is None


def filled(
    value: Any, *, environ: Mapping[str, str], folder: Path, secrets: Secrets, report: Callable[[KeyPath, Fault], None]
) -> Any:
    """`value` with variables filled in: a copy, but for items of lists that have nothing to fill in.

    Faults are reported with their key path, the value then kept.
    """

    def walk(node: Any, path: KeyPath, depth: int) -> Any:
        if isinstance(node, str):
            if "$" not in node and "@" not in node:
                return node
            try:
                return fill(node, path, environ=environ, folder=folder, secrets=secrets)
            except Fault as fault:
                report(path, fault)
                return node
        if depth > MAX_DEPTH:
            raise RecursionError
        if isinstance(node, dict):
            return {str(key): walk(item, (*path, str(key)), depth + 1) for key, item in node.items()}
        if isinstance(node, list):
            return [
                item if _as_it_is(item) else walk(item, (*path, _list_key(item, place)), depth + 1)
                for place, item in enumerate(node)
            ]
        return plain(node)

    return walk(value, (), 0)


def absolute(data: dict[str, Any], folder: Path, *, cwd: Path) -> None:
    """Make the paths that we know absolute, in place: they start where they were written."""
    code = data.get("code")
    if isinstance(code, list):
        data["code"] = [_joined(folder, item) for item in code]
    app = data.get("app")
    if isinstance(app, dict) and "state_dir" in app:
        app["state_dir"] = _joined(cwd, app["state_dir"])
    for keys in _PATH_KEYS:
        _join_at(data, keys, folder)
    calendars = data.get("calendars")
    for calendar in calendars.values() if isinstance(calendars, dict) else ():
        if isinstance(calendar, dict) and "holidays" in calendar:
            calendar["holidays"] = _days_off(folder, calendar["holidays"])


def spelt_out(data: dict[str, Any]) -> None:
    """Write the short forms that we know as the maps they stand for, in place: `events: 30d` means its `age`.

    Before layers are laid over one another, so that a value of one and a map of another come together.
    """
    for *above, key, meant in _SHORT_FORMS:
        node: Any = data
        for part in above:
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, dict) and isinstance(node.get(key), str | int | float):
            node[key] = {meant: node[key]}


def doubles(data: dict[str, Any]) -> list[KeyPath]:
    """Items of named lists whose name an earlier item of the same file has already, by position."""
    found: list[KeyPath] = []
    for section, items in data.items():
        if isinstance(items, list):
            seen: set[str] = set()
            for position, item in enumerate(items):
                name = item.get("name") if isinstance(item, dict) else None
                if isinstance(name, str):
                    if name in seen:
                        found.append((section, position, "name"))
                    seen.add(name)
    return found


def merged(below: Any, above: Any) -> Any:
    """`above` over `below`: maps key by key, lists of named things by name, anything else replaces."""
    if isinstance(below, dict) and isinstance(above, dict):
        made = dict(below)
        for key, value in above.items():
            made[key] = merged(below[key], value) if key in below else value
        return made
    if is_named_list(below) and is_named_list(above):
        items = list(below)
        places = {item["name"]: place for place, item in enumerate(items)}
        for item in above:
            place = places.setdefault(item["name"], len(items))
            if place == len(items):
                items.append(item)
            else:
                items[place] = merged(items[place], item)
        return items
    return above


def variable_layer(environ: Mapping[str, str], below: dict[str, Any], cwd: Path) -> Layer:
    """`ORCHESTRATOR_CACHE__TTL=10m` and its like, as a layer over `below`.

    A name in capitals with `_` finds a key, or a named item, that differs only in letter case and in signs which a
    variable cannot have. Values are text; one that begins with [ or { is read as JSON, and `null` is null.
    """
    layer = Layer("variables", cwd, {})
    tree: dict[str, Any] = {}
    given = [(name, list(path)) for name, path in OTHER_NAMES.items() if environ.get(name)]
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in RESERVED or len(name) == len(PREFIX):
            continue
        path: list[str] = []
        here: Any = below
        for part in name[len(PREFIX) :].split("__"):
            key, here = _nearest(here, part)
            path.append(key)
        given.append((name, path))
    for name, path in given:
        target = tree
        for key in path[:-1]:
            if not isinstance(target.get(key), dict):
                target[key] = {}
            target = target[key]
        target[path[-1]] = _variable_value(environ[name])
        layer.variables[tuple(path)] = name
    layer.data = _with_lists(tree, below)
    return layer


def problem_at(layers: list[Layer], path: KeyPath, message: str, hint: str = "") -> Problem:
    """A problem with the place where the key (or the nearest thing around it) was written last."""
    file, line = locate(layers, path)
    return Problem(file, line, key_text(path), message, hint)


def locate(layers: list[Layer], path: KeyPath) -> tuple[str, int | None]:
    """Where a key was written last: file (or variable) and line."""
    best: tuple[int, KeyPath] = (-1, ())
    where: Layer | None = None
    for layer in layers:
        found = layer.find(path)
        if found[0] >= best[0] and (found[0] or layer.path is not None):
            best, where = found, layer
    return where.place(best[1], path) if where else ("", None)


def _list_key(item: Any, place: int) -> str | int:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else place


def _variable_value(text: str) -> Any:
    if text == "null":
        return None
    if text[:1] in ("[", "{"):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return text


def _with_lists(tree: Any, below: Any) -> Any:
    """`tree`, whose named things are keys, in the shape of `below`, where some are items of lists."""
    if not isinstance(tree, dict):
        return tree
    if is_named_list(below):
        items = {item["name"]: item for item in below}
        return [
            {"name": name, **_with_lists(value, items.get(name))} if isinstance(value, dict) else value
            for name, value in tree.items()
        ]
    known = below if isinstance(below, dict) else {}
    return {key: _with_lists(value, known.get(key)) for key, value in tree.items()}


def _nearest(tree: Any, part: str) -> tuple[str, Any]:
    wanted = part.lower()
    if isinstance(tree, dict):
        for key, value in tree.items():
            if re.sub(r"[^a-z0-9]", "_", str(key).lower()) == wanted:
                return str(key), value
    elif isinstance(tree, list):
        for item in tree:
            if isinstance(item, dict) and re.sub(r"[^a-z0-9]", "_", str(item.get("name", "")).lower()) == wanted:
                return str(item["name"]), item
    return wanted, None


def _join_at(node: Any, keys: tuple[str, ...], folder: Path) -> None:
    head, rest = keys[0], keys[1:]
    if head == "*":
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        for child in children:
            _join_at(child, rest, folder)
    elif isinstance(node, dict) and head in node:
        if rest:
            _join_at(node[head], rest, folder)
        else:
            node[head] = _joined(folder, node[head])


def _days_off(folder: Path, value: Any) -> Any:
    """Holidays with the paths of their files made absolute: `file:holidays.ics`."""
    if isinstance(value, list):
        return [_days_off(folder, item) for item in value]
    word, _, path = value.partition(":") if isinstance(value, str) else ("", "", "")
    return f"file:{_joined(folder, path.strip())}" if word == "file" and path.strip() else value


def _joined(folder: Path, value: Any) -> Any:
    if not isinstance(value, str) or not value or "://" in value or "\0" in value:
        return value
    try:
        return str(folder / Path(value).expanduser())
    except RuntimeError:  # no such user
        return value
