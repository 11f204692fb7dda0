"""`cache.url`: what is an address of a Redis, and what is said about what is none."""

import pytest

from tests.config.conftest import House

PASSWORD = "hunter2-and-more"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://cache.example.org",
        "redis://cache.example.org:6380/3",
        f"redis://:{PASSWORD}@cache.example.org",
        f"rediss://user:{PASSWORD}@cache.example.org:6379/0?ssl_ca_certs=/etc/ca.pem",
        "redis://[::1]:6379/1",
        "unix:///run/redis.sock",
        f"unix://:{PASSWORD}@/run/redis.sock?db=2",
    ],
    ids=lambda url: url.replace(PASSWORD, "PASSWORD") or "none",
)
def test_an_address_of_a_redis_is_taken(house: House, url: str) -> None:
    """As it is written; nobody is asked whether it answers."""
    assert house.load(f'cache: {{url: "{url}"}}').settings.cache.url == url


@pytest.mark.parametrize(
    ("url", "message", "hint"),
    [
        ("memcached://h", "expected the address of a Redis, got the scheme `memcached`", "redis://host:6379/0"),
        ("redis:/h", "expected the address of a Redis, got something else", "redis://host:6379/0"),
        (PASSWORD, "expected the address of a Redis, got something else", "redis://host:6379/0"),
        ("redis://", "the host is missing", "redis://host:6379/0"),
        (f"redis://:{PASSWORD}@", "the host is missing", "redis://host:6379/0"),
        (f"redis://:{PASSWORD}@h:port", "the host or the port is not one", "redis://host:6379/0"),
        (f"redis://:{PASSWORD}@h:70000", "the host or the port is not one", "redis://host:6379/0"),
        (f"redis://:{PASSWORD}/x@h", "the host or the port is not one", "%2F"),
        ("redis://h:0", "port 0 is none", "redis://host:6379/0"),
        ("redis://[::1", "the host or the port is not one", "redis://host:6379/0"),
        (f"redis://:{PASSWORD}#x@h", "`#` or a space stands in it", "%23"),
        (f"redis://h/{PASSWORD}", "the database must be a number", "redis://host:6379/0"),
        ("redis://h/-1", "the database must be a number", "redis://host:6379/0"),
        ("unix:///s?db=x", "the database must be a number", "redis://host:6379/0"),
        (f"redis://h?password={PASSWORD}", "unknown option `password` in the address", "ssl_ca_certs"),
        ("unix://run/redis.sock", "the socket's path must be absolute", "unix:///run/redis.sock"),
        ("unix://", "the socket's path must be absolute", "unix:///run/redis.sock"),
    ],
    ids=lambda text: text.replace(PASSWORD, "PASSWORD"),
)
def test_what_is_no_such_address_is_a_fault_with_its_fix(house: House, url: str, message: str, hint: str) -> None:
    """The message names the part that is wrong, and never shows the rest: it may hold a password."""
    problem = house.problem(f'cache: {{url: "{url}"}}')

    assert problem.key == "cache.url"
    assert problem.message.startswith(message)
    assert hint in problem.hint
    assert PASSWORD not in str(problem)


def test_the_password_is_masked_where_the_configuration_is_shown(house: House) -> None:
    """In the file itself and from a variable."""
    from config.masking import masked

    written = house.load(f'cache: {{url: "redis://:{PASSWORD}@h"}}')
    brought = house.load('cache: {url: "redis://:${PASSWORD}@h"}', {"PASSWORD": PASSWORD})

    for loaded in (written, brought):
        assert masked(loaded)["cache"]["url"] == "redis://***@h"
        assert loaded.known.redacted(f"failed with {PASSWORD}") == "failed with ***"
