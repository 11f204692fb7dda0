"""Is it us? Our disk, our gateway, our canaries, our names."""

import socket
from pathlib import Path

import pytest

from monitoring.alerting.ourselves import look_at_ourselves

HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
LINK = "eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
GATEWAY = "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
GATEWAY_6 = f"{'0' * 32} 00 {'0' * 32} 00 fe80{'0' * 27}1 00000400 00000001 00000000 00000003 eth0\n"
NOWHERE_6 = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200 lo\n"


def looked(
    tmp_path: Path,
    *,
    hosts: tuple[str, ...] = ("data.example.org",),
    routes: tuple[str, ...] = (HEAD + GATEWAY,),
    away: bool = False,
    error: OSError | None = None,
    free: int = 10**12,
) -> str | None:
    """What is found, in one word."""
    paths = [tmp_path / f"routes{number}" for number in range(len(routes))]
    for path, text in zip(paths, routes, strict=True):
        path.write_text(text)

    def resolver(host: str, port: int, timeout: float) -> list[str]:
        if error is not None:
            raise error
        return ["192.0.2.1"]

    found = look_at_ourselves(tmp_path, hosts, away=lambda: away, resolver=resolver, routes=paths, free=lambda _: free)
    return None if found is None else found.what


@pytest.mark.parametrize(
    "routes",
    [(HEAD + LINK,), (HEAD,), (HEAD + LINK, NOWHERE_6)],
    ids=["only the link", "none at all", "IPv6 that leads nowhere"],
)
def test_without_a_gateway_it_is_us(tmp_path: Path, routes: tuple[str, ...]):
    """No route leads out."""
    assert looked(tmp_path, routes=routes) == "network"


@pytest.mark.parametrize(
    "routes", [(HEAD + LINK + GATEWAY,), (HEAD, GATEWAY_6), ()], ids=["IPv4", "IPv6", "a system that does not say"]
)
def test_with_a_gateway_it_is_not(tmp_path: Path, routes: tuple[str, ...]):
    """Or when nobody knows."""
    assert looked(tmp_path, routes=routes) is None


def test_when_no_canary_answers_it_is_us(tmp_path: Path):
    """As the breakers have it, too."""
    assert looked(tmp_path, away=True) == "network"


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "try again"), "network"),
        (TimeoutError("2 s"), "network"),
        (socket.gaierror(socket.EAI_NONAME, "no such name"), None),
    ],
    ids=["nobody answers", "too late", "there is no such name"],
)
def test_when_no_name_is_resolved_it_is_us_unless_somebody_says_that_it_is_none(
    tmp_path: Path, error: OSError, found: str | None
):
    """An answer is an answer."""
    assert looked(tmp_path, error=error) == found


def test_when_there_is_none_of_three_names_at_once_it_is_us(tmp_path: Path):
    """They were there yesterday; a resolver that knows nothing says so of every name."""
    error = socket.gaierror(socket.EAI_NONAME, "no such name")
    assert looked(tmp_path, hosts=("a.example", "b.example", "c.example"), error=error) == "network"
    assert looked(tmp_path, hosts=("a.example", "a.example", "b.example"), error=error) is None


def test_a_full_disk_is_found_first_and_without_any_network(tmp_path: Path):
    """Whoever it is that went down."""
    assert looked(tmp_path, free=10**6, hosts=(), away=True) == "disk"
    assert looked(tmp_path, hosts=(), away=True, routes=(HEAD,)) is None


def test_this_machine_is_looked_at_as_it_is(tmp_path: Path):
    """With the kernel's own tables and the real disk; nobody is asked over the network."""
    found = look_at_ourselves(tmp_path, ["localhost"], away=lambda: False)
    assert found is None or found.words
