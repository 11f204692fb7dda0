"""The table that rows go to: made when missing, given new columns, refused when its types would lose something."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import PublishError
from data_pipeline.publish.sql_types import TAKES, column_type, family, family_of_column
from data_pipeline.sql_database import as_literal

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from utils.arrow import pa

__all__ = ["Target", "plainly_quoted", "prepare", "quoted"]


@dataclass(frozen=True, slots=True)
class Target:
    """A table ready to take rows.

    Attributes:
        name: Quoted, for the text of a statement.
        columns: The rows' columns -> the type of a column that needs an explicit cast; "": it does not.
        unique: Whether the table itself keeps the key unique, so that a conflict can be turned into an update.
    """

    name: str
    columns: dict[str, str]
    unique: bool


def quoted(connection: "Connection", name: str) -> str:
    """An identifier for SQLAlchemy's `text()`."""
    return as_literal(plainly_quoted(connection, name))


def plainly_quoted(connection: "Connection", name: str) -> str:
    """An identifier in quotes. SQLAlchemy's own function doubles percent signs, and `text()` would do so again."""
    marks = connection.dialect.identifier_preparer
    return marks.initial_quote + name.replace(marks.escape_quote, marks.escape_to_quote) + marks.final_quote


def split(table: str) -> tuple[str | None, str]:
    """`schema.table` as schema and table.

    >>> split("shop.orders"), split("orders")
    (('shop', 'orders'), (None, 'orders'))
    """
    schema, _, name = table.rpartition(".")
    return schema or None, name


def prepare(connection: "Connection", table: str, schema: "pa.Schema", key: Sequence[str], *, merge: bool) -> Target:
    """Bring the table into a state that takes rows of `schema`; all within the connection's transaction.

    Args:
        merge: Rows are found by `key`: a table that is made gets a unique index over it.

    Raises:
        PublishError: a column of the table cannot hold what the rows have, or a name is too long.
    """
    import sqlalchemy as sa

    namespace, name = split(table)
    _check_names(connection, schema)
    inspector = sa.inspect(connection)
    full = ".".join(quoted(connection, part) for part in (namespace, name) if part)
    if not inspector.has_table(name, schema=namespace):
        _create(connection, name, namespace, schema, key if merge else ())
        return Target(full, dict.fromkeys(schema.names, ""), unique=merge)
    there = {column["name"]: column["type"] for column in inspector.get_columns(name, schema=namespace)}
    casts: dict[str, str] = {}
    faults: list[str] = []
    for field in schema:
        if field.name not in there:
            _add(connection, full, field)
            casts[field.name] = ""
            continue
        held = there[field.name]
        if fault := _fault(field, held):
            faults.append(fault)
        other = family_of_column(held) == "other" and connection.dialect.name == "postgresql"
        casts[field.name] = str(held.compile(dialect=connection.dialect)) if other else ""
    if faults:
        raise PublishError(
            f"table {table}: {'; '.join(faults)}",
            hint="alter the column, or publish into another table",
        )
    return Target(full, casts, unique=merge and _is_unique(inspector, name, namespace, key))


def _fault(field: "pa.Field", held: Any) -> str:
    """Why a column that is there cannot hold the rows' values; "": it can."""
    from sqlalchemy import Numeric

    came, holds = family(field.type), family_of_column(held)
    if came and holds not in TAKES[came]:
        return f"column `{field.name}` is {held}, and the rows have {field.type}"
    scale = getattr(field.type, "scale", 0)
    if came == holds == "decimal" and isinstance(held, Numeric) and held.precision and scale > (held.scale or 0):
        return f"column `{field.name}` is {held} and would round {field.type}"
    return ""


def _check_names(connection: "Connection", schema: "pa.Schema") -> None:
    longest = connection.dialect.max_identifier_length
    for name in schema.names:
        if len(name.encode()) > longest:
            raise PublishError(
                f"column `{name[:80]}` has a name of more than {longest} bytes, which this database would cut",
                hint="give it a shorter one in `columns` (`short: {from: …}`)",
            )


def _create(
    connection: "Connection", name: str, namespace: str | None, schema: "pa.Schema", key: Sequence[str]
) -> None:
    import sqlalchemy as sa

    dialect = connection.dialect.name
    # Quoted whatever they are: SQLAlchemy does not know every reserved word of every database.
    columns = [sa.Column(sa.quoted_name(field.name, quote=True), column_type(field.type, dialect)) for field in schema]
    made = sa.Table(name, sa.MetaData(), *columns, schema=namespace, quote=True)
    if key and dialect in {"postgresql", "sqlite"}:
        sa.Index(sa.quoted_name(f"{name[:40]}_orchestrator_key", quote=True), *(made.c[k] for k in key), unique=True)
    made.create(connection)


def _add(connection: "Connection", full: str, field: "pa.Field") -> None:
    import sqlalchemy as sa

    kind = column_type(field.type, connection.dialect.name).compile(dialect=connection.dialect)
    connection.execute(sa.text(f"ALTER TABLE {full} ADD COLUMN {quoted(connection, field.name)} {kind}"))


def _is_unique(inspector: Any, name: str, namespace: str | None, key: Sequence[str]) -> bool:
    wanted = set(key)
    found = [inspector.get_pk_constraint(name, schema=namespace).get("constrained_columns") or []]
    found += [entry["column_names"] for entry in inspector.get_unique_constraints(name, schema=namespace)]
    for index in inspector.get_indexes(name, schema=namespace):
        whole = not any("where" in option for option in index.get("dialect_options", {}))
        if index["unique"] and whole:
            found.append(index["column_names"])
    return any(set(columns) == wanted for columns in found)
