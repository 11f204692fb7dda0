"""Certificates of both sides, against real TLS servers: what is wrong, and which key to set."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from config.providers import OAuth2Auth, ProviderSettings, TlsSettings
from data_pipeline.collect.http.answers import transport_error
from data_pipeline.collect.http.connections import Route
from data_pipeline.collect.http.tls import tls_context
from data_pipeline.dataset import Collected
from data_pipeline.errors import ProviderRefused
from tests import faulty_server as fault
from tests.data_pipeline.collect.certificates import Authority
from tests.data_pipeline.collect.conftest import body_of
from tests.faulty_server import FaultyServer

CSV = b"id,value\n1,2.5\n"
Fetch = Callable[..., Collected]


@dataclass(frozen=True)
class Papers:
    """Certificates of a server and its clients, all of one authority. Folders, but for the authority's own file."""

    authority: Authority
    server: Path
    expired: Path
    early: Path
    elsewhere: Path
    client: Path
    expired_client: Path
    locked_client: Path
    stranger: Path


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    authority, other = Authority.made(folder / "ca"), Authority.made(folder / "other", "Somebody else")
    here = ("localhost", "127.0.0.1")
    return Papers(
        authority,
        server=authority.signs(folder / "server", *here),
        expired=authority.signs(folder / "expired", *here, days=(-9, -1)),
        early=authority.signs(folder / "early", *here, days=(1, 9)),
        elsewhere=authority.signs(folder / "elsewhere", "data.example.org"),
        client=authority.signs(folder / "client", "our-client"),
        expired_client=authority.signs(folder / "expired-client", "our-client", days=(-9, -1)),
        locked_client=authority.signs(folder / "locked-client", "our-client", password=b"secret"),
        stranger=other.signs(folder / "stranger", "a-stranger"),
    )


def settings(papers: Papers, **tls: Any) -> dict[str, Any]:
    """A request that trusts the authority of the papers."""
    return {"settings": ProviderSettings(tls=TlsSettings(**{"ca": str(papers.authority.file), **tls}))}


def shows(folder: Path) -> dict[str, str]:
    return {"client_cert": str(folder / "localhost.pem"), "client_key": str(folder / "localhost.key")}


@pytest.mark.parametrize(
    ("which", "reason", "hint"),
    [
        ("expired", "certificate has expired", "tls.verify: false"),
        ("early", "certificate is not yet valid", "clock"),
        ("elsewhere", "IP address mismatch", "made out to another"),
    ],
    ids=["expired", "not yet valid", "for another host"],
)
def test_a_servers_bad_certificate_is_named(fetch: Fetch, papers: Papers, which: str, reason: str, hint: str) -> None:
    """Waiting does not help, so it is not tried again."""
    with FaultyServer(fault.ok(CSV), tls=getattr(papers, which)) as server, pytest.raises(ProviderRefused) as caught:
        fetch(server.url, request=settings(papers))
    assert reason in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("which", ["expired", "early", "elsewhere"])
def test_who_does_not_check_reads_all_the_same(fetch: Fetch, papers: Papers, which: str) -> None:
    """`tls.verify: false` does what the hint promises."""
    with FaultyServer(fault.ok(CSV), tls=getattr(papers, which)) as server:
        assert body_of(fetch(server.url, request=settings(papers, verify=False))) == CSV


def test_an_unknown_authority_is_named_with_its_key(fetch: Fetch, papers: Papers) -> None:
    """The private authority goes to `tls.ca`."""
    with FaultyServer(fault.ok(CSV), tls=papers.server) as server, pytest.raises(ProviderRefused) as caught:
        fetch(server.url)
    assert "unable to get local issuer certificate" in str(caught.value)
    assert "`tls.ca`" in caught.value.hint


def test_a_server_that_wants_a_client_certificate_gets_it(fetch: Fetch, papers: Papers) -> None:
    """Ours, with its key, both in one file if one likes."""
    both = papers.client / "both.pem"
    both.write_bytes(b"".join((papers.client / f"localhost.{kind}").read_bytes() for kind in ("pem", "key")))
    with FaultyServer(fault.ok(CSV), tls=papers.server, client_ca=papers.authority.file) as server:
        for tls in (shows(papers.client), {"client_cert": str(both)}):
            assert body_of(fetch(server.url, request=settings(papers, **tls))) == CSV


@pytest.mark.parametrize(
    ("which", "reason"),
    [
        ("", "it wants a client certificate, and none is configured"),
        ("stranger", "does not know the authority of our client certificate"),
        ("expired_client", "our client certificate has expired"),
    ],
    ids=["none", "of another authority", "expired"],
)
def test_a_refused_client_says_which_keys_to_set(fetch: Fetch, papers: Papers, which: str, reason: str) -> None:
    """As the server's alert tells it."""
    tls = shows(getattr(papers, which)) if which else {}
    with (
        FaultyServer(fault.ok(CSV), tls=papers.server, client_ca=papers.authority.file) as server,
        pytest.raises(ProviderRefused) as caught,
    ):
        fetch(server.url, request=settings(papers, **tls))
    assert reason in str(caught.value)
    assert "`tls.client_cert` and `tls.client_key`" in caught.value.hint


def test_the_client_certificate_is_not_shown_to_another_host(fetch: Fetch, papers: Papers) -> None:
    """Nor is the private authority trusted there."""
    with (
        FaultyServer(fault.ok(CSV), tls=papers.server) as other,
        FaultyServer(fault.redirect(other.url), tls=papers.server, client_ca=papers.authority.file) as server,
        pytest.raises(ProviderRefused, match="local issuer"),
    ):
        fetch(server.url, request=settings(papers, **shows(papers.client)))
    assert (server.count, other.count) == (1, 0)


def test_a_token_endpoint_is_reached_with_the_providers_certificates(fetch: Fetch, papers: Papers) -> None:
    """It stands in the provider's own block; on a host of its own, public authorities are trusted beside `tls.ca`."""
    token = fault.as_json({"access_token": "access-1"})
    with (
        FaultyServer(token, tls=papers.server, client_ca=papers.authority.file) as tokens,
        FaultyServer(fault.ok(CSV), tls=papers.server) as server,
    ):
        auth = OAuth2Auth(kind="oauth2", token_url=tokens.url, client_id="c", client_secret="s")
        tls = TlsSettings(ca=str(papers.authority.file), **shows(papers.client))
        given = {"provider": "partner", "settings": ProviderSettings(auth=auth, tls=tls)}
        assert body_of(fetch(server.url, request=given)) == CSV
    assert server.requests[0].headers["authorization"] == "Bearer access-1"


def test_a_private_authority_is_trusted_instead_of_the_public_ones_but_for_tokens_beside_them(papers: Papers) -> None:
    """A login service on a host of its own often has a public certificate, where the provider's is private."""
    private = Route(ca=str(papers.authority.file))
    alone, beside = tls_context(private), tls_context(replace(private, public_too=True))
    (one,) = alone.get_ca_certs()
    assert one in beside.get_ca_certs()
    assert len(beside.get_ca_certs()) > 50
    assert {alone.verify_mode, beside.verify_mode} == {ssl.CERT_REQUIRED}
    assert (alone.check_hostname, beside.check_hostname) == (True, True)


@pytest.mark.parametrize(
    ("which", "words", "hint"),
    [
        ("no ca", "`tls.ca`: there is no file", "PEM"),
        ("ca is no certificate", "`tls.ca`:", "PEM"),
        ("no cert", "`tls.client_cert`: there is no file", "tls.client_cert"),
        ("no key", "`tls.client_key`: there is no file", "tls.client_key"),
        ("key of another", "does not belong to the certificate", "a pair"),
        ("locked key", "is encrypted, and there is nobody to type its password", "without a password"),
        ("cert without a key", "`tls.client_cert`:", "private key"),
        ("key without a cert", "`tls.client_key` is set and `tls.client_cert` is not", "set both"),
    ],
    ids=lambda value: value if " " in value and len(value) < 21 else "",
)
def test_a_file_that_cannot_be_used_is_named_with_its_key(
    fetch: Fetch, papers: Papers, tmp_path: Path, which: str, words: str, hint: str
) -> None:
    """Before any connection is made, and without asking on the terminal."""
    notes = tmp_path / "notes.txt"
    notes.write_text("not a certificate")
    good = shows(papers.client)
    tls: dict[str, str] = {
        "no ca": {"ca": str(tmp_path / "gone.pem")},
        "ca is no certificate": {"ca": str(notes)},
        "no cert": {**good, "client_cert": str(tmp_path / "gone.pem")},
        "no key": {**good, "client_key": str(tmp_path / "gone.key")},
        "key of another": {**good, "client_key": shows(papers.stranger)["client_key"]},
        "locked key": shows(papers.locked_client),
        "cert without a key": {"client_cert": good["client_cert"]},
        "key without a cert": {"client_key": good["client_key"]},
    }[which]
    with FaultyServer(fault.ok(CSV), tls=papers.server) as server, pytest.raises(ProviderRefused) as caught:
        fetch(server.url, request=settings(papers, **tls))
    assert words in str(caught.value)
    assert hint in caught.value.hint
    assert server.count == 0


def test_a_server_without_tls_is_told_from_a_bad_certificate(fetch: Fetch) -> None:
    """https:// written for http:// is a common slip."""
    with FaultyServer(fault.ok(CSV)) as server, pytest.raises(ProviderRefused, match="does not speak TLS") as caught:
        fetch(server.url.replace("http://", "https://"))
    assert "http://" in caught.value.hint


def test_a_request_that_cannot_be_made_does_not_repeat_its_headers() -> None:
    """The library's error holds the whole value."""
    import httpx

    wrong = httpx.LocalProtocolError("Illegal header value b'Bearer s3cret\\n'")
    error = transport_error("rates", "partner", wrong, url="https://example.org")
    assert "Illegal header value" in str(error)
    assert "s3cret" not in str(error)
