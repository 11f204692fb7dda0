"""The peers' engines with the same twelve rules. Each says, as ours does, how many rows break each and which they are.

Run in their environment: `python quality_judge.py NAME PATH TURNS`; answers as `quality_work` says.
"""

import logging
import os
import sys
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from quality_work import EMAIL, MOST_ROWS, NOW, STATUS, perform

MOMENT = datetime.fromisoformat(NOW)
WHOLE = f"^{EMAIL}$"


def pandera(path):
    """Over pandas; `lazy=True` always makes the table of failure cases, with the index of each."""
    import pandas as pd
    import pandera.pandas as pa

    frame, column, check = pd.read_parquet(path), pa.Column, pa.Check
    schema = pa.DataFrameSchema(
        {
            "order_id": column(None, unique=True),
            "email": column(None, check.str_matches(WHOLE), nullable=False),
            "amount": column(None, check.in_range(0, 10_000), nullable=False),
            "quantity": column(None, check.in_range(1, 100)),
            "status": column(None, check.isin(STATUS), nullable=True),
            "country": column(None, check.str_length(2, 2), nullable=True),
            "created_at": column(None, check.less_than_or_equal_to(pd.Timestamp(NOW)), nullable=False),
        },
        checks=[
            pa.Check(lambda rows: ~(rows["created_at"] > rows["updated_at"]), name="order", ignore_na=False),
            pa.Check(lambda rows: 1 <= len(rows) <= MOST_ROWS, name="rows"),
        ],
    )

    def work():
        try:
            schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as errors:
            cases = errors.failure_cases
        found = cases.groupby(["column", "check"], dropna=False).size().to_dict()
        null = {column: size for (column, name), size in found.items() if name == "not_nullable"}
        rest = {column: size for (column, name), size in found.items() if name not in {"not_nullable", "order", "rows"}}
        # The rule over two columns is told once for every column of the frame.
        order = sum(size for (_, name), size in found.items() if name == "order") // len(frame.columns)
        values = ("order_id", "amount", "quantity", "status", "email", "country", "created_at")
        return [
            *[null.get(column, 0) for column in ("email", "amount", "created_at")],
            *[rest.get(column, 0) for column in values],
            order,
            0,
        ]

    return work


def pointblank(path):
    """Over Polars, with extracts: up to 500 failing rows of each rule."""
    import pointblank as pb
    import polars as pl

    frame = pl.read_parquet(path)

    def work():
        checks = (
            pb.Validate(frame)
            .col_vals_not_null("email")
            .col_vals_not_null("amount")
            .col_vals_not_null("created_at")
            .rows_distinct(columns_subset="order_id")
            .col_vals_between("amount", 0, 10_000, na_pass=True)
            .col_vals_between("quantity", 1, 100)
            .col_vals_in_set("status", STATUS)
            .col_vals_regex("email", WHOLE, na_pass=True)
            .col_vals_expr(pl.col("country").str.len_chars() == 2)
            .col_vals_le("created_at", MOMENT, na_pass=True)
            .col_vals_le("created_at", pb.col("updated_at"), na_pass=True)
            .row_count_match(count=len(frame), tol=0)
            .interrogate(collect_extracts=True)
        )
        failed = checks.n_failed()
        return [failed[number] or 0 for number in range(1, 13)]

    return work


def great_expectations(path):
    """Over pandas, with the index of every failing row (`COMPLETE`)."""
    os.environ["TQDM_DISABLE"] = "1"
    import great_expectations as gx
    import pandas as pd

    logging.disable(logging.WARNING)
    frame, expect = pd.read_parquet(path), gx.expectations
    context = gx.get_context(mode="ephemeral")
    source = context.data_sources.add_pandas("pandas").add_dataframe_asset("orders")
    batch = source.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(
        name="orders",
        expectations=[
            expect.ExpectColumnValuesToNotBeNull(column="email"),
            expect.ExpectColumnValuesToNotBeNull(column="amount"),
            expect.ExpectColumnValuesToNotBeNull(column="created_at"),
            expect.ExpectColumnValuesToBeUnique(column="order_id"),
            expect.ExpectColumnValuesToBeBetween(column="amount", min_value=0, max_value=10_000),
            expect.ExpectColumnValuesToBeBetween(column="quantity", min_value=1, max_value=100),
            expect.ExpectColumnValuesToBeInSet(column="status", value_set=STATUS),
            expect.ExpectColumnValuesToMatchRegex(column="email", regex=WHOLE),
            expect.ExpectColumnValueLengthsToEqual(column="country", value=2),
            expect.ExpectColumnValuesToBeBetween(column="created_at", max_value=pd.Timestamp(NOW)),
            expect.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="updated_at", column_B="created_at", or_equal=True, ignore_row_if="either_value_is_missing"
            ),
            expect.ExpectTableRowCountToBeBetween(min_value=1, max_value=MOST_ROWS),
        ],
    )
    suite = context.suites.add(suite)

    def work():
        # It gives the results in an order of its own.
        found = {}
        for result in batch.validate(suite, result_format="COMPLETE").results:
            about = result.expectation_config
            column = about.kwargs.get("column", about.kwargs.get("column_A"))
            found[about.type, column] = result.result.get("unexpected_count", int(not result.success))
        return [
            found[f"expect_{name}", column]
            for name, column in (
                ("column_values_to_not_be_null", "email"),
                ("column_values_to_not_be_null", "amount"),
                ("column_values_to_not_be_null", "created_at"),
                ("column_values_to_be_unique", "order_id"),
                ("column_values_to_be_between", "amount"),
                ("column_values_to_be_between", "quantity"),
                ("column_values_to_be_in_set", "status"),
                ("column_values_to_match_regex", "email"),
                ("column_value_lengths_to_equal", "country"),
                ("column_values_to_be_between", "created_at"),
                ("column_pair_values_a_to_be_greater_than_b", "updated_at"),
                ("table_row_count_to_be_between", None),
            )
        ]

    return work


def dataframely(path):
    """Over Polars; good rows in one frame, and of the others which rules each broke."""
    import dataframely as dy
    import polars as pl

    class Orders(dy.Schema):
        order_id = dy.Int64(nullable=True)
        customer_id = dy.Int64(nullable=True)
        email = dy.String(nullable=False, regex=WHOLE)
        status = dy.String(nullable=True)
        country = dy.String(nullable=True, min_length=2, max_length=2)
        quantity = dy.Int64(nullable=True, min=1, max=100)
        amount = dy.Float64(nullable=False, min=0, max=10_000)
        discount = dy.Float64(nullable=True)
        created_at = dy.Datetime(nullable=False, max=MOMENT)
        updated_at = dy.Datetime(nullable=True)

        @dy.rule()
        def known(cls) -> pl.Expr:  # noqa: N805 - a rule of dataframely is a class method
            return pl.col("status").is_in(STATUS)

        @dy.rule()
        def order(cls) -> pl.Expr:  # noqa: N805 - a rule of dataframely is a class method
            return ~(pl.col("created_at") > pl.col("updated_at"))

        @dy.rule()
        def unique(cls) -> pl.Expr:  # noqa: N805 - a rule of dataframely is a class method
            return ~pl.col("order_id").is_duplicated()

    frame = pl.read_parquet(path)

    def work():
        _, failure = Orders.filter(frame)
        found = failure.counts()
        groups = (
            ["email|nullability"],
            ["amount|nullability"],
            ["created_at|nullability"],
            ["unique"],
            ["amount|min", "amount|max"],
            ["quantity|min", "quantity|max"],
            ["known"],
            ["email|regex"],
            ["country|min_length", "country|max_length"],
            ["created_at|max"],
            ["order"],
            [],
        )
        return [sum(found.get(name, 0) for name in names) for names in groups]

    return work


def _polars_rules():
    import polars as pl

    column = pl.col
    return [
        column("email").is_null(),
        column("amount").is_null(),
        column("created_at").is_null(),
        column("order_id").is_duplicated(),
        ~column("amount").is_between(0, 10_000),
        ~column("quantity").is_between(1, 100),
        ~column("status").is_in(STATUS),
        ~column("email").str.contains(WHOLE),
        column("country").str.len_chars() != 2,
        column("created_at") > MOMENT,
        column("created_at") > column("updated_at"),
    ]


def polars(path):
    """One lazy query over a pandas frame: the places of the rows that break each rule."""
    import pandas as pd
    import polars as pl

    frame = pd.read_parquet(path)

    def work():
        rules = [rule.arg_true().implode().alias(str(at)) for at, rule in enumerate(_polars_rules())]
        found = pl.from_pandas(frame).lazy().select(rules).collect()
        return [*[len(found[name][0]) for name in found.columns], 0]

    return work


def polars_file(path):
    """The streaming engine over the file, uniqueness as a group by; counts only."""
    import polars as pl

    def work():
        rules = [rule.sum().alias(str(at)) for at, rule in enumerate(_polars_rules()) if at != 3]
        found = list(pl.scan_parquet(path).select(rules).collect(engine="streaming").row(0))
        groups = pl.scan_parquet(path).group_by("order_id").agg(pl.len().alias("times"))
        again = groups.filter(pl.col("times") > 1).select(pl.col("times").sum()).collect(engine="streaming").item()
        return [*found[:3], again or 0, *found[3:], 0]

    return work


def polars_profile(path):
    """Nulls, bounds, mean, deviation, about how many distinct, three quantiles; of text its lengths."""
    import pandas as pd
    import polars as pl

    frame = pd.read_parquet(path)

    def work():
        rows = pl.from_pandas(frame)
        told = []
        for name, kind in rows.schema.items():
            column = pl.col(name)
            told += [column.null_count().alias(f"{name} null"), column.approx_n_unique().alias(f"{name} distinct")]
            values = column.str.len_chars() if kind == pl.String else column
            told += [values.min().alias(f"{name} min"), values.max().alias(f"{name} max")]
            told += [values.mean().alias(f"{name} mean")]
            if kind.is_numeric():
                told += [values.std().alias(f"{name} std")]
            if kind != pl.String:
                told += [values.quantile(at).alias(f"{name} {at}") for at in (0.5, 0.95, 0.99)]
        rows.lazy().select(told).collect()

    return work


_PREDICATES = (
    "email IS NULL",
    "amount IS NULL",
    "created_at IS NULL",
    "",
    "NOT (amount BETWEEN 0 AND 10000)",
    "NOT (quantity BETWEEN 1 AND 100)",
    f"status NOT IN ({', '.join(repr(status) for status in STATUS)})",
    f"NOT regexp_matches(email, '{WHOLE}')",
    "length(country) <> 2",
    f"created_at > TIMESTAMP '{NOW}'",
    "created_at > updated_at",
)
_AGAIN = "SELECT order_id FROM {rows} GROUP BY order_id HAVING count(*) > 1"


def duckdb(path):
    """One query over a pandas frame as Arrow: for each bad row its number and a bit for each rule it broke."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    frame = pd.read_parquet(path)
    connection = _connected(path)
    bits = " | ".join(f"(CASE WHEN {rule} THEN {1 << at} ELSE 0 END)" for at, rule in enumerate(_PREDICATES) if rule)
    again = f"(CASE WHEN order_id IN ({_AGAIN.format(rows='rows')}) THEN 8 ELSE 0 END)"
    query = f"SELECT * FROM (SELECT number, {bits} | {again} AS broken FROM rows) WHERE broken <> 0"

    def work():
        table = pa.Table.from_pandas(frame, preserve_index=False)
        connection.register("rows", table.append_column("number", pa.array(np.arange(len(frame)))))
        found = connection.execute(query).fetchnumpy()
        connection.unregister("rows")
        places = [np.sort(found["number"][(found["broken"] >> at) & 1 == 1]) for at in range(len(_PREDICATES))]
        return [*map(len, places), 0]

    return work


def duckdb_file(path):
    """One query over the file with a memory limit of 512 MB; counts only."""
    connection = _connected(path, "512MB")
    rows = f"read_parquet('{path}')"
    again = f"(SELECT coalesce(sum(c), 0) FROM (SELECT count(*) c FROM {rows} GROUP BY order_id HAVING count(*) > 1))"
    told = [f"count(*) FILTER (WHERE {rule})" if rule else again for rule in _PREDICATES]
    return lambda: [*connection.execute(f"SELECT {', '.join(told)} FROM {rows}").fetchall()[0], 0]


def duckdb_profile(path):
    """As Polars' profile, quantiles by t-digest."""
    import pandas as pd
    import pyarrow as pa

    frame = pd.read_parquet(path)
    connection = _connected(path)

    def work():
        table = pa.Table.from_pandas(frame, preserve_index=False)
        connection.register("rows", table)
        told = []
        for field in table.schema:
            text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
            told += [f"count(*) - count({field.name})", f"approx_count_distinct({field.name})"]
            value = f"length({field.name})" if text else field.name
            told += [f"min({value})", f"max({value})"]
            number = f"epoch_us({value})" if pa.types.is_timestamp(field.type) else value
            told += [f"avg({number})"]
            if not text:
                told += [f"stddev({number})", f"approx_quantile({number}, [0.5, 0.95, 0.99])"]
        connection.execute(f"SELECT {', '.join(told)} FROM rows").fetchall()
        connection.unregister("rows")

    return work


def _connected(path, memory=""):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 2").fetchall()
    connection.execute(f"SET temp_directory = '{Path(path).parent / 'duckdb'}'").fetchall()
    if memory:
        connection.execute(f"SET memory_limit = '{memory}'").fetchall()
        connection.execute("SET preserve_insertion_order = false").fetchall()
    return connection


if __name__ == "__main__":
    perform(
        {
            "pandera": pandera,
            "pointblank": pointblank,
            "great-expectations": great_expectations,
            "dataframely": dataframely,
            "polars": polars,
            "duckdb": duckdb,
            "polars-file": polars_file,
            "duckdb-file": duckdb_file,
            "polars-profile": polars_profile,
            "duckdb-profile": duckdb_profile,
        }
    )
