"""Secrets stay out of what is written down."""

import math
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from utils.redaction import MASK, Redactor


@pytest.mark.parametrize(
    "key",
    ["password", "PASSWORD", "db_password", "token", "access-token", "client_secret", "Authorization", "X-Api-Key"],
)
def test_a_secret_key_masks_its_value(key: str) -> None:
    """By name, in any spelling, whatever the value is."""
    assert Redactor().fields({key: "hunter2"}) == {key: MASK}
    assert Redactor().fields({key: ["hunter2", {"a": 1}]}) == {key: MASK}
    assert Redactor().fields({"deep": [{key: 12345}]}) == {"deep": [{key: MASK}]}


@pytest.mark.parametrize("key", ["api_key", "apikey", "Set-Cookie", "cookies", "passwd"])
def test_more_secret_keys_mask_their_values(key: str) -> None:
    """The rest of the words."""
    assert Redactor().fields({key: b"bytes too"}) == {key: MASK}


def test_absence_is_not_secret() -> None:
    """`None` and booleans say only whether there is one."""
    assert Redactor().fields({"token": None, "password_set": True}) == {"token": None, "password_set": True}


def test_configured_words_are_secret_as_well() -> None:
    """`logging.redact` adds words."""
    redactor = Redactor(keys=["Iban"])

    assert redactor.fields({"customer_iban": "DE1", "rows": 3}) == {"customer_iban": MASK, "rows": 3}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql+psycopg://me:pw@db/x", "postgresql+psycopg://***@db/x"),
        ("see https://key@host:8000/a?b=1 and ftp://u:p@ss@h/", "see https://***@host:8000/a?b=1 and ftp://***@h/"),
        ("https://example.org/@user/a@b", "https://example.org/@user/a@b"),
        ("https://h/p?api_key=abc&x=1", "https://h/p?api_key=***&x=1"),
        ("Authorization: Bearer abc.def-123", "Authorization: *** ***"),
        ("got bearer abcdefgh", "got bearer ***"),
        ('{"password": "a b c", "n": 1}', '{"password": ***, "n": 1}'),
        ("retry at 12:00 of https://h/p", "retry at 12:00 of https://h/p"),
        ("no dataset cdo_1IZAzeDwqsEzN9LpkxZfYLaFy2IbO3g-1nsyTGuy78M here", "no dataset *** here"),
        ("cdo_incident_notification_delivery_seconds_total 3", "cdo_incident_notification_delivery_seconds_total 3"),
    ],
)
def test_texts_lose_their_secrets(text: str, expected: str) -> None:
    """User parts of URLs, query parameters, bearer tokens, embedded JSON; ordinary text stays."""
    assert Redactor().text(text) == expected


SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=4, max_size=20)


@settings(max_examples=few(100), deadline=None)
@given(secret=SECRETS, before=st.text(max_size=5), after=st.text(max_size=5))
def test_a_known_secret_never_comes_through(secret: str, before: str, after: str) -> None:
    """As text, in lists and dicts, as a key, in an exception, percent-encoded."""
    redactor = Redactor(secrets=lambda: [secret])
    hidden = before + secret + after

    out = redactor.fields({"a": hidden, "b": [hidden, {"c": (hidden,)}], "d": {hidden: 1}, "e": ValueError(hidden)})

    assert secret not in out["a"]
    assert secret not in out["b"][0]
    assert secret not in out["b"][1]["c"][0]
    assert all(secret not in key for key in out["d"])
    assert secret not in out["e"]
    encoded = quote(secret, safe="")
    assert encoded not in redactor.text(f"https://host/path/{encoded}/x")


def test_secrets_may_change_and_contain_each_other() -> None:
    """The callable is asked each time; the longest match goes first; very short values are left."""
    secrets: list[str] = []
    redactor = Redactor(secrets=lambda: secrets)
    assert redactor.text("swordfish-2") == "swordfish-2"

    secrets.extend(["swordfish", "swordfish-2", "ab"])

    assert redactor.text("swordfish-2 swordfish about") == "*** *** about"
    assert redactor.fields({"pin": 1}) == {"pin": 1}
    secrets.append("123456")
    assert redactor.fields({"pin": 123456}) == {"pin": MASK}


def test_fields_become_what_json_can_hold() -> None:
    """Paths, sets, NaN, bytes, deep nesting and objects whose text fails."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    deep: list[object] = []
    deep.append(deep)

    out = Redactor().fields(
        {"path": Path("a/b"), "nan": math.nan, "ok": 1.5, "set": {1}, "broken": Broken(), "deep": deep}
    )

    assert out["path"] == "a/b"
    assert out["nan"] == "nan"
    assert out["ok"] == 1.5
    assert out["set"] == [1]
    assert out["broken"] == "<Broken without text: RuntimeError>"
    assert isinstance(out["deep"], list)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000 + "=",
        "://" * 50_000,
        "token" * 40_000,
        "bearer " * 30_000,
        "=:" * 90_000,
        "cdo_" * 50_000,
        "-cdo_" * 40_000,
    ],
)
def test_long_texts_take_linear_time(text: str) -> None:
    """A provider's long answer in an error message does not hang the log."""
    started = time.process_time()

    Redactor(secrets=lambda: ["swordfish"]).text(text)

    assert time.process_time() - started < 20.0


@pytest.mark.parametrize("left", range(10, 22))
def test_what_is_left_of_a_secret_that_was_cut_is_masked(left: int) -> None:
    """From ten characters on; what follows, and what only begins alike, stays."""
    secret = "swordfish-and-chips-42"
    redactor = Redactor(secrets=lambda: [secret])

    assert redactor.text(f"got `{secret[:left]}`)") == "got `***`)"
    assert redactor.text(f"{secret[:left]}X {secret} end") == "***X *** end"
    assert redactor.text(secret[:9]) == secret[:9]


def test_the_beginning_of_an_address_is_no_secret() -> None:
    """Else every address of that server would be masked."""
    redactor = Redactor(secrets=lambda: ["https://hooks.example.org/T123/B456"])

    assert redactor.text("https://hooks.example.org/about") == "https://hooks.example.org/about"
