"""`database.url`: what is an address of a PostgreSQL database, and what is said about what is none."""

import pytest

from config.masking import masked
from tests.config.conftest import House

PASSWORD = "hunter2-and-more"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "postgresql://db.example.org/orders",
        f"postgresql+psycopg://bob:{PASSWORD}@db.example.org:5433/orders",
        f"postgresql+psycopg://bob:{PASSWORD}@one:5432,two:5432/orders?target_session_attrs=read-write",
        "postgresql://[::1]:5432/orders?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgresql:///orders?host=/run/postgresql",
        "postgresql://db/orders?options=-csearch_path%3Dteam_a",
    ],
    ids=lambda url: url.replace(PASSWORD, "PASSWORD") or "none",
)
def test_an_address_of_a_postgresql_is_taken(house: House, url: str) -> None:
    """As it is written; nobody is asked whether it answers."""
    assert house.load(f'database: {{url: "{url}"}}').settings.database.url == url


@pytest.mark.parametrize(
    ("url", "message", "hint"),
    [
        ("sqlite:///state.db", "expected the address of a PostgreSQL database, got the scheme `sqlite`", "state_dir"),
        ("postgresql+asyncpg://h/d", "expected the address of a PostgreSQL database, got the scheme", "+psycopg://"),
        ("mysql://h/d", "expected the address of a PostgreSQL database, got the scheme `mysql`", "+psycopg://"),
        (PASSWORD, "expected the address of a PostgreSQL database, got something else", "+psycopg://"),
        ("postgresql:/h/d", "expected the address of a PostgreSQL database, got something else", "+psycopg://"),
        ("postgresql:///orders", "the host is missing", "?host=/run/postgresql"),
        (f"postgresql://bob:{PASSWORD}@/orders", "the host is missing", "?host=/run/postgresql"),
        ("postgresql://db", "the database is missing", "host:5432/database"),
        ("postgresql://db/a/b", "the database has a `/` in its name", "host:5432/database"),
        (f"postgresql://bob:{PASSWORD}@db:port/orders", "the host or the port is not one", "%2F"),
        (f"postgresql://bob:{PASSWORD}@db:70000/orders", "the host or the port is not one", "%2F"),
        (f"postgresql://bob:{PASSWORD}/x@db/orders", "the host or the port is not one", "%2F"),
        ("postgresql://db:0/orders", "port 0 is none", "host:5432/database"),
        ("postgresql://[::1/orders", "the host or the port is not one", "host:5432/database"),
        (f"postgresql://bob:{PASSWORD}#x@db/orders", "`#` or a space stands in it", "%23"),
        (f"postgresql://db/orders?password={PASSWORD}", "unknown option `password`", "before the host"),
        ("postgresql://db/orders?ssl=true", "unknown option `ssl`", "sslmode"),
    ],
    ids=lambda text: text.replace(PASSWORD, "PASSWORD"),
)
def test_what_is_no_such_address_is_a_fault_with_its_fix(house: House, url: str, message: str, hint: str) -> None:
    """The message names the part that is wrong, and never shows the rest: it may hold a password."""
    problem = house.problem(f'database: {{url: "{url}"}}')

    assert problem.key == "database.url"
    assert problem.message.startswith(message)
    assert hint in problem.hint
    assert PASSWORD not in str(problem)


def test_a_secret_that_can_be_guessed_is_refused(house: House) -> None:
    """Its length is told, not the secret."""
    problem = house.problem('database: {chain_secret: "changeme-now"}')

    assert problem.key == "database.chain_secret"
    assert "12 characters" in problem.message
    assert "openssl rand" in problem.hint
    assert "changeme" not in str(problem)


@pytest.mark.parametrize("many", [False, True], ids=["one", "a list"])
def test_a_secret_is_shown_nowhere(house: House, many: bool) -> None:
    """Neither alone nor in a list, and wherever else it turns up it is masked."""
    secret = "it-is-very-hard-to-guess-this-secret"
    loaded = house.load(f"database: {{chain_secret: {[secret] if many else repr(secret)}}}")

    assert loaded.settings.database.chain_secret == (secret,)
    assert masked(loaded)["database"]["chain_secret"] == ["***"]
    assert secret not in loaded.known.redacted(f"told: {secret}")
