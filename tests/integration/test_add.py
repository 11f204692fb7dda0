"""From nothing to delivered: `add` on sources that nobody described, then `try` and `run`, without editing."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations.actor import Actor, UsageError
from operations.add import Added, add, shipped
from operations.run import run
from operations.show import delivered
from operations.try_dataset import try_dataset
from tests.faulty_server import Answer, FaultyServer, Request, html, ok, status
from tests.integration.installation import Installation
from tests.integration.unseen import SOURCES
from tests.servers.ftp import PASSWORD, USER, FtpServer, ftp_server  # noqa: F401 - the last is a fixture


def _route(request: Request) -> Answer:
    for source in SOURCES.values():
        if source.path == request.path:
            return source.answer(request) if callable(source.answer) else source.answer
    pages = {"/login": html(), "/empty": ok(b""), "/noise": ok(bytes(range(256)) * 9), "/none": ok(b"id,name\n")}
    return pages.get(request.path) or status(404)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with FaultyServer(_route) as running:
        yield running


class Newcomer:
    """A folder with nothing in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.main = folder / "orchestrator.yaml"

    def system(self) -> IntegratedSystem:
        config = self.main if self.main.exists() else shipped()
        return IntegratedSystem(config, state_dir=self.folder / "state", environ={})

    def add(self, typed: str, **more: Any) -> Added:
        with self.system() as system:
            return add(system, typed, main=self.main, environ=more.pop("environ", {}), **more)


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Newcomer:
    monkeypatch.chdir(tmp_path)
    return Newcomer(tmp_path)


@pytest.mark.parametrize("name", SOURCES)
def test_an_unseen_source_delivers_without_editing(server: FaultyServer, newcomer: Newcomer, name: str) -> None:
    """Whole, in the right types, with key and time found; `try` accepts it and `run` delivers it."""
    source = SOURCES[name]
    made = newcomer.add(f"http://{server.host}{source.path}", write=True)

    assert made.written == newcomer.main
    assert tuple(made.block.get("key", ())) == source.key or not source.key
    assert made.block.get("data_time") == source.data_time or source.data_time is None
    with newcomer.system() as system:
        assert try_dataset(system, made.name).verdict.accepted
        (done,) = run(system, Actor("test"), (made.name,)).datasets
        assert (done.status, done.rows, done.failed_rules, done.reason) == ("succeeded", source.rows, (), None)
        first = delivered(system, made.name).table.slice(0, 1).to_pylist()[0]
    assert {column: first.get(column) for column in source.first} == dict(source.first)


@pytest.mark.parametrize(
    ("path", "said", "hint"),
    [
        ("/login", 'an HTML page for people, called "Sign in"', "login page"),
        ("/missing", "404", ""),
        ("/empty", "nothing came", "address"),
        ("/noise", "binary data of no known format", "known are CSV"),
        ("/none", "holds no rows", "when it has some"),
    ],
    ids=["a login page", "404", "empty", "binary", "a header alone"],
)
def test_what_is_no_data_is_said(server: FaultyServer, newcomer: Newcomer, path: str, said: str, hint: str) -> None:
    """With what to do, and nothing is written."""
    with pytest.raises(PipelineError, match=said) as told:
        newcomer.add(f"http://{server.host}{path}", write=True)
    assert hint in told.value.hint
    assert not newcomer.main.exists()


def test_secrets_become_variables(server: FaultyServer, newcomer: Newcomer) -> None:
    """They are sent in this call, and neither shown nor written; the block runs with the variables set."""
    made = newcomer.add(f"http://anna:s3cr3t@{server.host}/stops.txt?api_key=k-123456&x=1", name="stops", write=True)

    assert set(made.variables) == {"STOPS_USER", "STOPS_PASSWORD", "STOPS_API_KEY"}
    assert made.block["collect"]["params"] == {"api_key": "${STOPS_API_KEY}"}
    sent = [request for request in server.requests if request.query.get("api_key") == "k-123456"]
    assert sent
    assert sent[-1].headers["authorization"].startswith("Basic ")
    shown = json.dumps(made.to_json()) + newcomer.main.read_text()
    assert not [secret for secret in ("s3cr3t", "k-123456", "anna") if secret in shown]


def test_an_error_tells_no_secret(server: FaultyServer, newcomer: Newcomer) -> None:
    """Not even when the address is wrong."""
    with pytest.raises(PipelineError) as told:
        newcomer.add(f"http://anna:s3cr3t@{server.host}/missing?token=k-123456")
    assert not [secret for secret in ("s3cr3t", "k-123456") if secret in f"{told.value} {told.value.hint}"]


def test_the_users_file_grows_at_its_end_only(server: FaultyServer, newcomer: Newcomer) -> None:
    """What stood there stays byte for byte: comments, line ends, its own indentation."""
    before = b"# mine\r\napp: {name: x}   # odd   spacing\r\ndatasets:\r\n- name: first\r\n  collect: {kind: host}"
    newcomer.main.write_bytes(before)
    made = newcomer.add(f"http://{server.host}/stops.txt", write=True)

    after = newcomer.main.read_bytes()
    assert after.startswith(before)
    assert b"\n" not in after.replace(b"\r\n", b"")
    with newcomer.system() as system:
        assert [dataset.name for dataset in system.settings.datasets] == ["first", made.name]


def test_where_it_cannot_grow_a_file_of_its_own_is_included(server: FaultyServer, newcomer: Newcomer) -> None:
    """Two datasets after each other, both found by the ordinary loader."""
    before = "datasets:\n  - {name: first, collect: {kind: host}}\ncache: {ttl: 1m}\n"
    newcomer.main.write_text(before)
    for path in ("/stops.txt", "/readings.jsonl"):
        made = newcomer.add(f"http://{server.host}{path}", write=True)
        assert made.written == newcomer.folder / "datasets" / f"{made.name}.yaml"
    assert newcomer.main.read_text().startswith(before)
    with newcomer.system() as system:
        assert {"stops", "readings"} <= {dataset.name for dataset in system.settings.datasets}


def test_what_would_not_be_found_is_not_written(server: FaultyServer, newcomer: Newcomer) -> None:
    """An empty list lies over everything that is included: said, and nothing is left behind."""
    newcomer.main.write_text("datasets: []\n")
    with pytest.raises(PipelineError, match="would not be found") as told:
        newcomer.add(f"http://{server.host}/stops.txt", write=True)
    assert "datasets: []" in told.value.hint
    assert newcomer.main.read_text() == "datasets: []\n"
    assert not list(newcomer.folder.glob("**/stops.yaml"))


def test_a_name_that_is_taken_is_refused_and_a_found_one_is_made_free(server: FaultyServer, newcomer: Newcomer) -> None:
    """`--name` is the user's word; a name of ours gives way."""
    address = f"http://{server.host}/stops.txt"
    assert [newcomer.add(address, write=True).name for _ in range(2)] == ["stops", "stops_2"]
    with pytest.raises(UsageError, match="there is a dataset `stops` already"):
        newcomer.add(address, name="stops")
    with pytest.raises(UsageError, match="1 to 64"):
        newcomer.add(address, name="Ärger")


def test_the_shipped_configuration_is_never_written(newcomer: Newcomer, server: FaultyServer) -> None:
    """It belongs to the program."""
    before = shipped().read_bytes()
    newcomer.main = shipped()
    with pytest.raises(UsageError, match="shipped"):
        newcomer.add(f"http://{server.host}/stops.txt", write=True)
    assert shipped().read_bytes() == before


def test_a_file_is_named_from_the_configuration_that_names_it(newcomer: Newcomer) -> None:
    """Relative where it can be, also from a file of its own in `datasets/`."""
    (newcomer.folder / "in").mkdir()
    (newcomer.folder / "in" / "prices {x}.csv").write_text("id,price\n1,2.5\n2,3.5\n")
    made = newcomer.add("in/prices {x}.csv", write=True)
    assert made.block["collect"] == {"kind": "file", "path": "in/prices {{x}}.csv"}
    with newcomer.system() as system:
        assert run(system, Actor("test"), ()).datasets[0].rows == 2


def test_a_file_on_a_server(newcomer: Newcomer, ftp_server: FtpServer) -> None:  # noqa: F811 - the fixture
    """Its login becomes variables; with them set the block runs."""
    (ftp_server.root / "stock.csv").write_text("sku;qty\nA1;3\nA2;4\n")
    made = newcomer.add(f"ftp://{USER}:{PASSWORD}@127.0.0.1:{ftp_server.port}/stock.csv", write=True)

    assert made.block["collect"]["kind"] == "object_store"
    assert set(made.variables) == {"STOCK_USER", "STOCK_PASSWORD"}
    environ = {"STOCK_USER": USER, "STOCK_PASSWORD": PASSWORD}
    with IntegratedSystem(newcomer.main, state_dir=newcomer.folder / "state", environ=environ) as system:
        assert run(system, Actor("test"), ()).datasets[0].rows == 2


def test_a_table_of_a_database(newcomer: Newcomer) -> None:
    """By name, by query; without either the tables are listed."""
    with sqlite3.connect(newcomer.folder / "x.db") as base:
        base.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT)")
        base.executemany("INSERT INTO orders VALUES (?, ?)", [(1, "a"), (2, "b")])
    base.close()
    address = f"sqlite:///{newcomer.folder / 'x.db'}"

    assert newcomer.add(f"{address}#orders", write=True).block["collect"]["query"] == "SELECT * FROM orders"
    named = newcomer.add("SELECT id FROM orders WHERE id > 1", url=address, name="late", write=True)
    assert named.rows == [{"id": 2}]
    with pytest.raises(UsageError) as told:
        newcomer.add(address)
    assert "`orders`" in told.value.hint
    with newcomer.system() as system:
        assert [done.rows for done in run(system, Actor("test"), ()).datasets] == [2, 1]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "nothing to add"),
        ("SELECT 1", "needs its database"),
        ("gopher://x/y", "not known"),
        ("https://", "names no host"),
    ],
    ids=["nothing", "a query alone", "an unknown scheme", "no host"],
)
def test_what_cannot_be_added_is_wrong_usage(newcomer: Newcomer, typed: str, said: str) -> None:
    """Exit code 2, before anything is asked."""
    with pytest.raises(UsageError, match=said):
        newcomer.add(typed)


def test_try_stores_nothing(installation: Installation, tmp_path: Path) -> None:
    """Neither a version nor an event nor a cache entry; broken rules are told with the rows that broke them."""
    (tmp_path / "a.csv").write_text("id,price\n1,5\n2,-1\n3,-2\n4,8\n5,9\n6,1\n7,2\n8,2\n9,2\n10,3\n11,3\n")
    rules = [
        {"range": {"column": "price", "min": 0, "severity": "warning"}},
        {"row_count": {"min": 50}},
        {"aggregate": {"expr": "count(*)", "by": "price", "max": 2}},
    ]
    collect = {"kind": "file", "path": str(tmp_path / "a.csv")}
    installation.configure({"name": "a", "collect": collect, "rules": rules})

    with installation.system() as system:
        tried = try_dataset(system, "a")
        assert (system.views.versions("a"), list(system.events.read())) == ([], [])
        assert system.cache.get("result:a") is None
    told = tried.to_json()
    assert told["accepted"]
    assert told["sample"][0] == {"id": 1, "price": 5}
    assert told["columns"] == {"id": "integer", "price": "integer"}
    first, second, third = told["failed_rules"]
    assert (first["failed"], first["examples"]) == (2, [{"row": 2, "price": -1}, {"row": 3, "price": -2}])
    assert (second["rule"], second["detail"]) == ("row_count", "11 rows, at least 50 expected")
    assert (third["failed"], third["examples"]) == (1, [{"price": "2", "count(*)": "3", "max": "2"}])


def test_the_commands(tmp_path: Path, server: FaultyServer) -> None:
    """As a newcomer types them, in an empty folder."""
    at = Installation(tmp_path)
    at.config = tmp_path / "orchestrator.yaml"
    added = at.cli("add", f"http://{server.host}/kurse.csv", "--write", "--json")
    assert (added.code, added.json["name"], added.json["written"]) == (0, "kurse", str(at.config)), added.err
    assert added.json["block"]["parse"]["decimal"] == ","
    assert len(added.json["rows"]) == 5

    tried = at.cli("try", "kurse")
    assert tried.code == 0, tried.err
    assert "A run would accept this batch" in tried.out
    refused = at.cli("add", f"http://{server.host}/login")
    assert refused.code == 1
    assert "HTML page" in refused.err
    assert "Traceback" not in refused.err
