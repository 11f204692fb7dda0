"""Which schema version a database has, and which release brought it there: who meets a newer one is told its name."""

from utils.database import StateError

__all__ = ["TABLE", "newer"]

TABLE = "schema_version"
"""Of each database; not among the tables that its migrations make, as it tells of them."""


def newer(name: str, version: int, known: int, release: str | None) -> StateError:
    """What is said of a database that a newer program brought up to date.

    Args:
        name: The database.
        version: The schema version it has.
        known: The newest that this program knows.
        release: That made it so; None: it was not written down.

    >>> newer("orchestrator.db", 26, 25, "1.4.0").hint
    'it was brought up to date by release 1.4.0: use that one or a later one, or restore a backup from before'
    """
    by = f"release {release}: use that one or a later one" if release else "a newer release: use that one"
    return StateError(
        f"{name}: has schema version {version}, this program knows {known}",
        hint=f"it was brought up to date by {by}, or restore a backup from before",
    )
