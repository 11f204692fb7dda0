"""The image holds what the program needs and nothing else: its COPY steps are done in a folder, and it runs there."""

import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from config.settings import Settings
from tests.deploy.dockerfile import ROOT, Ignored, copy, stages

BUILDER, IMAGE = stages()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder /app of the image."""
    root = tmp_path_factory.mktemp("image")
    for step in BUILDER.all("COPY"):
        copy(step, root, "/app", Ignored())
    for compiled in ROOT.glob(
        "[a-z]*/**/__pycache__"
    ):  # the image has them, too: the program starts three times quicker
        if (place := root / "app" / compiled.relative_to(ROOT)).parent.exists():
            shutil.copytree(compiled, place)
    return root / "app"


def environment(state: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "ORCHESTRATOR_APP__STATE_DIR": str(state), "NO_COLOR": "1", "HOME": str(state.parent)}


def test_the_linter_has_no_complaint():
    """hadolint, without an exception."""
    command = [Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert (done.returncode, done.stdout) == (0, "")


def test_it_runs_the_main_job_and_tells_its_health(app: Path, tmp_path: Path):
    """Without a command: run, status; the health check of the image passes afterwards."""
    _, *entry = IMAGE.last("ENTRYPOINT").words
    _, *check = IMAGE.last("HEALTHCHECK").text.partition("CMD ")[2].strip('[]"').split('", "')

    def run(words: list[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *words],
            cwd=app,
            env=environment(tmp_path / "state"),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    main, health = run(entry), run(check)

    assert main.returncode == 0, main.stderr
    assert "datasets delivered as they should" in main.stdout
    assert health.returncode == 0, health.stdout


def test_every_package_of_ours_that_it_imports_is_in_it(app: Path):
    """Also what is imported late; tests and benchmarks are not asked for by anything in it."""
    ours = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    imports = re.compile(r"^ *(?:from|import) (\w+)", re.MULTILINE)
    wanted = {name for file in app.rglob("*.py") for name in imports.findall(file.read_text())}

    assert {"config", "dashboard", "integrated_system"} <= wanted & ours
    assert wanted & ours <= {path.stem for path in app.iterdir()}


def test_no_test_no_secret_and_no_state_reaches_it(app: Path):
    """What git does not know stays out, whatever lies in the checkout."""
    ignored = Ignored()
    hidden = ("tests/conftest.py", ".git/config", "state/orchestrator.db", "deploy/secrets/redis_password", ".env")
    names = {path.relative_to(app).parts[0] for path in app.rglob("*") if path.is_file()}

    assert all(ignored(path) for path in (*hidden, "config/__pycache__/settings.cpython-311.pyc", "README.md"))
    assert names.isdisjoint({"tests", "benchmarks", "extensions", "docs", "deploy"})
    assert not [path for path in app.rglob("*") if path.suffix in {".db", ".pem", ".key", ".env"}]


def test_the_base_is_pinned_and_is_a_python_that_is_supported():
    """Both stages stand on the same patch release, and on one that the tests of all Pythons know."""
    assert BUILDER.base == IMAGE.base
    found = re.fullmatch(r"python:(3\.\d+)\.\d+-slim-\w+", IMAGE.base)
    assert found
    assert f"/python{found[1]}/" in " ".join(step.text for step in BUILDER.all("RUN"))
    workflow = (ROOT / ".github/workflows/checks.yml").read_text()
    assert f'"{found[1]}"' in workflow
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert tuple(map(int, found[1].split("."))) >= tuple(map(int, needed.removeprefix(">=").split(".")))


def test_nobody_in_it_is_root_and_nothing_builds():
    """A number as user, a state of its own, no pip, no compiler."""
    runs = " ".join(step.text for step in IMAGE.all("RUN"))

    assert IMAGE.last("USER").text == "10001:10001"
    assert "--uid 10001" in runs
    assert "--owner 10001 --group 10001 --mode 0700 /state" in runs
    assert "pip uninstall" in runs
    assert "apt-get" not in runs + " ".join(step.text for step in BUILDER.all("RUN"))
    assert IMAGE.environment["ORCHESTRATOR_APP__STATE_DIR"] == IMAGE.last("VOLUME").text == "/state"


def test_the_ports_it_names_are_those_of_the_configuration():
    """EXPOSE says where the API and the page are."""
    settings = Settings()

    assert IMAGE.last("EXPOSE").words == [str(settings.api.port), str(settings.dashboard.port)]


# --- what only the image has


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/livez" else 503)
        self.end_headers()
        self.wfile.write(b"because")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [("/livez", 0, "200 because"), ("/readyz", 1, "503 because")],
    ids=["well", "not ready"],
)
def test_a_probe_says_what_the_server_says(port: int, path: str, code: int, said: str):
    """0 only for 200; the reason is printed, so that whoever looks after the container finds it."""
    probe = [sys.executable, "-S", ROOT / "deploy/image/probe.py", str(port), path]
    done = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=120)

    assert (done.returncode, done.stdout) == (code, f"{path}: {said}\n")


def test_a_probe_fails_where_nobody_listens():
    """No traceback."""
    probe = [sys.executable, "-S", ROOT / "deploy/image/probe.py", "1", "/livez"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=120)

    assert (done.returncode, done.stderr) == (1, "")
    assert "refused" in done.stdout


def test_the_first_token_is_made_once(app: Path, tmp_path: Path):
    """A good token for Prometheus lies in the file, and stays there."""
    script = tmp_path / "first-token.sh"
    script.write_text((app / "image/first-token.sh").read_text().replace("/app/", f"{app}/"))
    file = tmp_path / "prometheus"

    def run() -> str:
        command = ["sh", str(script), str(file)]
        subprocess.run(command, env=environment(tmp_path / "state"), check=True, timeout=120, capture_output=True)
        return file.read_text()

    first, again = run(), run()

    assert re.fullmatch(r"cdo_[\w-]{43}\n", first)
    assert again == first
