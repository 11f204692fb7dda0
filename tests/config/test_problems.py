"""Every fault is told at once, each with its place, what is wrong, and the fix."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import Problem
from config.loading import ConfigError, load
from config.settings import Settings
from tests.config.conftest import House, Write
from tests.counts import few


def test_documented_defaults_of_unbuilt_features_are_accepted(house: House) -> None:
    """What asks for nothing new is no error."""
    house_text = 'database: {url: ""}\ncache: {url: ""}\nexecutor: {kind: local, workers: 8}\n'
    keys = "write: replace, keep_raw: 0d"

    loaded = house.load(house_text + f"datasets: [{{name: a, collect: {{kind: simulated}}, {keys}}}]")

    assert loaded.settings.dataset("a").write == "replace"


def test_all_faults_come_at_once_each_on_a_line_of_its_own(house: House, write: Write, tmp_path: Path) -> None:
    """In all files, each with file and line."""
    write("sets/a.yaml", "datasets:\n  - name: a\n    collect:\n      kind: file\n")
    text = "include: [sets/*.yaml]\ncache:\n  ttl: soon\n  foo: 1\napp: {name: '${X}'}\n"
    text += "datasets:\n  - {name: a, owner: 5}\n"

    with pytest.raises(ConfigError) as caught:
        house.load(text)

    main = f"{tmp_path}/orchestrator.yaml"
    assert str(caught.value).splitlines() == [
        f"{main}:5: app.name: variable `X` is not set. Set X, or give a default: ${{X:-value}}.",
        f"{main}:3: cache.ttl: expected a duration such as `15m`, got `soon`. Units are ms, s, m, h and d.",
        f"{main}:4: cache.foo: unknown key `foo`. Known keys here: url, ttl, size_limit.",
        f'{main}:7: datasets.a.owner: expected text, got `5`. Put quotes around it: `"5"`.',
        f"{tmp_path}/sets/a.yaml:3: datasets.a.collect.path: is missing. Add `path`.",
    ]
    assert caught.value.transient is False
    assert "config check" in caught.value.hint


def test_lines_are_known_in_json_too(write: Write, tmp_path: Path) -> None:
    """JSON is read as YAML when a line is wanted."""
    path = write("c.json", '{\n  "cache": {\n    "ttl": "soon"\n  }\n}')

    with pytest.raises(ConfigError) as caught:
        load(path, environ={}, cwd=tmp_path)

    assert caught.value.problems[0].line == 3


def test_a_fault_in_an_overlay_or_a_variable_is_told_there(house: House, write: Write, tmp_path: Path) -> None:
    """The place is where the refused value was written, not where the key is written first."""
    write("environments/prod.yaml", "\ncache: {ttl: soon}\n")
    environ = {"ORCHESTRATOR_ENV": "prod", "ORCHESTRATOR_EXECUTOR__WORKERS": "x"}

    places = [(p.file, p.line) for p in house.problems("cache: {ttl: 1m}\nexecutor: {workers: 1}", environ)]

    assert places == [(f"{tmp_path}/environments/prod.yaml", 2), ("variable ORCHESTRATOR_EXECUTOR__WORKERS", None)]


def test_two_datasets_of_one_name_in_a_file_are_an_error(house: House) -> None:
    """The second one is shown; the rest is still judged."""
    text = (
        "datasets:\n  - {name: a, collect: {kind: simulated}}\n  - {name: a, collect: {kind: simulated}}\ncache: {x: 1}"
    )

    problems = house.problems(text)

    assert [(p.line, p.key) for p in problems] == [(3, "datasets[1].name"), (4, "cache.x")]
    assert problems[0].message == "`a` is declared twice"


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        ("c.yaml", "a: [1\nb: 2", 2, "is not valid YAML"),
        ("c.yaml", "a:\n\tb: 1", 2, "is not valid YAML"),
        ("c.yaml", "cache: {}\napp: {}\ncache: {}", 3, "key `cache` is there twice in one map"),
        ("c.yaml", "a: !!python/object/apply:os.system [x]", 1, "`!!python/object/apply:os.system` is not allowed"),
        ("c.yaml", "a: !x y", 1, "the YAML tag `!x` is not allowed"),
        ("c.yaml", "a: &a [*a]", 1, "is nested too deeply"),
        ("c.yaml", "[a]: b", 1, "a key must be a single value"),
        ("c.yaml", "- a", None, "expected a map (`key: value`) at the top, got a list"),
        ("c.yaml", "text", None, "expected a map (`key: value`) at the top, got a single value"),
        ("c.yaml", "a: 1\n---\nb: 2", 2, "is not valid YAML"),
        ("c.yaml", "a: \0", None, "is not valid YAML"),
        ("c.yaml", "a: " + "[" * 3000, None, ""),
        ("c.toml", "a = [\n?", 2, "is not valid TOML"),
        ("c.toml", "a = " + "[" * 5000, None, ""),
        ("c.json", '{"a": }', 1, "is not valid JSON"),
        ("c.json", '{"a": ' * 3000, None, "is not valid JSON"),
        ("c.ini", "a: 1", None, "has an unknown suffix"),
    ],
)
def test_a_broken_file_is_told_with_its_line(
    write: Write, tmp_path: Path, name: str, text: str, line: int | None, message: str
) -> None:
    """Whatever is in it: one clear problem, no traceback."""
    path = write(name, text)

    with pytest.raises(ConfigError) as caught:
        load(path, environ={}, cwd=tmp_path)

    (problem,) = caught.value.problems
    assert problem.file == str(path)
    assert message in problem.message
    assert line is None or problem.line == line


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("a:\n\t- name: b", "Indent with spaces, not with tabs."),
        ("a: {url: http://h/?day={run_date}}", "Put quotes around a value"),
        ("a: one: two", "Put quotes around a value"),
    ],
    ids=["a tab", "braces without quotes", "a colon without quotes"],
)
def test_broken_yaml_comes_with_what_is_most_likely_wrong(house: House, text: str, advice: str) -> None:
    """YAML's own words help nobody who meets them for the first time."""
    assert advice in house.problem(text).hint


def test_aliases_within_aliases_do_not_eat_the_memory(house: House) -> None:
    """A few lines can mean billions of values."""
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))

    assert "holds too many values" in house.problem("a0: &a0 [x]\n" + levels).message


def test_files_that_cannot_be_read_are_told(write: Write, tmp_path: Path) -> None:
    """Missing, a folder, not UTF-8."""
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: \xe9")
    (tmp_path / "folder.yaml").mkdir()

    messages = []
    for name in ("missing.yaml", "folder.yaml", "latin.yaml"):
        with pytest.raises(ConfigError) as caught:
            load(Path(name), environ={}, cwd=tmp_path)
        messages.append(caught.value.problems[0].message)

    assert messages == [
        "the configuration file does not exist",
        "is a folder, not a file",
        "is not UTF-8 text (byte 3)",
    ]


def test_a_file_without_permission_is_told(house: House, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the refusal is made by hand."""

    def refuse(*args: Any, **options: Any) -> str:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "read_text", refuse)

    assert house.problem("").message == "cannot be read (Permission denied)"


def test_all_broken_files_are_told_at_once(house: House, write: Write) -> None:
    """Not one a run."""
    write("a.yaml", "a: [")
    write("b.yaml", "b: ]")

    assert len(house.problems("include: [a.yaml, b.yaml, c.yaml]")) == 3


def test_a_question_needs_no_full_stop() -> None:
    """`did you mean x?` stands before the hint as it is."""
    assert str(Problem("f", 1, "a", "did you mean `b`?", "Do it.")) == "f:1: a: did you mean `b`? Do it."


def test_a_problem_reads_as_one_line() -> None:
    """Place, key, what, fix; whatever of them is known."""
    assert str(Problem("f.yaml", 3, "a.b", "is missing", "Add `b`.")) == "f.yaml:3: a.b: is missing. Add `b`."
    assert str(Problem("", None, "", "is missing")) == "is missing"


NAMES = st.sampled_from(
    [*Settings.model_fields, "name", "collect", "kind", "rules", "columns", "parse", "auth", "x", ""]
)
TRAPS = ["a", "15m", "simulated", "file", "${X}", "${", "$", "a@b", "http://u:p@h", "~nobody/x", "\0"]
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=8) | st.sampled_from(TRAPS)
ANYTHING = st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=4) | st.lists(inner, max_size=3))
SIMULATED = st.fixed_dictionaries({"kind": st.just("simulated")}, optional={"rows": LEAVES})
BLOCKS = ("parse", "columns", "rules", "resilience", "promise", "schema", "zone", "snapshot", "data_time")
DATASETS = st.lists(
    st.fixed_dictionaries(
        {"name": ANYTHING | st.just("a"), "collect": ANYTHING | SIMULATED}, optional=dict.fromkeys(BLOCKS, ANYTHING)
    ),
    max_size=3,
)


def outcome(path: Path, environ: dict[str, str]) -> Settings | list[Problem]:
    """The only two things that may come of a file."""
    try:
        return load(path, environ=environ, cwd=path.parent).settings
    except ConfigError as error:
        return error.problems


@settings(max_examples=few(100), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.dictionaries(NAMES, ANYTHING, max_size=4), datasets=DATASETS, variable=st.text(max_size=5))
def test_no_input_gives_anything_but_settings_or_problems(
    tmp_path: Path, data: dict[str, Any], datasets: Any, variable: str
) -> None:
    """Whatever is nested in whatever."""
    path = tmp_path / "c.json"
    path.write_text(json.dumps(data | {"datasets": datasets}), encoding="utf-8")

    found = outcome(path, {"X": variable, "ORCHESTRATOR_CACHE__TTL": variable})

    assert isinstance(found, Settings) or found
    assert isinstance(found, Settings) or all("\n" not in str(problem) for problem in found)


TEXTS = st.text(st.sampled_from("ab:-[]{}&*!|>'\"#%@,\n\t 1.~?<="), max_size=40)


@settings(max_examples=few(100), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=TEXTS, suffix=st.sampled_from(["yaml", "toml", "json"]))
def test_no_text_gives_anything_but_settings_or_problems(tmp_path: Path, text: str, suffix: str) -> None:
    """Whatever stands in a file."""
    path = tmp_path / f"c.{suffix}"
    path.write_text(text, encoding="utf-8")

    found = outcome(path, {})

    assert isinstance(found, Settings) or found
