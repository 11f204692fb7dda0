"""Two databases of one file in one process, beside another process."""

import subprocess
import sys
from pathlib import Path

from integrated_system import ROOT
from utils.sqlite import SqliteDatabase

SCHEMA = "CREATE TABLE facts (fact TEXT)"
OTHER_PROCESS = """
import sys
from pathlib import Path
from utils.sqlite import SqliteDatabase
database = SqliteDatabase(Path(sys.argv[1]), migrations=["CREATE TABLE facts (fact TEXT)"])
with database.transaction() as connection:
    connection.execute("INSERT INTO facts VALUES ('theirs')")
database.close()
"""


def test_opening_a_database_twice_does_not_cost_the_first_its_locks(tmp_path: Path) -> None:
    """POSIX drops a process's locks on a file when it closes any descriptor of it; the log beside it must stay."""
    path = tmp_path / "facts.db"
    first = SqliteDatabase(path, migrations=[SCHEMA])
    first.query("SELECT * FROM facts")
    SqliteDatabase(path, migrations=[SCHEMA]).close()

    subprocess.run([sys.executable, "-c", OTHER_PROCESS, str(path)], cwd=ROOT, check=True)

    assert path.with_name("facts.db-wal").exists()
    assert first.query("SELECT fact FROM facts") == [("theirs",)]
    first.close()
