"""Pages: found, followed, and ended for the right reasons."""

import hashlib
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.collect.http.paging import is_empty, next_in_json, next_in_links
from data_pipeline.dataset import Collected
from data_pipeline.errors import ProviderUnavailable
from tests import faulty_server as fault
from tests.data_pipeline.collect.requests import Calls
from tests.data_pipeline.collect.test_http_faults import NOWHERE
from tests.faulty_server import Answer, FaultyServer, Request
from utils.resilience.errors import CircuitOpenError

Fetch = Callable[..., Collected]
LINKS = {"kind": "link_header"}
PAYLOADS = Path(__file__).parents[2] / "data" / "payloads"


def bodies_of(collected: Collected) -> list[bytes]:
    """All payloads' bytes."""
    found = []
    for payload in collected.payloads:
        with payload.open() as stream:
            found.append(stream.read())
    return found


def test_recorded_github_pages_are_followed_to_the_last(fetch: Fetch) -> None:
    """Five recorded exchanges of one listing: the links change the path after the first page."""
    exchanges = json.loads((PAYLOADS / "github_issues_pages.json").read_bytes())
    by_target = {exchange["path"]: exchange for exchange in exchanges}

    with FaultyServer() as server:

        def answer(request: Request) -> Answer:
            target = request.path + "?" + "&".join(f"{k}={v}" for k, v in request.query.items())
            exchange = by_target[target]
            link = exchange["headers"]["link"].replace("https://api.github.com", f"http://{server.host}")
            return fault.as_json(exchange["response"], link=link)

        server.answer = answer
        collected = fetch(f"http://{server.host}{exchanges[0]['path']}", paginate=LINKS)

    rows = [row for body in bodies_of(collected) for row in json.loads(body)]
    assert [row["number"] for row in rows] == list(range(13, 0, -1))
    assert collected.provenance.content_sha256 == hashlib.sha256(b"".join(bodies_of(collected))).hexdigest()
    assert (collected.provenance.partial, collected.provenance.notes) == (False, ())


@pytest.mark.parametrize(
    ("path", "wrap"),
    [
        ("d.__next", lambda url: {"d": {"__next": url}}),
        ('"@odata.nextLink"', lambda url: {"@odata.nextLink": url}),
        ("links[0].href", lambda url: {"links": [{"href": url}]}),
    ],
    ids=["dotted", "quoted", "indexed"],
)
def test_the_next_page_is_found_in_the_answer(fetch: Fetch, path: str, wrap: Callable[[object], object]) -> None:
    """`json_next` follows a relative address until there is none."""
    pages = [fault.as_json({"n": n, **wrap(f"/p{n + 1}" if n < 3 else None)}) for n in (1, 2, 3)]  # type: ignore[dict-item]
    with FaultyServer(pages) as server:
        collected = fetch(server.url, paginate={"kind": "json_next", "next": path})
    assert [json.loads(body)["n"] for body in bodies_of(collected)] == [1, 2, 3]


def test_a_failure_after_the_first_page_keeps_what_came(fetch: Fetch) -> None:
    """Two of three pages are something; it is called partial, and the reason is told."""
    pages = fault.pages_by_link([b"[1]", b"[2]", b"[3]"])
    with FaultyServer(lambda r: fault.status(503) if r.query.get("page") == "3" else pages(r)) as server:
        collected = fetch(server.url, paginate=LINKS, request={"call": Calls(tries=2)})
    assert bodies_of(collected) == [b"[1]", b"[2]"]
    assert (collected.provenance.partial, collected.provenance.attempts) == (True, 2)
    assert "page 3 did not come, the 2 before it are kept" in collected.provenance.notes[0]
    assert "503" in collected.provenance.notes[0]


def test_a_refusal_of_our_own_after_the_first_page_is_partial_too(fetch: Fetch) -> None:
    """The breaker opened in between: what came before is kept."""
    calls = Calls(fail_at={2: CircuitOpenError("p", "the circuit is open")})
    with FaultyServer(fault.pages_by_link([b"[1]", b"[2]"])) as server:
        collected = fetch(server.url, paginate=LINKS, request={"call": calls})
    assert (bodies_of(collected), collected.provenance.partial) == ([b"[1]"], True)
    assert "circuit is open" in collected.provenance.notes[0]


def test_a_failure_on_the_first_page_is_a_failure(fetch: Fetch) -> None:
    """Nothing came, nothing is kept."""
    with FaultyServer(fault.status(503)) as server, pytest.raises(ProviderUnavailable):
        fetch(server.url, paginate=LINKS)


def test_paging_stops_at_max_pages_and_says_so(fetch: Fetch) -> None:
    """What was cut off is missing: the rest is a part, and the report tells why."""
    with FaultyServer(fault.pages_by_link([b"[1]", b"[2]", b"[3]"])) as server:
        collected = fetch(server.url, paginate={**LINKS, "max_pages": 2})
        assert server.count == 2
    assert (len(collected.payloads), collected.provenance.partial) == (2, True)
    assert "max_pages: 2" in collected.provenance.notes[0]


@pytest.mark.parametrize("last", [b"", b"[]", b" []\n", b"null"])
def test_an_empty_page_is_the_end(fetch: Fetch, last: bytes) -> None:
    """A provider that names a next page for ever is asked no further than its first empty one."""
    body = {1: b"[1]", 2: b"[2]"}

    def answer(request: Request) -> Answer:
        return fault.ok(body.get(request.number, last), link=f'<?page={request.number + 1}>; rel="next"')

    with FaultyServer(answer) as server:
        collected = fetch(server.url, paginate=LINKS)
        assert server.count == 3
    assert bodies_of(collected) == [b"[1]", b"[2]"]


def test_a_page_that_repeats_is_the_end(fetch: Fetch) -> None:
    """The same content under a new address is not taken twice."""
    with FaultyServer(lambda r: fault.ok(b"[1]", link=f"<?p={r.number + 1}>; rel=next")) as server:
        collected = fetch(server.url, paginate=LINKS)
        assert server.count == 2
    assert bodies_of(collected) == [b"[1]"]
    assert "repeats" in collected.provenance.notes[0]


def test_an_address_that_repeats_is_not_asked_again(fetch: Fetch) -> None:
    """A page that names itself as the next one ends it without a request."""
    with FaultyServer(lambda r: fault.ok(b"[%d]" % r.number, link="<?p=2>; rel=next")) as server:
        collected = fetch(server.url, paginate=LINKS)
        assert server.count == 2
    assert (bodies_of(collected), collected.provenance.partial) == ([b"[1]", b"[2]"], False)
    assert "names an earlier page" in collected.provenance.notes[0]


def test_max_size_counts_all_pages(fetch: Fetch) -> None:
    """The bound is for the collection: the page that breaks it makes the rest partial."""
    with FaultyServer(fault.pages_by_link([b"[%s1]" % (b" " * 60), b"[%s2]" % (b" " * 60)])) as server:
        collected = fetch(server.url, paginate=LINKS, max_size=100)
    assert (len(collected.payloads), collected.provenance.partial) == (1, True)
    assert "max_size" in collected.provenance.notes[0]


def test_credentials_do_not_follow_a_next_page_to_another_host(fetch: Fetch) -> None:
    """A link to a stranger is followed, without the key, on that host's account."""
    auth = SimpleNamespace(auth=SimpleNamespace(kind="bearer", token="t0k"))
    with FaultyServer(fault.ok(b"[2]")) as other:
        with FaultyServer(fault.ok(b"[1]", link=f"<{other.url}>; rel=next")) as server:
            calls = Calls()
            fetch(server.url, paginate=LINKS, request={"call": calls, "settings": auth})
            assert calls.providers == [server.host, other.host]
        assert "authorization" not in other.requests[0].headers


@pytest.mark.parametrize("kind", ["link_header", "json_next"])
@pytest.mark.parametrize("target", NOWHERE.values(), ids=NOWHERE)
def test_a_next_page_nowhere_leaves_what_came(fetch: Fetch, kind: str, target: str) -> None:
    """The page before is kept; it does not pass for the whole."""
    paginate = {"kind": kind, **({"next": "next"} if kind == "json_next" else {})}
    with FaultyServer(fault.as_json({"next": target}, link=f"<{target}>; rel=next")) as server:
        collected = fetch(server.url, paginate=paginate)
    assert (len(bodies_of(collected)), collected.provenance.partial) == (1, True)
    assert "cannot be" in collected.provenance.notes[0]


def test_a_page_that_is_no_json_does_not_pass_for_the_last_one(fetch: Fetch) -> None:
    """Whether there is more cannot be known: partial, with a note."""
    with FaultyServer(fault.html()) as server:
        collected = fetch(server.url, paginate={"kind": "json_next", "next": "next"})
    assert (len(collected.payloads), collected.provenance.partial) == (1, True)


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://a/2>; rel="next"', "https://a/2"),
        ("<https://a/2>;rel=next", "https://a/2"),
        ('<https://a/1>; rel="prev", <https://a/3>; rel="next"', "https://a/3"),
        ('<https://a/?x=1,2;3>; title="a \\"b, c"; rel="foo NEXT"', "https://a/?x=1,2;3"),
        ('<a>; rel="prev"; rel="next"', None),
        ('<a>; title="rel=next"', None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_link_headers_are_read_as_the_rfc_says(header: str, target: str | None) -> None:
    """RFC 8288: several links, several relations, quoted text, only the first rel counts."""
    assert next_in_links(header) == target


@given(st.text(max_size=200))
def test_no_link_header_makes_trouble(header: str) -> None:
    """Whatever a provider sends, the answer is an address or None."""
    found = next_in_links(header)
    assert found is None or found in header


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b", "next"]), inner),
    max_leaves=8,
)


@given(DOCUMENTS)
def test_the_next_address_of_any_document_is_text_or_none_or_told(document: object) -> None:
    """What stands at the path is an address, nothing, or a ValueError that says what it is."""
    try:
        found = next_in_json(BytesIO(json.dumps(document).encode()), "a.next")
    except ValueError:
        assert isinstance(document, dict)
    else:
        assert found is None or isinstance(found, str)


def test_only_a_small_page_can_be_empty() -> None:
    """The judgement looks at the first bytes and the size."""
    assert [is_empty(b"[]", 2), is_empty(b"[1]", 3), is_empty(b"", 0), is_empty(b"[]", 9999)] == [
        True,
        False,
        True,
        False,
    ]
