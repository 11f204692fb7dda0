"""The API as a process, and as a service beside others."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.serving import ApiService
from integrated_system import IntegratedSystem
from operations.actor import UsageError
from tests.integration.installation import Installation, environment

PATIENCE_S = 120.0


@contextmanager
def _program(installation: Installation, *command: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The real command, and the address that it prints."""
    process = subprocess.Popen(
        installation.command(*command),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"], process
    finally:
        process.kill()
        process.communicate()


def _connected(url: str, sent: bytes) -> socket.socket:
    address = urlsplit(url)
    assert address.hostname is not None
    connection = socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S)
    connection.sendall(sent)
    return connection


def _alive(connection: socket.socket) -> bool:
    """Whether the whole answer to `/livez` comes."""
    found = b""
    while not found.endswith(b'{"alive":true}') and (part := connection.recv(65536)):
        found += part
    return found.startswith(b"HTTP/1.1 200")


UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def test_sigterm_ends_it_with_a_hundred_sockets_open(installation: Installation) -> None:
    """Idle ones, halves of a request, bodies that do not come, followers of the log, live sockets: none holds it up."""
    with _program(installation, "api", "--port", "0", "--json") as (url, process), ExitStack() as stack:
        at = b"Host: " + urlsplit(url).netloc.encode() + b"\r\n"
        kinds = (
            b"",
            b"GET /livez HTTP/1.1\r\n",
            b"GET /livez HTTP/1.1\r\n" + at + b"\r\n",
            b"POST /livez HTTP/1.1\r\n" + at + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
            b"GET /api/v1/events/follow HTTP/1.1\r\n" + at + b"\r\n",
            b"GET /ws HTTP/1.1\r\n" + at + UPGRADE + b"\r\n",
        )
        sockets = [stack.enter_context(_connected(url, kinds[number % len(kinds)])) for number in range(102)]
        answered = [one.recv(12) for number, one in enumerate(sockets) if number % len(kinds) in {2, 4, 5}]
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE_S)

    assert set(answered) == {b"HTTP/1.1 200", b"HTTP/1.1 101"}
    assert code == 128 + signal.SIGTERM


def test_a_run_outlives_the_server_that_it_was_asked_of(installation: Installation) -> None:
    """The API is stopped while the run is under way: it comes to its end in a process of its own."""
    installation.configure({"name": "orders", "collect": {"kind": "simulated", "latency": "200ms"}})
    with _program(installation, "api", "--port", "0", "--json") as (url, process):
        asked = httpx.post(f"{url}/api/v1/runs", json={"datasets": ["orders"]}, timeout=PATIENCE_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 128 + signal.SIGTERM

    assert asked.status_code == 202
    with installation.system() as system:
        ended = next(event for event in system.events.follow() if event.type == "run.finished")
        run = system.views.run(asked.json()["run_id"])
    assert ended.subject == asked.json()["run_id"] == asked.headers["location"].rpartition("/")[2]
    assert run is not None
    assert run.status == "succeeded"


def test_a_port_that_is_taken_is_told(installation: Installation) -> None:
    """The command says which, and what to do; as a service of `serve` it waits until the port is free."""
    with installation.system() as system, socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        service = ApiService(system, port=port)
        with pytest.raises(UsageError, match=f"port {port}") as refused:
            service.bind()
        assert service.step() > 0.0
        other.close()
        service.step()
        try:
            assert httpx.get(f"http://127.0.0.1:{port}/livez", timeout=120).status_code == 200
        finally:
            service.close()
    assert "--port" in refused.value.hint


def test_what_is_no_http_is_told_so(server: str) -> None:
    """In the form of all errors, and the connection is closed."""
    with _connected(server, b"HELO there\r\n\r\n") as connection:
        found = b""
        while part := connection.recv(65536):
            found += part

    head, _, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    assert json.loads(body)["hint"]


def test_a_connection_that_does_not_come_to_the_point_is_closed(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a head, and silence: the server hangs up; one that asks and asks again is kept."""
    from api import serving

    monkeypatch.setattr(serving, "HEAD_S", 1.0)
    with installation.system() as system:
        service = ApiService(system, port=0)
        service.bind()
        service.step()
        try:
            whole = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            with _connected(service.url, whole) as patient, _connected(service.url, b"GET /livez HTT") as slow:
                assert _alive(patient)
                assert slow.recv(1) == b""
                patient.sendall(whole)
                assert _alive(patient)
        finally:
            service.close()


@pytest.mark.parametrize(
    ("variables", "port", "exporter"),
    [
        ({}, 8000, True),
        ({"MONITORING_HTTP_PORT": "9321", "MONITORING_EXPORTER_ENABLE": "false"}, 9321, False),
        ({"MONITORING_HTTP_PORT": "9321", "ORCHESTRATOR_API__PORT": "9322"}, 9322, True),
    ],
    ids=["none", "the names monitoring tools know", "ours lies over it"],
)
def test_port_and_exporter_are_set_by_variables(
    installation: Installation, variables: dict[str, str], port: int, exporter: bool
) -> None:
    """`MONITORING_HTTP_PORT` and `MONITORING_EXPORTER_ENABLE` say the same as `api.port` and `api.exporter`."""
    from integrated_system import IntegratedSystem

    installation.configure()
    with IntegratedSystem(installation.config, state_dir=installation.state, environ=variables) as system:
        assert (system.settings.api.port, system.settings.api.exporter) == (port, exporter)


def test_an_application_that_cannot_be_made_gives_back_its_port(installation: Installation) -> None:
    """Nobody waits there for an answer that nobody gives; the next step takes the port and serves."""

    def broken(_: IntegratedSystem) -> FastAPI:
        raise RuntimeError("a plug-in's routes")

    with installation.system() as system:
        service = ApiService(system, port=0, application=broken)
        service.bind()
        address = urlsplit(service.url)
        with pytest.raises(RuntimeError, match="routes"):
            service.step()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address.hostname, address.port), PATIENCE_S)
        service._application = create_app
        service.step()
        try:
            assert httpx.get(f"{service.url}/livez", timeout=120).status_code == 200
        finally:
            service.close()
