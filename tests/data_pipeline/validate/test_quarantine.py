"""The split of good and bad rows: nothing lost, reasons told, good batches untouched."""

from datetime import UTC, datetime

import pytest

from data_pipeline.validate.engine import validate
from data_pipeline.validate.quarantine import BATCH, FILE, FILE_ROW, PARTITION, RAW, ROW, Origins, bad_schema
from data_pipeline.validate.rules import parse_rules
from tests.data_pipeline.validate import tables
from tests.data_pipeline.validate.plain import NOW, batch_of
from utils.arrow import pa

RULES = parse_rules(
    [
        {"not_null": "id"},
        {"unique": "id", "severity": "critical"},
        {"range": {"column": "mag", "max": 10}, "tolerance": 1.0},
        {"range": {"column": "mag", "max": 5}, "severity": "warning", "id": "strong"},
    ]
)


def test_bad_rows_carry_their_reasons_and_numbers():
    """Error and critical rows go, also within tolerance; warnings stay; numbers count from 1 over all parts."""
    table = pa.table({"id": [1, 2, None, 2, 5], "mag": [1.0, 99.0, 99.0, 2.0, 7.0]})
    batch = tables.batch(table, [2])

    validation = validate(batch, RULES, now=NOW)
    pairs = list(validation.split(batch))

    good = pa.Table.from_batches([good for good, _ in pairs]).to_pylist()
    bad = pa.Table.from_batches([bad for _, bad in pairs if bad is not None]).to_pylist()
    assert good == [{"id": 1, "mag": 1.0}, {"id": 5, "mag": 7.0}]
    assert [(row["_row"], row["_rules"]) for row in bad] == [
        (2, ["unique(id)", "range(mag)"]),
        (3, ["not_null(id)", "range(mag)"]),
        (4, ["unique(id)"]),
    ]
    assert bad[1] == {"id": None, "mag": 99.0, "_rules": ["not_null(id)", "range(mag)"], "_row": 3}
    assert validation.report.quarantined == 3


def test_good_batches_pass_through_untouched():
    """Nothing quarantined: the very same record batches come out, whatever warnings said."""
    batch = batch_of({"id": [1, 2], "mag": [6.0, 7.0]})

    pairs = list(validate(batch, RULES, now=NOW).split(batch))

    assert [good is part for (good, _), part in zip(pairs, batch.batches(), strict=True)] == [True]
    assert [bad for _, bad in pairs] == [None]


def test_unparsed_cells_come_back_as_the_text_that_was_sent():
    """Columns with unparsed cells are text in every bad part; good rows do not see the hidden column."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    table = pa.table(
        {
            "mag": pa.array([1.5, None, None, 99.0], pa.float64()),
            "at": pa.array([moment, moment, None, None], pa.timestamp("s", "UTC")),
            "__unparsed__": pa.array([None, '{"mag": "n/a?"}', '{"at": "soon", "mag": "1,5"}', None]),
        }
    )
    batch = tables.batch(table, [3])
    rules = parse_rules(
        [
            {"type": {"column": "mag", "is": "float"}},
            {"type": {"column": "at", "is": "timestamp"}},
            {"range": {"column": "mag", "max": 10}},
        ]
    )

    (good, bad), (rest, late) = validate(batch, rules, now=NOW).split(batch)

    assert good.to_pylist() == [{"mag": 1.5, "at": moment}]
    assert rest.num_rows == 0
    assert bad.schema == late.schema == bad_schema(batch.schema, {"mag", "at"})
    assert [(row["mag"], row["at"], row["_rules"]) for row in bad.to_pylist()] == [
        ("n/a?", "2026-01-01 00:00:00Z", ["type(mag)"]),
        ("1,5", "soon", ["type(mag)", "type(at)"]),
    ]
    assert [(row["mag"], row["_row"]) for row in late.to_pylist()] == [("99", 4)]


def test_columns_of_the_data_called_like_ours_keep_their_values():
    """A column `_row` of the data is kept beside our own, under another name."""
    batch = batch_of({"id": [None], "mag": [1.0], "_row": ["mine"]})

    ((_, bad),) = validate(batch, RULES, now=NOW).split(batch)

    assert bad.to_pylist() == [{"id": None, "mag": 1.0, "_row_": "mine", "_rules": ["not_null(id)"], "_row": 1}]


def test_another_batch_is_refused():
    """Marks of one batch never cut rows of another."""
    validation = validate(batch_of({"id": [1, 1], "mag": [1.0, 1.0]}), RULES, now=NOW)

    with pytest.raises(ValueError, match="not the batch that was validated"):
        list(validation.split(batch_of({"id": [1], "mag": [1.0]})))
    with pytest.raises(ValueError, match="not the batch that was validated"):
        list(validation.split(batch_of({"id": pa.array([], pa.int64()), "mag": pa.array([], pa.float64())})))


def test_rows_say_which_batch_file_and_piece_they_came_from():
    """Numbers count from 1 in the batch and in the file; an empty file between shifts nothing."""
    table = pa.table({"id": [1, None, 3, None, None], "mag": [1.0] * 5})
    batch = tables.batch(table, [2])
    files, pieces = (("a.csv", 2), ("empty.csv", 0), ("b.csv", 3)), (("2026-01", 4), ("2026-02", 1))

    pairs = validate(batch, RULES, now=NOW).split(batch)
    told = [Origins("r1", files, pieces).told(bad) for _, bad in pairs if bad is not None]

    rows = pa.Table.from_batches(told).to_pylist()
    assert [[row[name] for name in (BATCH, ROW, FILE, FILE_ROW, PARTITION)] for row in rows] == [
        ["r1", 2, "a.csv", 2, "2026-01"],
        ["r1", 4, "b.csv", 2, "2026-01"],
        ["r1", 5, "b.csv", 3, "2026-02"],
    ]


def test_cells_as_sent_are_kept_beside_the_texts():
    """A text column does not say which of its cells did not parse; the row's cells as sent do."""
    table = pa.table({"mag": pa.array([None, 99.0]), "__unparsed__": pa.array(['{"mag": "1,5"}', None])})
    batch = tables.batch(table, [])
    rules = parse_rules([{"type": {"column": "mag", "is": "float"}}, {"range": {"column": "mag", "max": 10}}])

    ((_, bad),) = validate(batch, rules, now=NOW).split(batch)

    assert [(row["mag"], row[RAW]) for row in bad.to_pylist()] == [("1,5", '{"mag": "1,5"}'), ("99", None)]
