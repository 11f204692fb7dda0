"""Other addresses of the same data: asked when one fails, or has too much to do; never mixed, never shown secrets."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from data_pipeline.collect.http.http import HttpCollector, Options
from data_pipeline.collect.http.mirrors import RESTS_FOR, Load, Source
from data_pipeline.dataset import Collected
from data_pipeline.errors import CollectError, ProviderRefused, ProviderUnavailable
from tests import faulty_server as fault
from tests.data_pipeline.collect.conftest import body_of
from tests.data_pipeline.collect.requests import Calls, make_request
from tests.data_pipeline.collect.test_paging import bodies_of
from tests.faulty_server import Answer, FaultyServer, Request
from utils.clock import ManualClock
from utils.resilience.deadline import deadline
from utils.resilience.errors import CircuitOpenError

Fetch = Callable[..., Collected]
CSV = b"id,value\n1,2.5\n"
LINKS = {"kind": "link_header"}
PAGES = fault.pages_by_link([b"[1]", b"[2]", b"[3]"])


@pytest.fixture
def home() -> Iterator[FaultyServer]:
    with FaultyServer(fault.ok(b"home")) as server:
        yield server


@pytest.fixture
def mirror() -> Iterator[FaultyServer]:
    with FaultyServer(fault.ok(CSV)) as server:
        yield server


def until(page: str, fail: Answer) -> Callable[[Request], Answer]:
    """The pages before this one."""
    return lambda request: fail if request.query.get("page", "1") == page else PAGES(request)


def test_the_datasets_own_address_is_asked_when_it_works(
    fetch: Fetch, home: FaultyServer, mirror: FaultyServer
) -> None:
    """Mirrors are not asked for nothing."""
    collected = fetch(home.url, mirrors=[mirror.url])
    assert (body_of(collected), mirror.count) == (b"home", 0)
    assert (collected.provenance.source, collected.provenance.notes) == (home.url, ())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (fault.status(503), "answered 503"),
        (fault.reset(), "broke"),
        (fault.status(404), "answered 404"),
        (fault.html(), "web page"),
    ],
    ids=["down", "reset", "not there", "a login page"],
)
def test_a_mirror_answers_when_the_address_does_not(
    fetch: Fetch, home: FaultyServer, mirror: FaultyServer, answer: Answer, words: str
) -> None:
    """Each on its own account; the report says where the data came from and why."""
    home.answer = answer
    calls = Calls(tries=2)
    collected = fetch(home.url, mirrors=[mirror.url], success="^id", request={"call": calls})
    provenance = collected.provenance
    assert (body_of(collected), calls.providers) == (CSV, [home.host, mirror.host])
    assert (provenance.source, provenance.provider, provenance.partial) == (mirror.url, home.host, False)
    assert f"address {home.url} did not deliver" in provenance.notes[0]
    assert words in provenance.notes[0]
    assert provenance.notes[1] == f"this came from the mirror {mirror.url}"


def test_an_open_circuit_sends_us_to_the_mirror_at_once(fetch: Fetch, home: FaultyServer, mirror: FaultyServer) -> None:
    """Our own refusal is as good a reason as a failure."""
    calls = Calls(fail_at={1: CircuitOpenError("home", "the circuit is open")})
    collected = fetch(home.url, mirrors=[mirror.url], request={"call": calls})
    assert (body_of(collected), home.count) == (CSV, 0)


def test_when_all_fail_the_error_is_that_of_the_own_address(
    fetch: Fetch, home: FaultyServer, mirror: FaultyServer
) -> None:
    """And it tells what the mirrors said."""
    home.answer, mirror.answer = fault.status(503), fault.status(404)
    with pytest.raises(ProviderUnavailable, match=r"answered 503.*mirrors did not deliver.*answered 404") as caught:
        fetch(home.url, mirrors=[mirror.url])
    assert (caught.value.provider, caught.value.status) == (home.host, 503)


def test_when_every_circuit_is_open_the_refusal_tells_of_each_address(
    fetch: Fetch, home: FaultyServer, mirror: FaultyServer
) -> None:
    """Who refused and until when is that of the own address; what came of the mirror is said as well."""
    calls = Calls(fail_at={1: _open("home", 60.0), 2: _open("mirror", 30.0)})
    with pytest.raises(CircuitOpenError, match=r"home: circuit open\. The mirrors.*mirror: circuit open") as caught:
        fetch(home.url, mirrors=[mirror.url], request={"call": calls})
    assert (caught.value.retry_after, home.count, mirror.count) == (60.0, 0, 0)


def test_a_last_resort_that_fails_is_told_beside_the_refusal(
    fetch: Fetch, home: FaultyServer, mirror: FaultyServer
) -> None:
    """The mirror was asked and answered: "circuit open" alone would hide it."""
    mirror.answer = fault.status(404)
    calls = Calls(fail_at={1: _open("home", 90.0), 2: _open("mirror", 60.0)})
    with pytest.raises(CircuitOpenError, match=r"home: circuit open\. The mirrors.*answered 404") as caught:
        fetch(home.url, mirrors=[mirror.url], request={"call": calls, "last_resort": Calls()})
    assert (caught.value.name, caught.value.retry_after) == ("home", 90.0)
    assert (home.count, mirror.count) == (0, 1)


def _open(name: str, retry_after: float) -> CircuitOpenError:
    return CircuitOpenError(name, f"{name}: circuit open", retry_after)


def test_pages_of_two_addresses_are_never_mixed(fetch: Fetch, home: FaultyServer, mirror: FaultyServer) -> None:
    """A failure in the middle starts over at the mirror; the pages before it are dropped."""
    home.answer = until("3", fault.status(503))
    mirror.answer = fault.pages_by_link([b'["a"]', b'["b"]'])
    collected = fetch(home.url, mirrors=[mirror.url], paginate=LINKS)
    assert bodies_of(collected) == [b'["a"]', b'["b"]']
    assert (collected.provenance.partial, collected.provenance.size) == (False, 10)


@pytest.mark.parametrize(("home_until", "mirror_until", "kept"), [("3", "2", 2), ("2", "3", 2), ("2", "2", 1)])
def test_when_none_is_complete_the_longest_part_is_kept(
    fetch: Fetch, home: FaultyServer, mirror: FaultyServer, home_until: str, mirror_until: str, kept: int
) -> None:
    """It is called a part."""
    home.answer, mirror.answer = until(home_until, fault.status(503)), until(mirror_until, fault.status(503))
    collected = fetch(home.url, mirrors=[mirror.url], paginate=LINKS)
    assert (len(collected.payloads), collected.provenance.partial) == (kept, True)
    assert collected.provenance.source == (mirror.url if mirror_until > home_until else home.url)


def test_a_part_that_is_nobodys_failure_is_not_looked_for_elsewhere(
    fetch: Fetch, home: FaultyServer, mirror: FaultyServer
) -> None:
    """`max_pages` cuts at every address alike."""
    home.answer = PAGES
    collected = fetch(home.url, mirrors=[mirror.url], paginate={**LINKS, "max_pages": 2})
    assert (len(collected.payloads), collected.provenance.partial, mirror.count) == (2, True, 0)


def test_a_mirror_sees_no_credentials(fetch: Fetch, home: FaultyServer, mirror: FaultyServer) -> None:
    """Neither the provider's nor the dataset's; the question itself goes along, and the mirror's own user part."""
    home.answer = fault.status(503)
    auth = SimpleNamespace(kind="bearer", token="t0k")
    fetch(
        home.url,
        mirrors=[mirror.url.replace("//", "//me:pw@")],
        method="POST",
        params={"day": "{run_date}"},
        body={"q": 1},
        headers={"X-Key": "k", "Accept": "text/csv", "Content-Type": "application/x-query"},
        request={"settings": SimpleNamespace(auth=auth, headers={"X-Team": "a"})},
    )
    seen = mirror.requests[0]
    assert seen.headers["authorization"] == "Basic bWU6cHc="
    assert not {"x-key", "x-team"} & set(seen.headers)
    assert (seen.body, seen.query["day"], seen.headers["accept"]) == (b'{"q":1}', "2026-03-01", "text/csv")
    assert seen.headers["content-type"] == "application/x-query"
    assert home.requests[0].headers["authorization"] == "Bearer t0k"


def test_a_mirror_on_the_same_host_keeps_the_credentials(fetch: Fetch, home: FaultyServer) -> None:
    """The origin decides, not the address."""
    home.answer = [fault.status(503), fault.ok(CSV)]
    auth = SimpleNamespace(kind="bearer", token="t0k")
    fetch(home.url, mirrors=[f"http://{home.host}/copy"], request={"settings": SimpleNamespace(auth=auth)})
    assert [request.headers["authorization"] for request in home.requests] == ["Bearer t0k"] * 2


def test_a_copy_of_one_address_is_not_confirmed_by_another(
    fetch: Fetch, home: FaultyServer, mirror: FaultyServer
) -> None:
    """Validators belong to the address they came from."""
    home.answer = fault.with_etag(CSV)
    mirror.answer = fault.with_etag(b"other", etag='"v1"')
    known = dict(fetch(home.url).provenance.validators)
    home.answer = fault.status(503)
    collected = fetch(home.url, mirrors=[mirror.url], request={"validators": known})
    assert body_of(collected) == b"other"


def test_an_address_that_failed_is_asked_last_for_a_while(
    collector: HttpCollector, home: FaultyServer, mirror: FaultyServer, tmp_path: Path
) -> None:
    """The next dataset does not wait for it again; a minute later it has its turn."""
    clock = ManualClock()
    options = Options(url=home.url, mirrors=(mirror.url,))

    def run() -> None:
        collector.collect(make_request(options, tmp_path, provider=home.host, clock=clock)).close()

    home.answer = fault.status(503)
    run()
    run()
    assert (home.count, mirror.count) == (1, 2)
    home.answer = fault.ok(CSV)
    clock.advance(RESTS_FOR)
    run()
    assert (home.count, mirror.count) == (2, 2)


def test_a_busy_address_is_relieved_by_its_mirror(
    collector: HttpCollector, home: FaultyServer, mirror: FaultyServer, tmp_path: Path
) -> None:
    """While one collection is under way at the own address, the next begins at the mirror."""
    arrived, go_on = threading.Event(), threading.Event()

    def slow(_request: Request) -> Answer:
        arrived.set()
        go_on.wait(120)
        return fault.ok(CSV)

    home.answer = slow
    options = Options(url=home.url, mirrors=(mirror.url,))
    brought: list[str] = []

    def run() -> None:
        collected = collector.collect(make_request(options, tmp_path, provider=home.host))
        brought.append(collected.provenance.source)

    first = threading.Thread(target=run)
    first.start()
    assert arrived.wait(120)
    run()
    go_on.set()
    first.join(120)
    assert brought == [mirror.url, home.url]


def test_an_address_that_hangs_leaves_time_for_its_mirror(
    fetch: Fetch, home: FaultyServer, mirror: FaultyServer
) -> None:
    """Two thirds of the deadline are the most that the first one may take."""
    home.answer = fault.hang()
    with deadline(3.0):
        collected = fetch(home.url, mirrors=[mirror.url], request={"call": Calls(tries=9)})
    assert body_of(collected) == CSV
    assert "in time" in collected.provenance.notes[0]


def test_a_full_disk_is_no_reason_to_ask_elsewhere(
    fetch: Fetch, home: FaultyServer, mirror: FaultyServer, tmp_path: Path
) -> None:
    """The fault is ours."""
    (tmp_path / "spool").write_text("a file where the folder should be")
    home.answer = fault.ok(b"x" * 9 * 2**20)
    with pytest.raises(CollectError, match="cannot be kept"):
        fetch(home.url, mirrors=[mirror.url])
    assert mirror.count == 0


def test_a_path_is_a_mirror_under_the_base_url(fetch: Fetch, home: FaultyServer) -> None:
    """As `url` itself may be."""
    home.answer = [fault.status(503), fault.ok(CSV)]
    settings = SimpleNamespace(base_url=f"http://{home.host}/api")
    fetch("/a", mirrors=["/b"], request={"provider": "partner", "settings": settings})
    assert [request.path for request in home.requests] == ["/api/a", "/api/b"]


def test_no_mirror_is_asked_for_a_request_that_cannot_be_made(fetch: Fetch, mirror: FaultyServer) -> None:
    """A path without a base is the user's mistake."""
    with pytest.raises(ProviderRefused, match="base_url"):
        fetch("/a", mirrors=[mirror.url], request={"provider": "partner"})
    assert mirror.count == 0


def test_the_order_is_that_of_the_configuration_while_nothing_happens() -> None:
    """Equal loads change nothing; what ended no longer counts."""
    load = Load()
    sources = [Source(f"http://{name}/", name, mirror=name != "a") for name in "abc"]
    with load.at(sources[0]), load.at(sources[0]), load.at(sources[1]):
        assert [source.provider for source in load.order(sources, 0.0)] == ["c", "b", "a"]
    assert load.order(sources, 0.0) == sources
