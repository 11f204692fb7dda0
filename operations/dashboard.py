"""Start the dashboard: a child process, by name, for no face is ever imported by what it shows."""

import os
import signal
import subprocess
import sys

from integrated_system import ROOT, IntegratedSystem
from operations.tokens import refuse_open_bind


def start(system: IntegratedSystem, *, port: int | None = None, browser: bool = False) -> int:
    """Run Streamlit on the dashboard until it ends; gives its exit code. Who is told to end, ends it first."""
    child = launch(system, port=port, browser=browser)
    before = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        code = child.wait()
    except KeyboardInterrupt:
        child.wait()
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)
    return code if code >= 0 else 128 - code  # as a shell tells it


def launch(
    system: IntegratedSystem, *, port: int | None = None, browser: bool = False, beside: bool = False
) -> "subprocess.Popen[bytes]":
    """Start Streamlit on the dashboard, and come back.

    The child finds the same configuration and state through its environment.

    Args:
        beside: Standard output belongs to another program: what the child says goes to standard error.

    Raises:
        UsageError: other machines would reach the page, and nobody could be asked for a token.
    """
    settings = system.settings.dashboard
    # Of an API elsewhere the tokens are there; single sign-on asks who comes.
    if not settings.api and not any((settings.auth.viewers, settings.auth.operators, settings.auth.admins)):
        refuse_open_bind(system, settings.host, what="dashboard", key="dashboard.host")
    # -P: what lies in the working directory is not taken for a part of ours.
    command = [sys.executable, "-P", "-m", "dashboard", "streamlit", "run", str(ROOT / "dashboard" / "app.py")]
    command += ["--server.address", settings.host, "--server.port", str(port or settings.port)]
    command += ["--server.headless", "false" if browser else "true", "--browser.gatherUsageStats", "false"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "ORCHESTRATOR_CONFIG": str(system.loaded.main),
        "ORCHESTRATOR_APP__STATE_DIR": str(system.state_dir),
    }
    told = sys.stderr if beside else None
    return subprocess.Popen(command, env=environment, stdout=told)  # noqa: S603 - our own page
