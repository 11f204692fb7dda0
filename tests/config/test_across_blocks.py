"""What one block of the configuration needs of another is checked when it is read, not when a run meets it."""

import pytest

from tests.config.conftest import House

BASE = "providers: {partner: {base_url: 'https://example.org'}, bare: {owner: us}}\n"


def dataset(name: str, keys: str) -> str:
    return f"  - {{name: {name}, {keys}}}\n"


@pytest.mark.parametrize(
    ("provider", "why"),
    [
        ("", "the dataset names no provider"),
        ("provider: bare, ", "`bare` has no"),
        ("provider: nobody, ", "`nobody` has no"),
    ],
    ids=["no provider", "a provider without a base", "a provider that is not declared"],
)
def test_a_path_without_a_base_is_refused_with_its_line(house: House, provider: str, why: str) -> None:
    """One such dataset used to end every command as an internal error."""
    problem = house.problem(BASE + "datasets:\n" + dataset("a", f"{provider}collect: {{kind: http, url: /x}}"))

    assert (problem.key, problem.line) == ("datasets.a.collect.url", 3)
    assert why in problem.message


def test_a_path_under_a_base_is_fine(house: House) -> None:
    """A declared provider with a base_url is all that a path needs."""
    text = BASE + "datasets:\n" + dataset("a", "provider: partner, collect: {kind: http, url: /x}")

    assert house.load(text).settings.datasets[0].collect.url == "/x"


def test_every_fault_of_a_table_is_told_at_once(house: House) -> None:
    """Not one a try."""
    sink = "{kind: sql, url: 'sqlite:///a.db', table: t, mode: merge}"
    keys = f"write: merge, publish: [{sink}], collect: {{kind: http, url: 'https://h/{{cursor}}'}}"

    assert [problem.key for problem in house.problems("datasets:\n" + dataset("a", keys))] == [
        "datasets.a.key",
        "datasets.a.publish[0].mode",
        "datasets.a.collect",
    ]
