"""SQL sinks: real databases; each version once, all of it or nothing, types kept, tables left standing."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.errors import PublishError
from data_pipeline.publish.sink import Published, PublishRequest, Rows
from data_pipeline.publish.sql import Options, SqlSink
from tests.postgres import execute
from utils.arrow import pa

NOW = datetime(2026, 3, 1, 7, 5, 30, tzinfo=UTC)


class Base:
    """A database of either kind: publish into it, read it back."""

    def __init__(self, kind: str, url: str, folder: Path) -> None:
        self.kind, self.url, self.folder = kind, url, folder

    def query(self, *statements: str) -> list[tuple[Any, ...]]:
        if self.kind == "postgresql":
            return execute(self.url, *statements)
        with closing(sqlite3.connect(self.folder / "out" / "shop.db", isolation_level=None)) as connection:
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            return rows

    def publish(
        self, version: str, rows: Any, /, *, added: Any = None, key: Any = ("id",), **options: Any
    ) -> Published:
        options = {"table": "orders", **options}
        return SqlSink().publish(
            PublishRequest(
                dataset="orders",
                version=version,
                moment=NOW,
                now=NOW,
                options=Options(url=self.url, **options),
                table=rows_of(rows),
                added=rows_of(rows if added is None else added),
                key=tuple(key),
                base=self.folder,
            )
        )


@pytest.fixture(params=["sqlite", "postgresql"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Base:
    if request.param == "postgresql":
        return Base("postgresql", request.getfixturevalue("postgres"), tmp_path)
    (tmp_path / "out").mkdir()
    return Base("sqlite", "sqlite:///out/shop.db", tmp_path)


def rows_of(table: Any) -> Rows:
    made = table if isinstance(table, pa.Table) else pa.table(table)
    return Rows(made.schema, lambda: iter(made.to_batches()))


def orders(**columns: list[Any]) -> dict[str, list[Any]]:
    return columns


def test_replace_puts_the_table_in_the_place_of_all_that_is_there(base: Base) -> None:
    """The second version's rows only; the count is told."""
    assert base.publish("v1", orders(id=[1, 2], amount=[1.5, None])) == Published(2)
    assert base.publish("v2", orders(id=[3], amount=[3.0])) == Published(1)
    assert base.query("SELECT id, amount FROM orders") == [(3, 3.0)]


def test_append_adds_what_each_version_brought(base: Base) -> None:
    """In order, without touching what is there."""
    base.publish("v1", orders(id=[1, 2]), mode="append")
    base.publish("v2", orders(id=[1, 2, 3]), added=orders(id=[3]), mode="append")
    assert base.query("SELECT id FROM orders ORDER BY id") == [(1,), (2,), (3,)]


def test_merge_updates_known_keys_and_inserts_new_ones(base: Base) -> None:
    """Rows that the version does not have stay; columns of the reader's own keep their values."""
    base.publish("v1", orders(id=[1, 2], name=["a", "b"]), mode="merge")
    base.query("ALTER TABLE orders ADD COLUMN remark text", "UPDATE orders SET remark = 'mine' WHERE id = 2")
    base.publish("v2", orders(id=[2, 3], name=["B", "c"]), mode="merge")
    found = base.query("SELECT id, name, remark FROM orders ORDER BY id")
    assert found == [(1, "a", None), (2, "B", "mine"), (3, "c", None)]


@pytest.mark.parametrize("unique", [True, False], ids=["table-made-by-us", "table-without-an-index"])
def test_merge_takes_the_last_of_a_key_and_knows_nulls(base: Base, unique: bool) -> None:
    """Also where no unique index turns a conflict into an update, and where the key holds nothing."""
    if not unique:
        base.query("CREATE TABLE orders (a bigint, b text, n bigint)")
    first = orders(a=[1, 1, None], b=["x", "x", "y"], n=[1, 2, 3])
    base.publish("v1", first, mode="merge", key=("a", "b"))
    base.publish("v2", orders(a=[None, 1], b=["y", "z"], n=[4, 5]), mode="merge", key=("a", "b"))
    found = base.query("SELECT a, b, n FROM orders ORDER BY n")
    assert found == [(1, "x", 2), (None, "y", 4), (1, "z", 5)]


def test_a_table_of_keys_only_merges(base: Base) -> None:
    """There is nothing to update, so a known key is left alone."""
    base.publish("v1", orders(id=[1]), mode="merge")
    base.publish("v2", orders(id=[1, 2]), mode="merge")
    assert base.query("SELECT id FROM orders ORDER BY id") == [(1,), (2,)]


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
def test_the_same_version_arrives_once(base: Base, mode: str) -> None:
    """Killed after the commit and before our own record: the second time nothing is done, and the rows are told."""
    table = orders(id=[1, 2])
    assert base.publish("v1", table, mode=mode) == Published(2)
    assert base.publish("v1", table, mode=mode) == Published(2, repeated=True)
    assert base.query("SELECT count(*) FROM orders") == [(2,)]


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
def test_a_failure_in_the_middle_leaves_all_as_it_was(base: Base, mode: str) -> None:
    """Rows, new columns and the note that they are there: together or not at all."""
    base.publish("v1", orders(id=[1]), mode=mode)
    good = pa.table(orders(id=[2], extra=["x"]))

    def breaks() -> Iterator[Any]:
        yield from good.to_batches()
        raise OSError(5, "the version's file is damaged")

    broken = Rows(good.schema, breaks)
    options = Options(url=base.url, table="orders", mode=mode)
    request = PublishRequest("orders", "v2", NOW, NOW, options, broken, broken, ("id",), base.folder)
    with pytest.raises(PublishError, match="damaged"):
        SqlSink().publish(request)
    assert base.query("SELECT * FROM orders") == [(1,)]
    assert base.publish("v2", good, mode=mode) == Published(1)


def test_new_columns_are_added_and_missing_ones_stay(base: Base) -> None:
    """A version with another column, then one without: nulls where there is nothing."""
    base.publish("v1", orders(id=[1], a=["x"]), mode="append")
    base.publish("v2", orders(id=[2], b=[True]), mode="append")
    found = base.query("SELECT id, a, b FROM orders ORDER BY id")
    assert found == [(1, "x", None), (2, None, 1 if base.kind == "sqlite" else True)]


def test_a_type_that_would_lose_something_is_refused(base: Base) -> None:
    """Every column at once, with both types; nothing is written, and another try would not help."""
    base.query("CREATE TABLE orders (id integer, amount bigint, price numeric(10,2))")
    table = pa.table({"id": [1], "amount": ["many"], "price": pa.array([Decimal("1.234")], pa.decimal128(10, 3))})
    with pytest.raises(PublishError, match=r"column `amount` is BIGINT.*string.*`price`.*round") as caught:
        base.publish("v1", table)
    assert not caught.value.transient
    assert "alter the column" in caught.value.hint
    assert base.query("SELECT count(*) FROM orders") == [(0,)]


def test_every_type_arrives(base: Base) -> None:
    """PostgreSQL in types of its own; SQLite as its own functions write them; decimals digit for digit in both."""
    values: dict[str, Any] = {
        "i": pa.array([2**63 - 1], pa.int64()),
        "u": pa.array([2**64 - 1], pa.uint64()),
        "f": pa.array([0.1]),
        "d": pa.array([Decimal("1234567890123456789.0001")], pa.decimal128(30, 4)),
        "b": pa.array([False]),
        "s": pa.array(['quote " comma , \n line \\. ü :name %s']),
        "empty": pa.array([""]),
        "day": pa.array([date(2026, 2, 28)]),
        "at": pa.array([datetime(2026, 2, 28, 1, 2, 3, 4, tzinfo=UTC)], pa.timestamp("ns", "UTC")),
        "local": pa.array([datetime(2026, 2, 28, 1, 2, 3)], pa.timestamp("us")),
        "hour": pa.array([time(23, 59, 59, 5)], pa.time64("us")),
        "raw": pa.array([b"\x00\xff"]),
        "nested": pa.array([{"a": [1, None]}]),
        "nothing": pa.nulls(1),
        "Odd name:x %": pa.array(["y"]),
    }
    empty = {name: pa.nulls(1, array.type) for name, array in values.items()}
    base.publish("v1", pa.concat_tables([pa.table(values), pa.table(empty)]), key=())
    row, nothing = base.query('SELECT * FROM orders ORDER BY "i" NULLS LAST')
    assert set(nothing) == {None}
    text = {
        "u": str(2**64 - 1),
        "d": "1234567890123456789.0001",
        "b": 0,
        "day": "2026-02-28",
        "at": "2026-02-28 01:02:03.000004",
        "local": "2026-02-28 01:02:03",
        "hour": "23:59:59.000005",
    }
    own = {
        "u": Decimal(2**64 - 1),
        "d": Decimal("1234567890123456789.0001"),
        "b": False,
        "day": date(2026, 2, 28),
        "at": datetime(2026, 2, 28, 1, 2, 3, 4, tzinfo=UTC),
        "local": datetime(2026, 2, 28, 1, 2, 3),
        "hour": time(23, 59, 59, 5),
    }
    expected = {name: array[0].as_py() for name, array in values.items() if name not in {"at", "nested"}}
    expected |= {"nested": '{"a":[1,null]}', **(text if base.kind == "sqlite" else own)}
    assert dict(zip(values, row, strict=True)) == expected


def test_a_version_without_rows_makes_the_table(base: Base) -> None:
    """So that readers find its columns; and it empties one that is replaced."""
    empty = pa.schema({"id": pa.int64(), "at": pa.timestamp("us", "UTC")}).empty_table()
    base.publish("v1", orders(id=[1]))
    base.publish("v2", empty)
    assert base.query("SELECT id, at FROM orders") == []


def test_odd_names_and_schemas(base: Base) -> None:
    """Quoted everywhere; `schema.table` lies in its schema."""
    table = "main.My Orders" if base.kind == "sqlite" else "sales.My Orders"
    if base.kind == "postgresql":
        base.query("CREATE SCHEMA sales")
    for version in ("v1", "v2"):
        base.publish(version, orders(Id=[1], select=[version]), table=table, mode="merge", key=("Id",))
    schema, name = table.split(".")
    assert base.query(f'SELECT "Id", "select" FROM {schema}."{name}"') == [(1, "v2")]


def test_merge_without_a_key_is_told(base: Base) -> None:
    """With the key to write."""
    with pytest.raises(PublishError, match="needs the dataset's `key`"):
        base.publish("v1", orders(id=[1]), mode="merge", key=())


def test_postgresql_types_of_the_readers_own_are_cast(postgres: str, tmp_path: Path) -> None:
    """Text goes into JSON, UUID and enum columns; what does not fit is the database's own error."""
    base = Base("postgresql", postgres, tmp_path)
    base.query("CREATE TYPE mood AS ENUM ('well', 'ill')", "CREATE TABLE orders (id int, doc jsonb, ref uuid, m mood)")
    row = orders(id=[1], doc=['{"a": 1}'], ref=["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], m=["well"])
    base.publish("v1", row)
    assert base.query("SELECT doc->>'a', m FROM orders") == [("1", "well")]
    with pytest.raises(PublishError, match=r"invalid input .* enum mood"):
        base.publish("v2", {**row, "m": ["so-so"]})
    assert base.query("SELECT count(*) FROM orders") == [(1,)]


def test_names_that_postgresql_would_cut_are_refused(postgres: str, tmp_path: Path) -> None:
    """63 bytes; beyond, two columns could become one."""
    with pytest.raises(PublishError, match="more than 63 bytes"):
        Base("postgresql", postgres, tmp_path).publish("v1", {"x" * 64: [1]})


def test_views_and_grants_outlive_a_replacement(postgres: str, tmp_path: Path) -> None:
    """The rows are replaced, not the table; who reads meanwhile sees the old ones."""
    base = Base("postgresql", postgres, tmp_path)
    base.publish("v1", orders(id=[1]))
    base.query("CREATE VIEW seen AS SELECT id FROM orders")
    seen: list[Any] = []

    def rows() -> Iterator[Any]:
        reader = threading.Thread(target=lambda: seen.extend(base.query("SELECT id FROM seen")))
        reader.start()
        reader.join(120)
        yield from pa.table(orders(id=[2])).to_batches()

    made = Rows(pa.schema({"id": pa.int64()}), rows)
    SqlSink().publish(
        PublishRequest("orders", "v2", NOW, NOW, Options(url=postgres, table="orders"), made, made, (), tmp_path)
    )
    assert seen == [(1,)]
    assert base.query("SELECT id FROM seen") == [(2,)]


def test_an_away_server_and_a_wrong_user(tmp_path: Path, postgres: str) -> None:
    """Refused connections may pass and hold up others there; a wrong user stays wrong. No password is repeated."""
    base = Base("postgresql", "postgresql://bob:s3cret@127.0.0.1:1/shop", tmp_path)
    with pytest.raises(PublishError, match="refused") as away:
        base.publish("v1", orders(id=[1]))
    assert (away.value.transient, away.value.away) == (True, True)
    assert "s3cret" not in str(away.value) + away.value.hint
    base.url = postgres.replace("postgres:@", "nobody:@")
    with pytest.raises(PublishError, match="nobody") as refused:
        base.publish("v1", orders(id=[1]))
    assert not refused.value.transient


def test_a_locked_file_may_be_free_later(tmp_path: Path) -> None:
    """SQLite lets one write at a time."""
    (tmp_path / "out").mkdir()
    base = Base("sqlite", "sqlite:///out/shop.db", tmp_path)
    base.publish("v1", orders(id=[1]))
    with closing(sqlite3.connect(tmp_path / "out" / "shop.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        options = Options(url=base.url, table="orders")
        made = rows_of(orders(id=[2]))
        request = PublishRequest("orders", "v2", NOW, NOW, options, made, made, (), tmp_path, connect_timeout=0.1)
        with pytest.raises(PublishError, match="locked") as caught:
            SqlSink().publish(request)
    assert caught.value.transient


def test_databases_without_upsert_delete_and_insert(tmp_path: Path) -> None:
    """What every database knows; driven here over SQLite with another name."""
    import sqlalchemy as sa

    from data_pipeline.publish.sql_table import Target
    from data_pipeline.publish.sql_write import write

    engine = sa.create_engine(f"sqlite:///{tmp_path}/any.db", poolclass=sa.NullPool)
    engine.dialect.name = "any"
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a bigint, b text, n bigint)")
        target = Target("t", {}, unique=False)
        for table in (
            {"a": [1, 1, None], "b": ["x", "x", "y"], "n": [1, 2, 3]},
            {"a": [None, 2], "b": ["y", "y"], "n": [4, 5]},
        ):
            made = pa.table(table)
            write(connection, target, made.to_batches(), schema=made.schema, mode="merge", key=("a", "b"))
        found = connection.exec_driver_sql("SELECT a, b, n FROM t ORDER BY n").fetchall()
    engine.dispose()
    assert [tuple(row) for row in found] == [(1, "x", 2), (None, "y", 4), (2, "y", 5)]


@pytest.mark.parametrize(
    "options",
    [{"url": "nowhere", "table": "t"}, {"url": "sqlite:///x.db"}, {"url": "sqlite:///x.db", "table": "a.b.c"}],
    ids=["no-address", "no-table", "too-many-dots"],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, str]) -> None:
    """While the configuration is read."""
    with pytest.raises(ValueError, match=r"address|required|pattern"):
        Options(**options)


@pytest.mark.parametrize(
    ("url", "name", "server"),
    [
        ("postgresql://bob:secret@db.example.org/shop", "db.example.org/shop.orders", "db.example.org"),
        ("sqlite:///out/shop.db", "shop.db.orders", ""),
    ],
    ids=["server", "file"],
)
def test_a_sink_is_named_without_who_asks(url: str, name: str, server: str) -> None:
    """Stable, and fit for the log."""
    options = Options(url=url, table="orders")
    assert (SqlSink().name_of(options), SqlSink().server_of(options)) == (name, server)
