"""Through a real proxy: plain requests, tunnels, its credentials, and addresses it must not be used to reach."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.providers import OAuth2Auth, ProviderSettings, TlsSettings
from data_pipeline.dataset import Collected
from data_pipeline.errors import ProviderRefused, ProviderUnavailable
from tests import faulty_server as fault
from tests.data_pipeline.collect.conftest import body_of
from tests.data_pipeline.collect.proxy_server import ProxyServer
from tests.faulty_server import FaultyServer

TLS = Path(__file__).parents[2] / "data" / "tls"
CSV = b"id,value\n1,2.5\n"
Fetch = Callable[..., Collected]


@pytest.fixture
def proxy() -> Iterator[ProxyServer]:
    with ProxyServer(user="me:s3cret", names={"data.internal": "127.0.0.1"}) as server:
        yield server


def by(proxy: str, **more: object) -> dict[str, object]:
    return {"provider": "partner", "settings": ProviderSettings.model_validate({"proxy": proxy, **more})}


def test_a_plain_request_goes_through_the_proxy(fetch: Fetch, proxy: ProxyServer) -> None:
    """With the proxy's own credentials, which end there; and to a name that only the proxy knows."""
    with FaultyServer(fault.ok(CSV)) as server:
        url = server.url.replace("127.0.0.1", "data.internal")
        assert body_of(fetch(url, request=by(proxy.url))) == CSV
    ((asked, headers),) = proxy.forwarded
    assert asked == url
    assert headers["proxy-authorization"].startswith("Basic ")
    assert "proxy-authorization" not in server.requests[0].headers


def test_https_goes_through_a_tunnel_which_shows_the_proxy_nothing(fetch: Fetch, proxy: ProxyServer) -> None:
    """The certificate that is checked is the provider's, and its credentials stay inside."""
    tls = TlsSettings(ca=str(TLS / "localhost.pem")).model_dump()
    auth = {"kind": "bearer", "token": "for the provider"}
    with FaultyServer(fault.ok(CSV), tls=TLS) as server:
        assert body_of(fetch(server.url, request=by(proxy.url, tls=tls, auth=auth))) == CSV
        assert proxy.tunnels == [server.host]
        with pytest.raises(ProviderRefused, match="self-signed"):
            fetch(server.url, request=by(proxy.url))
    assert server.requests[0].headers["authorization"] == "Bearer for the provider"
    assert (proxy.forwarded, server.count) == ([], 1)


@pytest.mark.parametrize("tls", [None, TLS], ids=["forwarded", "tunnel"])
def test_a_proxy_that_wants_other_credentials_is_told_from_a_provider_that_does(
    fetch: Fetch, proxy: ProxyServer, tls: Path | None
) -> None:
    """The hint names `proxy`, the message no password."""
    wrong = proxy.url.replace("s3cret", "wr0ng")
    with FaultyServer(fault.ok(CSV), tls=tls) as server, pytest.raises(ProviderRefused, match="407") as caught:
        fetch(server.url, request=by(wrong))
    assert "user and password into `proxy`" in caught.value.hint
    assert "wr0ng" not in str(caught.value)
    assert server.count == 0


def test_a_proxy_that_is_away_may_come_back(fetch: Fetch) -> None:
    """It is not the provider that is wrong, but the key to look at is told."""
    with ProxyServer() as gone:
        url = gone.url
    with FaultyServer(fault.ok(CSV)) as server, pytest.raises(ProviderUnavailable, match="to the proxy") as caught:
        fetch(server.url, request=by(url))
    assert "`proxy`" in caught.value.hint


@pytest.mark.parametrize("proxy", ["nonsense", "ftp://me:s3cret@proxy.example.org"], ids=["no address", "other scheme"])
def test_what_is_no_proxy_is_told_with_its_key_and_without_its_password(fetch: Fetch, proxy: str) -> None:
    """Before any request."""
    with FaultyServer(fault.ok(CSV)) as server, pytest.raises(ProviderRefused, match="`proxy`") as caught:
        fetch(server.url, request=by(proxy))
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


def test_a_token_is_fetched_through_the_proxy_too(fetch: Fetch, proxy: ProxyServer) -> None:
    """Where only the proxy reaches the world, the token endpoint is no exception."""
    token = fault.as_json({"access_token": "access-1"})
    with FaultyServer(token, tls=TLS) as tokens, FaultyServer(fault.ok(CSV)) as server:
        auth = OAuth2Auth(kind="oauth2", token_url=tokens.url, client_id="c", client_secret="s")
        tls = TlsSettings(ca=str(TLS / "localhost.pem"))
        fetch(server.url, request=by(proxy.url, auth=auth.model_dump(), tls=tls.model_dump()))
        assert proxy.tunnels == [tokens.host]


def test_no_proxy_is_a_way_around_a_forbidden_address(fetch: Fetch, proxy: ProxyServer) -> None:
    """`allow_private: false` is judged before the proxy is asked; for the token endpoint as well."""
    auth = {"kind": "oauth2", "token_url": "http://127.0.0.1:1/token", "client_id": "c", "client_secret": "s"}
    with FaultyServer(fault.ok(CSV)) as server:
        with pytest.raises(ProviderRefused, match="not a public address") as caught:
            fetch(server.url, request=by(proxy.url, allow_private=False))
        for way in (proxy.url, ""):
            with pytest.raises(ProviderRefused, match=r"127\.0\.0\.1 is at 127\.0\.0\.1"):
                fetch("http://192.0.2.1/x", request=by(way, allow_private=False, auth=auth))
    assert "`allow_private: true`" in caught.value.hint
    assert (server.count, proxy.forwarded, proxy.tunnels) == (0, [], [])
