"""A score as the engine's own counts make it: nulls are judged by `not_null` only, and no bad row ever helps."""

from datetime import UTC, datetime, timedelta
from operator import itemgetter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from data_pipeline.batch import Batch
from data_pipeline.dataset import Provenance
from data_pipeline.score import score
from data_pipeline.validate.engine import validate
from data_pipeline.validate.report import Report
from data_pipeline.validate.rules import BATCH_KINDS, KINDS, parse_rules
from tests.counts import few
from utils.arrow import pa

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Around:
    """What `references` and `change` look at."""

    def values_of(self, dataset, column):
        return pa.array(["x", "y"])

    def before(self, columns):
        table = pa.table({"id": [0, 1, 2, 3], "n": [1, 2, 3, 4], "s": ["x", "y", "x", "y"]})
        return iter(table.select(list(columns)).to_batches())

    def unchanged_since(self):
        return None


def report(table: pa.Table, *rules) -> Report:
    batch = Batch.from_table(table, provenance=Provenance("p", NOW))
    return validate(batch, parse_rules(rules), now=NOW, surroundings=Around()).report


OF_VALUES = {
    "range": {"range": {"column": "n", "min": 0}},
    "one_of": {"one_of": {"column": "s", "values": ["x", "y"]}},
    "matches": {"matches": {"column": "s", "pattern": "[xy]"}},
    "format": {"format": {"column": "mail", "is": "email"}},
    "length": {"length": {"column": "s", "max": 1}},
    "type": {"type": {"column": "n", "is": "integer"}},
    "not_in_future": {"not_in_future": "at"},
    "unique": {"unique": "n"},
    "compare": {"compare": "n < 50"},
    "monotonic": {"monotonic": "n"},
    "references": {"references": {"column": "s", "dataset": "others", "key": "id"}},
    "change": {"change": {"column": "n", "by": "id", "max_percent": 50}},
}


@pytest.mark.parametrize("rule", OF_VALUES.values(), ids=OF_VALUES)
def test_a_missing_value_leaves_the_denominator_of_a_rule_on_values(rule):
    """Of four rows one has no value: three are judged, all of them good, and the score is whole."""
    table = pa.table(
        {
            "id": [0, 1, 2, 3],
            "n": [1, 2, None, 4],
            "s": ["x", "y", None, "x"],
            "mail": ["a@b.org", "c@d.org", None, "e@f.org"],
            "at": pa.array([NOW, NOW, None, NOW - timedelta(1)], pa.timestamp("us", "UTC")),
        }
    )

    (outcome,) = report(table, rule).outcomes

    assert (outcome.failed, outcome.of) == (0, 3)
    assert score(report(table, rule)).score == 100.0


def test_every_kind_that_judges_values_is_among_them():
    """`not_null` counts what is missing, and a function of the user's gets the rows as they are."""
    assert KINDS.keys() - BATCH_KINDS == OF_VALUES.keys() | {"not_null", "python"}


RULES = (
    {"not_null": "n"},
    {"range": {"column": "n", "min": 0, "max": 9}, "tolerance": 0.3},
    {"one_of": {"column": "s", "values": ["x", "y"]}, "severity": "critical", "by": ["shop"]},
    {"length": {"column": "s", "max": 1}, "where": "shop == 'a'", "weight": 0.25},
    {"compare": "n < 8 or s == 'x'", "severity": "warning"},
    {"row_count": {"min": 3}},
)
ROWS = st.lists(
    st.tuples(st.sampled_from([None, -1, 0, 4, 7, 20]), st.sampled_from([None, "x", "y", "zz"]), st.sampled_from("ab")),
    min_size=1,
    max_size=14,
)


def judged(rows):
    columns = [
        pa.array(map(itemgetter(at), rows), kind) for at, kind in enumerate((pa.int64(), pa.string(), pa.string()))
    ]
    return score(report(pa.table(dict(zip(("n", "s", "shop"), columns, strict=True))), *RULES))


@given(ROWS, st.data())
@settings(max_examples=few(80))
def test_a_good_row_that_turns_bad_never_raises_the_score(rows, data):
    """With segments, conditions, tolerances, weights and caps in play: the whole and each dimension can only fall."""
    good = [at for at, (n, s, _) in enumerate(rows) if n in {0, 4} and s in {"x", "y"}]
    assume(good)
    at = data.draw(st.sampled_from(good))
    n, s, shop = rows[at]
    worse = data.draw(
        st.sampled_from([(None, s, shop), (-1, s, shop), (20, s, shop), (n, "zz", shop), (20, "zz", shop)])
    )

    before, after = judged(rows), judged([*rows[:at], worse, *rows[at + 1 :]])

    assert after.score <= before.score
    assert after.uncapped <= before.uncapped
    for name, points in after.dimensions.items():
        earlier = before.dimensions[name]
        assert points is None or earlier is None or points <= earlier
