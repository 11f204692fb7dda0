"""The extension for Visual Studio Code: its own tests by Node's runner, and the whole of it with a real API."""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from api.serving import ApiService
from config.settings import Settings
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.alerting import deliver
from operations.tokens import create
from tests.api.conftest import UNBOUND
from tests.integration.alerting import failed
from tests.integration.installation import ROOT, Installation

FOLDER = ROOT / "extensions/vscode"
PACKAGE = json.loads((FOLDER / "package.json").read_text())
SOURCES = "\n".join(path.read_text() for path in sorted((FOLDER / "src").glob("*.js")))
ADVICE = "no Node: the extension's tests are skipped; install Node 20 or newer (`apt-get install nodejs`)"

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason=ADVICE)


def node(*files: Path, **environment: str) -> None:
    """Run tests with Node's own runner; what failed is told."""
    command = ["node", "--experimental-websocket", "--test", *map(str, files)]
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        command, cwd=FOLDER, env={**clean, **environment}, capture_output=True, text=True, check=False, timeout=90
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\bpass [1-9]", done.stdout)
    assert re.search(r"\bskipped 0\b", done.stdout)


class Stage:
    """A served installation, and what happens to it when the extension's test says so: each method is one act."""

    def __init__(self, system: IntegratedSystem) -> None:
        self._system = system
        self._api = ApiService(system, host="127.0.0.1", port=0)
        self._api.bind()
        self._api.step()
        self.url = self._api.url
        system.progressive.step()
        create(system, Actor("test", "admin"), "viewer", "somebody")

    def token(self) -> str:
        return create(self._system, Actor("test", "admin"), "operator", "editor").secret

    def alert(self) -> str:
        self._say("said by a program")
        return ""

    def incident(self) -> str:
        self._system.events.append([failed(0)])
        deliver(self._system)
        return ""

    def away(self) -> str:
        """The API ends, something is said, and it is there again, at the same port."""
        self._api.close()
        self._say("said while nobody listened")
        self._api = ApiService(self._system, host="127.0.0.1", port=int(self.url.rpartition(":")[2]))
        self._api.bind()
        self._api.step()
        return ""

    def close(self) -> None:
        self._api.close()

    def _say(self, title: str) -> None:
        self._system.alerts.send(level="CRITICAL", title=title, type="critical")


@contextmanager
def directed(stage: Stage) -> Iterator[str]:
    """The address by which its acts are asked for."""

    class Director(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = getattr(stage, self.path.removeprefix("/"))()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Director)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@needs_node
def test_its_parts_do_what_they_promise():
    """Coming back after a loss, notifications by severity, the status bar; with a stand-in for the editor."""
    node(*sorted((FOLDER / "test").glob("*.test.js")))


@needs_node
def test_the_whole_of_it_works_with_a_real_api(tmp_path: Path):
    """Token, alert, incident, acknowledging, and an API that was away: nothing is missed and nothing comes twice."""
    installation = Installation(tmp_path)
    installation.configure({"name": "d00", "collect": {"kind": "simulated"}}, api=UNBOUND)
    with installation.system() as system:
        stage = Stage(system)
        try:
            with directed(stage) as director:
                node(FOLDER / "test/live/live.test.js", ORCHESTRATOR_URL=stage.url, ORCHESTRATOR_STAGE=director)
        finally:
            stage.close()


def test_every_command_that_it_offers_is_there_and_no_other():
    """package.json and the code name the same commands and settings; defaults are those of the installation."""
    offered = {one["command"] for one in PACKAGE["contributes"]["commands"]}
    settings = PACKAGE["contributes"]["configuration"]["properties"]

    assert set(re.findall(r'^    "(orchestrator\.\w+)": ', SOURCES, re.MULTILINE)) == offered
    read = {f"orchestrator.{name}" for name in re.findall(r'settings\(\)\.get\("(\w+)"', SOURCES)}
    assert read == set(settings)
    assert settings["orchestrator.url"]["default"] == f"http://127.0.0.1:{Settings().api.port}"
    assert settings["orchestrator.dashboardUrl"]["default"] == f"http://127.0.0.1:{Settings().dashboard.port}"
    assert (FOLDER / PACKAGE["main"]).is_file()


def test_no_workspace_can_send_the_token_elsewhere():
    """Settings are the user's own: a folder that somebody opens cannot change the address."""
    settings = PACKAGE["contributes"]["configuration"]["properties"]

    assert {one["scope"] for one in settings.values()} == {"application"}
    assert "dependencies" not in PACKAGE
