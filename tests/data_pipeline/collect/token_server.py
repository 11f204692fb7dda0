"""A real OAuth 2.0 token endpoint on loopback (RFC 6749): both grants, rotation, refusals, and faults on demand.

with TokenServer() as tokens, FaultyServer(tokens.protecting(fault.ok(CSV))) as data:
    ...            # a request to `data` is answered with 401 unless it shows a token that `tokens` gave
"""

import base64
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote_plus

from tests import faulty_server as fault
from tests.faulty_server import Answer, Request

CLIENT, SECRET = "our-client", "the-clients-secret"


@dataclass(frozen=True)
class Asked:
    """One request for a token. `how`: `basic`, `body`, or `nothing`."""

    form: dict[str, str]
    how: str


@dataclass
class TokenServer:
    """Gives tokens `access-1`, `access-2`, … and, when it rotates, refresh tokens `refresh-1`, …

    Attributes:
        accepts: How a client may prove itself.
        rotates: Each refresh token may be used once, and the answer brings the next one; a second use revokes all.
        expires_in: As it is sent; None: not sent.
        answers: Answers to give instead, one a request, before it works again.
        asked: The requests so far.
        good: Access tokens that are accepted now.
    """

    accepts: tuple[str, ...] = ("basic",)
    rotates: bool = False
    expires_in: Any = 3600
    answers: list[Answer] = field(default_factory=list)
    refresh_tokens: set[str] = field(default_factory=lambda: {"refresh-0"})
    asked: list[Asked] = field(default_factory=list)
    good: set[str] = field(default_factory=set)
    reused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._used: set[str] = set()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="token-server")

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/oauth/token"

    @property
    def count(self) -> int:
        return len(self.asked)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def protecting(self, answer: Answer | Callable[[Request], Answer]) -> Callable[[Request], Answer]:
        """`answer` for who shows a good token, 401 for all others."""

        def protected(request: Request) -> Answer:
            shown = request.headers.get("authorization", "")
            if shown.removeprefix("Bearer ") not in self.good:
                return fault.status(401, b"who are you?")
            return answer(request) if callable(answer) else answer

        return protected

    def answer_to(self, authorization: str, form: dict[str, str]) -> Answer:
        with self._lock:
            how, client, secret = _proof(authorization, form)
            self.asked.append(Asked(form, how))
            if self.answers:
                return self.answers.pop(0)
            if how not in self.accepts or (client, secret) != (CLIENT, SECRET):
                return refused("invalid_client", "unknown client", status=401)
            return self._given(form)

    def _given(self, form: dict[str, str]) -> Answer:
        number = len(self.good) + 1
        token: dict[str, Any] = {"access_token": f"access-{number}", "token_type": "Bearer"}
        if self.expires_in is not None:
            token["expires_in"] = self.expires_in
        if form.get("grant_type") == "refresh_token":
            shown = form.get("refresh_token", "")
            if shown in self._used:
                self.reused.append(shown)
                self.refresh_tokens.clear()
            if shown not in self.refresh_tokens:
                return refused("invalid_grant", f"refresh token {shown} is not known")
            if self.rotates:
                self._used.add(shown)
                token["refresh_token"] = f"refresh-{number}"
                self.refresh_tokens = {f"refresh-{number}"}
        elif form.get("grant_type") != "client_credentials":
            return refused("unsupported_grant_type")
        self.good.add(f"access-{number}")
        return fault.as_json(token)


def refused(error: str, description: str = "", *, status: int = 400) -> Answer:
    """An error answer (RFC 6749, 5.2)."""
    body = {"error": error} | ({"error_description": description} if description else {})
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def _proof(authorization: str, form: dict[str, str]) -> tuple[str, str, str]:
    if authorization.startswith("Basic "):
        client, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
        return "basic", unquote_plus(client), unquote_plus(secret)
    if "client_id" in form:
        return "body", form["client_id"], form.get("client_secret", "")
    return "nothing", "", ""


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is killed is part of the tests."""


def _handler_of(owner: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            form = {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
            answer = owner.answer_to(self.headers.get("Authorization", ""), form)
            body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body())
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler
