"""Every path of the API, whoever adds one: who may do what, and what hostile requests get."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.security import is_open
from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import ROLES, Actor
from tests.api.serving import asked, client_of

ME = Actor("me", "admin")


def paths(app: FastAPI) -> list[tuple[str, str, Any]]:
    """Each method and path of the document, with what stands there."""
    document = app.openapi()
    return [(method.upper(), path, one) for path, found in document["paths"].items() for method, one in found.items()]


def filled(path: str) -> str:
    """A path with something in the place of its parameters."""
    return re.sub(r"\{[a-z_]+\}", "1", path)


def test_each_path_says_the_role_it_takes(system: IntegratedSystem) -> None:
    """What changes something takes an operator at least, what looks a viewer; without a token how it is."""
    app = create_app(system)
    wrong = []
    for method, path, found in paths(app):
        ways = found.get("security", [{}])
        roles = {role for way in ways for role in way.get("token", ())}
        least = {"viewer"} if method == "GET" else {"operator", "admin"}
        if not roles & least or ({} in ways) != is_open(path):
            wrong.append((method, path, ways))

    assert wrong == []
    assert len(paths(app)) > 60


def test_no_viewer_changes_anything_and_nobody_unknown_gets_in(system: IntegratedSystem) -> None:
    """On every path: 403 for who may only look, 401 without a token from elsewhere; the log has not grown."""
    viewer = tokens.create(system, ME, "viewer").secret
    before = system.events.head()

    async def whole() -> list[tuple[str, str, int]]:
        app = create_app(system)
        found = []
        async with client_of(app) as here, client_of_same(app) as away:
            for method, path, _ in paths(app):
                if method != "GET":
                    answer = await here.request(method, filled(path), headers={"Authorization": f"Bearer {viewer}"})
                    found.append((method, path, answer.status_code - 403))
                elif not is_open(path):
                    found.append((method, path, (await here.get(filled(path))).status_code - 401))
                found.append((method, path, (await away.request(method, filled(path))).status_code - 401))
        return found

    answers = asyncio.run(whole())

    assert [one for one in answers if one[2] != 0] == []
    assert len(answers) > 120
    assert system.events.head() == before


def client_of_same(app: FastAPI) -> httpx.AsyncClient:
    """A client from elsewhere, of an application that has started."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=("203.0.113.9", 1)), base_url="http://api.test")


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "..",
        "fx%00",
        "fx%0d%0aSet-Cookie:%20a=1",
        "%c0%ae",
        "a" * 5000,
        "fx%5c..",
        "~",
    ],
    ids=["slashes", "dots", "plain dots", "NUL", "lines", "overlong UTF-8", "long", "backslash", "home"],
)
def test_names_that_are_none_lead_nowhere(system: IntegratedSystem, name: str) -> None:
    """404 or 422, whatever stands in the place of a name; never a file, a header or an error of ours."""

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        below = ("datasets/{}", "datasets/{}/data", "quarantine/{}", "runs/{}", "incidents/{}")
        return [await client.get(f"/api/v1/{path.format(name)}") for path in below]

    answers = asked(system, talk)

    assert {one.status_code for one in answers} <= {404, 422}
    assert [one for one in answers if "set-cookie" in one.headers or "root:" in one.text] == []


@pytest.mark.parametrize("role", ROLES)
def test_what_is_done_carries_the_name_of_the_token(system: IntegratedSystem, role: str) -> None:
    """In the event, as its actor; a viewer is not let through."""
    secret = tokens.create(system, ME, role, f"{role}.of-ci").secret

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        answer = await client.post(
            "/api/v1/silences",
            json={"matchers": ["dataset=orders"], "until": "2h"},
            headers={"Authorization": f"Bearer {secret}"},
        )
        listed = await client.get("/api/v1/silences?ended=true", headers={"Authorization": f"Bearer {secret}"})
        assert listed.status_code == 200
        return answer

    answer = asked(system, talk)

    if role == "viewer":
        assert answer.status_code == 403
    else:
        assert (answer.status_code, answer.json()["by"]) == (201, f"token:{role}.of-ci")


def test_a_key_of_one_token_gives_nothing_to_another(system: IntegratedSystem) -> None:
    """Who guesses the key of somebody else's request does not get the answer to it."""
    secrets = [tokens.create(system, ME, "operator", name).secret for name in ("ann", "ben")]

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [
            await client.post(
                "/api/v1/silences",
                json={"matchers": ["dataset=orders"], "until": "2h"},
                headers={"Authorization": f"Bearer {secret}", "Idempotency-Key": "guessed"},
            )
            for secret in (*secrets, secrets[0])
        ]

    ann, ben, again = asked(system, talk)

    assert (ann.json()["by"], ben.json()["by"], again.json()) == ("token:ann", "token:ben", ann.json())
    assert ann.json()["id"] != ben.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"
