"""Which table goes to which parameter."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from data_pipeline.collect.derived.arguments import arguments
from data_pipeline.user_function import Mismatch

NOW = {"now": "NOW", "run_date": "DAY"}


def given(function: Callable[..., Any], *inputs: str) -> Any:
    """What the function gets, each input as its own name in capitals."""
    return arguments(function, inputs, NOW).call({name: name.upper() for name in inputs})


@pytest.mark.parametrize(
    ("function", "inputs", "got"),
    [
        (lambda b, a: (b, a), ("a", "b"), ("B", "A")),
        (lambda x, y: (x, y), ("a", "b"), ("A", "B")),
        (lambda x, a: (x, a), ("a", "b"), ("B", "A")),
        (lambda fx_daily: fx_daily, ("fx-daily",), "FX-DAILY"),
        (lambda a, now, run_date: (a, now, run_date), ("a",), ("A", "NOW", "DAY")),
        (lambda now: now, ("now",), "NOW"),
        (lambda a, *rest: (a, rest), ("b", "c", "a"), ("A", ("B", "C"))),
        (lambda *all_of_them: all_of_them, ("a", "b"), ("A", "B")),
        (lambda x, **rest: (x, rest), ("a", "b-c"), ("A", {"b_c": "B-C"})),
        (lambda a, factor=3: (a, factor), ("a",), ("A", 3)),
        (lambda a, b=None: (a, b), ("a", "x"), ("A", "X")),
        (lambda x, /, *, a: (x, a), ("a", "b"), ("B", "A")),
    ],
    ids=[
        "by name, whatever the order",
        "in order, where no name fits",
        "a name first, the rest in order",
        "a dash is an underscore",
        "the moment of the run",
        "a dataset of that name comes first",
        "the rest by position",
        "all by position",
        "the rest by name",
        "a default stays",
        "a default gives way to a table",
        "places that have no name, and no position",
    ],
)
def test_each_table_finds_its_parameter(function: Callable[..., Any], inputs: tuple[str, ...], got: Any) -> None:
    """By its name, else in the order of `depends_on`."""
    assert given(function, *inputs) == got


@pytest.mark.parametrize(
    ("function", "inputs", "told"),
    [
        (lambda a: a, ("a", "b"), "it has no parameter for `b`; it is declared as"),
        (lambda a, b, c: (a, b, c), ("a",), "nothing is there for `b`, `c`; it is declared as"),
        (lambda: None, ("a",), "it has no parameter for `a`"),
        ("text", ("a",), "it is a str, not a function"),
    ],
    ids=["a table too many", "a parameter too many", "none at all", "no function"],
)
def test_what_does_not_fit_is_told(function: Any, inputs: tuple[str, ...], told: str) -> None:
    """With the function as it is declared."""
    with pytest.raises(Mismatch) as caught:
        given(function, *inputs)
    assert told in str(caught.value)


def annotated(a: pa.Table, b: "pa.RecordBatchReader", c: "Nowhere.Table", d, *rest: pa.Table) -> None:  # type: ignore[name-defined]  # noqa: F821
    """One of each."""


def kept(a: "pa.Table", **rest: "pa.RecordBatchReader") -> None:
    """Annotations as text."""


def test_the_annotation_says_in_which_form() -> None:
    """Also as text, and where another annotation cannot be resolved; without any it is a frame."""
    assert arguments(annotated, [*"abcdef"], {}).forms == {
        "a": "table", "b": "reader", "c": "table", "d": "frame", "e": "table", "f": "table",
    }  # fmt: skip
    assert arguments(kept, ["a", "b"], {}).forms == {"a": "table", "b": "reader"}
