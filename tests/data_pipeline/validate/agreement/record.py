"""Ask pandera and Pointblank, and keep what they say: `python -m tests.data_pipeline.validate.agreement.record`.

It needs them installed (they are no requirement of ours): pip install pandera pointblank pandas polars pyarrow.
Everything is asked as a user would ask it who wants what our rules promise: nulls pass value rules (`nullable=True`,
`na_pass=True`), patterns match the whole text, all failures are collected (`lazy=True`).
"""

import json
import logging
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.data_pipeline.validate.agreement.cases import CASES, NOW, Case

ANSWERS = Path(__file__).with_name("answers.json")


def arrow(case: Case) -> Any:
    import pyarrow as pa

    types = {"timestamp[us, tz=UTC]": pa.timestamp("us", "UTC")}
    return pa.table(
        {
            name: pa.array(values, types.get(kind) or pa.type_for_alias(kind))
            for name, (kind, values) in case.columns.items()
        }
    )


def pandas_frame(case: Case) -> Any:
    return arrow(case).to_pandas()


def polars_frame(case: Case) -> Any:
    import polars as pl

    return pl.from_arrow(arrow(case))


def argument(case: Case) -> tuple[str, Any]:
    ((kind, given),) = case.rule.items()
    return kind, given


def pandera_checks(pa: Any, case: Case, *, polars: bool) -> Any:
    """The schema that says what our rule says."""
    kind, given = argument(case)
    column, whole, unique, check, wide = {"nullable": True}, {}, None, None, None
    if kind == "not_null":
        column = {"nullable": False}
    elif kind == "unique":
        unique = [given] if isinstance(given, str) else given
    elif kind == "range":
        inside = not given.get("exclusive", False)
        check = pa.Check.in_range(given["min"], given["max"], include_min=inside, include_max=inside)
    elif kind == "one_of":
        check = pa.Check.isin(given["values"])
    elif kind == "matches":
        check = pa.Check.str_matches(f"^(?:{given['pattern']})$")
    elif kind == "length":
        check = pa.Check.str_length(given["min"], given["max"])
    elif kind == "not_in_future":
        check = pa.Check.le(NOW)
    elif kind == "compare" and polars:
        import polars as pl

        wide = pa.Check(lambda data: data.lazyframe.select(pl.col("x") <= pl.col("y")), ignore_na=True)
    elif kind == "compare":
        wide = pa.Check(lambda frame: (frame["x"] <= frame["y"]) | frame["x"].isna() | frame["y"].isna())
    elif kind == "row_count" and not polars:
        wide = pa.Check(lambda frame: len(frame) >= given["min"])
    else:
        return None
    columns = {name: pa.Column(checks=check if name == "x" else None, **column) for name in case.columns}
    if unique is not None:
        whole["unique"] = unique
        if len(unique) == 1:
            columns = {unique[0]: pa.Column(nullable=True, unique=True)}
            whole = {}
    return pa.DataFrameSchema(columns, checks=wide, **whole)


def pandera_says(case: Case, *, polars: bool) -> int | str | None:
    if polars:
        import pandera.polars as pa
    else:
        import pandera.pandas as pa
    schema = pandera_checks(pa, case, polars=polars)
    if schema is None:
        return None
    frame = polars_frame(case) if polars else pandas_frame(case)
    try:
        schema.validate(frame, lazy=True)
    except (pa.errors.SchemaErrors, pa.errors.SchemaError) as error:
        cases = error.failure_cases
        rows = cases["index"].to_list()
        return len({row for row in rows if row is not None and row == row}) or 1
    return 0


def pointblank_says(case: Case, *, polars: bool) -> int | str | None:
    import pointblank as pb

    kind, given = argument(case)
    asked = pb.Validate(data=polars_frame(case) if polars else pandas_frame(case))
    steps: dict[str, Callable[[], Any]] = {
        "not_null": lambda: asked.col_vals_not_null(columns="x"),
        "unique": lambda: asked.rows_distinct(columns_subset=[given] if isinstance(given, str) else given),
        "range": lambda: asked.col_vals_between(
            columns="x", left=given["min"], right=given["max"], na_pass=True, inclusive=_inclusive(given)
        ),
        "one_of": lambda: asked.col_vals_in_set(columns="x", set=given["values"]),
        "matches": lambda: asked.col_vals_regex(columns="x", pattern=f"^(?:{given['pattern']})$", na_pass=True),
        "length": lambda: asked.col_vals_expr(expr=_length(given, polars=polars)),
        "not_in_future": lambda: asked.col_vals_le(columns="x", value=NOW, na_pass=True),
        "compare": lambda: asked.col_vals_le(columns="x", value=pb.col("y"), na_pass=True),
        "monotonic": lambda: asked.col_vals_increasing(columns="x", allow_stationary=True, na_pass=True),
        "row_count": lambda: asked.row_count_match(count=given["min"], tol=(0, 10**9)),
    }
    step = steps[kind]().interrogate()
    info = step.validation_info[0]
    if info.eval_error:
        return "error"
    return int(step.n_failed(i=1, scalar=True))


def _inclusive(given: dict[str, Any]) -> tuple[bool, bool]:
    inside = not given.get("exclusive", False)
    return inside, inside


def _length(given: dict[str, Any], *, polars: bool) -> Any:
    if polars:
        import polars as pl

        return pl.col("x").str.len_chars().is_between(given["min"], given["max"]) | pl.col("x").is_null()
    return lambda frame: frame["x"].str.len().between(given["min"], given["max"]) | frame["x"].isna()


def answer(says: Callable[[Case], int | str | None], case: Case) -> int | str | None:
    try:
        return says(case)
    except Exception as error:  # noqa: BLE001 - that it fails is the answer
        return f"error: {type(error).__name__}"


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    asked: dict[str, Callable[[Case], int | str | None]] = {
        "pandera, pandas": lambda case: pandera_says(case, polars=False),
        "pandera, Polars": lambda case: pandera_says(case, polars=True),
        "Pointblank, pandas": lambda case: pointblank_says(case, polars=False),
        "Pointblank, Polars": lambda case: pointblank_says(case, polars=True),
    }
    packages = ("pandera", "pointblank", "pandas", "polars", "pyarrow", "narwhals")
    found = {
        "recorded": datetime.now(UTC).date().isoformat(),
        "versions": {name: version(name) for name in packages},
        "failing": {name: {who: answer(says, case) for who, says in asked.items()} for name, case in CASES.items()},
    }
    ANSWERS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
