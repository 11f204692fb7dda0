"""Rules that rows suggest: what is found, what is not, and what does not survive the rows that were held out."""

import random
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.suggest.candidate import Facts
from data_pipeline.suggest.neighbours import Neighbour
from data_pipeline.suggest.sample import sample_of
from data_pipeline.suggest.suggest import Rows, Suggested, suggest
from data_pipeline.suggest.trying import batch_of
from data_pipeline.validate.rules import parse_rule, parse_rules
from tests.counts import few
from utils.arrow import pa

NOW = datetime(2026, 3, 10, tzinfo=UTC)
COUNT = 800


def rows(table: pa.Table) -> Rows:
    return Rows(batch_of(table), sample_of(iter(table.to_batches()), table.schema, table.num_rows), NOW)


def suggested(table: pa.Table, facts: Facts = Facts(), **more) -> Suggested:  # noqa: B008 - frozen, and empty
    before = more.pop("before", None)
    return suggest(rows(table), facts, before=None if before is None else rows(before), **more)


def lines(table: pa.Table, facts: Facts = Facts(), **more) -> list[str]:  # noqa: B008 - frozen, and empty
    return [one.line for one in suggested(table, facts, **more).suggestions]


def drawn(make, count=COUNT, seed=7):
    chance = random.Random(seed)
    return [make(chance, at) for at in range(count)]


def moments(make):
    return pa.array(drawn(lambda chance, at: NOW - timedelta(**make(chance, at))), pa.timestamp("us", "UTC"))


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (drawn(lambda c, at: c.random()), "not_null: x"),
        (
            drawn(lambda c, at: None if c.random() < 0.03 else c.random()),
            "not_null: {column: x, severity: warning, tolerance: 0.0",
        ),
        (drawn(lambda c, at: c.choice(["open", "paid", "no"])), "one_of: {column: x, values: ['no', open, paid]}"),
        (
            drawn(lambda c, at: f"{c.choice('AB')}{c.randrange(100, 999)}.{at:04}"),
            r"pattern: '[A-Z][0-9]{3}\.[0-9]{4}'",
        ),
        (drawn(lambda c, at: c.choice("ÄÖÜé") * 2 + f"{at:05}"), "length: {column: x, min: 7, max: 7}"),
        (drawn(lambda c, at: c.randrange(1, 6)), "range: {column: x, min: 1, max: 5, severity: warning}"),
        (drawn(lambda c, at: c.randrange(100, 201)), "range: {column: x, min: 50, max: 250, severity: warning}"),
        (drawn(lambda c, at: c.uniform(-1, 1)), "range: {column: x, min: -2, max: 2, severity: warning}"),
        (
            drawn(lambda c, at: Decimal(c.randrange(1000, 9000)).scaleb(-2)),
            "range: {column: x, min: 0, max: 130, severity: warning}",
        ),
        (
            drawn(lambda c, at: 2**60 + c.randrange(1001)),
            "range: {column: x, min: 1152921504606846470, max: 1152921504606848480, severity: warning}",
        ),
        (drawn(lambda c, at: str(uuid.UUID(int=c.getrandbits(128)))), "format: {column: x, is: uuid}"),
        (drawn(lambda c, at: f"u{at}@example.org"), "format: {column: x, is: email}"),
        (moments(lambda c, at: {"seconds": c.randrange(10**6)}), "not_in_future: x"),
    ],
    ids=[
        *("complete", "nearly complete", "a category", "a code", "one length", "marks", "whole numbers", "fractions"),
        *("decimals", "beyond floats", "uuids", "addresses", "times of the past"),
    ],
)
def test_a_rule_is_found_where_it_was_planted(values, line):
    """One column, one habit."""
    assert any(line in found for found in lines(pa.table({"x": values})))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (drawn(lambda c, at: at * 3 + c.randrange(3)), "range"),
        (drawn(lambda c, at: f"{c.randrange(10**9)} {c.random()}" * c.randrange(1, 9)), "length"),
        (drawn(lambda c, at: f"word{c.randrange(500)}"), "one_of"),
        (drawn(lambda c, at: c.sample(range(10**6), 1)[0] + at * 10**6), "unique"),
        (drawn(lambda c, at: None if c.random() < 0.4 else 1), "not_null"),
        (moments(lambda c, at: {"days": c.randrange(-10, 10)}), "not_in_future"),
        (drawn(lambda c, at: f"{c.randrange(10**6)}"), "format"),
    ],
    ids=["a meter", "free text", "many values", "numbers differ by chance", "often empty", "plans", "digits"],
)
def test_what_only_looks_like_a_rule_is_not_suggested(values, kind):
    """Chance, growth and habit are no rules."""
    assert not [found for found in lines(pa.table({"x": values})) if found.startswith(kind)]


def test_the_order_of_two_columns_is_told_from_their_size():
    """A time is never after another; prices are smaller than populations, which says nothing."""
    begin = drawn(lambda c, at: NOW - timedelta(hours=c.randrange(10_000)))
    end = [at + timedelta(hours=n % 50) for n, at in enumerate(begin)]
    late = [at + timedelta(hours=2) if n % 400 else at - timedelta(1) for n, at in enumerate(end)]
    table = pa.table({"begin": begin, "till now": end, "late": late})
    table = table.append_column("price", pa.array(drawn(lambda c, at: c.randrange(1, 50))))
    table = table.append_column("people", pa.array(drawn(lambda c, at: c.randrange(10**5, 10**6))))

    found = [line for line in lines(table) if line.startswith("compare")]

    assert "compare: begin <= `till now`" in found
    assert not any("price" in line for line in found)


@pytest.mark.parametrize("name", ["AND", "Or", "not", "True", "NULL", "len", "in", "a.b", "é", "1 x", "x`y"])
def test_whatever_a_column_is_called_its_order_can_be_pasted(name):
    """Words of the grammar and signs stand in backticks; a name that cannot be written is left out."""
    low = drawn(lambda c, at: c.randrange(1000))

    found = [line for line in lines(pa.table({name: low, "high": [value + 5 for value in low]})) if "compare" in line]

    columns = [parse_rule(_read(line))[0].columns for line in found]
    assert columns == ([] if "`" in name else [(name, "high")])


def test_an_order_that_nearly_always_holds_is_a_warning_with_a_tolerance():
    """One row in 1,250 that contradicts it is no reason to set rows aside."""
    low = drawn(lambda c, at: c.randrange(1000), 10_000)
    high = [value + 5 if at % 1250 else value - 1 for at, value in enumerate(low)]

    (line,) = [line for line in lines(pa.table({"low": low, "high": high})) if line.startswith("compare")]

    (rule,) = parse_rule(_read(line))
    assert (rule.severity, 0 < rule.tolerance < 0.01) == ("warning", True)


def _read(line):
    import yaml

    return yaml.safe_load(line)


def test_categories_are_learned_from_as_what_they_are_categories_of():
    """A dictionary of texts, as pandas sends its categories."""
    states = pa.array(drawn(lambda c, at: c.choice(["open", "paid"]))).dictionary_encode()

    assert "one_of: {column: state, values: [open, paid]}" in lines(pa.table({"state": states}))


def test_the_key_is_judged_on_every_row_and_not_on_a_sample():
    """A key that is sent twice once in 20,000 rows: a sample would hardly see it."""
    ids = [*range(20_000), 17]
    table = pa.table({"id": ids})
    some = Rows(batch_of(table), sample_of(iter(table.to_batches()), table.schema, len(ids), most_cells=1_000), NOW)

    found = suggest(some, Facts(key=("id",)))

    assert found.dropped == (("unique: id", "the rows seen: 2 of 20,001 break it"),)


def test_columns_that_are_a_key_together_are_suggested_together():
    """As one rule, before everything else."""
    table = pa.table({"day": [n // 10 for n in range(COUNT)], "shop": [n % 10 for n in range(COUNT)]})

    assert lines(table, Facts(key=("day", "shop")))[0] == "unique: [day, shop]"


def test_what_the_version_before_breaks_is_not_shown():
    """It is named among those that were dropped, with the reason."""
    now = pa.table({"state": drawn(lambda c, at: c.choice(["a", "b"]))})
    then = pa.table({"state": drawn(lambda c, at: c.choice(["a", "b", "c"]), 90)})

    found = suggested(now, before=then)

    assert [one for one in found.suggestions if "one_of" in one.rule] == []
    (line, reason), *_ = found.dropped
    assert line == "one_of: {column: state, values: [a, b]}"
    assert reason.startswith("the version before: ")
    assert reason.endswith(" of 90 break it")


def test_what_rows_that_were_held_out_break_is_not_shown():
    """A value that only they hold: the list was made without it."""
    table = pa.table({"state": drawn(lambda c, at: c.choice(["a", "b"]), 4000), "n": list(range(4000))})
    hidden = sample_of(iter(table.to_batches()), table.schema, 4000).unseen.column("n").to_pylist()[:2]
    states = ["z" if at in hidden else state for at, state in enumerate(table.column("state").to_pylist())]

    found = suggested(pa.table({"state": states, "n": list(range(4000))}))

    assert ("one_of: {column: state, values: [a, b]}", "rows not seen before: 2 of") in [
        (line, reason[:26]) for line, reason in found.dropped
    ]


def test_what_is_declared_is_not_suggested_again():
    """Whatever its bounds: the user has decided about it."""
    declared = parse_rules([{"not_null": "x"}, {"range": {"column": "x", "min": -5, "max": 3000}}])

    found = suggested(pa.table({"x": drawn(lambda c, at: c.randrange(1000))}), declared=declared)

    assert [line.line for line in found.suggestions] == ["row_count: {min: 1}"]
    assert found.declared == 2


class Around:
    """One other dataset."""

    def __init__(self, values):
        self.values = pa.array(values)

    def values_of(self, dataset, column):
        assert (dataset, column) == ("customers", "id")
        return self.values

    def before(self, columns):
        return None

    def unchanged_since(self):
        return None


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("customer_id", list(range(200)), True),
        ("quantity", list(range(200)), False),
        ("customer_id", list(range(100)), False),
        ("buyer", [f"c{n}" for n in range(200)], True),
    ],
    ids=["called after it", "small numbers by chance", "some are not there", "texts"],
)
def test_values_that_stand_in_another_key_are_references(name, values, found):
    """By containment; of numbers the name must speak of it too."""
    pick = (lambda c, at: c.randrange(200)) if isinstance(values[0], int) else (lambda c, at: f"c{c.randrange(200)}")
    table = pa.table({name: drawn(pick)})
    neighbours = [Neighbour("customers", "id", pa.array(values))]

    told = lines(table, neighbours=neighbours, around=Around(values))

    assert (f"references: {{column: {name}, dataset: customers, key: id}}" in told) is found


def test_batches_so_far_bound_the_number_of_rows():
    """Half of the smallest, twice the largest; with too few batches only that there is something."""
    table = pa.table({"x": [1] * 900})

    assert "row_count: {min: 400, max: 2000, severity: warning}" in lines(table, Facts(row_counts=(900, 800, 1000)))
    assert "row_count: {min: 1}" in lines(table, Facts(row_counts=(900, 800)))


def test_the_evidence_says_on_how_many_rows_a_rule_held():
    """In words beside the rule, in figures for programs."""
    table = pa.table({"x": drawn(lambda c, at: c.randrange(1000), 1000)})

    (found,) = [one for one in suggested(table, before=table).suggestions if one.line == "not_null: x"]

    figures = found.to_json()
    assert found.evidence == (
        f"holds on 100 % of 1,000 rows, held-out {found.unseen} rows: 0 failures, version before: 0 failures; "
        "likely complete in at least 99.49 % of all rows"
    )
    assert figures["held_out"] == {"failed": 0, "of": found.unseen}
    assert figures["version_before"] == {"failed": 0, "of": 1000}
    assert 200 < found.unseen < 300


CELLS = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(),
    pa.string(): st.text(max_size=6),
    pa.decimal128(12, 3): st.decimals(-(10**8), 10**8, places=3, allow_nan=False),
    pa.timestamp("us", "UTC"): st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),
    pa.date32(): st.dates(),
    pa.bool_(): st.booleans(),
    pa.list_(pa.int64()): st.lists(st.integers(0, 3), max_size=2),
}


@st.composite
def tables(draw):
    kinds = draw(st.lists(st.sampled_from(list(CELLS)), min_size=1, max_size=3))
    names = draw(st.lists(st.text("ab `'${:#-é", min_size=1, max_size=5), min_size=3, max_size=3, unique=True))
    pool = [draw(st.lists(st.none() | CELLS[kind], min_size=1, max_size=8)) for kind in kinds]
    count = draw(st.sampled_from([0, 5, 60, 300]))
    columns = [[mine[at % len(mine)] for at in range(count)] for mine in pool]
    return pa.table({name: pa.array(mine, kind) for name, mine, kind in zip(names, columns, kinds, strict=False)})


@given(tables())
@settings(max_examples=few(40))
def test_every_suggestion_is_accepted_by_the_configuration_and_holds(table):
    """Whatever the columns are called and hold: what is shown parses, and passes on the rows it came from."""
    from data_pipeline.validate.engine import validate

    found = suggested(table)

    rules = [rule for one in found.suggestions for rule in parse_rule(_read(one.line.replace("$${", "${")))]
    report = validate(batch_of(table), rules, now=NOW).report
    assert [outcome.rule for outcome in report.outcomes if not outcome.passed] == []
