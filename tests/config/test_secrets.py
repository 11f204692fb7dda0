"""What comes from the environment, a file or the user part of a URL is never shown."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.loading import masked
from config.variables import MASK, without_user_part
from tests.config.conftest import House, Write
from tests.counts import few

HTTP = 'datasets:\n  - {name: a, collect: {kind: http, url: "https://x.org/${TOKEN}/d", params: {n: "${N:-5}"}}}\n'


def test_variables_are_filled_in_and_secret(house: House) -> None:
    """The value arrives whole; what is shown has a mask where it stood."""
    loaded = house.load(HTTP, {"TOKEN": "hunter22"})

    assert loaded.settings.dataset("a").collect.url == "https://x.org/hunter22/d"
    assert masked(loaded)["datasets"][0]["collect"]["url"] == "https://x.org/***/d"
    assert "hunter22" in loaded.secrets


def test_a_default_is_no_secret(house: House) -> None:
    """It stands in the file for all to read."""
    loaded = house.load(HTTP, {"TOKEN": "hunter22"})

    assert masked(loaded)["datasets"][0]["collect"]["params"] == {"n": "5"}
    assert house.load(HTTP, {"TOKEN": "hunter22", "N": "7"}).settings.dataset("a").collect.params == {"n": "7"}


def test_a_secret_file_is_read_relative_to_the_file_that_names_it(house: House, write: Write) -> None:
    """Its last line end does not belong to the secret."""
    write("run/token", "s3cr3t-value\n")
    text = 'providers: {p: {auth: {kind: bearer, token: "${file:run/token}"}}}'

    loaded = house.load(text)

    assert loaded.settings.provider("p").auth.token == "s3cr3t-value"  # type: ignore[union-attr]  # bearer, as written
    assert masked(loaded)["providers"]["p"]["auth"] == {"kind": "bearer", "token": MASK}
    assert "s3cr3t-value" in loaded.secrets


def test_the_user_part_of_a_url_is_secret(house: House) -> None:
    """Password (also percent-decoded) is redacted everywhere, the whole user part where it stands."""
    loaded = house.load('datasets: [{name: a, collect: {kind: http, url: "https://joe:pa%40ss@x.org/"}}]')

    assert masked(loaded)["datasets"][0]["collect"]["url"] == "https://***@x.org/"
    assert {"pa%40ss", "pa@ss", "joe:pa%40ss"} <= loaded.secrets
    assert "joe" not in loaded.secrets


def test_a_literal_dollar_brace_is_written_with_two_dollars(house: House) -> None:
    """`$${` needs no variable."""
    assert house.load('app: {name: "$${X}"}').settings.app.name == "${X}"


def test_credentials_that_stand_in_the_file_are_masked_too(house: House) -> None:
    """Plain passwords are a bad habit, not a reason to show them."""
    auth = "{kind: basic, user: joe, password: hunter22}"
    text = f"providers: {{p: {{auth: {auth}, headers: {{X-Api-Key: abcdefg, Accept: a/b}}}}}}"

    loaded = house.load(text)

    shown = masked(loaded)["providers"]["p"]
    assert shown["auth"] == {"kind": "basic", "user": "joe", "password": MASK}
    assert shown["headers"] == {"X-Api-Key": MASK, "Accept": "a/b"}
    assert {"hunter22", "abcdefg"} <= loaded.secrets


def test_missing_variables_are_told_with_variable_and_key(house: House) -> None:
    """All of them at once."""
    problems = house.problems('app: {name: "${A}"}\ncache:\n  ttl: "${B}"\n')

    assert [(p.key, p.line, p.message) for p in problems] == [
        ("app.name", 1, "variable `A` is not set"),
        ("cache.ttl", 3, "variable `B` is not set"),
    ]
    assert problems[0].hint == "Set A, or give a default: ${A:-value}."


def test_all_missing_variables_of_one_value_are_told(house: House) -> None:
    """Nobody wants to set one to learn of the next."""
    problem = house.problem("datasets: [{name: a, collect: {kind: http, url: 'http://${ONE}/${TWO}'}}]")

    assert problem.message == "variable `ONE` is not set; variable `TWO` is not set"
    assert "Set TWO" in problem.hint


def test_a_missing_secret_file_is_told(house: House) -> None:
    """With its path and the key."""
    problem = house.problem('app: {name: "${file:/no/such/secret}"}')

    assert (problem.key, problem.message) == (
        "app.name",
        "`/no/such/secret` cannot be read (No such file or directory)",
    )


@pytest.mark.parametrize("text", ["${}", "${a b}", "${1}", "${A:x}"])
def test_braces_that_mean_nothing_are_refused(house: House, text: str) -> None:
    """With how to write a literal one."""
    assert house.problem(f'app: {{name: "{text}"}}').message == f"`{text}` is not understood"


def test_an_error_never_shows_a_secret(house: House) -> None:
    """Neither a long one nor one of two letters."""
    problems = house.problems('cache: {ttl: "${A}"}\nexecutor: {workers: "${B}"}', {"A": "hunter22", "B": "xy"})

    assert [p.message for p in problems] == [
        "expected a duration such as `15m`, got a secret value",
        "expected a whole number, got a secret value",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "providers: {p: {auth: {kind: basic, user: u, password: 12345678}}}",
            ("expected text, got a secret value", 'Put quotes around it: `"***"`.'),
        ),
        ("alerts: {channels: {a: hunter22-and-more}}", ("such as `slack://…`, got a secret value", "Apprise URLs")),
        ("providers: {p: {headers: {X-Api-Key: [hunter22]}}}", ("expected text, got a list", "")),
    ],
    ids=["a number for a password", "a token for an address", "a list for a key"],
)
def test_a_wrong_value_of_a_secret_is_not_shown(house: House, text: str, told: tuple[str, str]) -> None:
    """Though it stands in the file as it is."""
    problem = house.problem(text)

    assert told[0] in problem.message
    assert told[1] in problem.hint
    assert "hunter22" not in problem.message + problem.hint
    assert "12345678" not in problem.message + problem.hint


@settings(max_examples=few(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=["Cs"]), min_size=6))
def test_no_secret_is_ever_in_the_masked_configuration(house: House, secret: str) -> None:
    """Whatever its letters, and wherever it was used."""
    text = 'app: {name: "<${S}>"}\nproviders: {p: {base_url: "https://u:${S}@h/", headers: {h: "${S}"}}}'

    loaded = house.load(text, {"S": f"#{secret}#"})

    assert f"#{secret}#" not in json.dumps(masked(loaded), ensure_ascii=False)
    assert f"#{secret}#" in loaded.secrets


def test_masked_shows_every_section_with_its_defaults(house: House) -> None:
    """In the units people write, and as JSON can carry it."""
    loaded = house.load("datasets: [{name: a, collect: {kind: simulated}, rules: [{not_null: [id]}]}]")

    shown = masked(loaded)

    assert json.loads(json.dumps(shown)) == shown
    assert shown["cache"] == {"url": "", "ttl": "15m", "size_limit": "2GB"}
    assert shown["datasets"][0]["rules"] == [{"not_null": ["id"]}]
    assert shown["datasets"][0]["resilience"]["deadline"] == "2m"
    assert shown["datasets"][0]["quality"] == {"minimum": 0.0}
    assert shown["app"]["state_dir"] == str(Path(house.folder) / "state")


@pytest.mark.parametrize("url", ["https://x.org/a@b", "mailto:a@b.c", "https://x.org/?mail=a@b.c"])
def test_an_at_sign_elsewhere_is_no_user_part(url: str) -> None:
    """Only what stands before the host counts."""
    assert without_user_part(url) == url


def test_what_was_granted_is_secret_until_it_was_renewed_often(house: House) -> None:
    """Of a token and its refresh token the last four; a program that runs for years does not remember them all."""
    loaded = house.load("providers: {p: {auth: {kind: bearer, token: token-of-ours}}}")
    before = loaded.secrets

    for number in range(100, 120):
        loaded.known.granted("one", f"access/{number}", f"refresh-{number}")
        loaded.known.granted("another", "never renewed", "")

    assert (
        loaded.known.redacted("access/119 access%2F116 refresh-117 never renewed token-of-ours")
        == "*** *** *** *** ***"
    )
    assert len(loaded.secrets) < len(before) + 30
    assert loaded.secrets > before
    assert loaded.secrets is loaded.secrets
