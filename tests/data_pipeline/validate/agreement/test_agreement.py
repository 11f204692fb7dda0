"""Our counts beside those of pandera and Pointblank on the same columns: the same, or explained.

`answers.json` is what they said, with their versions; `record.py` asked them.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.validate.engine import validate
from data_pipeline.validate.rules import parse_rule
from tests.data_pipeline.validate.agreement.cases import CASES, NOW, Case
from tests.data_pipeline.validate.plain import batch_of
from utils.arrow import pa

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("answers.json").read_text(encoding="utf-8"))
SEMANTICS = Path(__file__).parents[4] / "docs" / "semantics.md"

_PANDERA_PANDAS, _PANDERA_POLARS = "pandera, pandas", "pandera, Polars"
_POINTBLANK_PANDAS, _POINTBLANK_POLARS = "Pointblank, pandas", "Pointblank, Polars"
_PANDAS, _POLARS = {_PANDERA_PANDAS, _POINTBLANK_PANDAS}, {_PANDERA_POLARS, _POINTBLANK_POLARS}
_POINTBLANK = {_POINTBLANK_PANDAS, _POINTBLANK_POLARS}

DIFFERENT: dict[str, set[str]] = {
    "not_null, NaN": {_POINTBLANK_POLARS},
    "range, null and NaN": _POLARS,
    "range, beyond 2^53 beside null": _PANDAS,
    "one_of, null": _POINTBLANK,
    "unique, null": {*_POLARS, *_POINTBLANK},
    "unique, beyond 2^53": _PANDAS,
    "unique, two columns, null": {*_PANDAS, *_POLARS},
    "matches": _PANDAS,
    "matches, a digit": {*_PANDAS, *_POLARS},
    "matches, a letter": {*_PANDAS, *_POLARS},
    "no rows: not_null": _POINTBLANK,
    "no rows: range": _POINTBLANK,
    "no rows: unique": _POINTBLANK,
}
"""Case -> who counts otherwise. The page on semantics says why."""

OURS = {
    "not_null, NaN": 2,
    "range, null and NaN": 1,
    "range, beyond 2^53 beside null": 1,
    "one_of, null": 1,
    "unique, null": 2,
    "unique, beyond 2^53": 0,
    "unique, two columns, null": 2,
    "matches": 5,
    "matches, a digit": 6,
    "matches, a letter": 6,
    "no rows: not_null": 0,
    "no rows: range": 0,
    "no rows: unique": 0,
}


def failing(case: Case) -> int:
    """How many rows (or batches) we say fail."""
    types = {"timestamp[us, tz=UTC]": pa.timestamp("us", "UTC")}
    columns = {
        name: pa.array(values, types.get(kind) or pa.type_for_alias(kind))
        for name, (kind, values) in case.columns.items()
    }
    (outcome,) = validate(batch_of(columns), parse_rule(case.rule), now=NOW).report.outcomes
    return outcome.failed


@pytest.mark.parametrize("name", CASES)
def test_counts_are_those_of_others_or_explained(name: str) -> None:
    """Who agrees agrees; who does not is listed, and so is what we say instead."""
    mine = failing(CASES[name])
    said = {who: count for who, count in RECORDED["failing"][name].items() if count is not None}

    assert {who for who, count in said.items() if count != mine} == DIFFERENT.get(name, set())
    assert mine == OURS.get(name, mine)


def test_every_difference_is_explained_to_users() -> None:
    """The page has a row for each of them."""
    page = SEMANTICS.read_text(encoding="utf-8")
    table = page.partition("## Where others count otherwise")[2]
    rows = {line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")} - {"case", "---"}

    assert rows == set(DIFFERENT)


def test_the_record_names_what_it_was_made_with() -> None:
    """All cases, and the versions that answered."""
    assert set(RECORDED["failing"]) == set(CASES)
    assert {"pandera", "pointblank", "pandas", "polars"} <= set(RECORDED["versions"])
