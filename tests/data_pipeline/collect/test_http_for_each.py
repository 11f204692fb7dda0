"""One collection for each value of another dataset's column."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.collect.http.for_each import MOST
from data_pipeline.collect.http.http import MOST_NOTES
from data_pipeline.dataset import Collected
from data_pipeline.errors import ProviderRefused, ProviderUnavailable
from tests import faulty_server as fault
from tests.data_pipeline.collect.requests import Calls
from tests.data_pipeline.collect.test_paging import bodies_of
from tests.faulty_server import Answer, FaultyServer, Request

Fetch = Callable[..., Collected]
EACH = {"dataset": "stations", "column": "id"}


def column(*values: Any) -> Callable[[str, str], Iterator[Any]]:
    """The delivered column of `stations`."""

    def read(dataset: str, name: str, /) -> Iterator[Any]:
        assert (dataset, name) == ("stations", "id")
        return iter(values)

    return read


def by_query(request: Request) -> Answer:
    return fault.as_json([{"station": request.query["id"]}])


def test_each_value_is_asked_for_once(fetch: Fetch) -> None:
    """Distinct, in order, without nulls; each payload knows whose it is; all are one batch."""
    with FaultyServer(by_query) as server:
        collected = fetch(
            server.url,
            params={"all": "1"},
            for_each={**EACH, "into": "params.id"},
            request={"column_of": column("a b", None, 7, "a b")},
        )
        assert [dict(request.query) for request in server.requests] == [
            {"all": "1", "id": "a b"},
            {"all": "1", "id": "7"},
        ]
    assert [json.loads(body) for body in bodies_of(collected)] == [[{"station": "a b"}], [{"station": "7"}]]
    assert [payload.extra for payload in collected.payloads] == [(("id", "a b"),), (("id", 7),)]
    assert (collected.provenance.partial, collected.provenance.size) == (False, 38)


def test_a_word_is_a_placeholder_everywhere(fetch: Fetch) -> None:
    """Encoded where it stands: a slash in a value makes no new level of the path."""
    with FaultyServer(fault.as_json([1])) as server:
        fetch(
            f"http://{server.host}/s/{{station}}/x?q={{station}}",
            headers={"X-Station": "{station}"},
            params={"p": "<{station}>"},
            for_each={**EACH, "into": "station"},
            request={"column_of": column("../a/b&c")},
        )
        request = server.requests[0]
    assert request.path in ("/s/..%2Fa%2Fb%26c/x", "/s/../a/b&c/x")
    assert request.path.startswith("/s/..%2Fa")
    assert dict(request.query) == {"q": "../a/b&c", "p": "<../a/b&c>"}
    assert request.headers["x-station"] == "../a/b&c"


@pytest.mark.parametrize(("into", "body"), [("body.q.id", None), ("station", {"q": {"id": "{station}"}})])
def test_a_value_goes_into_a_body_with_its_type(fetch: Fetch, into: str, body: Any) -> None:
    """By its place or by its placeholder."""
    with FaultyServer(fault.as_json([1])) as server:
        fetch(server.url, method="POST", body=body, for_each={**EACH, "into": into}, request={"column_of": column(7)})
        assert json.loads(server.requests[0].body) == {"q": {"id": 7}}


def test_a_date_is_written_as_one(fetch: Fetch) -> None:
    """In a header as in a parameter."""
    with FaultyServer(fault.as_json([1])) as server:
        given = {"column_of": column(date(2026, 3, 1))}
        fetch(server.url, for_each={**EACH, "into": "headers.X-Day"}, request=given)
        assert server.requests[0].headers["x-day"] == "2026-03-01"


def test_every_value_has_pages_of_its_own(fetch: Fetch) -> None:
    """The counter starts again with each of them."""

    def answer(request: Request) -> Answer:
        return fault.as_json([request.query["id"], request.query["page"]] if request.query["page"] < "3" else [])

    with FaultyServer(answer) as server:
        collected = fetch(
            server.url,
            paginate={"kind": "page"},
            for_each={**EACH, "into": "params.id"},
            request={"column_of": column("a", "b")},
        )
    assert [tuple(json.loads(body)) for body in bodies_of(collected)] == [
        ("a", "1"),
        ("a", "2"),
        ("b", "1"),
        ("b", "2"),
    ]


@pytest.mark.parametrize("value", ["..", "."])
def test_a_value_does_not_lead_out_of_the_path(fetch: Fetch, value: str) -> None:
    """`..` would ask for something else than the user wrote; no encoding hides it from a server."""
    with FaultyServer(fault.as_json([1])) as server:
        collected = fetch(
            f"http://{server.host}/s/{{station}}/x",
            for_each={**EACH, "into": "station"},
            request={"column_of": column(value, "a")},
        )
        assert [request.path for request in server.requests] == ["/s/a/x"]
    assert "`.` or `..` in the path" in collected.provenance.notes[0]


@pytest.mark.parametrize("code", [404, 503])
def test_a_value_that_fails_leaves_the_others(fetch: Fetch, code: int) -> None:
    """What came is a part; the report says how many failed, and how the first did."""

    def answer(request: Request) -> Answer:
        return by_query(request) if request.query["id"] == "b" else fault.status(code)

    with FaultyServer(answer) as server:
        collected = fetch(
            server.url,
            for_each={**EACH, "into": "params.id"},
            request={"column_of": column("a", "b", "c"), "call": Calls(tries=2)},
        )
    assert bodies_of(collected) == [b'[{"station": "b"}]']
    assert collected.provenance.partial
    note = collected.provenance.notes[0]
    assert note.startswith("for_each: 2 of 3 values of stations.id did not come, the first is a: ")
    assert f"answered {code}" in note


def test_a_page_that_fails_names_its_value(fetch: Fetch) -> None:
    """The other pages and values stay."""

    def answer(request: Request) -> Answer:
        if (request.query["id"], request.query["page"]) == ("a", "2"):
            return fault.status(503)
        return fault.as_json([request.query["id"]] if request.query["page"] == "1" else [])

    with FaultyServer(answer) as server:
        collected = fetch(
            server.url,
            paginate={"kind": "page"},
            for_each={**EACH, "into": "params.id"},
            request={"column_of": column("a", "b")},
        )
    assert (bodies_of(collected), collected.provenance.partial) == ([b'["a"]', b'["b"]'], True)
    assert collected.provenance.notes[0].startswith("for_each a: page 2 did not come")


def test_when_every_value_fails_nothing_came(fetch: Fetch) -> None:
    """The error is that of the first."""
    with FaultyServer(fault.status(503)) as server, pytest.raises(ProviderUnavailable, match="503"):
        fetch(server.url, for_each={**EACH, "into": "params.id"}, request={"column_of": column("a", "b")})


def test_no_values_are_no_rows_and_no_failure(fetch: Fetch) -> None:
    """Whether an empty batch is well is for `allow_empty` to say."""
    with FaultyServer(by_query) as server:
        collected = fetch(server.url, for_each={**EACH, "into": "params.id"}, request={"column_of": column(None)})
        assert server.count == 0
    assert (collected.payloads, collected.provenance.partial, collected.not_modified) == ((), False, False)
    assert "stations.id has no values" in collected.provenance.notes[0]


def test_too_many_values_are_refused(fetch: Fetch) -> None:
    """Before the first request."""
    with FaultyServer(by_query) as server, pytest.raises(ProviderRefused, match=f"more than {MOST:,} values"):
        fetch(server.url, for_each={**EACH, "into": "params.id"}, request={"column_of": column(*range(MOST + 1))})
    assert server.count == 0


def test_a_dataset_that_is_not_there_is_named(fetch: Fetch) -> None:
    """The message says which, the hint what to do."""

    def missing(dataset: str, column: str, /) -> Iterator[Any]:
        raise LookupError(f"dataset `{dataset}` has no column `{column}`")

    with FaultyServer(by_query) as server, pytest.raises(ProviderRefused, match="`stations` has no column `id`") as c:
        fetch(server.url, for_each={**EACH, "into": "params.id"}, request={"column_of": missing})
    assert "for_each" in c.value.hint


def test_a_collection_over_values_is_never_conditional(fetch: Fetch) -> None:
    """One unchanged value says nothing of the others."""
    with FaultyServer(fault.with_etag(b"[1]")) as server:
        given = {"for_each": {**EACH, "into": "params.id"}}
        first = fetch(server.url, **given, request={"column_of": column("a")})
        assert first.provenance.validators == ()


def test_mirrors_bring_all_values_or_none(fetch: Fetch) -> None:
    """The values of one address are never mixed with those of another."""

    def broken(request: Request) -> Answer:
        return by_query(request) if request.query["id"] == "a" else fault.status(503)

    with FaultyServer(broken) as home, FaultyServer(by_query) as mirror:
        collected = fetch(
            home.url,
            mirrors=[mirror.url],
            for_each={**EACH, "into": "params.id"},
            request={"column_of": column("a", "b")},
        )
        assert [request.query["id"] for request in mirror.requests] == ["a", "b"]
    assert (len(collected.payloads), collected.provenance.partial) == (2, False)


def test_a_thousand_values_do_not_make_a_thousand_notes(fetch: Fetch) -> None:
    """The sum comes first, then a few, then how many more there are."""

    def answer(request: Request) -> Answer:
        return by_query(request) if request.query["page"] == "1" else fault.status(500)

    with FaultyServer(answer) as server:
        collected = fetch(
            server.url,
            paginate={"kind": "page"},
            for_each={**EACH, "into": "params.id"},
            request={"column_of": column(*range(30))},
        )
    notes = collected.provenance.notes
    assert (len(notes), notes[-1]) == (MOST_NOTES + 1, f"and {30 - MOST_NOTES} more notes")


def test_many_answers_do_not_fill_the_memory(fetch: Fetch, tmp_path: Path) -> None:
    """Each is small enough to be held, all together are not: the later ones wait in files, which go away."""
    with FaultyServer(lambda r: fault.ok(b"%d" % r.number + b"x" * 7 * 2**20)) as server:
        collected = fetch(server.url, for_each={**EACH, "into": "params.id"}, request={"column_of": column(*range(6))})
    files = list(tmp_path.rglob("answer-*"))
    assert len(files) == 2
    assert [body[:1] for body in bodies_of(collected)] == [b"1", b"2", b"3", b"4", b"5", b"6"]
    collected.close()
    assert not any(file.exists() for file in files)


def test_max_size_counts_all_values(fetch: Fetch) -> None:
    """The bound is for the collection."""
    with FaultyServer(fault.ok(b"x" * 60)) as server:
        collected = fetch(
            server.url,
            max_size=100,
            for_each={**EACH, "into": "params.id"},
            request={"column_of": column("a", "b")},
        )
    assert (len(collected.payloads), collected.provenance.partial) == (1, True)
    assert "max_size" in collected.provenance.notes[0]


def test_a_slash_in_a_cursor_makes_no_level_of_the_path(fetch: Fetch) -> None:
    """A cursor came with the data too."""
    with FaultyServer(fault.as_json([1])) as server:
        fetch(f"http://{server.host}/s/{{cursor}}/x", request={"cursor": "../../etc"})
        assert [request.path for request in server.requests] == ["/s/..%2F..%2Fetc/x"]
