"""The papers say what the program does: every test, command, option, key, event and link they name is really there."""

import ast
import doctest
import importlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import click
import pytest
import typer.main
from pydantic import BaseModel

from cli.main import app
from config import kinds, not_yet
from config.loading import load
from config.settings import Settings
from data_pipeline.dataset import DatasetRun
from data_pipeline.runner import PipelineRun
from data_pipeline.validate import arguments, rules

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
CODE = (
    "config",
    "utils",
    "data_pipeline",
    "monitoring",
    "operations",
    "cli",
    "api",
    "dashboard",
    "integrated_system.py",
)
CHAPTERS = 6
LOGGED = {"debug", "info", "warning", "error", "timed"}
SHARED = {"--config", "--state-dir", "--json", "--debug", "--help"}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


# --- reading Markdown


def fenced(page: Path, language: str) -> list[str]:
    """The contents of a page's fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def without_fences(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def tables(page: Path) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Each table: the heading above it, its column names, its rows."""
    heading, rows = "", []
    for line in [*without_fences(page).split("\n"), ""]:
        if line.startswith("|"):
            rows.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
            continue
        if rows:
            yield heading, rows[0], rows[2:]
            rows = []
        if line.startswith("#"):
            heading = line.lstrip("# ")


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def table_of(page: str, column: str) -> dict[str, list[list[str]]]:
    """Heading -> rows, of the tables whose first column has this name."""
    return {heading: rows for heading, columns, rows in tables(DOCS / page) if columns[0] == column}


# --- features.md


def features() -> list[list[str]]:
    return [row for rows in table_of("features.md", "feature").values() for row in rows]


def named_tests(text: str) -> list[str]:
    return re.findall(r"tests/[\w/]+\.py::[\w:]+", text)


def test_the_list_of_features_has_its_chapters_and_says_one_of_three_states():
    """Every row of the six chapters works, works in part (and what is missing is said), or is not there yet."""
    chapters = table_of("features.md", "feature")
    assert len(chapters) == CHAPTERS
    for row in features():
        assert len(row) == 4, row
        assert row[1] in {"works", "not yet"} or re.fullmatch(r"in part: .{5,}", row[1]), row


def test_what_works_has_a_proof():
    """A feature that works names a test; one that is not there names neither a test nor a file."""
    for feature, state, where, proof in features():
        assert named_tests(proof) or state != "works", f"{feature}: works, but no test shows it"
        assert not named_tests(proof) or state != "not yet", f"{feature}: {proof}"
        assert bool(spans(where)) == (state != "not yet"), f"{feature}: {state}, where {where!r}"


def test_the_tests_that_are_named_exist():
    """Every test that a page names is defined in the file it names."""
    named = {test for page in PAGES for test in named_tests(page.read_text())}
    defined = {
        f"{path.relative_to(ROOT).as_posix()}::{name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert named
    assert sorted(named - defined) == []


def test_the_files_that_are_named_exist():
    """Every file in the column "where" is there."""
    named = {name for row in features() for name in spans(row[2])}
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


# --- command-line.md


def commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words."""
    group = getattr(command, "commands", {})
    if path and (not group or getattr(command, "invoke_without_command", False)):
        yield path, command
    for name, inner in group.items():
        yield from commands(inner, f"{path} {name}".strip())


def options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts if name.startswith("--")}


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_every_command_and_option_is_explained_and_no_other():
    """The page has one heading a command, and under it exactly the command's own options."""
    explained: dict[str, set[str]] = {}
    text = (DOCS / "command-line.md").read_text()
    for heading, body in re.findall(r"^### `([^`]+)`[^\n]*\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL):
        name = " ".join(word for word in heading.split() if re.fullmatch(r"[a-z-]+", word))
        rows = [line for line in body.split("\n") if line.startswith("| `--")]
        explained[name] = {spans(row)[0].split()[0] for row in rows}
    assert explained == {name: options(command) - SHARED for name, command in COMMANDS.items()}


@each_page
def test_commands_in_the_papers_can_be_typed(page: Path):
    """Whatever follows `integrated_system.py` is a command of the program with options it knows."""
    for line in re.findall(r"integrated_system\.py((?: +[^\s`#|]+)*)", page.read_text()):
        words = line.split()
        known = [name for name in COMMANDS if words[: len(name.split())] == name.split()]
        if not words or words[0] in {"COMMAND", "--version", "--help"}:
            continue
        assert known, f"{page.name}: no command `{line.strip()}`"
        command = COMMANDS[max(known, key=len)]
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= options(command) | SHARED, f"{page.name}: {line}"


@each_page
def test_make_targets_in_the_papers_exist(page: Path):
    """`make x` in code is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = "\n".join([*spans(without_fences(page)), *fenced(page, r"\w*")])
    assert set(re.findall(r"^(?:\$ )?make ([a-z]+)", code, re.MULTILINE)) <= targets


def test_the_example_of_run_has_the_fields_of_a_run():
    """The JSON that the page shows has every field of the result, and no other."""
    (example,) = [json.loads(block) for block in fenced(DOCS / "command-line.md", "json") if '"datasets"' in block]
    assert set(example) == {field.name for field in fields(PipelineRun)} - {"learning"}
    assert set(example["datasets"][0]) == {field.name for field in fields(DatasetRun)} - {"made_from"}


# --- configuration.md


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    """Dotted key and default (as JSON, None: required) of everything that can be written in a section."""
    dumped = model.model_construct().model_dump(mode="json", by_alias=True, warnings=False)
    for name, field in model.model_fields.items():
        key = field.alias or name
        if field.annotation is NoneType or field.exclude:
            continue  # a key that is not supported yet
        inner = [part for part in (field.annotation, *get_args(field.annotation)) if _is_section(part)]
        if len(inner) == 1 and not field.is_required():
            yield from leaves(inner[0], f"{prefix}{key}.")
        elif inner:
            told: dict[str, str | None] = {}
            for part, default in (leaf for one in inner for leaf in leaves(one)):
                told[part] = default if told.get(part, default) == default else None
            yield from ((f"{prefix}{key}.{part}", default) for part, default in told.items())
        else:
            default = None if field.is_required() else json.dumps(dumped[key], ensure_ascii=False)
            yield f"{prefix}{key}", default


def _is_section(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel) and part.__name__ != "Step"


def settings() -> dict[str, str | None]:
    """Every key of the configuration, datasets and providers under `*`, kinds of `collect` in brackets."""
    found: dict[str, str | None] = {"include": "[]"}
    for name, field in Settings.model_fields.items():
        items = [part for part in get_args(field.annotation) if _is_section(part)]
        if items:
            found |= dict(leaves(items[0], f"{name}.*."))
        elif _is_section(field.annotation):
            found |= dict(leaves(field.annotation, f"{name}."))  # type: ignore[arg-type]  # looked at just before
        else:
            found[name] = "[]"
    for key in ("collect", "parse", "columns", "rules", "publish"):
        del found[f"datasets.*.{key}"]
    for kind in kinds.COLLECTORS:
        found |= dict(leaves(kinds.collect_options(kind), f"datasets.*.collect({kind})."))
    for kind in kinds.SINKS:
        found |= dict(leaves(kinds.sink_options(kind), f"datasets.*.publish({kind})."))
    found |= dict(leaves(kinds.parse_options(), "datasets.*.parse."))
    found |= dict(leaves(kinds.column_options(), "datasets.*.columns.*."))
    return found


def documented() -> dict[str, str]:
    """Dotted key -> default as documented. A heading's code names the section, a word in brackets the kind."""
    found: dict[str, str] = {}
    for heading, rows in table_of("configuration.md", "key").items():
        kind = "".join(re.findall(r" (\(\w+\))", heading))
        for prefix in spans(heading) or [""]:
            for row in rows:
                found[f"{prefix}{kind}.{spans(row[0])[0]}".lstrip(".")] = row[2]
    return found


def test_every_key_is_explained_and_no_other():
    """The page's tables and the models of the configuration hold the same keys."""
    assert sorted(documented()) == sorted(settings())


def test_every_default_is_the_one_of_the_code():
    """Defaults stand in the page as they would be written in a file; a dash means that the key must be given."""
    expected = {key: "–" if default is None else f"`{default}`" for key, default in settings().items()}
    plain = {key: re.sub(r'^`"(.+)"`$', r"`\1`", default) for key, default in expected.items()}
    wrong = {key: told for key, told in documented().items() if told not in {plain[key], expected[key]}}
    assert wrong == {}


def test_every_rule_and_its_keys_are_explained():
    """The page names each kind of rule with its argument's keys, and what every rule takes."""
    described = table_of("configuration.md", "rule")["Rules"]
    assert {spans(row[0])[0]: set(spans(row[1])) for row in described} == {
        kind: set(keys) for kind, keys in arguments.KEYS.items()
    }
    assert {spans(row[0])[0] for row in table_of("configuration.md", "every rule")["Rules"]} == set(rules._COMMON)


def test_what_is_not_supported_yet_is_said():
    """The page's last table names every key and value that this version refuses, and none that it takes."""
    (rows,) = table_of("configuration.md", "not yet").values()
    named = {spans(row[0])[0]: set(spans(row[1])) for row in rows}
    assert set(named) == {*not_yet.KEYS, *not_yet.VALUES}
    for key, values in named.items():
        assert values <= set(not_yet.VALUES.get(key, ())), key


# --- examples


@each_page
def test_configurations_in_the_papers_load(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Every YAML example is a configuration without faults."""
    monkeypatch.setattr(sys, "path", [*sys.path])  # `code` adds to it
    for number, block in enumerate(fenced(page, "yaml")):
        path = tmp_path / f"example_{number}.yaml"
        path.write_text(block)
        (tmp_path / "my").mkdir(exist_ok=True)
        for module, name in re.findall(r"(?:transform|function): \"?(\w+):(\w+)", block):
            (tmp_path / "my" / f"{module}.py").write_text(f"def {name}(*tables): ...\n")
        environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", block), "a-value")
        load(path, environ=environ, cwd=tmp_path)


@each_page
def test_python_in_the_papers_runs(page: Path):
    """Examples with prompts give what they show; all others compile, and their imports are there."""
    for number, block in enumerate(fenced(page, "python")):
        name = f"{page.name}, Python block {number}"
        if ">>>" in block:
            test = doctest.DocTestParser().get_doctest(block, {}, name, str(page), 0)
            told: list[str] = []
            result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=told.append)
            assert result.attempted > 0
            assert result.failed == 0, "".join(told)
            continue
        for node in ast.walk(ast.parse(block, name)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module or "")
                assert all(hasattr(module, alias.name) for alias in node.names), name
            elif isinstance(node, ast.Import):
                assert all(importlib.import_module(alias.name) for alias in node.names), name


# --- links and events


@each_page
def test_relative_links_lead_somewhere(page: Path):
    """Files are there, and so are the headings behind a `#`."""
    for target in re.findall(r"\]\(([^)\s]+)\)", without_fences(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, f"{page.name} links to {target}"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def emitted() -> set[str]:
    """The types of all events that the code appends, told from the source."""
    found: set[str] = set()
    for path in (file for name in CODE for file in [*(ROOT / name).rglob("*.py"), ROOT / name] if file.is_file()):
        tree = ast.parse(path.read_text())
        constants = {
            target.id: value
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign) and (value := node.value) is not None
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                name = getattr(call.func, "id", getattr(call.func, "attr", ""))
                if name not in {"NewEvent", "_event", "_batch_events", "_tell"} or not call.args:
                    continue
                first = call.args[0]
                # A type that is worked out: all that the function, and the tables it reads, could mean.
                read = [constants[n.id] for n in ast.walk(function) if isinstance(n, ast.Name) and n.id in constants]
                for part in [first] if isinstance(first, ast.Constant) else [function, *read]:
                    found |= _types_in(part)
    return found


def _types_in(tree: ast.AST) -> set[str]:
    """Texts that may be types of events; what a line of the log file is called is none."""
    logged = {
        id(call.args[0])
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and call.args and getattr(call.func, "attr", "") in LOGGED
    }
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in logged]
    texts = {node.value for node in constants if isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch(r"[a-z]+\.[a-z_]+", text)}


def test_every_event_is_explained_and_no_other():
    """The page's table and the code know the same types of events."""
    (rows,) = table_of("events.md", "type").values()
    assert {spans(row[0])[0] for row in rows} == emitted()
