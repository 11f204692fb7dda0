"""Tables <-> bytes: the same rows, types and metadata come back, whatever was done to make them small."""

import pytest

from utils.arrow import pa
from utils.cache.tables import table_from_bytes, table_to_bytes

ROWS = 20_000  # enough to be compressed
WORDS = [f"item-{number % 500}" for number in range(ROWS)]
SOME = [None if number % 7 == 0 else f"unlike {number * 7919}" for number in range(ROWS)]


def column(kind: pa.DataType, values: list[str | None] = SOME) -> pa.Array:
    """The values, as text or as bytes."""
    return pa.array(values).cast(kind)


TABLES = {
    "texts with narrow offsets": pa.table({"a": column(pa.string()), "b": column(pa.string(), [*WORDS])}),
    "texts with wide offsets": pa.table({"a": column(pa.large_string())}),
    "both side by side": pa.table({"a": column(pa.large_string()), "b": column(pa.string()), "c": range(ROWS)}),
    "binaries": pa.table({"a": column(pa.binary()), "b": column(pa.large_binary())}),
    "a slice": pa.table({"a": column(pa.string())}).slice(9_000, 8_000),
    "several chunks": pa.concat_tables([pa.table({"a": column(pa.string())})] * 3),
    "two columns of one name": pa.Table.from_arrays([column(pa.string()), column(pa.large_string())], ["a", "a"]),
    "texts within others": pa.table({"a": [["x", "y"]] * ROWS, "b": [{"text": "z"}] * ROWS}),
    "a dictionary": pa.table({"a": column(pa.string(), [*WORDS]).dictionary_encode()}),
    "metadata and a column without nulls": pa.table(
        {"a": column(pa.string(), [*WORDS])},
        schema=pa.schema([pa.field("a", pa.string(), nullable=False, metadata={"unit": "m"})], metadata={"of": "ours"}),
    ),
    "small": pa.table({"a": ["x", None], "b": pa.array([b"y", b"z"], pa.large_binary())}),
    "no rows": pa.table({"a": pa.array([], pa.string())}),
    "no columns": pa.table({}),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_a_table_comes_back_as_it_was(table: pa.Table) -> None:
    """Rows, types, nullability and all metadata."""
    back = table_from_bytes(table_to_bytes(table))

    assert back.equals(table)
    assert back.schema.equals(table.schema, check_metadata=True)


def test_the_width_of_a_text_s_offsets_does_not_matter() -> None:
    """A frame that pandas has just made has narrow ones, which by themselves compress worse."""
    narrow = TABLES["texts with narrow offsets"]
    wide = narrow.cast(pa.schema([(name, pa.large_string()) for name in narrow.column_names]))

    assert len(table_to_bytes(narrow)) <= len(table_to_bytes(wide)) * 1.01


def test_a_stream_of_wide_texts_alone_is_read_as_it_is() -> None:
    """What was stored without having been widened, as by the program before, is a table like any other."""
    table = TABLES["both side by side"]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)

    assert table_from_bytes(memoryview(sink.getvalue())).schema == table.schema
