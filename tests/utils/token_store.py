"""The tokens of a state directory, as a process that just started sees them."""

from pathlib import Path

from utils import leases, tokens
from utils.sqlite import SqliteDatabase


def opened(folder: Path) -> tokens.StoredTokens:
    """With a database, and leases in it."""
    scripts = [tokens.SCHEMA, leases.SCHEMA, leases.BEAT_SCHEMA]
    database = SqliteDatabase(folder / "coordination.db", migrations=scripts)
    return tokens.StoredTokens(database, leases.Leases(database))
