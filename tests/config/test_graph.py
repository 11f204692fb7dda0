"""Names of other datasets: told when the configuration is read, with the nearest, and circles spelt out."""

import pytest

from config.settings import Settings
from tests.config.conftest import House

MODULE = "def daily(orders):\n    return orders\n"


def datasets(*texts: str) -> str:
    """Datasets as `name: keys`; each collects something unless it says `transform`."""
    lines = ["datasets:"]
    for text in texts:
        name, _, keys = text.partition(": ")
        collect = "" if "transform" in keys or "collect" in keys else "collect: {kind: simulated}, "
        lines.append(f"  - {{name: {name}, {collect}{keys}}}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def sums(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A module of the user's own, `own_sums`."""
    (house.folder / "own_sums.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(house.folder))
    return house


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        (datasets("orders: tags: []", "daily: depends_on: [ordrs]"), "datasets.daily.depends_on[0]", "did you mean"),
        (datasets("daily: depends_on: [daily]"), "datasets.daily.depends_on[0]", "`daily` is this dataset itself"),
        (datasets("a: tags: []", "b: depends_on: [a, a]"), "datasets.b.depends_on[1]", "`a` is named twice"),
        (
            datasets("a: depends_on: [c]", "b: depends_on: [a]", "c: depends_on: [b]", "d: depends_on: [a]"),
            "datasets.a.depends_on",
            "these datasets need each other: a -> c -> b -> a",
        ),
        (datasets("a: schedule: {after: [x]}"), "datasets.a.schedule.after[0]", "`x` is no dataset"),
        (
            datasets("a: schedule: {after: [b]}", "b: schedule: {after: [a]}"),
            "datasets.a.schedule.after",
            "would set each other off for ever: a -> b -> a",
        ),
        (datasets("a: tags: [], collect: null"), "datasets.a.collect", "is missing"),
    ],
    ids=["unknown", "itself", "twice", "a circle", "unknown trigger", "a circle of triggers", "no source"],
)
def test_a_wrong_name_is_told_when_it_is_read(house: House, text: str, key: str, message: str) -> None:
    """With its key, so that nobody has to run it to find out."""
    problem = house.problem(text)
    assert problem.key == key
    assert message in problem.message
    assert problem.hint


@pytest.mark.parametrize(
    ("keys", "key", "message"),
    [
        ("transform: 'own_sums:daily'", "transform", "needs `depends_on`"),
        (
            "transform: 'own_sums:daily', depends_on: [orders], collect: {kind: simulated}",
            "collect",
            "does not go with `transform`",
        ),
        ("transform: 'own_sums:daly', depends_on: [orders]", "transform", "did you mean `daily`?"),
        ("transform: 'own_sum:daily', depends_on: [orders]", "transform", "there is no module `own_sum`"),
        ("transform: daily, depends_on: [orders]", "transform", "expected `module:name`, got `daily`"),
        ("transform: [a], depends_on: [orders]", "transform", "expected `module:function`, got a list"),
        ("transform: 'own_sums:daily', depends_on: [orders], provider: x", "provider", "does not go with `transform`"),
        (
            "transform: 'own_sums:daily', depends_on: [orders], partition: {by: day}",
            "partition",
            "does not go with `transform`",
        ),
    ],
    ids=[
        "made of nothing",
        "two sources",
        "no such function",
        "no such module",
        "no module named",
        "no text",
        "a provider",
        "pieces",
    ],
)
def test_a_wrong_transform_is_told_when_it_is_read(sums: House, keys: str, key: str, message: str) -> None:
    """One sentence, and what to do."""
    problem = sums.problem(datasets("orders: tags: []", f"daily: {keys}"))
    assert problem.key == f"datasets.daily.{key}"
    assert message in problem.message
    assert "function:" not in (problem.hint or "")  # no such key here


def test_a_derived_dataset_is_one_like_any_other(sums: House) -> None:
    """It has options of its own in place of `collect`; what it is made of and by what decides what its rows are."""
    text = datasets("orders: tags: []", "daily: transform: 'own_sums:daily', depends_on: [orders]")
    daily = sums.load(text).settings.dataset("daily")

    assert (daily.kind, daily.collect.function, daily.collect.inputs) == ("derived", "own_sums:daily", ("orders",))
    other = sums.load(text.replace("[orders]", "[orders, more]") + "  - {name: more, collect: {kind: simulated}}\n")
    assert other.settings.dataset("daily").fingerprint != daily.fingerprint


def test_what_only_comes_after_others_is_the_same_dataset() -> None:
    """`depends_on` of a collected dataset says when, not what: its versions and its cache stand."""
    made = [{"name": name, "collect": {"kind": "simulated"}} for name in ("a", "b")]
    alone, after = (
        Settings.model_validate({"datasets": [made[0], {**made[1], **more}]}) for more in ({}, {"depends_on": ["a"]})
    )
    assert alone.dataset("b").fingerprint == after.dataset("b").fingerprint


def test_a_long_circle_is_told_in_one_line(house: House) -> None:
    """Nobody reads a thousand names; and it is found without recursion."""
    problem = house.problem(datasets(*(f"d{one}: depends_on: [d{(one + 1) % 2000}]" for one in range(2000))))
    assert problem.message.startswith("these datasets need each other: d0 -> d1 -> ")
    assert "(1988 more) -> d0" in problem.message
