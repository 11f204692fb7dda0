"""Sinks in a configuration: each kind's own keys, and mistakes with their place."""

import subprocess
import sys

import pytest

from config import kinds
from config.errors import ConfigError
from config.masking import masked
from tests.config.conftest import House

HEAVY = ("pyarrow", "sqlalchemy", "psycopg", "pandas", "httpx", "fsspec", "botocore")


@pytest.fixture(autouse=True)
def _with_sql(_small_kinds: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kinds.COLLECTORS, "sql", "data_pipeline.collect.sql.sql:SqlCollector")


DATASET = """
datasets:
  - name: a
    collect: {kind: simulated}
    %s
"""


def test_sinks_are_read_in_order(house: House) -> None:
    """Each is an instance of its kind's own options."""
    written = DATASET % 'publish: [{kind: file, path: a.csv}, {kind: sql, url: "sqlite:///a.db", table: t}]'
    (dataset,) = house.load(written).settings.datasets
    assert [sink.kind for sink in dataset.publish] == ["file", "sql"]
    assert dataset.publish[1].mode == "replace"


@pytest.mark.parametrize(
    ("publish", "key", "message"),
    [
        ("[{kind: webhook, url: x}]", "publish[0].url", "no web address"),
        ("[{kind: object_store, url: x}]", "publish[0].url", "a full address"),
        ("[{kind: flie, path: a.csv}]", "publish[0].kind", "did you mean `file`"),
        ("[{kind: 'tests.config.fakes:NoOptions'}]", "publish[0].kind", "has no `Options`"),
        ("[{kind: file, path: a.csv}, {kind: file}]", "publish[1].path", "missing"),
        ("[{kind: file, path: a.xls}]", "publish[0].path", "names no format"),
        ('[{kind: sql, url: "sqlite:///a.db", table: t, mode: merge}]', "publish[0].mode", "needs the dataset's `key`"),
        ("[{kind: sql, url: host/db, table: t}]", "publish[0].url", "no address of a database"),
    ],
    ids=[
        "webhook",
        "object-store",
        "misspelt",
        "own-kind-without-options",
        "no-path",
        "unknown-suffix",
        "merge-without-key",
        "no-address",
    ],
)
def test_mistakes_name_their_place(house: House, publish: str, key: str, message: str) -> None:
    """The sink by its position, the key, and what to do."""
    with pytest.raises(ConfigError) as caught:
        house.load(DATASET % f"publish: {publish}")
    (problem,) = caught.value.problems
    assert problem.key == f"datasets.a.{key}"
    assert message in f"{problem.message} {problem.hint}"
    assert problem.hint


@pytest.mark.parametrize(
    ("collect", "key", "message"),
    [
        ('url: "sqlite:///a.db"', "query", "missing"),
        ('url: "sqlite:///a.db", query: "SELECT {cursr}"', "collect", "unknown placeholder `{cursr}`"),
        ('url: "sqlite:///a.db", query: "SELECT :x"', "collect", "not in `params`"),
        ('url: "bob:s3cret@host", query: "SELECT 1"', "url", "no address of a database"),
    ],
    ids=["no-query", "placeholder", "parameter", "address"],
)
def test_mistakes_of_a_query_are_told_before_it_is_asked(house: House, collect: str, key: str, message: str) -> None:
    """With the name; and never with what may be a password."""
    written = DATASET.replace("{kind: simulated}", f"{{kind: sql, {collect}}}") % ""
    with pytest.raises(ConfigError) as caught:
        house.load(written)
    assert message in str(caught.value)
    assert key in caught.value.problems[0].key
    assert "s3cret" not in str(caught.value)


def test_of_a_webhook_no_more_than_the_host_is_shown(house: House) -> None:
    """The path of such an address is often the password; secret and headers are masked as everywhere."""
    url = "https://hooks.example.org/T0/s3cret"
    written = f"{{kind: webhook, url: '{url}', secret: hush-hush, headers: {{Authorization: s3cret}}}}"
    shown = masked(house.load(DATASET % f"publish: [{written}]"))
    (sink,) = shown["datasets"][0]["publish"]
    assert sink == {
        "kind": "webhook",
        "url": "https://hooks.example.org/***",
        "secret": "***",
        "headers": {"Authorization": "***"},
    }


def test_reading_a_configuration_with_sinks_stays_light() -> None:
    """Databases and Arrow are imported when rows move, not when keys are checked."""
    sinks = ("file", "sql", "object_store", "webhook")
    modules = ", ".join(["data_pipeline.collect.sql.sql", *(f"data_pipeline.publish.{sink}" for sink in sinks)])
    code = f"import sys, {modules}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
