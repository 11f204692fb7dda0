"""SQL: real databases, exact types, one transaction that only reads, and failures told as the database told them."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from data_pipeline.collect.sql.sql import Options, SqlCollector
from data_pipeline.errors import ProviderRefused
from data_pipeline.parse.parse import parse
from tests.data_pipeline.collect.requests import Calls
from tests.data_pipeline.collect.sql.asking import COUNT, collect, rows, table
from tests.postgres import execute
from utils.arrow import pa


def test_rows_of_a_file_come_with_their_figures(collector: SqlCollector, shop: Path) -> None:
    """The path starts at the configuration's folder; the provider is the file's name; one request was made."""
    calls = Calls()
    collected = collect(collector, shop, "sqlite:///shop.db", "SELECT id, amount FROM orders ORDER BY id", call=calls)
    provenance = collected.provenance
    assert (provenance.provider, provenance.attempts, provenance.source) == ("shop.db", 1, "shop.db")
    assert calls.providers == ["shop.db"]
    found = table(collected)
    assert found.schema.types == [pa.int64(), pa.float64()]
    assert found.column("id").to_pylist() == list(range(1, 11))


def test_rows_can_be_read_again_and_equal_rows_are_the_same_news(collector: SqlCollector, shop: Path) -> None:
    """Each call of `rows` starts anew; the hash is over the rows, so one more row is another hash."""
    query = "SELECT * FROM orders ORDER BY id"
    one = collect(collector, shop, "sqlite:///shop.db", query, batch_rows=3)
    assert one.rows is not None
    assert [batch.num_rows for batch in one.rows()] == [batch.num_rows for batch in one.rows()] == [3, 3, 3, 1]
    same = collect(collector, shop, "sqlite:///shop.db", query, batch_rows=3)
    fewer = collect(collector, shop, "sqlite:///shop.db", f"{query} LIMIT 9", batch_rows=3)
    assert one.provenance.content_sha256 == same.provenance.content_sha256 != fewer.provenance.content_sha256
    for collected in (one, same, fewer):
        collected.close()


def test_many_rows_wait_in_a_file_that_goes_away(collector: SqlCollector, tmp_path: Path) -> None:
    """More than fits into 8 MB lies in the request's folder until the collection is closed."""
    query = f"{COUNT} SELECT i, hex(zeroblob(150)) FROM n"
    sqlite3.connect(tmp_path / "empty.db").close()
    collected = collect(collector, tmp_path, "sqlite:///empty.db", query)
    assert collected.rows is not None
    assert len(list((tmp_path / "spool").iterdir())) == 1
    assert sum(batch.num_rows for batch in collected.rows()) == 40_000
    collected.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_types_of_sqlite_are_those_of_the_values(collector: SqlCollector, shop: Path) -> None:
    """Mixed columns become text that says the same; integers beside exact floats are floats."""
    query = """SELECT 1 AS a, 1.5 AS b, 'x' AS c, x'00ff' AS d, NULL AS e, 1 AS f, 1 AS g
               UNION ALL SELECT 9223372036854775807, 2.0, '', x'', NULL, 0.5, 'two' ORDER BY 1"""
    found = table(collect(collector, shop, "sqlite:///shop.db", query))
    kinds = [pa.int64(), pa.float64(), pa.string(), pa.binary(), pa.null(), pa.float64(), pa.string()]
    assert found.schema.types == kinds
    assert found.column("g").to_pylist() == ["1", "two"]


def test_two_columns_of_one_name_get_names_of_their_own(collector: SqlCollector, shop: Path) -> None:
    """With a note that says which."""
    collected = collect(collector, shop, "sqlite:///shop.db", "SELECT id, id FROM orders")
    assert collected.provenance.notes == ("column 2 `id` is called `id_2`",)
    assert table(collected).column_names == ["id", "id_2"]


def test_an_answer_without_rows_still_has_columns(collector: SqlCollector, shop: Path, postgres: str) -> None:
    """PostgreSQL says their types; SQLite only their names."""
    found = table(collect(collector, shop, "sqlite:///shop.db", "SELECT id, at FROM orders WHERE id < 0"))
    assert (found.num_rows, found.column_names) == (0, ["id", "at"])
    query = "SELECT 1 AS a, 1.5::numeric(20,4) AS b, now() AS c WHERE false"
    found = table(collect(collector, shop, postgres, query))
    assert found.schema == pa.schema({"a": pa.int64(), "b": pa.decimal128(20, 4), "c": pa.timestamp("us", "UTC")})


EVERYTHING = """
CREATE TYPE mood AS ENUM ('well');
CREATE TABLE t (i2 smallint, i8 bigint, n numeric(20,4), free numeric, f real, d double precision, b boolean, day date,
    local timestamp, moment timestamptz, hour time, u uuid, bytes bytea, j json, jb jsonb, ints int[], m mood,
    span interval, ip inet, word varchar(9), one char(3), r int4range);
INSERT INTO t VALUES (-2, 9223372036854775807, 1234567890123456.7891, 0.1000000000000000000001, 1.5, 0.1, true,
    '2026-02-28', '2026-02-28 10:00:00.123456', '2026-02-28 10:00:00+03', '23:59:59.5',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\\x00ff', '{"a": 1.10}', '{"a": [1, "x"]}', '{1,NULL,3}', 'well',
    'P1DT2H', '10.0.0.1', 'wörd', 'ab', '[1,5)');
INSERT INTO t (i2) VALUES (NULL);
"""


def test_types_of_postgresql_arrive_exactly(collector: SqlCollector, tmp_path: Path, postgres: str) -> None:
    """Digits, moments, bytes and JSON as they stand in the table; what has no column type of its own is text."""
    execute(postgres, *EVERYTHING.strip().split(";\n"))
    found = table(collect(collector, tmp_path, postgres, "SELECT * FROM t ORDER BY i2"))
    row, empty = found.to_pylist()
    assert set(empty.values()) == {None}
    assert row.pop("local") == datetime(2026, 2, 28, 10, 0, 0, 123456)
    assert row.pop("moment") == datetime(2026, 2, 28, 7, tzinfo=UTC)
    assert row.pop("bytes") == b"\x00\xff"
    assert row.pop("day") == date(2026, 2, 28)
    assert str(row.pop("hour")) == "23:59:59.500000"
    assert row == {
        "i2": -2,
        "i8": 2**63 - 1,
        "n": Decimal("1234567890123456.7891"),
        "free": Decimal("0.1000000000000000000001"),
        "f": 1.5,
        "d": 0.1,
        "b": True,
        "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "j": '{"a": 1.10}',
        "jb": '{"a": [1, "x"]}',
        "ints": "[1,null,3]",
        "m": "well",
        "span": "P1DT2H",
        "ip": "10.0.0.1",
        "word": "wörd",
        "one": "ab ",
        "r": "[1, 5)",
    }
    assert found.schema.field("n").type == pa.decimal128(20, 4)


def test_values_without_an_end_are_null_with_a_note(collector: SqlCollector, tmp_path: Path, postgres: str) -> None:
    """`infinity`, years that no calendar of ours holds; NaN is no value as everywhere, and needs no note."""
    query = """SELECT * FROM (VALUES ('infinity'::date, '-infinity'::timestamptz, 'NaN'::numeric, 'Infinity'::numeric),
        ('0044-03-15 BC', '2026-01-01 00:00+00', 1.5, 1),
        ('2026-01-01', '1850-01-01 00:00:00+00', 2, 2)) v(d, t, n, m)"""
    collected = collect(collector, tmp_path, postgres, query, zone="Europe/Berlin")
    notes = collected.provenance.notes
    assert [note.split(" ")[1:3] for note in notes] == [["`d`:", "2"], ["`t`:", "1"], ["`m`:", "1"]]
    found = table(collected).to_pydict()
    assert found["d"] == [None, None, date(2026, 1, 1)]
    assert found["t"] == [None, datetime(2026, 1, 1, tzinfo=UTC), datetime(1850, 1, 1, tzinfo=UTC)]
    assert found["n"] == [None, Decimal("1.5"), Decimal("2.0")]


def test_numbers_beyond_38_digits_stay_digit_for_digit(collector: SqlCollector, tmp_path: Path, postgres: str) -> None:
    """As text, for no decimal column holds them; sums of integers are decimals."""
    found = table(
        collect(
            collector,
            tmp_path,
            postgres,
            "SELECT 10::numeric ^ 45 AS big, sum(9223372036854775807) AS s FROM generate_series(1, 2)",
        )
    )
    (row,) = found.to_pylist()
    assert row["big"].startswith("1" + "0" * 45)
    assert row["s"] == Decimal(2 * (2**63 - 1))


def test_percent_signs_casts_and_json_operators_work(collector: SqlCollector, tmp_path: Path, postgres: str) -> None:
    """Beside bound parameters, where a driver would look for its own marks."""
    query = """SELECT '5%' || '12:30' AS a, '{{"k": {{"x": 7}}}}'::jsonb #>> '{{k,x}}' AS b, ({now})::date AS c,
               7 % 4 AS d
               WHERE 'ab' LIKE 'a%' AND 2 IN :some"""
    found = rows(collect(collector, tmp_path, postgres, query, params={"some": [1, 2]}))
    assert found == [{"a": "5%12:30", "b": "7", "c": date(2026, 3, 1), "d": 3}]


@pytest.mark.parametrize(
    "cursor", [None, "2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)], ids=["none", "text", "moment"]
)
def test_one_query_serves_the_first_collection_and_the_next(
    collector: SqlCollector,
    tmp_path: Path,
    postgres: str,
    cursor: object,
) -> None:
    """`{cursor} IS NULL OR …` takes everything as long as there is no cursor."""
    execute(
        postgres, "CREATE TABLE t (at timestamp)", "INSERT INTO t VALUES ('2026-01-01'), ('2026-01-02'), ('2026-01-03')"
    )
    query = "SELECT at FROM t WHERE {cursor} IS NULL OR at >= {cursor} ORDER BY at"
    found = rows(collect(collector, tmp_path, postgres, query, cursor=cursor))
    assert [row["at"].day for row in found] == ([1, 2, 3] if cursor is None else [2, 3])


def test_a_keyset_of_cursor_and_tie_breaker_loses_no_row(
    collector: SqlCollector, tmp_path: Path, postgres: str
) -> None:
    """A replica where many rows share one moment: pages of 40 by (moment, id) meet each row once."""
    execute(
        postgres,
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz)",
        "INSERT INTO t SELECT n, '2026-01-01'::timestamptz + n / 30 * interval '1 s' FROM generate_series(1, 100) n",
    )
    query = "SELECT id, at FROM t WHERE {cursor} IS NULL OR (at, id) > ({cursor}, :last) ORDER BY at, id LIMIT 40"
    seen: list[int] = []
    cursor, last = None, 0
    while found := rows(collect(collector, tmp_path, postgres, query, cursor=cursor, params={"last": last})):
        seen += [row["id"] for row in found]
        cursor, last = found[-1]["at"], found[-1]["id"]
    assert seen == list(range(1, 101))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_cursor_meets_naive_times_in_the_datasets_zone(
    collector: SqlCollector,
    tmp_path: Path,
    postgres: str,
    kind: str,
) -> None:
    """West of Greenwich a comparison in UTC would skip the rows of the last hours."""
    url, when = postgres, "timestamp"
    if kind == "sqlite":
        url, when = "sqlite:///west.db", "text"
        with closing(sqlite3.connect(tmp_path / "west.db")) as made, made:
            made.execute("CREATE TABLE t (id int, at text)")
            made.executemany("INSERT INTO t VALUES (?, ?)", [(1, "2026-01-01 10:00:00"), (2, "2026-01-01 10:30:00.5")])
    else:
        execute(url, f"CREATE TABLE t (id int, at {when})")
        execute(url, "INSERT INTO t VALUES (1, '2026-01-01 10:00:00'), (2, '2026-01-01 10:30:00.5')")
    cursor = datetime(2026, 1, 1, 15, 30, 0, 500_000, tzinfo=UTC)  # 10:30:00.5 in New York
    query = "SELECT id FROM t WHERE at >= {cursor}"
    assert rows(collect(collector, tmp_path, url, query, cursor=cursor, zone="America/New_York")) == [{"id": 2}]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_can_be_written(collector: SqlCollector, shop: Path, postgres: str, kind: str) -> None:
    """The session only reads, whoever asks."""
    if kind == "sqlite":
        url, query = "sqlite:///shop.db", "DELETE FROM orders RETURNING id"
    else:
        execute(postgres, "CREATE TABLE t (i int)", "INSERT INTO t VALUES (1)")
        execute(postgres, "CREATE FUNCTION gone() RETURNS int LANGUAGE sql AS 'DELETE FROM t RETURNING i'")
        url, query = postgres, "SELECT gone()"
    with pytest.raises(ProviderRefused, match=r"read-?only") as caught:
        collect(collector, shop, url, query)
    assert "SELECT" in caught.value.hint
    if kind == "postgresql":
        assert execute(postgres, "SELECT count(*) FROM t") == [(1,)]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://bob:p%40ss@db.example.org/shop", "db.example.org/shop"),
        ("postgresql+psycopg://bob:p@ss@db:5433/shop?sslmode=require&password=x", "db:5433/shop"),
        ("postgres://bob@/shop", "localhost/shop"),
        ("sqlite:////var/data/shop.db", "shop.db"),
    ],
    ids=["default-port", "own-port", "socket", "file"],
)
def test_a_provider_is_named_without_who_asks(collector: SqlCollector, url: str, name: str) -> None:
    """Host, port and database; never user, password or options."""
    assert collector.provider_of(Options(url=url, query="SELECT 1"), "x") == name


@pytest.mark.parametrize("url", ["shop.db", "sqlite://", "sqlite:///:memory:", "://x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Before anything runs, and without repeating it: it may hold a password."""
    with pytest.raises(ValueError, match=r"address|file"):
        Options(url=url, query="SELECT 1")


def test_a_postgres_address_may_be_short(collector: SqlCollector, tmp_path: Path, postgres: str) -> None:
    """`postgres://` is what some hosts hand out."""
    url = postgres.replace("postgresql://", "postgres://")
    assert rows(collect(collector, tmp_path, url, "SELECT current_setting('transaction_read_only') AS r")) == [
        {"r": "on"}
    ]


def test_the_line_reads_the_rows(collector: SqlCollector, tmp_path: Path, postgres: str) -> None:
    """Parsed into one batch: naive times get the dataset's zone, batches of different scale one decimal type."""
    query = "SELECT '2026-07-01 12:00'::timestamp AS at, i / 4.0 AS q FROM generate_series(1, 5) i"
    collected = collect(collector, tmp_path, postgres, query, batch_rows=2)
    batch = parse(collected, dataset="rates", zone="Europe/Berlin")
    found = pa.Table.from_batches(batch.batches()).to_pylist()
    assert found[0]["at"] == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert [row["q"] for row in found] == [Decimal(n) / 4 for n in range(1, 6)]
    collected.close()
