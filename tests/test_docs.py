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
from config import kinds
from config.loading import load
from config.settings import Settings
from data_pipeline.dataset import DatasetRun
from data_pipeline.runner import PipelineRun
from data_pipeline.validate import arguments, rules
from docs.making import reference
from docs.making.emitted import emitted
from tests.markdown import DOCS, PAGES, ROOT, anchors, console, fenced, name_of, spans, tables, without_fences

CHAPTERS = 6
SHARED = {"--config", "--state-dir", "--json", "--debug", "--help"}

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


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
    text = re.sub(r"^\$ orchestrator\b", "integrated_system.py", page.read_text("utf-8"), flags=re.MULTILINE)
    for line in re.findall(r"integrated_system\.py((?: +[^\s`#|]+)*)", text):
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
        environ = {name: a_value(name) for name in re.findall(r"\$\{(\w+)\}", block)}
        load(path, environ=environ, cwd=tmp_path)


def a_value(variable: str) -> str:
    """What a variable of an example may hold; its name says whether that is an address."""
    address = "https://hooks.slack.com/services/T12345678/B12345678/abcdefghijklmnopqrstuvwx"
    return address if variable.endswith(("_URL", "_WEBHOOK")) else "a-value"


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
            assert anchor in anchors(found), f"{page.name} links to {target}"


def test_every_event_is_explained_and_no_other():
    """The page's table and the code know the same types of events."""
    (rows,) = table_of("events.md", "type").values()
    assert {spans(row[0])[0] for row in rows} == emitted()


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_reference_is_not_stale(name: str):
    """What `make docs` would write is what lies there."""
    assert (reference.FOLDER / name).read_text("utf-8") == reference.written(name), (
        f"docs/reference/{name} is stale: make docs"
    )


# --- what is typed, and what is compared


@each_page
def test_what_a_page_has_people_type_is_typed_by_a_test(page: Path):
    """A page that shows what commands print is one whose every command a test types."""
    shows = any(step.shown for step in console(page))
    assert not shows or name_of(page) in {"docs/tutorial.md", "docs/pt/tutorial.md"}


def test_figures_of_the_comparison_stand_in_the_results():
    """Every number is in the section of RESULTS.md that its row links to; of what is behind, in one of them."""
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text("utf-8")
    sections = re.split(r"^## ", results, flags=re.MULTILINE)[1:]
    ahead, behind = (table_of("comparison.md", column)["In figures"] for column in ("what", "behind"))
    assert len(ahead) >= 15
    for what, ours, others, link in [*ahead, *([*row[:3], ""] for row in behind)]:
        name = "".join(re.findall(r"#python--m-benchmarks-(\w+)\)", link))
        told = "".join(one for one in sections if one.startswith(f"`python -m benchmarks {name}"))
        numbers, known = (set(re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text)) for text in (f"{ours} {others}", told))
        assert numbers, what
        assert numbers <= known, f"{what}: {sorted(numbers - known)} not in {name or 'the results'}"


def test_what_is_behind_is_told_in_both_places():
    """The page that people read hides nothing that the figures tell, nor the other way round."""
    told, figures = (
        path.read_text("utf-8").partition("| behind |")[2].partition("\n\n")[0].splitlines()
        for path in (ROOT / "docs" / "comparison.md", ROOT / "benchmarks" / "RESULTS.md")
    )
    assert len(told) > 10
    assert told == figures
