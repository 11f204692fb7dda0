"""A small installation for the tests of the page."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from api.client import Client
from api.in_process import ApiHere
from dashboard.shell import process
from dashboard.source import Source
from integrated_system import ROOT, IntegratedSystem
from operations.run import run
from tests.dashboard.configuration import ACTOR, write_configuration
from tests.dashboard.trouble import Trouble, made
from tests.faulty_server import FaultyServer, ok


@pytest.fixture(autouse=True)
def _no_page_hides_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What users see as a face is an exception to tests (`AppTest.exception`)."""

    def raised(_: object, error: Exception) -> None:
        raise error

    monkeypatch.setattr("dashboard.shell.broken_page", raised)


@pytest.fixture(autouse=True)
def _a_busy_machine_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages say so when an answer takes longer; only tests that give a patience of their own want to see that."""
    monkeypatch.setitem(Source.__init__.__kwdefaults__, "patience", 120.0)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_configuration(tmp_path)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def system(config: Path, state_dir: Path) -> Iterator[IntegratedSystem]:
    with IntegratedSystem(config, state_dir=state_dir, environ={}) as system:
        yield system


@pytest.fixture
def ran(system: IntegratedSystem) -> IntegratedSystem:
    """The same after a run of everything."""
    run(system, ACTOR)
    return system


@pytest.fixture
def build(config: Path, state_dir: Path) -> Callable[[], IntegratedSystem]:
    """Makes the system anew, as another process has it."""
    return lambda: IntegratedSystem(config, state_dir=state_dir, environ={})


@pytest.fixture
def source(build: Callable[[], IntegratedSystem]) -> Iterator[Source]:
    source = Source(build, share_for=0.0)
    yield source
    source.close()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, config: Path, state_dir: Path) -> Iterator[AppTest]:
    """The dashboard as a new window has it."""
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(config))
    monkeypatch.setenv("ORCHESTRATOR_APP__STATE_DIR", str(state_dir))
    monkeypatch.setattr("dashboard.login.at_this_machine", lambda: True)  # here there is no connection to be looked at
    # Each `AppTest` would look through all that is installed for components of others: most of the time of a test.
    monkeypatch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", lambda *_: [])
    yield AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=120)
    source, actions = process(str(config), str(state_dir))
    actions.close()
    source.close()
    process.clear()


@pytest.fixture
def client(system: IntegratedSystem) -> Iterator[Client]:
    """The API over it, in this process."""
    here = ApiHere(system)
    yield here.client(ACTOR)
    here.close()


@pytest.fixture(scope="session")
def trouble_made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trouble]:
    """An installation in trouble, to be copied."""
    with FaultyServer(ok(b"")) as server:
        yield made(tmp_path_factory.mktemp("trouble"), server)


@pytest.fixture
def trouble(trouble_made: Trouble, config: Path, state_dir: Path) -> Trouble:
    """A copy of it in the place of the small one."""
    trouble_made.copied(config, state_dir)
    return trouble_made
