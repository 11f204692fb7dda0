"""The door: who is let in where, as whom, and what is said to others."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, WebSocket

from api.app import create_app
from api.security import Admin, Operator, Viewer, is_open
from api.serving import ApiService
from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import Actor, UsageError
from tests.api.serving import asked, client_of
from tests.integration.installation import Installation
from utils.clock import ManualClock

ME = Actor("me", "admin")
OPEN = ("/livez", "/readyz", "/health", "/metrics", "/api/monitoring/health", "/docs", "/openapi.json")


def routes(app: FastAPI) -> None:
    """One for each role; each tells who it was called by."""

    @app.get("/looks")
    async def looks(who: Viewer) -> str:
        return f"{who.name} {who.role}"

    @app.post("/does")
    async def does(who: Operator) -> str:
        return f"{who.name} {who.role}"

    @app.get("/rules")
    async def rules(who: Admin) -> str:
        return f"{who.name} {who.role}"

    @app.post("/forgotten")
    async def forgotten() -> str:
        return "done by nobody"


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def all_told(
    system: IntegratedSystem, *requests: tuple[str, str], address: str = "127.0.0.1", **more: Any
) -> list[httpx.Response]:
    """What requests get, one after the other, made from an address."""

    async def whole() -> list[httpx.Response]:
        app = create_app(system)
        routes(app)
        async with client_of(app, address) as client:
            return [await client.request(method, path, **more) for method, path in requests]

    return asyncio.run(whole())


def told(system: IntegratedSystem, method: str, path: str, **more: Any) -> httpx.Response:
    """What one request gets."""
    return all_told(system, (method, path), **more)[0]


@pytest.fixture
def secrets(system: IntegratedSystem) -> dict[str, str]:
    """A token of each role."""
    return {role: tokens.create(system, ME, role, role).secret for role in ("viewer", "operator", "admin")}


def test_without_tokens_who_is_on_this_machine_is_operator(system: IntegratedSystem) -> None:
    """Looks and does; what needs an admin says so."""

    async def talk(client: httpx.AsyncClient) -> list[tuple[int, str]]:
        answers = [await client.get("/looks"), await client.post("/does"), await client.get("/rules")]
        return [(one.status_code, one.json() if one.status_code == 200 else one.json()["detail"]) for one in answers]

    assert asked(system, talk, extend=routes) == [
        (200, "local:api operator"),
        (200, "local:api operator"),
        (403, "local:api is operator; this needs admin"),
    ]


@pytest.mark.parametrize("path", [*OPEN, "/looks", "/nowhere"])
def test_from_elsewhere_everything_needs_a_token(system: IntegratedSystem, path: str) -> None:
    """Whether or not one exists; what does not exist looks the same."""
    answer = told(system, "GET", path, address="203.0.113.9")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="orchestrator"'
    assert (answer.json()["error"], answer.json()["detail"]) == ("NotAuthenticated", "a token is needed")


@pytest.mark.usefixtures("secrets")
def test_once_a_token_exists_only_how_it_is_may_be_read_without(system: IntegratedSystem) -> None:
    """On this machine: probes, figures, monitoring and the documentation; to revoke all tokens opens nothing."""

    async def talk(client: httpx.AsyncClient) -> tuple[dict[str, int], list[int]]:
        found = {path: (await client.get(path)).status_code for path in OPEN}
        closed = [await client.get("/looks"), await client.get("/nowhere"), await client.post("/api/monitoring/health")]
        closed += [await client.post("/livez"), await client.get("/livez/../looks"), await client.get("//looks")]
        for one in tokens.listed(system).tokens:
            tokens.revoke(system, ME, one.id)
        closed += [await client.get("/looks"), await client.post("/does")]
        return found, [one.status_code for one in closed]

    found, closed = asked(system, talk, extend=routes)

    assert {path: status for path, status in found.items() if status in {401, 403}} == {}
    assert found["/livez"] == 200
    assert closed == [401] * 8


@pytest.mark.parametrize(
    ("role", "statuses"),
    [("viewer", [200, 403, 403]), ("operator", [200, 200, 403]), ("admin", [200, 200, 200])],
)
@pytest.mark.parametrize("address", ["127.0.0.1", "203.0.113.9", "2001:db8::1"])
def test_a_role_holds_those_below_it(
    system: IntegratedSystem, secrets: dict[str, str], role: str, statuses: list[int], address: str
) -> None:
    """From anywhere; who is refused hears which role it takes, and who acted is the token by its name."""
    requests = (("GET", "/looks"), ("POST", "/does"), ("GET", "/rules"))
    answers = all_told(system, *requests, address=address, headers=bearer(secrets[role]))

    assert [one.status_code for one in answers] == statuses
    assert answers[0].json() == f"token:{role} {role}"
    for refused in (one for one in answers if one.status_code == 403):
        assert refused.json()["detail"].startswith(f"token:{role} is {role}; this needs ")
        assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


def test_a_route_that_names_no_role_is_not_open_to_all(system: IntegratedSystem, secrets: dict[str, str]) -> None:
    """Who forgets it forgets nothing: what changes something needs an operator on every path."""
    assert told(system, "POST", "/forgotten").status_code == 401
    assert told(system, "POST", "/forgotten", headers=bearer(secrets["viewer"])).status_code == 403
    assert told(system, "POST", "/forgotten", headers=bearer(secrets["operator"])).status_code == 200


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Bearer cdo_" + "A" * 43, "there is no such token"),
        ("Bearer x", "there is no such token"),
        ("Bearer \xe4\xf6", "there is no such token"),
        ("Bearer", "one `Bearer TOKEN` is understood"),
        ("Bearer   ", "one `Bearer TOKEN` is understood"),
        ("Basic dXNlcjpwdw==", "one `Bearer TOKEN` is understood"),
        ("", "one `Bearer TOKEN` is understood"),
    ],
    ids=["like one of ours", "anything", "not ASCII", "nothing after it", "blanks", "Basic", "empty"],
)
@pytest.mark.parametrize("exist", [True, False], ids=["some exist", "none exists"])
def test_a_wrong_token_is_never_ignored(system: IntegratedSystem, header: str, words: str, exist: bool) -> None:
    """Not even where none would be needed: who sends one means to be somebody."""
    if exist:
        tokens.create(system, ME, "viewer")

    answer = told(system, "GET", "/looks", headers={"Authorization": header.encode("latin-1")})

    assert answer.status_code == 401
    assert words in answer.json()["detail"]
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_')
    assert "tokens create" in answer.json()["hint"]


def test_two_tokens_at_once_are_none(system: IntegratedSystem, secrets: dict[str, str]) -> None:
    """A proxy may look at the first and we at the last: neither is believed."""
    both = [("Authorization", f"Bearer {secrets[role]}") for role in ("viewer", "admin")]

    assert told(system, "GET", "/looks", headers=httpx.Headers(both)).status_code == 401


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_expired_and_revoked_tokens_say_when_they_ended(installation: Installation, method: str) -> None:
    """Revoked by another process counts within a second for who looks, and at once for who changes something."""
    clock = ManualClock()
    path = "/looks" if method == "GET" else "/does"
    with installation.system(clock) as system, installation.system(clock) as elsewhere:
        short = tokens.create(system, ME, "operator", "short", clock.now() + timedelta(hours=1))
        long = tokens.create(system, ME, "operator", "long")

        async def talk(client: httpx.AsyncClient) -> list[tuple[int, str]]:
            answers = [await client.request(method, path, headers=bearer(one.secret)) for one in (short, long)]
            clock.advance(3600.0)
            answers.append(await client.request(method, path, headers=bearer(short.secret)))
            await asyncio.to_thread(tokens.revoke, elsewhere, ME, "long")
            if method == "GET":
                clock.advance(1.1)
            answers.append(await client.request(method, path, headers=bearer(long.secret)))
            return [(one.status_code, "" if one.status_code == 200 else one.json()["detail"]) for one in answers]

        found = asked(system, talk, extend=routes)

    assert [status for status, _ in found] == [200, 200, 401, 401]
    assert found[2][1].startswith("the token short expired at ")
    assert found[3][1].startswith("the token long was revoked at ")


def test_who_guesses_is_sent_away_and_a_good_token_is_not(installation: Installation) -> None:
    """A hundred wrong ones, then 429 with a time to wait; a good token, and none, are answered as ever."""
    clock = ManualClock()
    with installation.system(clock) as system:
        good = tokens.create(system, ME, "viewer").secret

        async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
            answers = [await client.get("/looks", headers=bearer(f"cdo_{number}")) for number in range(102)]
            answers += [await client.get("/looks"), await client.get("/looks", headers=bearer(good))]
            clock.advance(1.0)
            return [*answers, await client.get("/looks", headers=bearer("cdo_x"))]

        answers = asked(system, talk, extend=routes)

    assert [one.status_code for one in answers] == [*[401] * 100, 429, 429, 401, 200, 401]
    assert answers[100].json()["transient"]
    assert answers[100].headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"Host": "evil.example.org"},
        {"Host": "127.0.0.1.example.org:8000"},
        {"Host": "localhost@example.org"},
    ],
    ids=lambda headers: "; ".join(headers.values()),
)
def test_who_comes_through_a_proxy_or_under_another_name_is_not_local(
    system: IntegratedSystem, headers: dict[str, str]
) -> None:
    """Else a proxy on this machine would make everybody operator, and a page whose name leads here could read."""
    answers = all_told(system, ("GET", "/looks"), ("GET", "/metrics"), headers=headers)

    assert [one.status_code for one in answers] == [401, 401]


def test_what_others_say_of_their_address_is_not_believed(system: IntegratedSystem) -> None:
    """`X-Forwarded-For` makes nobody local."""
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        assert told(system, "GET", "/looks", address="203.0.113.9", headers={name: "127.0.0.1"}).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1"}, 200),
        ({"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://board.example.org"}, 200),
        ({"Origin": "https://evil.example.org"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
    ids=["a program", "our page", "our page, said twice", "allowed", "a stranger", "another port", "a file", "a form"],
)
def test_a_page_of_another_origin_changes_nothing(
    installation: Installation, headers: dict[str, str], status: int
) -> None:
    """Any page in a browser may send a POST without a body to this machine; without tokens the origin tells it."""
    installation.configure(
        {"name": "orders", "collect": {"kind": "simulated"}}, api={"cors": ["https://board.example.org"]}
    )
    with installation.system() as system:
        assert told(system, "POST", "/does", headers=headers).status_code == status
        assert told(system, "GET", "/looks", headers=headers).status_code == 200
        secret = tokens.create(system, ME, "operator").secret
        assert told(system, "POST", "/does", headers={**headers, **bearer(secret)}).status_code == 200


def test_every_origin_may_read_with_a_token_only(installation: Installation) -> None:
    """`api.cors: ["*"]` opens the answers to every page; what trusts this machine is not meant by it."""
    installation.configure({"name": "orders", "collect": {"kind": "simulated"}}, api={"cors": ["*"]})
    with installation.system() as system:
        origin = {"Origin": "https://evil.example.org"}
        assert told(system, "GET", "/looks", headers=origin).status_code == 403
        assert told(system, "GET", "/looks", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert told(system, "GET", "/looks", headers={"Origin": "http://127.0.0.1"}).status_code == 200
        assert told(system, "GET", "/looks").status_code == 200
        secret = tokens.create(system, ME, "viewer").secret
        answer = told(system, "GET", "/looks", headers={**origin, **bearer(secret)})

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")


def test_other_origins_may_read_nothing_unless_they_are_named(system: IntegratedSystem) -> None:
    """A preflight is answered without leave, and no answer carries one."""
    origin = {"Origin": "https://evil.example.org"}
    preflight = told(system, "OPTIONS", "/does", headers={**origin, "Access-Control-Request-Method": "POST"})

    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in told(system, "GET", "/looks", headers=origin).headers


def test_when_a_token_was_used_last_is_kept(system: IntegratedSystem, secrets: dict[str, str]) -> None:
    """Of those that were: without an event."""
    before = system.events.head()

    async def talk(client: httpx.AsyncClient) -> None:
        for _ in range(3):
            await client.get("/looks", headers=bearer(secrets["viewer"]))

    asked(system, talk, extend=routes)

    assert [one.name for one in tokens.listed(system).tokens if one.used_at is not None] == ["viewer"]
    assert system.events.head() == before


@pytest.fixture
def sockets() -> Any:
    """A WebSocket route that tells who came."""

    def extend(app: FastAPI) -> None:
        @app.websocket("/talk")
        async def talk(socket: WebSocket, who: Viewer) -> None:
            await socket.accept()
            await socket.send_text(f"{who.name} {socket.scope['query_string'].decode()}")
            await socket.close()

    return extend


async def opened(app: FastAPI, query: str, *headers: tuple[str, str], address: str = "127.0.0.1") -> list[Any]:
    """What a WebSocket client gets: each message the application sends."""
    sent: list[Any] = []
    scope = {
        "type": "websocket",
        "path": "/talk",
        "raw_path": b"/talk",
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8000"), *((name.encode(), value.encode()) for name, value in headers)],
        "client": (address, 1),
        "server": ("127.0.0.1", 8000),
        "scheme": "ws",
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    come = iter([{"type": "websocket.connect"}])

    async def receive() -> Any:
        return next(come, {"type": "websocket.disconnect", "code": 1000})

    async def send(message: Any) -> None:
        sent.append(message)

    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
    return sent


def test_a_socket_takes_its_token_from_the_address_and_hides_it(
    system: IntegratedSystem, secrets: dict[str, str], sockets: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is behind the door sees the address without it; a header does as well."""

    def open_with(query: str, *headers: tuple[str, str]) -> list[Any]:
        app = create_app(system)
        sockets(app)
        return asyncio.run(opened(app, query, *headers))

    secret = secrets["viewer"]
    by_query = open_with(f"a=1&auth_token={secret}&b=%20")
    by_coded = open_with(f"auth%5Ftoken={secret}")
    by_header = open_with("", ("authorization", f"Bearer {secret}"))
    none, wrong = open_with(""), open_with(f"auth_token={secret[:-1]}")

    assert by_query[1]["text"] == "token:viewer a=1&b=+"
    assert by_coded[1]["text"] == by_header[1]["text"] == "token:viewer "
    assert [one[0]["type"] for one in (none, wrong)] == ["websocket.http.response.start"] * 2
    assert [one[0]["status"] for one in (none, wrong)] == [401, 401]
    assert "api.unknown" in caplog.text
    assert secret not in caplog.text


def test_a_page_of_another_origin_opens_no_socket(system: IntegratedSystem, sockets: Any) -> None:
    """Without tokens a browser is believed only on our own pages: no CORS protects a socket."""

    def status(origin: str) -> Any:
        app = create_app(system)
        sockets(app)
        first = asyncio.run(opened(app, "", ("origin", origin)))[0]
        return first.get("status", first["type"])

    assert status("http://127.0.0.1:8000") == "websocket.accept"
    assert status("https://evil.example.org") == 403


def test_a_token_in_the_address_of_a_request_is_no_token_and_is_told_nowhere(
    system: IntegratedSystem, secrets: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Addresses stand in logs, histories and referrers: only a WebSocket of a browser has no other way."""
    caplog.set_level("DEBUG")
    caplog.set_level("WARNING", "httpx")  # the client that asks here
    secret = secrets["operator"]
    answers = [
        told(system, "GET", f"/looks?auth_token={secret}"),
        told(system, "GET", f"/api/v1/{secret}?token={secret}", headers=bearer("wrong")),
    ]

    assert answers[0].status_code == 401
    assert "on the WebSocket only" in answers[0].json()["detail"]
    assert "path=/api/v1/***" in caplog.text
    assert secret not in caplog.text


def test_what_is_open_is_so_by_its_whole_path() -> None:
    """Nothing that only begins like it."""
    assert [path for path in ("/livez/x", "/metricsx", "/api/monitoring", "/docsx", "/health/") if is_open(path)] == []


def test_nothing_is_served_to_others_before_there_is_a_token(system: IntegratedSystem) -> None:
    """The address is not even taken; with a token it is."""
    service = ApiService(system, host="0.0.0.0", port=0)
    with pytest.raises(UsageError, match=r"would listen on 0\.0\.0\.0, which other machines reach"):
        service.bind()
    tokens.create(system, ME, "viewer")
    service.bind()
    service.close()
