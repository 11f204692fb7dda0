"""Where the watch stands, in either database."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from data_pipeline.detect.watch_table import SCHEMA, Looks, Stand
from utils.database import Database
from utils.postgres import PostgresDatabase
from utils.postgres_sql import in_postgres
from utils.sqlite import SqliteDatabase


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    """On SQLite and on PostgreSQL."""
    opened: SqliteDatabase | PostgresDatabase
    if address.startswith("postgresql"):
        opened = PostgresDatabase(address, migrations=[in_postgres(SCHEMA)])
    else:
        opened = SqliteDatabase(Path(address), migrations=[SCHEMA])
    with closing(opened):
        yield opened


def test_a_row_comes_back_as_it_was_and_is_replaced(database: Database) -> None:
    """To the microsecond, of many subjects; what was never kept has no row."""
    stand = Stand(1_794_830_400.123456, 5.5, True, 2, 17)
    looks = Looks(database)
    with database.transaction() as connection:
        for number in range(300):
            connection.execute(*looks.keep(f"d{number}", {"rows": stand}, float(number)))
        connection.execute(*looks.keep("d7", {"rows": stand._replace(open=False)}, 9e8))

    names = [f"d{number}" for number in range(301)]
    assert looks.oldest(names) == {f"d{number}": 9e8 if number == 7 else float(number) for number in range(300)}
    assert looks.of("d6") == {"rows": stand}
    assert looks.of("d7") == {"rows": stand._replace(open=False)}
    assert looks.of("d300") == {}
