"""Where rows and pages are in documents; sources as they are typed."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.discover.documents import document
from data_pipeline.discover.markup import elements
from data_pipeline.discover.source import NotASource, Source, source_of, stem_of
from data_pipeline.parse.options import ParseOptions

ROWS = [{"a": 1}, {"a": 2}]


def of(typed: str, **more: Any) -> Source:
    given = {"name": "", "query": "", "url": "", "here": Path("/home/x"), "base": Path("/home/x"), **more}
    return source_of(typed, **given)


@pytest.mark.parametrize(
    ("found_in", "records"),
    [
        (ROWS, None),
        ({"data": {"items": ROWS}}, "data.items"),
        ({"odd name": ROWS, "tags": ["x", "y", "z"]}, '"odd name"'),
        ({"few": [{"b": 1}], "many": ROWS}, "many"),
        ({"a": 1, "b": "x"}, None),
        ({"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}, "data"),
        ({"base": "EUR", "date": "2026-01-01", "rates": {"USD": 1.1, "TRY": 51.0, "GBP": 0.8}}, "rates"),
        ({"x": 1.5, "hourly": {"time": ["a", "b", "c"], "temp": [1, None, 3]}}, "hourly"),
        ({"q": {"at": [1, 2, 3], "of": "x", "in": {"open": [4, 5, 6]}}}, "{at: q.at, open: q.in.open}"),
        ({"AAPL": {"p": 1, "day": "a"}, "MSFT": {"p": 2, "day": "b"}}, "keyed(@)"),
        ({"Time Series (Daily)": {"d1": {"1. open": "1"}, "d2": {"1. open": "2"}}}, 'keyed("Time Series (Daily)")'),
        ({"server": {"host": "a"}, "client": {"name": "b"}}, None),
    ],
    ids=[
        "a list",
        "nested",
        "an odd name",
        "the longer one",
        "one object",
        "rows without names",
        "figures by name",
        "columns",
        "columns in several places",
        "objects by key",
        "objects by key, an odd name",
        "objects of two kinds",
    ],
)
def test_the_rows_of_a_document_are_found(found_in: Any, records: str | None) -> None:
    """The longest list of objects, wherever it is."""
    options = document(found_in).options()
    ParseOptions(**options)
    assert options.get("records") == records


def test_lists_inside_of_rows_are_suggested() -> None:
    """Only a person knows whether a row is a series or one of its values."""
    series = [{"metric": {"job": "a"}, "values": [[1, "2"], [2, "3"]]}] * 2
    layout = document({"data": {"result": series}})
    suggested = [(one.value, one.sure) for one in layout.parse if one.key == "records"]
    assert suggested == [("data.result", True), ("explode(data.result, 'values')", False)]


@pytest.mark.parametrize(
    ("beside", "paginate", "sure"),
    [
        ({"next": "https://x/?page=2"}, {"kind": "json_next", "next": "next"}, True),
        ({"links": {"next": {"href": "/p2"}}}, {"kind": "json_next", "next": "links.next.href"}, True),
        ({"@odata.nextLink": "https://x/2"}, {"kind": "json_next", "next": '"@odata.nextLink"'}, True),
        ({"links": [{"rel": "next", "href": "/2"}]}, {"kind": "json_next", "next": "links[0].href"}, True),
        (
            {"meta": {"next_cursor": "abc"}},
            {"kind": "cursor", "from": "meta.next_cursor", "into": "params.cursor"},
            False,
        ),
        ({"page": 1, "total_pages": 9}, {"kind": "page", "param": "page"}, False),
        ({"next": None, "count": 2}, None, True),
    ],
    ids=["next", "links.next.href", "OData", "a list of links", "a token", "numbered pages", "the last page"],
)
def test_paging_is_suggested_as_far_as_it_is_visible(beside: dict[str, Any], paginate: Any, sure: bool) -> None:
    """An address is followed; which parameter takes a token is for a person to say."""
    found = document({"rows": ROWS, **beside}).collect
    assert [(one.value, one.sure) for one in found] == ([(paginate, sure)] if paginate else [])


def test_rows_of_xml_are_the_repeated_elements() -> None:
    """Not what repeats inside of them, nor a lonely child."""
    inner = "<i><n>1</n><t/><t/></i>" * 3
    assert elements(f"<r><head/><l>{inner}</l></r>".encode()).options()["records"] == "/r/l/i"
    around = "".join(f'<d day="{day}"><c x="1"/><c x="2"/></d>' for day in range(3))
    found = elements(f"<r>{around}</r>".encode())
    assert found.options()["records"] == "/r/d/c"
    assert found.columns == {"day": "../@day"}
    assert elements(b"<r><unclosed></r>").options() == {"format": "xml"}


_plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
_trees = st.recursive(
    _plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)


@given(_trees)
def test_any_document_gives_possible_options(tree: Any) -> None:
    """Whatever is found, `parse` takes it."""
    ParseOptions(**document(tree).options())


@pytest.mark.parametrize(
    ("typed", "collect", "variables"),
    [
        ("https://x.org/a.csv", {"kind": "http", "url": "https://x.org/a.csv"}, {}),
        (
            "https://x.org/a?appid=s3cret&q=1",
            {"kind": "http", "url": "https://x.org/a?q=1", "params": {"appid": "${A_APPID}"}},
            {"A_APPID": "s3cret"},
        ),
        ("https://x.org/{id}/${y}", {"kind": "http", "url": "https://x.org/{{id}}/$${{y}}"}, {}),
        (
            "sftp://u:p4ss@h/in/*.csv",
            {"kind": "object_store", "url": "sftp://${H_USER}:${H_PASSWORD}@h/in/*.csv"},
            {"H_USER": "u", "H_PASSWORD": "p4ss"},
        ),
        ("data/a.csv", {"kind": "file", "path": "data/a.csv"}, {}),
        ("../a.csv", {"kind": "file", "path": "/home/a.csv"}, {}),
        (
            "postgresql://u:p4ss@h/db#Sales.Orders",
            {
                "kind": "sql",
                "url": "postgresql://${ORDERS_USER}:${ORDERS_PASSWORD}@h/db",
                "query": 'SELECT * FROM "Sales"."Orders"',
            },
            {"ORDERS_USER": "u", "ORDERS_PASSWORD": "p4ss"},
        ),
    ],
    ids=["plain", "a key in the query", "braces", "a password", "a path", "a path outside", "a table"],
)
def test_what_was_typed_becomes_a_block_without_secrets(
    typed: str, collect: dict[str, Any], variables: dict[str, str]
) -> None:
    """The secrets come back in what is fetched now."""
    source = of(typed)
    assert {**source.collect, "url": source.collect.get("url")} == {**collect, "url": collect.get("url")}
    assert source.variables == variables
    assert all(secret in str(source.fetch) for secret in variables.values())


@pytest.mark.parametrize("typed", ["", "SELECT 1", "gopher://x"], ids=["nothing", "a query alone", "unknown"])
def test_what_names_no_source_is_refused(typed: str) -> None:
    """With a hint."""
    with pytest.raises(NotASource) as told:
        of(typed)
    assert told.value.hint


@given(st.text(max_size=40))
def test_a_name_is_always_possible(path: str) -> None:
    """Whatever stands in an address."""
    import re

    try:
        stem = stem_of(f"https://example.org/{path}")
    except ValueError:
        return  # no address at all
    assert re.fullmatch("[a-z0-9_-]+", stem)
