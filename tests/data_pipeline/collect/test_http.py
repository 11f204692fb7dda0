"""What the HTTP collector brings from a provider that behaves, and to whom it shows what."""

import hashlib
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpcore
import pytest
from pydantic import ValidationError

from data_pipeline.collect.addresses import is_public
from data_pipeline.collect.http.connections import Route
from data_pipeline.collect.http.http import HttpCollector, Options
from data_pipeline.dataset import Collected
from data_pipeline.errors import ProviderRefused, ProviderUnavailable
from tests import faulty_server as fault
from tests.data_pipeline.collect.conftest import body_of
from tests.data_pipeline.collect.requests import Calls
from tests.faulty_server import Answer, FaultyServer, Request
from utils.clock import ManualClock

CSV = b"id,value\n1,2.5\n2,3.5\n"
Fetch = Callable[..., Collected]


def settings(**given: Any) -> SimpleNamespace:
    """A provider's settings, as the configuration gives them."""
    given.setdefault("auth", SimpleNamespace(kind="none"))
    return SimpleNamespace(**given)


def test_a_body_comes_with_its_figures(fetch: Fetch) -> None:
    """Bytes, hash, size, media type, name, both moments and what to ask with next time."""
    answer = fault.ok(CSV, "text/CSV; charset=ISO-8859-9", etag='"v1"', last_modified="Sat, 28 Feb 2026 10:00:00 GMT")
    clock = ManualClock()
    with FaultyServer(answer) as server:
        collected = fetch(server.url + "?key=hidden", request={"clock": clock})
        provenance, payload = collected.provenance, collected.payloads[0]

    assert body_of(collected) == CSV
    assert (payload.name, payload.media_type, payload.charset) == ("data.csv", "text/csv", "iso-8859-9")
    assert provenance.content_sha256 == payload.sha256 == hashlib.sha256(CSV).hexdigest()
    assert (provenance.provider, provenance.size, provenance.attempts) == (server.host, len(CSV), 1)
    assert provenance.last_modified == datetime(2026, 2, 28, 10, tzinfo=UTC)
    assert (provenance.collected_at, provenance.partial, provenance.unchanged) == (clock.now(), False, False)
    assert provenance.source == f"{server.url}?…"
    assert dict(provenance.validators)["etag"] == '"v1"'
    assert "hidden" not in repr(provenance)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_body_is_undone(fetch: Fetch, encoding: str) -> None:
    """The payload, its size and its hash are those of the decoded bytes."""
    packed = fault.gzipped(CSV).body if encoding == "gzip" else zlib.compress(CSV)
    with FaultyServer(fault.ok(packed, content_encoding=encoding)) as server:
        collected = fetch(server.url)
    assert body_of(collected) == CSV
    assert collected.provenance.size == len(CSV)


def test_a_large_body_waits_in_a_file_that_goes_away(fetch: Fetch, tmp_path: Path) -> None:
    """Beyond 8 MB the body is spooled to the request's folder; closing removes it."""
    body = b"x" * (9 * 2**20)
    with FaultyServer(fault.ok(body)) as server:
        collected = fetch(server.url)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert [file.stat().st_size for file in files] == [len(body)]
    assert body_of(collected) == body == body_of(collected)
    collected.close()
    assert not files[0].exists()


def test_the_copy_we_have_is_confirmed_by_304(fetch: Fetch) -> None:
    """With the validators of the last time an unchanged provider sends nothing, and that is said."""
    with FaultyServer(fault.with_etag(CSV)) as server:
        first = fetch(server.url)
        second = fetch(server.url, request={"validators": dict(first.provenance.validators)})
        third = fetch(server.url, request={"validators": dict(second.provenance.validators)})
    assert [len(c.payloads) for c in (first, second, third)] == [1, 0, 0]
    assert (second.not_modified, second.provenance.unchanged) == (True, True)
    assert third.not_modified


def test_a_date_alone_is_enough_for_a_conditional_request(fetch: Fetch) -> None:
    """Providers without ETag are asked with If-Modified-Since; the date stays known."""
    answer = fault.with_etag(CSV, last_modified="Sat, 28 Feb 2026 10:00:00 GMT")
    with FaultyServer(answer) as server:
        validators = {k: v for k, v in fetch(server.url).provenance.validators if k != "etag"}
        second = fetch(server.url, request={"validators": validators})
    assert second.not_modified
    assert second.provenance.last_modified == datetime(2026, 2, 28, 10, tzinfo=UTC)


def test_validators_of_another_address_are_not_used(fetch: Fetch) -> None:
    """A changed `url` is asked unconditionally: 304 would mean a copy that we do not have."""
    with FaultyServer(fault.with_etag(CSV)) as server:
        first = fetch(server.url)
        second = fetch(server.url + "?page=2", request={"validators": dict(first.provenance.validators)})
    assert body_of(second) == CSV


def test_placeholders_and_parameters_are_encoded_where_they_stand(fetch: Fetch) -> None:
    """A moment in the path, the query, a parameter and a header; a doubled brace is a brace."""
    with FaultyServer(fault.ok(CSV)) as server:
        fetch(
            f"http://{server.host}/{{now:%Y/%m}}/a{{{{b}}}}?at={{now:%H:%M}}",
            params={"q": "a b&c", "day": "{run_date}", "n": 3, "all": True},
            headers={"X-Stamp": "{now:epoch_ms}"},
        )
        request = server.requests[0]
    assert request.path in ("/2026/03/a%7Bb%7D", "/2026/03/a{b}")
    assert dict(request.query) == {"at": "07:05", "q": "a b&c", "day": "2026-03-01", "n": "3", "all": "true"}
    assert request.headers["x-stamp"] == "1772348730000"


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (SimpleNamespace(kind="basic", user="ü", password="p:w"), "authorization", "Basic w7w6cDp3"),
        (SimpleNamespace(kind="bearer", token="t0k"), "authorization", "Bearer t0k"),
        (SimpleNamespace(kind="header", name="X-Key", value="k"), "x-key", "k"),
    ],
    ids=["basic", "bearer", "header"],
)
def test_credentials_of_the_provider_are_shown(fetch: Fetch, auth: Any, header: str, value: str) -> None:
    """Each kind of `auth` puts its proof into the right header."""
    with FaultyServer(fault.ok(CSV)) as server:
        fetch(server.url, request={"settings": settings(auth=auth)})
        assert server.requests[0].headers[header] == value


def test_a_key_in_the_query_and_the_user_part_of_an_address_stay_out_of_what_is_told(fetch: Fetch) -> None:
    """They reach the provider and neither the source nor an error message."""
    auth = SimpleNamespace(kind="query", name="api_key", value="s3cr=t")
    with FaultyServer(fault.status(403)) as server, pytest.raises(ProviderRefused) as caught:
        fetch(server.url.replace("//", "//me:pw@"), request={"settings": settings(auth=auth), "provider": "p"})
    request = server.requests[0]
    assert request.query["api_key"] == "s3cr=t"
    assert "s3cr" not in str(caught.value)
    assert "pw@" not in str(caught.value)

    with FaultyServer(fault.ok(CSV)) as server:
        collected = fetch(server.url.replace("//", "//me:pw@"))
        assert server.requests[0].headers["authorization"] == "Basic bWU6cHc="
    assert "pw" not in collected.provenance.source


def test_a_path_is_joined_to_the_base_url(fetch: Fetch) -> None:
    """Datasets of a provider with a `base_url` give a path only."""
    with FaultyServer(fault.ok(CSV)) as server:
        given = {"settings": settings(base_url=f"http://{server.host}/api/"), "provider": "partner"}
        fetch("/v1/rates", request=given)
        assert server.requests[0].path == "/api/v1/rates"


def test_a_path_without_a_base_url_says_what_to_do(fetch: Fetch, collector: HttpCollector) -> None:
    """Neither the provider's name nor the address can be known."""
    with pytest.raises(ProviderRefused, match="base_url"):
        fetch("/v1/rates", request={"provider": "partner"})
    with pytest.raises(ValueError, match="base_url"):
        collector.provider_of(Options(url="/v1/rates"), "rates")


def test_a_redirect_to_another_host_is_that_hosts_request_and_shows_it_no_credentials(fetch: Fetch) -> None:
    """Every hop goes through its own provider; tokens and headers of the user stay at home, Accept goes along."""
    with FaultyServer(fault.ok(CSV)) as other:
        with FaultyServer(fault.redirect(other.url)) as server:
            calls = Calls()
            auth = SimpleNamespace(kind="bearer", token="t0k")
            collected = fetch(
                server.url,
                headers={"X-Key": "k", "Accept": "text/csv"},
                request={"call": calls, "settings": settings(auth=auth, headers={"X-Team": "a"})},
            )
            mine, theirs = server.requests[0].headers, other.requests[0].headers
        assert calls.providers == [server.host, other.host]
    assert body_of(collected) == CSV
    assert (mine["authorization"], mine["x-key"], mine["x-team"]) == ("Bearer t0k", "k", "a")
    assert not {"authorization", "x-key", "x-team"} & set(theirs)
    assert theirs["accept"] == "text/csv"


def test_a_redirect_on_the_same_host_keeps_the_credentials(fetch: Fetch) -> None:
    """A relative target stays with the provider."""
    auth = SimpleNamespace(kind="bearer", token="t0k")
    with FaultyServer([fault.redirect("/new.csv", 308), fault.ok(CSV)]) as server:
        collected = fetch(server.url, request={"settings": settings(auth=auth)})
        assert [r.headers["authorization"] for r in server.requests] == ["Bearer t0k"] * 2
    assert (collected.payloads[0].name, collected.provenance.attempts) == ("new.csv", 1)


@pytest.mark.parametrize(
    ("target", "words"),
    [("/data.csv", "more than 5 redirects"), ("ftp://example.org/x", "not HTTP"), ("file:///etc/passwd", "not HTTP")],
)
def test_redirects_are_bounded_and_stay_with_http(fetch: Fetch, target: str, words: str) -> None:
    """Circles end after five hops; other schemes are never followed."""
    with FaultyServer(fault.redirect(target)) as server:
        with pytest.raises(ProviderRefused, match=words):
            fetch(server.url)
        assert server.count == (6 if target.startswith("/") else 1)


@pytest.mark.parametrize("how", ["address", "name"])
def test_private_addresses_are_refused_when_the_provider_forbids_them(fetch: Fetch, how: str) -> None:
    """`allow_private: false` looks at the address that is connected to, also behind a name."""
    with FaultyServer(fault.ok(CSV)) as server:
        url = server.url.replace("127.0.0.1", "localhost") if how == "name" else server.url
        given = {"settings": settings(allow_private=False)}
        with pytest.raises(ProviderRefused, match="not a public address"):
            fetch(url, request=given)
        assert server.count == 0


METADATA = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"


@pytest.mark.parametrize("target", [METADATA, "http://[::ffff:a9fe:a9fe]/", "http://[fd00:ec2::254]/latest"])
def test_no_provider_leads_us_to_the_credentials_of_this_machine(fetch: Fetch, target: str) -> None:
    """A cloud gives them at these addresses to whoever asks from here; what they say would come back as data."""
    with FaultyServer(fault.redirect(target)) as server:
        with pytest.raises(ProviderRefused, match="where a cloud gives this machine its credentials"):
            fetch(server.url)
        assert server.count == 1


def test_no_name_leads_us_there_either(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns a name decides where it leads; an address that the configuration itself says is its own business."""
    monkeypatch.setattr("utils.network.resolve", lambda *_: ["169.254.169.254"])
    with pytest.raises(ProviderRefused, match=r"api\.test leads to 169\.254\.169\.254"):
        fetch("http://api.test/latest/meta-data")
    asked: list[str] = []

    def connect(_: object, host: str, *__: object) -> None:
        asked.append(host)
        raise httpcore.ConnectError("nobody is there")

    monkeypatch.setattr("httpcore.SyncBackend.connect_tcp", connect)
    with pytest.raises(ProviderUnavailable):
        fetch(METADATA)
    assert asked == ["169.254.169.254"]


def test_the_ban_on_private_addresses_goes_along_to_the_next_host() -> None:
    """Trust and client certificate stay at home when a provider sends us elsewhere; proxy and ban do not."""
    tls = SimpleNamespace(verify=False, ca="ca.pem", client_cert="me.pem", client_key="key.pem")
    route = Route.of(settings(allow_private=False, tls=tls, proxy="http://proxy"))
    assert route.to_a_stranger() == Route(proxy="http://proxy", allow_private=False)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("::127.0.0.1", False),
    ],
)
def test_public_addresses_are_told_from_private_ones(address: str, public: bool) -> None:
    """An IPv4 address hidden in an IPv6 one counts as what it is."""
    assert is_public(address) is public


def test_no_cookie_is_carried_from_one_dataset_to_another(fetch: Fetch) -> None:
    """Clients are shared, sessions are not."""
    with FaultyServer(fault.ok(CSV, set_cookie="session=1; Path=/")) as server:
        fetch(server.url)
        fetch(server.url)
        assert ["cookie" in request.headers for request in server.requests] == [False, False]


def test_connections_are_used_again(fetch: Fetch) -> None:
    """Collections from one provider, one after the other, need one connection; the body of each is read to its end."""
    with FaultyServer(fault.ok(CSV)) as server:
        for _ in range(3):
            assert body_of(fetch(server.url)) == CSV
        assert (server.count, server.connected) == (3, 1)


def test_a_proxy_of_the_environment_is_used_but_not_for_loopback(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY sees requests to other hosts, never those to this machine."""
    with FaultyServer(fault.ok(CSV)) as proxy, FaultyServer(fault.ok(CSV)) as server:
        monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        fetch("http://rates.example.org/x.csv")
        fetch(server.url)
        assert (proxy.count, server.count) == (1, 1)
        assert proxy.requests[0].headers["host"] == "rates.example.org"


def test_an_unusable_certificate_setting_names_the_keys(fetch: Fetch, tmp_path: Path) -> None:
    """A missing CA file is a configuration error, told as one."""
    tls = SimpleNamespace(verify=True, ca=str(tmp_path / "none.pem"), client_cert="", client_key="")
    with pytest.raises(ProviderRefused, match="tls") as caught:
        fetch("https://127.0.0.1:1/x", request={"settings": settings(tls=tls)})
    assert "tls.ca" in caught.value.hint


def test_the_answer_can_depend_on_the_request(fetch: Fetch) -> None:
    """The test server itself hands each request to the test."""

    def answer(request: Request) -> Answer:
        return fault.as_json({"path": request.path, "agent": request.headers["user-agent"]})

    with FaultyServer(answer) as server:
        assert body_of(fetch(server.url)) == b'{"path": "/data.csv", "agent": "cloud-data-orchestrator"}'


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"url": "ftp://a.example/x"}, "not HTTP"),
        ({"url": "https:///x"}, "no host"),
        ({"url": "https://{now}.example/x"}, "in the host"),
        ({"url": "https://a.example", "mirrors": ["ftp://b.example/x"]}, "not HTTP"),
        ({"url": "https://a.example/{nwo}"}, "unknown placeholder"),
        ({"url": "https://a.example/}"}, "doubled"),
        ({"url": "https://a.example", "params": {"a": "{b}"}}, "unknown placeholder"),
        ({"url": "https://a.example", "method": "DELETE"}, "not one that reads data"),
        ({"url": "https://a.example", "body": {"a": 1}}, "`body` needs `method: POST`"),
        ({"url": "https://a.example", "body": "", "method": "POST"}, "`body` is empty"),
        ({"url": "https://a.example", "method": "POST", "body": {"a": ["{b}"]}}, "unknown placeholder"),
        ({"url": "https://a.example", "method": "POST", "body": '{"a": 1}'}, "doubled"),
        ({"url": "https://a.example", "paginate": {"kind": "offset"}}, "offset needs `size`"),
        ({"url": "https://a.example", "paginate": {"kind": "page", "size": 9}}, "`size` needs `size_param`"),
        ({"url": "https://a.example", "paginate": {"kind": "page", "size_param": "n"}}, "`size_param` needs `size`"),
        ({"url": "https://a.example", "paginate": {"kind": "page", "from": "a"}}, "`from` belongs to cursor"),
        ({"url": "https://a.example", "paginate": {"kind": "cursor", "from": "a"}}, "needs `from` and `into`"),
        ({"url": "https://a.example", "paginate": {"kind": "cursor", "from": "a", "into": "x.b"}}, "no place"),
        ({"url": "https://a.example", "paginate": {"kind": "cursor", "from": "a", "into": "body.b"}}, "POST"),
        (
            {
                "url": "https://a.example",
                "method": "POST",
                "body": "<a/>",
                "paginate": {"kind": "cursor", "from": "a", "into": "body.b"},
            },
            "a body that is a text",
        ),
        ({"url": "https://a.example", "success": "not(//a"}, "neither JMESPath"),
        ({"url": "https://a.example", "transient_when": "a(("}, "neither JMESPath"),
        ({"url": "https://a.example", "for_each": {"dataset": "s", "column": "c", "into": "id"}}, "stands nowhere"),
        ({"url": "https://a.example", "for_each": {"dataset": "s", "column": "c", "into": "now"}}, "neither a place"),
        ({"url": "https://a.example", "for_each": {"dataset": "s", "column": "c", "into": "x.y"}}, "no place"),
        ({"url": "https://a.example", "auth": {"kind": "bearer"}}, "token"),
        ({"url": "https://a.example", "paginate": {"kind": "json_next"}}, "needs `next`"),
        ({"url": "https://a.example", "paginate": {"kind": "json_next", "next": "a..b"}}, "not a path"),
        ({"url": "https://a.example", "paginate": {"kind": "none", "next": "a"}}, "belongs to json_next"),
        ({"url": "https://a.example", "max_size": "many"}, "size"),
        ({"url": "https://a.example", "retries": 3}, "Extra inputs"),
    ],
)
def test_wrong_options_say_what_is_wrong(given: dict[str, Any], words: str) -> None:
    """Everything a user can get wrong is found when the configuration is read."""
    with pytest.raises(ValidationError, match=words):
        Options.model_validate(given)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.example.org/x", "api.example.org"),
        ("https://API.example.org:443/x", "api.example.org"),
        ("http://user:pw@api.example.org:8080", "api.example.org:8080"),
        ("http://[::1]:81/", "[::1]:81"),
    ],
)
def test_a_provider_is_its_host_and_port(collector: HttpCollector, url: str, name: str) -> None:
    """The port is named when it is not the scheme's own; user and password never are."""
    assert collector.provider_of(Options(url=url), "rates") == name
