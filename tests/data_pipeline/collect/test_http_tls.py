"""TLS against a real server with a certificate of its own."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data_pipeline.dataset import Collected
from data_pipeline.errors import ProviderRefused, ProviderUnavailable
from tests import faulty_server as fault
from tests.data_pipeline.collect.conftest import body_of
from tests.faulty_server import FaultyServer
from utils.resilience.deadline import deadline

TLS = Path(__file__).parents[2] / "data" / "tls"
CSV = b"id,value\n1,2.5\n"
Fetch = Callable[..., Collected]


def trusting(**tls: Any) -> dict[str, Any]:
    """A request whose provider has these TLS settings."""
    given = {"verify": True, "ca": "", "client_cert": "", "client_key": "", **tls}
    return {"settings": SimpleNamespace(tls=SimpleNamespace(**given))}


@pytest.mark.parametrize("tls", [{"ca": str(TLS / "localhost.pem")}, {"verify": False}], ids=["own CA", "no check"])
def test_a_provider_with_its_own_authority_is_reached(fetch: Fetch, tls: dict[str, Any]) -> None:
    """`tls.ca` names it; `verify: false` asks nobody."""
    with FaultyServer(fault.ok(CSV), tls=TLS) as server:
        assert body_of(fetch(server.url, request=trusting(**tls))) == CSV


def test_a_certificate_that_nobody_vouches_for_is_refused(fetch: Fetch) -> None:
    """Waiting would not help; the hint names the key that would."""
    with FaultyServer(fault.ok(CSV), tls=TLS) as server, pytest.raises(ProviderRefused, match=r"self.signed") as caught:
        fetch(server.url)
    assert "tls.ca" in caught.value.hint


def test_a_certificate_for_another_name_is_refused(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name in the address is what is checked, although we connect to the address it resolved to."""
    from data_pipeline.collect.http import network

    monkeypatch.setattr(network, "resolve", lambda _host, _port, _timeout: ["127.0.0.1"])
    with FaultyServer(fault.ok(CSV), tls=TLS) as server:
        url = server.url.replace("127.0.0.1", "other.example")
        with pytest.raises(ProviderRefused, match=r"other\.example"):
            fetch(url, request=trusting(ca=str(TLS / "localhost.pem")))


def test_a_reset_under_tls_is_no_certificate_problem(fetch: Fetch) -> None:
    """A connection that breaks while TLS is spoken may work the next time."""
    with FaultyServer(fault.reset(), tls=TLS) as server, pytest.raises(ProviderUnavailable):
        fetch(server.url, request=trusting(verify=False))


def test_the_deadline_holds_under_tls(fetch: Fetch) -> None:
    """Dripping bytes are cut there too."""
    with FaultyServer(fault.drip(CSV * 100), tls=TLS) as server, deadline(2.0), pytest.raises(ProviderUnavailable):
        fetch(server.url, request=trusting(verify=False))
