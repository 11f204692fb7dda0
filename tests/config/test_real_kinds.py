"""With the kinds that are shipped: the starter loads, faults of real blocks read well, imports stay light."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config import kinds
from config.datasets import DatasetSettings
from config.loading import ConfigError, init_text
from tests.config.conftest import House

REAL = {
    "http": "data_pipeline.collect.http.http:HttpCollector",
    "file": "data_pipeline.collect.files.file:FileCollector",
    "host": "data_pipeline.collect.host:HostCollector",
    "simulated": "data_pipeline.collect.simulated:SimulatedCollector",
    "sql": "data_pipeline.collect.sql.sql:SqlCollector",
    "object_store": "data_pipeline.collect.files.object_store:ObjectStoreCollector",
    "python": "data_pipeline.collect.python.python:PythonCollector",
}
HEAVY = (
    *("pyarrow", "httpx", "pandas", "rich", "numpy", "tenacity", "yaml"),
    *("sqlalchemy", "psycopg", "fsspec", "s3fs", "paramiko", "lxml", "python_calamine"),
)


@pytest.fixture(autouse=True)
def _real_kinds(_small_kinds: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "COLLECTORS", REAL)
    monkeypatch.setattr(kinds, "PARSE_OPTIONS", "data_pipeline.parse.options:ParseOptions")
    monkeypatch.setattr(kinds, "COLUMN_OPTIONS", "data_pipeline.parse.options:ColumnOptions")
    monkeypatch.setattr(kinds, "RULE_PARSER", "data_pipeline.validate.rules:parse_rule")


def test_what_init_writes_loads_without_error(house: House) -> None:
    """What runs anywhere; and, once their comments are taken away, a file and an HTTP dataset."""
    bare = house.load(init_text()).settings
    settings = house.load(init_text().replace("  # - name", "  - name").replace("  #   ", "    ")).settings

    assert {dataset.name: dataset.kind for dataset in bare.datasets} == {"this_host": "host", "practice": "simulated"}
    assert {dataset.name: dataset.kind for dataset in settings.datasets} == {
        "this_host": "host",
        "practice": "simulated",
        "prices": "file",
        "earthquakes": "http",
    }
    assert all(dataset.rules for dataset in settings.datasets)


def test_every_kind_names_a_collector_with_options() -> None:
    """The registry points at classes that are there, and each block remembers its kind."""
    smallest = {"http": {"url": "https://example.org/d"}, "file": {"path": "a"}, "host": {}, "simulated": {}}

    for kind, keys in smallest.items():
        assert kinds.collect_options(kind).model_validate({"kind": kind, **keys}).kind == kind  # type: ignore[attr-defined]  # the contract


@pytest.mark.parametrize(
    ("block", "key", "message"),
    [
        (
            "rules: [{fresh: {column: a, within: 1d, calendar: b}}]",
            "datasets.a.rules",
            "rule `fresh(a)`: `b` is no calendar",
        ),
        ("rules: [{drift: {column: a}}]", "datasets.a.rules[0]", "needs `psi` or `ks`"),
        ("rules: [{rnge: {column: a}}]", "datasets.a.rules[0]", "range"),
        ("parse: {format: cvs}", "datasets.a.parse.format", "csv"),
        ("parse: {melt: {id: [a], nam: b}}", "datasets.a.parse.melt.nam", "unknown key `nam`; did you mean `name`?"),
        ("columns: {x: flaot}", "datasets.a.columns.x", "float"),
        ("collect: {kind: http, url: 'https://x.org', mirrors: 'ftp'}", "datasets.a.collect.mirrors", "list"),
        ("collect: {kind: http, url: 'https://x.org', body: {a: 1}}", "datasets.a.collect", "needs `method: POST`"),
        ("collect: {kind: http, url: 'https://x.org', success: 'a[('}", "datasets.a.collect.success", "neither JMES"),
        ("collect: {kind: http}", "datasets.a.collect.url", "is missing"),
        ("collect: {kind: simulated, latency: 5 seconds}", "datasets.a.collect.latency", "expected a duration"),
    ],
)
def test_faults_of_real_blocks_are_told_with_their_key(house: House, block: str, key: str, message: str) -> None:
    """Whoever judges the block, the place and the words are right."""
    collect = "" if block.startswith("collect") else ", collect: {kind: simulated}"

    problem = house.problem(f"datasets: [{{name: a{collect}, {block}}}]")

    assert problem.key == key
    assert message in problem.message


def test_an_unreadable_address_does_not_end_in_a_traceback(house: House) -> None:
    """Nor do bad patterns, negative numbers or lists where text belongs."""
    for collect in ("{kind: http, url: 'http://['}", "{kind: http, url: [1]}", "{kind: file, path: '{'}"):
        with pytest.raises(ConfigError):
            house.load(f"datasets: [{{name: a, collect: {collect}}}]")


def test_importing_the_loader_is_light() -> None:
    """Nothing heavy, and YAML only when a YAML file is read."""
    code = f"import sys, config.loading; print([name for name in {HEAVY} if name in sys.modules])"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())

    assert printed.stdout.strip() == "[]"


def test_loading_a_csv_dataset_is_light_too(tmp_path: Path) -> None:
    """Options of collectors, parsers and rules bring no pandas, httpx or rich."""
    (tmp_path / "c.json").write_text('{"datasets": [{"name": "a", "collect": {"kind": "file", "path": "a.csv"}}]}')
    code = (
        "import sys, pathlib, config.loading as l;"
        f"l.load(pathlib.Path('c.json'), environ={{}}, cwd=pathlib.Path({str(tmp_path)!r}));"
        "print([name for name in ('httpx', 'pandas', 'rich', 'tenacity', 'yaml') if name in sys.modules])"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())

    assert printed.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            {"kind": "sql", "url": "postgresql://me:old@h/d", "query": "SELECT 1"},
            {"kind": "sql", "url": "postgresql://me:new@h/d", "query": "SELECT 1"},
        ),
        (
            {"kind": "object_store", "url": "s3://b/x.csv", "options": {"key": "a", "secret": "old", "anon": False}},
            {"kind": "object_store", "url": "s3://b/x.csv", "options": {"key": "b", "secret": "new", "anon": False}},
        ),
        (
            {"kind": "http", "url": "https://h/x", "auth": {"kind": "bearer", "token": "old"}},
            {"kind": "http", "url": "https://h/x", "auth": {"kind": "bearer", "token": "new"}},
        ),
    ],
    ids=["user part", "options", "auth"],
)
def test_a_rotated_credential_is_the_same_fingerprint(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Else every rotation would throw the copy away, and drift would go unseen."""
    assert made(one).fingerprint == made(other).fingerprint
    assert made(one).layout == made(other).layout


def made(collect: dict[str, Any]) -> DatasetSettings:
    return DatasetSettings.model_validate({"name": "a", "collect": collect})


@pytest.mark.parametrize(
    ("source", "why"),
    [("station", "`station` is no dataset; did you mean `stations`?"), ("a", "`a` is this dataset itself")],
    ids=["a slip", "itself"],
)
def test_for_each_needs_another_dataset(house: House, source: str, why: str) -> None:
    """Its values come from a table that somebody else delivers."""
    each = f"for_each: {{dataset: {source}, column: id, into: params.id}}"
    collect = f"{{kind: http, url: 'https://example.org', {each}}}"
    text = f"datasets: [{{name: stations, collect: {{kind: simulated}}}}, {{name: a, collect: {collect}}}]"

    problem = house.problem(text)

    assert (problem.key, problem.message) == ("datasets.a.collect.for_each.dataset", why)


def test_what_must_stand_elsewhere_needs_a_dataset_that_is_there(house: House) -> None:
    """Else no row would ever pass; a table may be looked up in itself, as it stood before."""
    both = "datasets: [{{name: shops, collect: {{kind: simulated}}}}, {{name: a, collect: {{kind: simulated}}, {}}}]"
    rules = "rules: [{{references: {{column: id, dataset: {}, key: id}}}}]"

    problem = house.problem(both.format(rules.format("shop")))

    assert problem.key == "datasets.a.rules"
    assert problem.message == "rule `references(id)`: `shop` is no dataset; did you mean `shops`?"
    assert house.load(both.format(rules.format("a"))).settings.dataset("a").rules[0].params["dataset"] == "a"


@pytest.mark.parametrize(
    ("block", "key", "message"),
    [
        ("parse: {decimal: ';'}", "parse.decimal", "expected one of `.`, `,`, got `;`"),
        ("parse: {format: xlsx}", "parse.format", "got `xlsx`; did you mean `excel`?"),
        ("columns: {x: text}", "columns.x", "got `text`; did you mean `string`?"),
        ("publish: [{path: out.csv}]", "publish[0].kind", "is missing"),
    ],
    ids=["a comma is a choice", "a file's ending", "a word of elsewhere", "a sink without a kind"],
)
def test_what_people_write_is_answered_with_what_they_mean(house: House, block: str, key: str, message: str) -> None:
    """The nearest word by its letters is sometimes another thing: `xlsx` is no `xml`."""
    problem = house.problem(f"datasets: [{{name: a, collect: {{kind: simulated}}, {block}}}]")

    assert problem.key == f"datasets.a.{key}"
    assert message in problem.message
