"""Who needs whom, and which datasets a selection names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ConfigError
from config.settings import Settings
from data_pipeline.graph import Edge, Graph, edges, select


def settings(*datasets: str) -> Settings:
    """Datasets as `name: needed, needed #tag #tag`."""
    made = []
    for text in datasets:
        name, _, rest = text.partition(":")
        tags = re.findall(r"#(\w+)", rest)
        needs = re.sub(r"#\w+", "", rest).replace(",", " ").split()
        made.append({"name": name, "collect": {"kind": "simulated"}, "depends_on": needs, "tags": tags})
    return Settings.model_validate({"datasets": made})


SHOP = (
    "shops:",
    "orders: shops #finance",
    "people:",
    "daily: orders, people #finance",
    "weekly: daily",
    "lonely: #odd",
)


@pytest.mark.parametrize(
    ("selectors", "names"),
    [
        (["orders"], "orders"),
        (["+daily"], "shops orders people daily"),
        (["orders+"], "orders daily weekly"),
        (["+orders+"], "shops orders daily weekly"),
        (["tag:finance"], "orders daily"),
        (["+tag:finance"], "shops orders people daily"),
        (["tag:finance+"], "orders daily weekly"),
        (["lonely", "+orders", "orders"], "lonely shops orders"),
        (["tag:odd", "people"], "lonely people"),
        ([], "shops orders people daily weekly lonely"),
    ],
    ids=[
        "a name",
        "with all it needs",
        "with all that needs it",
        "with both",
        "a tag",
        "a tag with all it needs",
        "a tag with all that needs it",
        "several, each once, as they were named",
        "a tag and a name",
        "none named",
    ],
)
def test_a_selection_names_datasets(selectors: list[str], names: str) -> None:
    """In the order they were named; those of one selector in the order of the configuration."""
    assert [dataset.name for dataset in select(settings(*SHOP), selectors)] == names.split()


@pytest.mark.parametrize(
    ("selector", "told"),
    [
        ("+ordrs", "unknown dataset `ordrs`; did you mean `orders`?"),
        ("tag:finace", "no dataset has the tag `finace`; did you mean `tag:finance`?"),
        ("orders+x", "unknown dataset `orders+x`"),
        ("+", "unknown dataset ``"),
    ],
    ids=["a name", "a tag", "a plus in the middle", "nothing but a plus"],
)
def test_what_is_not_there_is_told_with_the_nearest(selector: str, told: str) -> None:
    """As everywhere in the configuration."""
    with pytest.raises(ConfigError) as caught:
        select(settings(*SHOP), [selector])
    assert told in str(caught.value)
    assert caught.value.hint


def test_all_three_kinds_of_edges_are_followed() -> None:
    """What it comes after, what it asks for, and what it looks up; not itself."""
    asked = {"kind": "http", "url": "https://h/{x}", "for_each": {"dataset": "ids", "column": "id", "into": "x"}}
    looks_up = [{"references": {"column": name, "dataset": name, "key": "k"}} for name in ("people", "orders")]
    simple = [{"name": name, "collect": {"kind": "simulated"}} for name in ("ids", "people", "shops")]
    orders = {"name": "orders", "collect": asked, "rules": looks_up, "depends_on": ["shops"]}
    made = Settings.model_validate({"datasets": [*simple, orders]})

    assert edges(made.dataset("orders")) == (
        Edge("shops", "depends_on"),
        Edge("ids", "for_each"),
        Edge("people", "references"),
    )
    assert Graph(made.datasets).above(["orders"]) == {"orders", "shops", "ids", "people"}


@given(st.lists(st.sets(st.integers(0, 7)), min_size=1, max_size=8))
def test_above_and_below_are_what_a_walk_finds(wanted: list[set[int]]) -> None:
    """Of any graph without circles: each node may need those before it."""
    needs = {f"d{number}": {f"d{one}" for one in found if one < number} for number, found in enumerate(wanted)}
    graph = Graph(settings(*(f"{name}: {' '.join(sorted(found))}" for name, found in needs.items())).datasets)

    def walked(name: str) -> set[str]:
        return {name}.union(*(walked(other) for other in needs[name]))

    for name in needs:
        assert graph.above([name]) == walked(name)
        assert graph.below([name]) == {other for other in needs if name in walked(other)}


def test_a_long_chain_is_walked_without_recursion() -> None:
    """And from its end to its beginning."""
    chain = settings("d0:", *(f"d{number}: d{number - 1}" for number in range(1, 3000)))
    assert len(select(chain, ["+d2999"])) == 3000
