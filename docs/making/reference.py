"""Writes docs/reference/ from the code: `python -m docs.making.reference`; a test says when a page is stale."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer.main

from docs.making.emitted import ROOT, emitted
from docs.making.metric_families import families

__all__ = ["PAGES", "written"]

FOLDER = ROOT / "docs" / "reference"
BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
EVERYWHERE = {"--config", "--state-dir", "--json", "--debug", "--help"}


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in row)} |"
    yield ""


def _page(title: str, *about: str) -> Iterator[str]:
    yield f"# {title}"
    yield ""
    yield "`make docs` writes this page from the code; it is not edited."
    yield ""
    for line in about:
        yield line
        yield ""


# --- commands


def commands() -> Iterator[str]:
    """Every command with its arguments and options, as `--help` has them."""
    from cli.main import app

    yield from _page(
        "Commands, from the code",
        "What each does, prints and exits with, is told in [command line](../command-line.md). Every command takes "
        "`--config`, `--state-dir`, `--json`, `--debug` and `--help` as well.",
    )
    for path, command in _commands(typer.main.get_command(app)):
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        usage = " ".join([path, *("[OPTIONS]" for _ in _options(command)[:1]), *map(_placed, arguments)])
        yield f"## {path}"
        yield ""
        yield f"`{usage}`"
        yield ""
        yield _plain(command.help)
        yield ""
        rows = [(f"`{_placed(one)}`", "", _words(one)) for one in arguments]
        rows += [(_spelling(one), _default(one), _words(one)) for one in _options(command)]
        if rows:
            yield from _table(("argument or option", "default", "meaning"), rows)


def _commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    group = getattr(command, "commands", {})
    if path and (not group or command.invoke_without_command):
        yield path, command
    for name, inner in group.items():
        yield from _commands(inner, f"{path} {name}".strip())


def _options(command: Any) -> list[Any]:
    options = [one for one in command.params if one.param_type_name == "option"]
    return [one for one in options if not EVERYWHERE.intersection(one.opts)]


def _placed(argument: Any) -> str:
    name = (argument.metavar or argument.name or "").strip("[]").removesuffix("...").upper()
    many = "…" if argument.nargs != 1 else ""
    return f"{name}{many}" if argument.required else f"[{name}{many}]"


def _spelling(option: Any) -> str:
    value = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
    return f"`{', '.join(option.opts)}{value}`" + (" (must be given)" if option.required else "")


def _default(option: Any) -> str:
    default = option.default
    plain = isinstance(default, str | int | float) and not isinstance(default, bool) and default != ""
    return f"`{default}`" if plain else ""


def _words(parameter: Any) -> str:
    return _plain(parameter.help)


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


# --- the API


def api() -> Iterator[str]:
    """Every path with its role and parameters, as the document at `/openapi.json` has them."""
    from api.app import create_app
    from integrated_system import IntegratedSystem

    yield from _page(
        "Paths of the API, from the code",
        "How errors, pages and keys work is told in [the API](../api.md), what belongs together in "
        "[paths](../api-paths.md). The role is the least that a token must have.",
    )
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "orchestrator.yaml"
        config.write_text("app: {name: reference}\n")
        with IntegratedSystem(config, state_dir=Path(folder) / "state", environ={}) as system:
            document = create_app(system).openapi()
    for path in sorted(document["paths"]):
        for method, found in document["paths"][path].items():
            yield f"## {method.upper()} {path}"
            yield ""
            yield f"{_sentence(found)} Role: {_role(found)}."
            yield ""
            rows = [
                (
                    f"`{one['name']}`",
                    one["in"],
                    _type(one.get("schema", {})),
                    " ".join(one.get("description", "").split()),
                )
                for one in found.get("parameters", ())
                if one["name"] != "Idempotency-Key"
            ]
            body = _body(found, document)
            rows += [(f"`{name}`", "body", _type(one), _plain(one.get("description"))) for name, one in body]
            if rows:
                yield from _table(("parameter", "in", "type", "meaning"), rows)


def _sentence(operation: dict[str, Any]) -> str:
    text = _plain(operation.get("description") or operation.get("summary"))
    return text if text.endswith((".", "?")) else f"{text}."


def _role(operation: dict[str, Any]) -> str:
    ways = operation.get("security", [{}])
    roles = [role for way in ways for role in way.get("token", ())]
    named = " or ".join(roles) or "none"
    return f"{named}; open on the machine itself and for probes" if {} in ways and roles else named


def _body(operation: dict[str, Any], document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    content = operation.get("requestBody", {}).get("content", {})
    for one in content.values():
        schema = _resolved(one.get("schema", {}), document)
        yield from schema.get("properties", {}).items()
        return


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    for part in [schema, *schema.get("anyOf", ()), *schema.get("allOf", ())]:
        if name := part.get("$ref", "").rpartition("/")[2]:
            found: dict[str, Any] = document["components"]["schemas"][name]
            return found
    return schema


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        parts = [_type(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(parts))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    bounds = [f"{word} {schema[key]:g}" for key, word in BOUNDS.items() if key in schema]
    return " ".join([schema.get("format") or schema.get("type", "any"), *bounds])


# --- events


def events() -> Iterator[str]:
    """Every type of event, what it is about, and the shipped rules that it calls or ends."""
    from monitoring.alerting.known_types import known
    from monitoring.alerting.shipped import SHIPPED
    from utils.event_patterns import matches

    yield from _page(
        "Types of events, from the code",
        "When each is said, and what its `data` holds, is told in [events](../events.md#types). Rules are the "
        "[shipped](../alerts.md#shipped-rules) ones; a rule of yours for the same event takes their place.",
    )
    rows = []
    for kind in sorted(emitted()):
        opens = [rule.name for rule in SHIPPED if matches(kind, rule.when)]
        ends = [rule.name for rule in SHIPPED if any(matches(kind, clear.type) for clear in rule.clears)]
        rows.append((f"`{kind}`", known(kind).about, _code(opens), _code(ends)))
    yield from _table(("type", "about", "calls the rule", "may end the rule"), rows)


def _code(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


# --- metrics


def metrics() -> Iterator[str]:
    """Every figure for Prometheus."""
    yield from _page(
        "Metrics, from the code",
        "The command `metrics` and `/metrics` of [the API](../api.md#prometheus-and-grafana) show these; those that "
        "begin with `orchestrator_api_` are of the process that serves the API. What nothing is known of is left out. "
        "The labels `…` of a number of yours are its tags.",
    )
    rows = [
        (f"`{one.name}`", one.kind, _code(one.labels), one.words or "A number of yours, by its name: `record-metric`")
        for one in families()
    ]
    yield from _table(("name", "kind", "labels", "meaning"), rows)


PAGES = {"commands.md": commands, "api.md": api, "events.md": events, "metrics.md": metrics}


def written(name: str) -> str:
    """What a page should hold."""
    return "\n".join(PAGES[name]()).rstrip("\n") + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for page in PAGES:
        (FOLDER / page).write_text(written(page), "utf-8")
