"""SQL: real databases, exact types, one transaction that only reads, and failures told as the database told them."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.collect.sql.session import PART
from data_pipeline.collect.sql.sql import Options, SqlCollector
from data_pipeline.dataset import Collected
from data_pipeline.errors import CollectError, ProviderRefused, ProviderUnavailable
from data_pipeline.parse.parse import parse
from tests.data_pipeline.collect.requests import Calls, make_request
from tests.postgres import execute
from utils.arrow import pa
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable
from utils.resilience.deadline import deadline
from utils.resilience.errors import DeadlineExceededError

COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)"


@pytest.fixture
def collector() -> Iterator[SqlCollector]:
    collector = SqlCollector()
    yield collector
    collector.close()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A SQLite file with ten orders."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL, at TEXT)")
        rows = [(n, n / 2, f"2026-03-01 0{n % 10}:00:00") for n in range(1, 11)]
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
    return tmp_path


def collect(collector: SqlCollector, folder: Path, url: str, query: str, **given: Any) -> Collected:
    request = {key: given.pop(key) for key in list(given) if key not in Options.model_fields}
    options = Options(url=url, query=query, **given)
    made = make_request(
        options, folder / "spool", base=folder, provider=collector.provider_of(options, "rates"), **request
    )
    return collector.collect(made)


def table(collected: Collected) -> "pa.Table":
    assert collected.rows is not None
    made = pa.Table.from_batches(list(collected.rows()))
    collected.close()
    return made


def rows(collected: Collected) -> list[dict[str, Any]]:
    return table(collected).to_pylist()


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
    ("query", "words"),
    [
        ("SELECT nam FROM t", r'column "nam" does not exist \(line 1, at `nam FROM t`\)'),
        ("SELEC 1", "syntax error"),
        ("SELECT 1 FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT 1/0", "division by zero"),
    ],
    ids=["column", "syntax", "table", "value"],
)
def test_a_query_that_fails_is_told_in_the_databases_words(
    collector: SqlCollector,
    tmp_path: Path,
    postgres: str,
    query: str,
    words: str,
) -> None:
    """Its first line and the place; another try would not help."""
    execute(postgres, "CREATE TABLE t (name text)")
    with pytest.raises(ProviderRefused, match=words):
        collect(collector, tmp_path, postgres, query)


def test_a_failure_in_the_middle_brings_nothing_and_leaves_nothing(
    collector: SqlCollector,
    tmp_path: Path,
    postgres: str,
) -> None:
    """Half a result would pass for a whole one."""
    query = "SELECT 1 / (150 - i) AS x, repeat('x', 200000) FROM generate_series(1, 200) i"
    with pytest.raises(ProviderRefused, match="division by zero"):
        collect(collector, tmp_path, postgres, query, batch_rows=10)
    assert list((tmp_path / "spool").iterdir()) == []


ACTIVE_ONES_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event = 'PgSleep'
"""


def test_a_lost_connection_may_come_back(collector: SqlCollector, tmp_path: Path, postgres: str) -> None:
    """The server ends our session in the middle: worth a retry, and the retry succeeds."""
    ended = False

    def end_it() -> None:
        nonlocal ended
        for _ in range(12_000):
            if execute(postgres, ACTIVE_ONES_END):
                ended = True
                return
            threading.Event().wait(0.01)

    killer = threading.Thread(target=end_it)
    killer.start()
    try:
        with pytest.raises(ProviderUnavailable, match=r"terminat|closed"):
            collect(collector, tmp_path, postgres, "SELECT pg_sleep(600)")
    finally:
        killer.join()
    assert ended
    assert rows(collect(collector, tmp_path, postgres, "SELECT 1 AS one")) == [{"one": 1}]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_query_that_takes_too_long_is_given_up(
    collector: SqlCollector,
    shop: Path,
    postgres: str,
    kind: str,
) -> None:
    """In the database itself, not only on our side."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    url = "sqlite:///shop.db" if kind == "sqlite" else postgres
    started = time.monotonic()
    with pytest.raises(ProviderUnavailable, match="longer than statement_timeout"):
        collect(
            collector, shop, url, endless if kind == "sqlite" else "SELECT pg_sleep(600)", statement_timeout="200ms"
        )
    assert time.monotonic() - started < 60


def test_the_deadline_and_a_cancel_end_a_stream(collector: SqlCollector, shop: Path) -> None:
    """Between two batches: what was read is thrown away."""
    with deadline(0.0), pytest.raises(DeadlineExceededError):
        collect(collector, shop, "sqlite:///shop.db", "SELECT * FROM orders")
    token = CancelToken()
    token.cancel("Ctrl-C")
    with cancellable(token), pytest.raises(Cancelled):
        collect(collector, shop, "sqlite:///shop.db", "SELECT * FROM orders")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_heavy_rows_come_in_light_batches(collector: SqlCollector, shop: Path, postgres: str, kind: str) -> None:
    """Fifty thousand rows of a megabyte are not fetched at once; none is lost."""
    url, query = postgres, "SELECT n, repeat('x', 1000000) AS v FROM generate_series(1, 80) n"
    if kind == "sqlite":
        url, query = "sqlite:///shop.db", f"{COUNT} SELECT i AS n, hex(zeroblob(500000)) AS v FROM n LIMIT 80"
    collected = collect(collector, shop, url, query)
    assert collected.rows is not None
    batches = list(collected.rows())
    collected.close()
    assert [n for batch in batches for n in batch.column("n").to_pylist()] == list(range(1, 81))
    assert max(batch.nbytes for batch in batches) < 2 * PART


def test_a_value_that_no_memory_holds_is_told(collector: SqlCollector, shop: Path) -> None:
    """Before it is made."""
    with pytest.raises(ProviderRefused, match="memory_limit") as caught:
        collect(collector, shop, "sqlite:///shop.db", "SELECT zeroblob(900000000) AS v")
    assert "substr" in caught.value.hint


def test_text_that_is_no_utf_8_says_how_to_read_it(collector: SqlCollector, shop: Path) -> None:
    """SQLite keeps whatever bytes it is given."""
    with pytest.raises(ProviderRefused, match="not UTF-8") as caught:
        collect(collector, shop, "sqlite:///shop.db", "SELECT CAST(x'fffe41' AS TEXT) AS v")
    assert "AS BLOB" in caught.value.hint


def test_no_file_is_made_by_attaching_it(collector: SqlCollector, shop: Path) -> None:
    """A collection leaves nothing behind, not even something empty."""
    with pytest.raises(ProviderRefused, match="attached"):
        collect(collector, shop, "sqlite:///shop.db", f"ATTACH '{shop}/new.db' AS other")
    assert not (shop / "new.db").exists()


def test_a_statement_that_the_deadline_ends_is_not_called_slow(collector: SqlCollector, shop: Path) -> None:
    """To raise `statement_timeout` would not help."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with deadline(0.3), pytest.raises(DeadlineExceededError):
        collect(collector, shop, "sqlite:///shop.db", endless)


def test_a_locked_or_missing_file_and_a_silent_server(collector: SqlCollector, shop: Path) -> None:
    """Locked and refused connections may pass; a file that is not there does not come by waiting."""
    with closing(sqlite3.connect(shop / "shop.db")) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ProviderUnavailable, match="locked"):
            collect(collector, shop, "sqlite:///shop.db", "SELECT * FROM orders", connect_timeout=0.1)
    with pytest.raises(ProviderRefused, match="unable to open") as caught:
        collect(collector, shop, "sqlite:///shpo.db", "SELECT 1")
    assert "path" in caught.value.hint
    (shop / "notes.db").write_text("this is no database, but a file of notes that somebody left here")
    with pytest.raises(ProviderRefused, match="not a database") as other:
        collect(collector, shop, "sqlite:///notes.db", "SELECT * FROM orders")
    assert "another file" in other.value.hint
    with pytest.raises(ProviderUnavailable, match="refused") as down:
        collect(collector, shop, "postgresql://bob:s3cret@127.0.0.1:1/shop", "SELECT 1")
    assert "s3cret" not in str(down.value) + down.value.hint


@pytest.mark.parametrize(("user", "database"), [("nobody", ""), ("", "nowhere")], ids=["user", "database"])
def test_who_is_not_let_in_is_not_retried(
    collector: SqlCollector,
    tmp_path: Path,
    postgres: str,
    user: str,
    database: str,
) -> None:
    """A wrong user or database stays wrong."""
    url = postgres.replace("postgres:@", f"{user}:@") if user else postgres.replace("@/test_", "@/nowhere_")
    with pytest.raises(ProviderRefused, match="does not exist"):
        collect(collector, tmp_path, url, "SELECT 1")


def test_a_missing_driver_names_the_line_to_install(collector: SqlCollector, tmp_path: Path) -> None:
    """For known databases; nothing of the address is repeated."""
    with pytest.raises(ProviderRefused, match="driver of `duckdb://` is not installed") as caught:
        collect(collector, tmp_path, "duckdb:///x?password=s3cret", "SELECT 1")
    assert "pip install duckdb-engine" in caught.value.hint
    assert "s3cret" not in str(caught.value)


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


def test_a_full_disk_is_told(collector: SqlCollector, shop: Path) -> None:
    """The folder for temporary files cannot be written: the place and what to do."""
    (shop / "spool").write_text("in the way")
    query = f"{COUNT} SELECT i, hex(zeroblob(150)) FROM n"
    with pytest.raises(CollectError, match="cannot be kept in"):
        collect(collector, shop, "sqlite:///shop.db", query)
