"""`python`: a function of the user's own sees the whole batch once, and whatever it does is told in words."""

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_pipeline.validate.engine import judge, observe
from data_pipeline.validate.rules import parse_rule
from data_pipeline.validate.state_bytes import states_from_bytes, states_to_bytes
from tests.data_pipeline.validate import tables
from tests.data_pipeline.validate.kernels.judged import judged, judged_batch
from tests.data_pipeline.validate.tables import NOW
from utils.arrow import pa

Use = Callable[[Callable[[pd.DataFrame], Any]], dict[str, Any]]


@pytest.fixture
def using() -> Iterator[Use]:
    """Gives the rule for a function, as if it stood in a module of the user's."""
    module = types.ModuleType("rules_of_a_test")
    sys.modules[module.__name__] = module

    def use(function: Callable[[pd.DataFrame], Any]) -> dict[str, Any]:
        module.judge = function  # type: ignore[attr-defined]  # as in a user's module
        return {"function": "rules_of_a_test:judge"}

    module.__spec__ = types.SimpleNamespace(origin=None)  # type: ignore[assignment]  # there is no file to be read
    yield use
    del sys.modules[module.__name__]


COLUMNS = {"id": [1, 2, 2**53 + 1, None], "text": ["a", None, "ü", "d"], "price": [1.0, None, 3.0, float("nan")]}


@pytest.mark.parametrize("cuts", [[], [1], [1, 2, 3]], ids=["one chunk", "two", "four"])
def test_it_sees_the_whole_batch_once_with_exact_types(using, cuts):
    """Integers with nulls stay integers, NaN is null; rows are those that it says no to."""
    seen: list[pd.DataFrame] = []

    def good(frame: pd.DataFrame) -> pd.Series:
        seen.append(frame)
        return frame["id"] != frame["id"].max()

    found = judged({"python": using(good)}, COLUMNS, cuts)

    (frame,) = seen
    assert [str(kind) for kind in frame.dtypes] == ["int64[pyarrow]", "string[pyarrow]", "double[pyarrow]"]
    assert frame["id"].tolist()[:3] == [1, 2, 2**53 + 1]
    assert frame["price"].isna().tolist() == [False, True, False, True]
    assert found.rows == [2]
    assert found.counts == (1, 3)  # of the last row it does not know


@pytest.mark.parametrize(
    "mask",
    [
        [True, False, True, False],
        np.array([True, False, True, False]),
        pd.Series([True, False, True, False]),
        pd.Series([True, False, True, False], dtype="boolean"),
        pa.array([True, False, True, False]),
        pa.chunked_array([[True, False], [True, False]]),
        pd.Series([False, True, False, True], index=[3, 2, 1, 0]),
        pd.Series([True, False, True, False], index=["a", 1, None, 2.5]),
    ],
    ids=["list", "numpy", "series", "nullable", "arrow", "chunked", "in another order", "labels without order"],
)
def test_masks_of_all_kinds_are_taken(using, mask):
    """By row; a series whose rows were put into another order is read by its index."""
    assert judged({"python": using(lambda _: mask)}, COLUMNS, [2]).rows == [1, 3]


def raises(_: pd.DataFrame) -> None:
    raise KeyError("no such column")


class Broken(list[bool]):
    """What a library gave, which raises when it is read."""

    def __len__(self) -> int:
        raise RuntimeError("value of a row")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raises, "failed with KeyError: 'no such column'"),
        (lambda _: sys.exit(3), "failed with SystemExit: 3"),
        (lambda _: None, "gave a NoneType; give one true or false for each row"),
        (lambda frame: frame, "gave a DataFrame; give one"),
        (lambda _: True, "gave a bool; give one"),
        (lambda _: "yes!", "gave a str; give one"),
        (lambda _: [True], "gave 1 values for 4 rows"),
        (lambda _: [1, 2, 3, 4], "gave int64 values"),
        (lambda _: ["yes"] * 4, "gave string values"),
        (lambda _: [True, "no", 1, 2], "gave values that are not true or false (Arrow"),
        (lambda _: Broken(), "gave values that are not true or false (RuntimeError);"),
    ],
    ids=["raises", "exits", "nothing", "a frame", "one truth", "text", "too few", "numbers", "words", "mix", "broken"],
)
def test_what_it_does_wrong_is_told_with_its_name(using, function, words):
    """The rule cannot judge: every row fails; no traceback."""
    found = judged({"python": using(function)}, COLUMNS, [2])

    assert found.outcome.detail.startswith(f"rules_of_a_test:judge {words}")
    assert (found.counts, found.rows) == ((4, 4), [0, 1, 2, 3])


def test_nan_among_truths_is_not_known(using):
    """As pandas gives it where a value is missing."""
    found = judged({"python": using(lambda _: np.array([True, float("nan"), False, None], object))}, COLUMNS)

    assert (found.rows, found.counts) == ([2], (1, 2))


def test_where_columns_and_by(using):
    """It sees the rows that `where` leaves and the columns that it names; its mask is counted by segment."""
    seen: list[pd.DataFrame] = []

    def good(frame: pd.DataFrame) -> Any:
        seen.append(frame)
        return frame["id"] > 1

    columns = {"id": [1, 2, 3, 1], "shop": ["x", "x", "y", "y"], "state": ["open", "open", "open", "shut"]}
    rule = {"python": {**using(good), "columns": ["id"]}, "where": "state == 'open'", "by": "shop"}
    found = judged(rule, columns, [1, 3])

    assert seen[0].to_dict("list") == {"id": [1, 2, 3]}
    assert (found.rows, found.counts) == ([0], (1, 3))
    assert found.outcome.segments is not None
    assert [(one.values, one.failed, one.of) for one in found.outcome.segments.worst] == [(("x",), 1, 2)]


def test_what_it_prints_does_not_spoil_standard_output(using, capsys):
    """A result may be on its way there as JSON."""

    def good(frame: pd.DataFrame) -> Any:
        print("looking")
        return [True] * len(frame)

    judged({"python": using(good)}, COLUMNS)

    assert capsys.readouterr() == ("", "looking\n")


def test_a_frame_beyond_the_memory_limit_is_refused(using):
    """With the limit, and what to do; the columns that it needs may be fewer."""
    table = pa.table({"small": range(1_000), "large": ["x" * 100] * 1_000})
    batch = tables.batch(table)
    batch.memory_limit = 50_000
    (whole,) = parse_rule({"python": using(lambda frame: [True] * len(frame))})
    (named,) = parse_rule({"python": {**using(lambda frame: [True] * len(frame)), "columns": ["small"]}})

    refused, judged_ = judged_batch(whole, batch), judged_batch(named, batch)

    assert "takes more than 50,000 bytes (`app.memory_limit`); name the `columns`" in refused.outcome.detail
    assert (refused.counts, judged_.counts) == ((1_000, 1_000), (0, 1_000))


def test_no_rows_are_no_reason_to_call_it(using):
    """An empty batch has nothing to judge."""
    found = judged({"python": using(raises)}, {"a": pa.array([], pa.int64())})

    assert (found.counts, found.outcome.passed) == ((0, 0), True)


def test_parts_are_judged_as_one(using):
    """It sees the rows of all parts together, also when their states went through bytes."""
    rules = tuple(parse_rule({"python": using(lambda frame: frame["a"] <= frame["a"].mean())}))
    batches = [tables.batch(pa.table({"a": values})) for values in ([1, 2], [3, 10])]
    states = [observe(batch, rules, now=NOW, part=str(at)) for at, batch in enumerate(batches)]
    named = {str(at): batch for at, batch in enumerate(batches)}
    read = [states_from_bytes(states_to_bytes(state), rules, batches=named) for state in states]

    assert judge(states).outcomes == judge(read).outcomes
    assert judge(states).outcomes[0].failed == 1


def test_a_function_that_is_missing_is_refused_when_the_configuration_is_read():
    """The module is not run for that."""
    with pytest.raises(ValueError, match="module `json` has no `lods`; did you mean `loads`"):
        parse_rule({"python": "json:lods"})
