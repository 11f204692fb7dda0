"""Tokens: made once, kept as a hash, good until they end or are revoked."""

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import Actor, NotAllowedError, UsageError, local_user, owner
from tests.integration.installation import Installation
from utils.clock import ManualClock

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ME = Actor("me", "admin")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return configured(tmp_path)


def configured(folder: Path, url: str = "") -> Installation:
    made = Installation(folder)
    made.configure({"name": "fx", "provider": "ecb", "collect": {"kind": "simulated"}}, database={"url": url})
    return made


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Installation:
    return configured(tmp_path, str(request.getfixturevalue("postgres")) if request.param == "PostgreSQL" else "")


def test_a_token_is_found_by_its_secret_until_it_is_revoked(either: Installation) -> None:
    """Each step is an event with who did it; the view is the same when it is made anew from the log."""
    clock = ManualClock(NOON)
    with either.system(clock) as system:
        first = tokens.create(system, ME, "viewer", "ci", NOON + timedelta(days=90))
        second = tokens.create(system, Actor("you", "admin"), "operator")
        found = tokens.find(system, first.secret)
        clock.advance(60)
        revoked = tokens.revoke(system, ME, "ci")
        tokens.used(system, revoked)
        live = tokens.listed(system, everything=True)
        system.events.rebuild()
        rebuilt = tokens.listed(system, everything=True)
        good = tokens.listed(system)
        events = [
            (event.type, event.subject, event.data["actor"]) for event in system.events.read() if "token" in event.type
        ]

    assert found is not None
    assert (found.id, found.name, found.role, found.state) == (first.id, "ci", "viewer", "good")
    assert (found.actor, found.created_by) == (Actor("token:ci", "viewer"), "me")
    assert first.to_json() == {
        "id": first.id, "token": first.secret, "role": "viewer", "expires_at": "2027-02-18T12:00:00.000000Z"
    }  # fmt: skip
    assert re.fullmatch(r"cdo_[A-Za-z0-9_-]{43}", first.secret)
    assert (revoked.state, revoked.revoked_at, revoked.revoked_by) == ("revoked", "2026-11-20T12:01:00.000000Z", "me")
    assert live == rebuilt
    assert live.tokens[0].used_at == "2026-11-20T12:01:00.000000Z"
    assert [one.id for one in good.tokens] == [second.id]
    assert events == [
        ("token.created", first.id, "me"), ("token.created", second.id, "you"), ("token.revoked", first.id, "me")
    ]  # fmt: skip


def test_nothing_but_the_hash_is_kept(installation: Installation) -> None:
    """The secret stands in no file of the state, not in the log, and in no text of an object."""
    with installation.system() as system:
        made = tokens.create(system, ME, "operator", "ci")
        tokens.revoke(system, ME, made.id)
        said = json.dumps([event.data for event in system.events.read()]) + repr(made)
        said += repr(tokens.listed(system, everything=True)) + json.dumps(
            tokens.listed(system, everything=True).to_json()
        )
    chance = made.secret.removeprefix(tokens.PREFIX)
    files = [path for path in installation.state.rglob("*") if path.is_file()]

    assert chance not in said
    assert any(b"token.created" in path.read_bytes() for path in files)
    assert [path for path in files if chance.encode() in path.read_bytes()] == []


def test_a_token_ends_at_its_time(installation: Installation) -> None:
    """To the moment; it is listed with the others afterwards, and its name is free."""
    clock = ManualClock(NOON)
    with installation.system(clock) as system:
        made = tokens.create(system, ME, "viewer", "ci", NOON + timedelta(hours=1))
        clock.advance(3599.0)
        before = tokens.find(system, made.secret)
        clock.advance(1.0)
        after = tokens.find(system, made.secret)
        good, all_of_them = tokens.listed(system), tokens.listed(system, everything=True)
        tokens.create(system, ME, "viewer", "ci")

    assert before is not None
    assert after is not None
    assert (before.state, before.state_at(clock.now()), after.state) == ("good", "expired", "expired")
    assert (good.tokens, [one.state for one in all_of_them.tokens]) == ((), ["expired"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("two words", "is no name"),
        ("a\r\nSet-Cookie: x", "is no name"),
        ("../../etc", "is no name"),
        ("a" * 65, "is no name"),
        ("ci", "there is a token 'ci'"),
    ],
    ids=["a space", "lines of a header", "a path", "too long", "taken"],
)
def test_names_that_would_confuse_the_log_are_refused(installation: Installation, name: str, words: str) -> None:
    """With what a name may be; nothing is written."""
    with installation.system() as system:
        tokens.create(system, ME, "viewer", "ci")
        with pytest.raises(UsageError, match=words) as raised:
            tokens.create(system, ME, "viewer", name)
        count = len(tokens.listed(system, everything=True).tokens)

    assert raised.value.hint
    assert count == 1


def test_an_unknown_role_and_an_end_that_is_over_are_refused(installation: Installation) -> None:
    """Before anything is written."""
    with installation.system(ManualClock(NOON)) as system:
        with pytest.raises(UsageError, match="'boss' is no role"):
            tokens.create(system, ME, "boss")
        with pytest.raises(UsageError, match="is not ahead"):
            tokens.create(system, ME, "viewer", expires=NOON)
        assert tokens.listed(system, everything=True).tokens == ()


def test_of_two_who_take_a_name_at_once_one_gets_it(installation: Installation) -> None:
    """The log decides, not a look before."""
    with installation.system() as system:
        tokens.listed(system)
        start = threading.Barrier(2)
        outcomes: list[str] = []

        def take() -> None:
            start.wait(120)
            try:
                outcomes.append(tokens.create(system, ME, "viewer", "ci").role)
            except UsageError as error:
                outcomes.append(str(error))

        both = [threading.Thread(target=take) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()

        assert sorted(outcomes) == ["--name: there is a token 'ci'", "viewer"]
        assert len(tokens.listed(system).tokens) == 1


def test_a_token_is_named_by_its_id_its_beginning_or_its_name(installation: Installation) -> None:
    """The newest of a name that was given again; an unknown one, and a beginning of several, are told as such."""
    with installation.system() as system:
        old = tokens.create(system, ME, "viewer", "ci")
        tokens.revoke(system, ME, old.id[:7])
        new = tokens.create(system, ME, "viewer", "ci")
        by_name = tokens.revoke(system, ME, "ci")
        again = tokens.revoke(system, ME, new.id)
        with pytest.raises(UsageError, match="there is no token 'zz'") as unknown:
            tokens.revoke(system, ME, "zz")
        with pytest.raises(UsageError, match="there is no token ''"):
            tokens.revoke(system, ME, "")
        for number in range(17):  # two of 17 begin with the same of 16 letters
            tokens.create(system, ME, "viewer", f"n{number}")
        firsts = [one.id[0] for one in tokens.listed(system, everything=True).tokens]
        shared = next(letter for letter in firsts if firsts.count(letter) > 1)
        with pytest.raises(UsageError, match="several tokens begin with"):
            tokens.revoke(system, ME, shared)
        revocations = [event.subject for event in system.events.read(type="token.revoked")]

    assert (by_name.id, again) == (new.id, by_name)
    assert unknown.value.missing
    assert revocations == [old.id, new.id]


@pytest.mark.parametrize("who", [Actor("eve", "viewer"), Actor("oscar", "operator"), local_user()], ids=str)
def test_only_who_owns_the_machine_hands_out_tokens(installation: Installation, who: Actor) -> None:
    """An operator, with whatever token, makes none and revokes none; the owner of the state directory does."""
    with installation.system() as system:
        made = tokens.create(system, owner(), "viewer", "ci")
        with pytest.raises(NotAllowedError, match="needs admin"):
            tokens.create(system, who, "viewer")
        with pytest.raises(NotAllowedError, match="needs admin"):
            tokens.revoke(system, who, "ci")
        assert [one.id for one in tokens.listed(system).tokens] == [made.id]


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.1.5", False),
        ("127.0.0.1.example.org", False),
        ("localhost.example.org", False),
        ("2130706433", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_an_address_of_this_machine_alone_is_told_from_others(installation: Installation, host: str, own: bool) -> None:
    """And on one that others reach nothing is served without a token that is good."""
    assert tokens.is_loopback(host) == own
    with installation.system(clock := ManualClock(NOON)) as system:
        if own:
            tokens.refuse_open_bind(system, host)
            return
        refused_without_a_token(system, host)
        tokens.create(system, ME, "viewer", "ci", NOON + timedelta(days=1))
        tokens.refuse_open_bind(system, host)
        clock.advance(86_400.0)
        refused_without_a_token(system, host)


def refused_without_a_token(system: IntegratedSystem, host: str) -> None:
    with pytest.raises(UsageError, match="other machines reach, and there is no token") as raised:
        tokens.refuse_open_bind(system, host)
    assert "`tokens create" in raised.value.hint
