"""Advice on broken rules: what to look at, what the rows share, since when, the line to paste."""

from datetime import UTC, datetime, timedelta

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.advice.advise import Rows, advise
from data_pipeline.advice.past import Earlier
from data_pipeline.batch import Batch
from data_pipeline.dataset import Provenance
from data_pipeline.validate.engine import Validation, validate
from data_pipeline.validate.report import Report, RuleOutcome
from data_pipeline.validate.rules import parse_rule, parse_rules
from tests.counts import few
from utils.arrow import pa

NOW = datetime(2026, 3, 10, tzinfo=UTC)
WEIGHTS = {"warning": 1.0, "error": 3.0, "critical": 5.0}
KINDS = {"not_null": "completeness", "range": "validity", "unique": "uniqueness", "compare": "consistency"}


def outcome(kind="not_null", failed=0, of=100, severity="error", tolerance=0.0):
    passed = not failed or failed / of <= tolerance
    return RuleOutcome(
        f"{kind}(a)", kind, ("a",), severity, KINDS[kind], WEIGHTS[severity], tolerance, failed, of, passed
    )


def report(*outcomes):
    return Report(rows=100, quarantined=0, now=NOW, outcomes=outcomes)


class Judged:
    """A table judged by rules, and what advice is given on it."""

    def __init__(self, table: pa.Table, *rules, size: int = 10**6):
        self.rules = parse_rules(rules)
        provenance = Provenance("p", NOW)
        parts = table.to_batches(max_chunksize=size)
        batch = Batch(table.schema, lambda: iter(parts), rows=table.num_rows, nbytes=0, provenance=provenance)
        self.validation: Validation = validate(batch, self.rules, now=NOW)
        self.pairs = list(self.validation.split(batch))

    @property
    def report(self) -> Report:
        return self.validation.report

    def advise(self, earlier=(), **beside):
        given = Rows(good=[good for good, _ in self.pairs], **beside)
        rows = [bad for _, bad in self.pairs if bad is not None]
        return advise(self.report, rows, earlier, rules={rule.id: rule for rule in self.rules}, beside=given)

    def one(self, earlier=(), **beside):
        (found,) = self.advise(earlier, **beside)
        return found


def findings(advice):
    return {finding.kind: finding.text for finding in advice.findings}


def pasted(line):
    """What a line to paste says, as the configuration's own parser reads it."""
    found = yaml.safe_load(line)
    return parse_rule(found[0])[0] if isinstance(found, list) else found


def test_advice_comes_worst_first_with_a_line_to_paste():
    """Every broken rule gets one piece; its tolerance line would let this very batch pass."""
    told = advise(
        report(
            outcome("not_null", 1, 245, tolerance=0.1),
            outcome("range", 2, 245),
            outcome("unique", 2, severity="critical"),
            outcome("compare"),
        )
    )

    assert [advice.rule for advice in told] == ["unique(a)", "range(a)", "not_null(a)"]
    assert "2 of 245 rows (0.82 %) lie outside the bounds in `a`" in told[1].text
    assert told[1].text.endswith("add to the rule: `tolerance: 0.0082`")
    assert yaml.safe_load(told[1].paste) == {"tolerance": 0.0082}
    assert told[2].text.endswith("within its tolerance.")
    assert told[2].paste == ""


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_proposed_tolerance_suffices(failed, of):
    """Pasted, the proposed tolerance lets the batch pass, and it is a share."""
    failed, of = min(failed, of), max(failed, of)
    (rule,) = parse_rule({"range": {"column": "a", "min": 0}})

    (advice,) = advise(report(outcome("range", failed, of)), rules={"range(a)": rule})

    mended = pasted(advice.paste)
    assert failed / of <= mended.tolerance <= 1
    assert (mended.kind, mended.params) == (rule.kind, rule.params)


def test_what_has_a_detail_is_told_in_its_own_words():
    """Batch rules and rules that could not judge say what happened."""
    stale = report(outcome("not_null", 1, 1)._replace(detail="column `a` is not in the batch (has: b)"))

    assert [advice.text for advice in advise(stale)] == ["not_null(a): column `a` is not in the batch (has: b)"]


def test_all_well_needs_no_advice():
    """Nothing is read, nothing is said."""
    assert advise(report(outcome(), outcome("range"))) == []


def test_a_new_value_is_named_and_the_list_with_it_can_be_pasted():
    """`one_of` with a value that came up: its share, the rows it would give back, the whole rule."""
    values = ["open"] * 88 + ["UNKNOWN"] * 11 + ["x"]
    table = pa.table({"status": values, "n": [*range(99), -1]})
    rules = ({"one_of": {"column": "status", "values": ["open", "paid"]}}, {"range": {"column": "n", "min": 0}})

    advice = Judged(table, *rules).advise()[0]

    assert findings(advice)["value"] == "The values are 'UNKNOWN' (11), 'x'."
    assert pasted(advice.paste).params["values"] == ("open", "paid", "UNKNOWN")
    assert advice.saves == 11
    assert advice.paste in advice.text


def test_the_value_that_most_of_many_have_is_named():
    """A crowd of different values with one that stands out."""
    table = pa.table({"v": [-5] * 60 + list(range(-1000, -960)) + [1] * 900})

    advice = Judged(table, {"range": {"column": "v", "min": 0}}).one()

    assert findings(advice)["value"] == "60 % of them are -5 (60)."


@pytest.mark.parametrize(
    ("rule", "values", "words"),
    [
        ({"one_of": {"column": "v", "values": ["DE"]}}, ["de"], "in capitals"),
        ({"matches": {"column": "v", "pattern": "[A-Z]{2}"}}, ["DE "], "without the blanks around them"),
        ({"matches": {"column": "v", "pattern": "[0-9]{4}"}}, ["1 234"], "without blanks"),
        ({"range": {"column": "v", "min": 0, "max": 9}}, [-4], "with the sign turned around"),
        ({"range": {"column": "v", "min": 0, "max": 9}}, [5000], "divided by 1,000: was another unit sent?"),
        ({"range": {"column": "v", "min": 0, "max": 9}}, [500], "divided by 100: was another unit sent?"),
    ],
    ids=["case", "blanks around", "blanks", "sign", "a thousandth", "cents"],
)
def test_what_would_mend_the_values_is_found_by_trying(rule, values, words):
    """The changed values are held against the rule itself."""
    good = {str: ["DE"] if "one_of" in rule else [None], int: [5]}[type(values[0])]

    advice = Judged(pa.table({"v": values * 6 + good * 94}), rule).one()

    assert findings(advice)["mended"] == f"All 6 would be good {words}{'' if words.endswith('?') else '.'}"


def test_a_word_for_nothing_becomes_na_values():
    """Cells such as n/a that a type rule set aside: the key that reads them as nothing, with those that are there."""
    cells = [None if n < 5 else '{"v": "n/a"}' for n in range(10)]
    table = pa.table({"v": pa.array([1.5] * 5 + [None] * 5), "__unparsed__": cells})

    advice = Judged(table, {"type": {"column": "v", "is": "float"}}).one(na_values=("-",))

    assert findings(advice)["value"] == "The value is 'n/a'."
    assert pasted(advice.paste) == {"parse": {"na_values": ["-", "n/a"]}}
    assert advice.saves == 5


def test_broken_rows_of_one_segment_are_told_against_the_others():
    """Where nearly all lie in a value that few rows have; a column that spreads alike is passed over."""
    countries = ["DE"] * 20 + ["FR"] * 80
    shops = ["north", "south"] * 50
    table = pa.table({"v": [-1] * 20 + [1] * 80, "country": countries, "shop": shops})

    advice = Judged(table, {"range": {"column": "v", "min": 0}}).one()

    assert findings(advice)["segment"] == (
        "All 20 have `country` 'DE', as 20 % of the batch do; every row that has it breaks the rule (20)."
    )


def test_a_segment_that_nearly_all_rows_have_is_no_news():
    """All broken rows are German, but so is the batch."""
    table = pa.table({"v": [-1] * 10 + [1] * 90, "country": ["DE"] * 95 + ["FR"] * 5, "id": list(range(100))})

    assert "segment" not in findings(Judged(table, {"range": {"column": "v", "min": 0}}).one())


def test_a_column_of_many_values_divides_nothing():
    """Addresses, numbers that were given: also where more come than are counted at once."""
    table = pa.table(
        {"v": [-1] * 300 + [1] * 700, "id": list(range(1000)), "mail": [f"u{n % 400}" for n in range(1000)]}
    )

    assert "segment" not in findings(Judged(table, {"range": {"column": "v", "min": 0}}).one())


def test_where_all_values_and_hours_differ_nothing_is_made_up():
    """More of them than are counted: none stands out, and there is advice all the same."""
    count = 12_000
    at = pa.array(hours(count), pa.timestamp("us", "UTC"))

    advice = Judged(
        pa.table({"v": [-4 * n for n in range(1, count + 1)], "at": at}), {"range": {"column": "v", "min": 0}}
    )

    found = findings(advice.one(time="at"))
    assert not found.keys() & {"value", "time", "place"}


def hours(count, start=datetime(2026, 3, 1, tzinfo=UTC)):
    return [start + timedelta(hours=n) for n in range(count)]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda at: at.day == 3 and at.hour == 2, "between 02:00 and 03:00 UTC on 2026-03-03"),
        (lambda at: at.day == 3, "on 2026-03-03"),
        (lambda at: at.day == 3 and 5 <= at.hour < 9, "between 05:00 and 09:00 UTC on 2026-03-03"),
        (lambda at: at.day in {3, 4}, "between 2026-03-03 00:00 and 2026-03-05 00:00 UTC"),
        (lambda at: at.hour == 2, "between 02:00 and 03:00 UTC, on 10 days"),
    ],
    ids=["an hour", "a day", "some hours", "two days", "every night"],
)
def test_broken_rows_of_one_time_are_told_against_the_others(bad, words):
    """By the column of the rows' own time."""
    times = [at for at in hours(240) for _ in range(5)]
    values = [-1 if bad(at) else 1 for at in times]
    table = pa.table({"at": pa.array(times, pa.timestamp("us", "UTC")), "v": values})

    advice = Judged(table, {"range": {"column": "v", "min": 0}}).one(time="at")

    assert words in findings(advice)["time"]


def test_broken_rows_all_over_are_called_nothing():
    """What lies everywhere has no place, no time and no segment."""
    values = [-n if n % 11 == 0 else 1 for n in range(1, 1001)]
    table = pa.table({"at": hours(1000), "v": values, "s": ["a", "b"] * 500})

    advice = Judged(table, {"range": {"column": "v", "min": 0}}).one(time="at")

    assert not findings(advice).keys() & {"time", "place", "segment", "value"}


def test_broken_rows_that_lie_together_are_told_by_their_numbers():
    """A stretch of the file, to be looked up there."""
    table = pa.table({"v": [n if not 400 <= n < 520 else -n for n in range(1, 1001)]})

    advice = Judged(table, {"range": {"column": "v", "min": 0}}).one()

    assert findings(advice)["place"] == "All 120 are the rows 400 to 519, without a gap."


def test_the_file_that_broken_rows_came_in_is_named():
    """Of a batch of several files."""
    judged = Judged(pa.table({"v": [-1] * 8 + [1] * 8}), {"range": {"column": "v", "min": 0}})
    judged.pairs = [(good, bad.append_column("_file", pa.array(["b.csv"] * 8))) for good, bad in judged.pairs]

    assert findings(judged.one(files=3))["file"] == "All 8 came in 'b.csv', one of 3 files."


def test_segments_of_a_rule_are_named_and_the_tolerance_suffices_in_each():
    """`by` holds the tolerance against each segment, so the worst of them decides."""
    table = pa.table({"v": [-4] * 5 + [1] * 95, "shop": ["small"] * 10 + ["large"] * 90})
    rule = {"range": {"column": "v", "min": 0}, "by": ["shop"], "tolerance": 0.06}
    judged = Judged(table, rule)

    advice = judged.one()

    assert "1 of 2 segments by `shop` fails: 'small' (5 of 10)." in advice.text
    mended = pasted(advice.paste)
    assert (mended.tolerance, mended.by) == (0.5, ("shop",))
    assert Judged(table, yaml.safe_load(advice.paste)[0]).report.outcomes[0].passed


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ({"row_count": {"min": 100, "max": 200}}, "- row_count: {min: 5, max: 200}"),
        ({"row_count": {"max": 3}, "severity": "critical"}, "- row_count: {max: 5, severity: critical}"),
        ({"fresh": {"column": "at", "within": "2h"}}, "- fresh: {column: at, within: 30h}"),
    ],
    ids=["too few rows", "too many rows", "too old"],
)
def test_a_rule_on_the_whole_batch_is_widened_so_that_the_batch_keeps_it(rule, line):
    """Pasted, the rule passes on the very batch that broke it."""
    at = pa.array([NOW - timedelta(hours=30)] * 5, pa.timestamp("us", "UTC"))

    advice = Judged(pa.table({"at": at}), rule).one()

    assert advice.paste == line
    assert advice.text.endswith(f"If that is normal here, write the rule so: `{line}`")
    assert Judged(pa.table({"at": at}), yaml.safe_load(line)[0]).report.outcomes[0].passed


def test_no_rows_at_all_are_never_called_normal():
    """A rule that wants rows is not widened to want none."""
    advice = Judged(pa.table({"at": pa.array([], pa.int64())}), {"row_count": {"min": 1}}).one()

    assert (advice.text, advice.paste) == ("row_count: 0 rows, at least 1 expected", "")


def test_however_many_rules_are_broken_all_are_told_and_the_worst_are_looked_at():
    """Memory stays bounded; what is not looked at still has its figures and its line."""
    table = pa.table({f"c{n:02}": [-4] * (n + 1) + [1] * (99 - n) for n in range(60)})

    told = Judged(table, {"range": {"columns": table.schema.names, "min": 0}}).advise()

    assert len(told) == 60
    assert told[0].rule == "range(c59)"
    assert [bool(advice.findings) for advice in told] == [True] * 50 + [False] * 10
    assert all(advice.paste for advice in told)


def test_rules_that_the_same_rows_broke_are_told_together():
    """And how many rows mending one of them alone would give back."""
    table = pa.table({"a": pa.array([None] * 10 + [1] * 90), "b": [-1] * 8 + [1] * 91 + [-1]})

    nulls, negative = Judged(table, {"not_null": "a"}, {"range": {"column": "b", "min": 0}}).advise()

    assert findings(nulls)["together"] == "80 % of them broke `range(b)` too."
    assert nulls.saves == 2
    assert "Mended, this alone gives back 2 rows." in nulls.text
    assert findings(negative)["together"] == "89 % of them broke `not_null(a)` too."
    assert negative.saves == 1


def test_rows_that_break_a_warning_are_looked_at_too():
    """They are not set aside, so they are found among the good ones; nothing is saved by mending."""
    judged = Judged(pa.table({"v": [-7] * 5 + [1] * 5}), {"range": {"column": "v", "min": 0}, "severity": "warning"})
    (good, _), *_ = judged.pairs
    warned = good.slice(0, 5).append_column("_rules", pa.array([["range(v)"]] * 5))

    advice = judged.one(warned=[warned])

    assert findings(advice)["value"] == "The value is -7."
    assert advice.saves is None


def past(*failed):
    """Reports of earlier batches, newest first; None: there was no such rule."""
    for number, count in enumerate(failed):
        outcomes = () if count is None else (outcome("range", count),)
        yield Earlier(f"run-{number}", f"2026-03-0{9 - number}T08:00:00Z", report(*outcomes))


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ((0, 0, 3), "This is new: the 3 batches before kept it."),
        ((0,), "This is new: the batch before kept it."),
        ((5, 4, 0), "It is broken since 2026-03-08 08:00 UTC (run run-1), 3 batches in a row."),
        ((5, 4), "It was broken in every batch that is remembered, since 2026-03-08 08:00 UTC (run run-1)."),
        ((1, 0), "since 2026-03-09 08:00 UTC (run run-0), 2 batches in a row, but never so often: by 1 % at most."),
        ((None, None), "No batch before was judged by this rule."),
    ],
    ids=["new", "new after one", "since a run", "ever", "worse than ever", "a new rule"],
)
def test_since_when_a_rule_is_broken_is_told(before, words):
    """From the stored reports of the batches before."""
    (advice,) = advise(report(outcome("range", 5)), earlier=list(past(*before)))

    assert words in findings(advice)["since"]


def test_a_rule_that_was_worse_before_is_tolerated_as_it_was():
    """The line to paste would have let the earlier batches pass too."""
    (advice,) = advise(report(outcome("range", 2)), earlier=list(past(7, 1)))

    assert yaml.safe_load(advice.paste) == {"tolerance": 0.07}


@given(st.lists(st.sampled_from([-9, -5, 0, 3]), min_size=1, max_size=40), st.integers(1, 50))
@settings(max_examples=few(50))
def test_the_same_batch_gets_the_same_advice_whatever_its_split(values, size):
    """Deterministic, and no matter how the rows are cut."""
    table = pa.table({"v": values, "s": [str(value % 3) for value in values]})
    rules = ({"range": {"column": "v", "min": 0}}, {"one_of": {"column": "s", "values": ["0"]}})

    whole, parts = (Judged(table, *rules, size=chunk).advise() for chunk in (10**6, size))

    assert whole == parts


def test_every_line_to_paste_is_read_by_the_configuration():
    """Whatever the kind of rule: what is proposed parses, and is the same rule but for what was changed."""
    rules = (
        {"not_null": "a", "severity": "critical"},
        {"unique": ["a", "b"], "weight": 2},
        {"range": {"column": "a", "max": 1.5, "exclusive": True}, "id": "small"},
        {"one_of": {"column": "b", "values": ["x", "ü: #1", "no"]}},
        {"matches": {"column": "b", "pattern": r"\d{2}|'${HOME}'"}},
        {"length": {"column": "b", "max": 1}},
        {"not_in_future": "at"},
        {"compare": "a < 0 or `b` == 'q'"},
    )
    table = pa.table(
        {
            "a": [7, 7, None, 7],
            "b": ["yes", "yes", "false", "yes"],
            "at": pa.array([NOW + timedelta(days=1)] * 4, pa.timestamp("us", "UTC")),
        }
    )
    judged = Judged(table, *rules)

    told = judged.advise()

    declared = {rule.id: rule for rule in judged.rules}
    assert {advice.rule for advice in told} == declared.keys()
    for advice in told:
        rule, mine = pasted(advice.paste.replace("$${", "${")), declared[advice.rule]
        assert (rule.id, rule.kind, rule.columns, rule.severity, rule.weight) == (
            *(mine.id, mine.kind, mine.columns, mine.severity, mine.weight),
        )
        assert rule.tolerance > 0 or rule.params["values"] == ("x", "ü: #1", "no", "yes")
        assert advice.to_json()["paste"] == advice.paste
