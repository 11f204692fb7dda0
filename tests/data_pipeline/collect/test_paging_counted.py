"""Pages that we count, and pages that a cursor leads to: all of them, each once, and an end for the right reason."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.collect.http.page_rows import rows_of
from data_pipeline.collect.spool import Spool
from data_pipeline.dataset import Collected
from tests import faulty_server as fault
from tests.counts import few
from tests.data_pipeline.collect.requests import Calls
from tests.data_pipeline.collect.test_paging import bodies_of
from tests.faulty_server import Answer, FaultyServer, Request

Fetch = Callable[..., Collected]
PAGE = {"kind": "page"}
SIZED = {"kind": "page", "param": "p", "start": 0, "size_param": "n", "size": 3}
OFFSET = {"kind": "offset", "size": 4, "size_param": "limit"}
CURSOR = {"kind": "cursor", "from": "meta.next", "into": "params.after"}


def ids(collected: Collected, at: str = "data") -> list[int]:
    """The rows of all payloads."""
    documents = [json.loads(body) for body in bodies_of(collected)]
    return [row["id"] for document in documents for row in (document[at] if at else document)]


def rows(start: int, stop: int) -> list[dict[str, int]]:
    return [{"id": number} for number in range(start, stop)]


def enveloped(total: int, size: int) -> Callable[[Request], Answer]:
    """`{"data": […], "page": n}`, and past the end an empty list with the number that was asked for."""

    def answer(request: Request) -> Answer:
        page = int(request.query["page"])
        start = (page - 1) * size
        return fault.as_json({"data": rows(start, min(total, start + size)), "page": page})

    return answer


@pytest.mark.parametrize("records", ["", "data"], ids=["records not declared", "records declared"])
def test_pages_are_counted_until_one_is_empty(fetch: Fetch, records: str) -> None:
    """The empty page has an envelope around it."""
    with FaultyServer(enveloped(7, 3)) as server:
        collected = fetch(server.url, paginate=PAGE, request={"records": records})
        assert [request.query["page"] for request in server.requests] == ["1", "2", "3", "4"]
    assert ids(collected) == list(range(7))
    assert (collected.provenance.partial, collected.provenance.notes) == (False, ())


def test_a_page_number_takes_the_place_of_the_one_in_the_address(fetch: Fetch) -> None:
    """Start, name and size of a page as declared; the rest of the query stays."""

    def answer(request: Request) -> Answer:
        start = int(request.query["p"]) * int(request.query["n"])
        return fault.as_json(rows(start, min(5, start + 3)))

    with FaultyServer(answer) as server:
        collected = fetch(server.url + "?p=9&all=1", params={"p": "8"}, paginate=SIZED)
        assert [dict(request.query) for request in server.requests] == [
            {"all": "1", "p": str(page), "n": "3"} for page in range(3)
        ]
    assert ids(collected, "") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("total", [0, 1, 3, 4, 8, 9])
@pytest.mark.parametrize("cap", [2, 4, 100], ids=["capped below", "as asked", "more than asked"])
def test_an_offset_moves_by_the_rows_that_came(fetch: Fetch, total: int, cap: int) -> None:
    """A provider that gives fewer rows than asked for is not asked to skip any; one that gives more repeats none."""

    def answer(request: Request) -> Answer:
        start, limit = int(request.query["offset"]), int(request.query["limit"])
        return fault.as_json({"data": rows(start, min(total, start + (min(limit, cap) if cap < 100 else cap)))})

    with FaultyServer(answer) as server:
        collected = fetch(server.url, paginate=OFFSET)
    assert ids(collected) == list(range(total))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8))
@settings(max_examples=few(60), deadline=None)
def test_no_size_of_pages_ends_them_early(sizes: list[int]) -> None:
    """Providers that filter after counting send short pages in the middle: each page counts, whatever its size."""
    for position, size in enumerate(sizes):
        spool = Spool(folder=None)  # type: ignore[arg-type]  # small ones need no folder
        spool.write(json.dumps({"data": rows(position * 10, position * 10 + size), "page": position}).encode())
        assert rows_of(spool.finish()).count == size


def test_a_page_past_the_end_that_repeats_the_last_one_is_known_by_its_rows(fetch: Fetch) -> None:
    """Only its page counter differs."""

    def answer(request: Request) -> Answer:
        page = int(request.query["page"])
        return fault.as_json({"data": rows(0, 2) if page == 1 else rows(2, 3), "page": page})

    with FaultyServer(answer) as server:
        collected = fetch(server.url, paginate=PAGE)
        assert server.count == 3
    assert (ids(collected), collected.provenance.partial) == ([0, 1, 2], False)
    assert "page 3 repeats an earlier page" in collected.provenance.notes[0]


def test_a_404_past_the_last_page_is_the_end(fetch: Fetch) -> None:
    """As Django REST and others say it; the report tells."""
    pages = {"1": rows(0, 2), "2": rows(2, 4)}

    def answer(request: Request) -> Answer:
        found = pages.get(request.query["page"])
        return fault.as_json(found) if found else fault.status(404, b"Invalid page.")

    with FaultyServer(answer) as server:
        collected = fetch(server.url, paginate=PAGE)
    assert (ids(collected, ""), collected.provenance.partial) == ([0, 1, 2, 3], False)
    assert "page 3 is not there (404)" in collected.provenance.notes[0]


@pytest.mark.parametrize("code", [400, 500])
def test_another_failure_past_the_first_page_leaves_a_part(fetch: Fetch, code: int) -> None:
    """Whether more rows were there cannot be known."""
    with FaultyServer(lambda r: fault.as_json(rows(0, 2)) if r.query["page"] == "1" else fault.status(code)) as server:
        collected = fetch(server.url, paginate=PAGE, request={"call": Calls(tries=2)})
    assert (ids(collected, ""), collected.provenance.partial) == ([0, 1], True)
    assert (
        f"page 2 did not come, the 1 before it are kept: rates: {server.url}?… answered {code}"
        in (collected.provenance.notes[0])
    )


def test_an_error_in_place_of_a_page_does_not_pass_for_the_end(fetch: Fetch) -> None:
    """Status 200, but nothing stands where the rows are declared to be: a part, and it says so."""

    def answer(request: Request) -> Answer:
        return fault.as_json({"data": rows(0, 2)} if request.query["page"] == "1" else {"error": "quota is used up"})

    with FaultyServer(answer) as server:
        collected = fetch(server.url, paginate=PAGE, request={"records": "data"})
    assert (ids(collected), collected.provenance.partial) == ([0, 1], True)
    assert "nothing at `data`" in collected.provenance.notes[0]


def test_csv_pages_end_with_one_that_is_only_a_header(fetch: Fetch) -> None:
    """Each page brings its own header; they are parsed one by one."""
    bodies = {"1": b"id,v\n1,2\n", "2": b"id,v\n3,4\n"}
    with FaultyServer(lambda r: fault.ok(bodies.get(r.query["page"], b"id,v\r\n"), "text/csv")) as server:
        collected = fetch(server.url, paginate=PAGE)
        assert server.count == 3
    assert bodies_of(collected) == list(bodies.values())


@pytest.mark.parametrize(
    ("records", "empty"),
    [("//row", '<r xmlns="urn:x" page="{page}"><rows/></r>'), ("", '<r page="{page}"/>')],
    ids=["records declared", "an empty root"],
)
def test_xml_pages_end_with_one_without_records(fetch: Fetch, records: str, empty: str) -> None:
    """Elements in a default namespace are found by their plain name, as the parser finds them."""

    def answer(request: Request) -> Answer:
        page = int(request.query["page"])
        full = f'<r xmlns="urn:x" page="{page}"><rows><row>{page}</row></rows></r>'
        return fault.ok((full if page < 3 else empty.format(page=page)).encode(), "text/xml")

    with FaultyServer(answer) as server:
        collected = fetch(server.url, paginate=PAGE, request={"records": records})
        assert server.count == 3
    assert (len(collected.payloads), collected.provenance.partial) == (2, False)


def test_endless_pages_are_cut_and_what_came_is_a_part(fetch: Fetch) -> None:
    """A provider that always has one more row."""
    with FaultyServer(lambda r: fault.as_json(rows(r.number, r.number + 1))) as server:
        collected = fetch(server.url, paginate={**PAGE, "max_pages": 5})
        assert server.count == 5
    assert (len(collected.payloads), collected.provenance.partial) == (5, True)
    assert "max_pages: 5" in collected.provenance.notes[0]


# Cursors


def by_cursor(cursors: list[Any], read: Callable[[Request], Any]) -> Callable[[Request], Answer]:
    """One row a page; page n names cursors[n]; the cursor asked for must be the one named before."""

    def answer(request: Request) -> Answer:
        number = request.number - 1
        assert read(request) == (None if number == 0 else cursors[number - 1])
        return fault.as_json({"data": [{"id": number}], "meta": {"next": cursors[number]}})

    return answer


@pytest.mark.parametrize("last", [None, "", False], ids=["null", "empty text", "false"])
def test_a_cursor_is_followed_to_its_end(fetch: Fetch, last: Any) -> None:
    """Encoded for the query; null, false and the empty text are no cursor."""
    answer = by_cursor(["a+b/=", "c", last], lambda request: request.query.get("after"))
    with FaultyServer(answer) as server:
        collected = fetch(server.url, paginate=CURSOR)
    assert (ids(collected), collected.provenance.partial) == ([0, 1, 2], False)


def test_a_cursor_goes_into_the_body_as_it_is(fetch: Fetch) -> None:
    """A number stays a number, maps on the way are made, the rest of the body stays."""

    def read(request: Request) -> Any:
        sent = json.loads(request.body)
        assert (request.method, sent["query"]) == ("POST", "all")
        return sent.get("page", {}).get("after")

    paginate = {"kind": "cursor", "from": "meta.next", "into": "body.page.after"}
    with FaultyServer(by_cursor([0, 7, None], read)) as server:
        collected = fetch(server.url, method="POST", body={"query": "all"}, paginate=paginate)
    assert ids(collected) == [0, 1, 2]


@pytest.mark.parametrize(
    ("cursors", "words"),
    [
        (["a", "b", "a"], "page 3 names the cursor of an earlier page"),
        ([10, 20, 15], "page 3 names a cursor that goes backwards"),
        (["30", "20", "25"], "page 3 names a cursor that goes backwards"),
        (["2026-03-01", "2026-03-02", "2026-03-01T12:00"], "page 3 names a cursor that goes backwards"),
    ],
    ids=["repeats", "number turns back", "falling number turns back", "date turns back"],
)
def test_a_cursor_that_goes_in_circles_leaves_a_part(fetch: Fetch, cursors: list[Any], words: str) -> None:
    """What came is kept, nothing is taken twice, and the page is named."""
    answer = by_cursor(cursors, lambda r: type(cursors[0])(r.query["after"]) if "after" in r.query else None)
    with FaultyServer(answer) as server:
        collected = fetch(server.url, paginate=CURSOR)
        assert server.count == 3
    assert (ids(collected), collected.provenance.partial) == ([0, 1, 2], True)
    assert words in collected.provenance.notes[0]


@pytest.mark.parametrize(
    "cursor", [2**63 + 1, 10**25 + 1, "9" * 5000, 1.5, "ü ✓"], ids=["64 bits", "80 bits", "long", "fraction", "signs"]
)
def test_a_cursor_of_any_size_comes_back_digit_for_digit(fetch: Fetch, cursor: Any) -> None:
    """Nothing is rounded on the way."""
    with FaultyServer(by_cursor([cursor, None], lambda r: r.query.get("after") and cursor)) as server:
        fetch(server.url, paginate=CURSOR)
        assert server.requests[1].query["after"] == str(cursor)


def test_falling_cursors_are_well(fetch: Fetch) -> None:
    """Newest first is an order like any other."""
    answer = by_cursor([30, 20, 9, None], lambda r: int(r.query["after"]) if "after" in r.query else None)
    with FaultyServer(answer) as server:
        collected = fetch(server.url, paginate=CURSOR)
    assert (ids(collected), collected.provenance.partial) == ([0, 1, 2, 3], False)


def test_an_empty_page_ends_a_cursor_that_stays(fetch: Fetch) -> None:
    """Feeds name the cursor for the next time on their last page: no rows, no trouble."""

    def answer(request: Request) -> Answer:
        return fault.as_json({"data": rows(0, 2) if request.number == 1 else [], "meta": {"next": "stay"}})

    with FaultyServer(answer) as server:
        collected = fetch(server.url, paginate=CURSOR)
        assert server.count == 2
    assert (ids(collected), collected.provenance.partial) == ([0, 1], False)


@pytest.mark.parametrize("page", [fault.html(), fault.as_json({"meta": {"next": {"id": 3}}})], ids=["html", "a map"])
def test_a_page_without_a_readable_cursor_does_not_pass_for_the_last(fetch: Fetch, page: Answer) -> None:
    """Whether there is more cannot be known."""
    with FaultyServer(page) as server:
        collected = fetch(server.url, paginate=CURSOR)
    assert (len(collected.payloads), collected.provenance.partial) == (1, True)
    assert "does not say whether there is a next one" in collected.provenance.notes[0]


def test_counting_works_in_a_body_too(fetch: Fetch) -> None:
    """POST searches take page and size in their JSON."""

    def answer(request: Request) -> Answer:
        page = json.loads(request.body)["page"]
        start = page["number"] * page["size"]
        return fault.as_json({"hits": {"items": rows(start, min(3, start + page["size"]))}})

    paginate = {"kind": "page", "param": "body.page.number", "start": 0, "size_param": "body.page.size", "size": 2}
    with FaultyServer(answer) as server:
        collected = fetch(server.url, method="POST", body={"q": "*"}, paginate=paginate)
    assert [row["id"] for body in bodies_of(collected) for row in json.loads(body)["hits"]["items"]] == [0, 1, 2]


def test_links_are_followed_with_the_same_body(fetch: Fetch) -> None:
    """A POST search that names its next page in the Link header."""
    links = {1: '</data.csv?page=2>; rel="next"'}
    with FaultyServer(lambda r: fault.ok(b"[%d]" % r.number, link=links.get(r.number, ""))) as server:
        fetch(server.url, method="POST", body={"q": 1}, params={"a": "b"}, paginate={"kind": "link_header"})
        assert [request.body for request in server.requests] == [b'{"q":1}'] * 2
        assert [dict(request.query) for request in server.requests] == [{"a": "b"}, {"page": "2"}]


@pytest.mark.parametrize(
    ("content", "records", "count"),
    [
        (b"", "", 0),
        (b"null", "", 0),
        (b"{}", "", 0),
        (b'{"page": 7, "data": []}', "", 0),
        (b'{"data": [], "included": []}', "", 0),
        (b'{"data": null}', "data", None),
        (b'{"a": {"items": [1, 2]}}', "", 2),
        (b'{"a": [{"k": 1}, {"k": 2}]}', "a[?k == `9`]", 2),
        (b'{"a": [{"k": []}, {"k": []}]}', "a[].k[]", 2),
        (b'{"a": []}', "a[].k[]", 0),
        (b'[{"n": 1}, [1, 2, 3]]', "[1]", 3),
        (b"[{}, {}]", "[*].k", 2),
        (b"<a><b k='1'/><b/></a>", "//b[@k = '2'][c[1]]", 2),
        (b'{"a": {"items": [1, 2]}, "tags": ["x"]}', "a.items", 2),
        (b'{"a": [1], "b": []}', "", None),
        (b'{"a": 1}', "", None),
        (b'{"a": 1}\n{"a": 2}\n', "", 2),
        (b"<a><b/><b/></a>", "b", 2),
        (b"<a><b/></a>", "", None),
        (b"<a>", "b", None),
        (b"PAR1....", "", None),
        (b"id,v\n1,2\n", "", None),
    ],
)
def test_rows_are_counted_where_that_is_certain(content: bytes, records: str, count: int | None) -> None:
    """None means that it cannot be told; only 0 ends the pages."""
    spool = Spool(folder=None)  # type: ignore[arg-type]  # small ones need no folder
    spool.write(content)
    assert rows_of(spool.finish(), records=records).count == count
