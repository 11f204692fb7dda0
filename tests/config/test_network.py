"""`network`: which canaries can be asked, and what is said about those that cannot."""

import pytest

from config.errors import ConfigError
from config.sections import NetworkSettings
from tests.config.conftest import House


def test_without_canaries_there_is_none(house: House) -> None:
    """The default: the network is never judged away."""
    assert house.load("app: {name: x}").settings.network.addresses == ()


def test_canaries_are_hosts_and_ports(house: House) -> None:
    """Names, IPv4 and IPv6 addresses; the brackets are only the notation."""
    settings = house.load(
        "network: {canaries: ['1.1.1.1:443', 'one.example.org:53', '[2606:4700::1111]:443']}"
    ).settings

    assert settings.network.canaries == ("1.1.1.1:443", "one.example.org:53", "[2606:4700::1111]:443")
    assert settings.network.addresses == (("1.1.1.1", 443), ("one.example.org", 53), ("2606:4700::1111", 443))


@pytest.mark.parametrize(
    "text",
    ["one.example.org", "one.example.org:", ":443", "1.1.1.1:0", "1.1.1.1:65536", "1.1.1.1:http", "https://a.org:443",
     "::1:443", "a.org:443/x", "a b:1", "", "1.1.1.1:4٤3"],
    ids=["no port", "empty port", "no host", "port 0", "port too large", "port in letters", "an address with a scheme",
         "IPv6 without brackets", "a path", "a blank", "nothing", "digits of another script"],
)  # fmt: skip
def test_what_is_no_canary_is_told_with_its_place(house: House, text: str) -> None:
    """The key with its position, what is expected, and an example."""
    problem = house.problem(f"network: {{canaries: ['1.1.1.1:443', '{text}']}}")

    assert problem.key == "network.canaries[1]"
    assert "expected `host:port`" in problem.message
    assert "1.1.1.1:443" in problem.hint


def test_a_single_text_is_no_list(house: House) -> None:
    """`canaries: host:port` is a mistake that is easily made."""
    with pytest.raises(ConfigError, match="expected a list"):
        house.load("network: {canaries: '1.1.1.1:443'}")


def test_the_addresses_are_those_of_the_text() -> None:
    """Settings made in Python agree with those of a file."""
    assert NetworkSettings(canaries=("localhost:1",)).addresses == (("localhost", 1),)
