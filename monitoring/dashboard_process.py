"""The web dashboard beside a program: a process of its own, started by name, as a person would type it."""

import json
import sys
from pathlib import Path

from monitoring.monitor_settings import MonitorConfig
from monitoring.probes import http
from monitoring.supervisor import Supervisor

__all__ = ["dashboard_process"]

ROOT = Path(__file__).resolve().parents[1]
_PROBE_S = 2.0


def dashboard_process(config: MonitorConfig, folder: Path) -> Supervisor:
    """The dashboard, not started yet; ready once it answers where `dashboard.host` and `dashboard.port` say.

    It reads the configuration file of the monitor. When there is none, it gets one without any secret, in `folder`,
    where its state lies as well.
    """
    where = config.settings.dashboard
    command = [sys.executable, str(ROOT / "integrated_system.py"), "dashboard"]
    if config.file is not None:
        command += ["--config", str(config.file.absolute())]
    else:
        folder = folder.absolute()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / "monitor.json"
        file.write_text(json.dumps(_without_secrets(config)))
        command += ["--config", str(file), "--state-dir", str(folder / "state")]
    ready = http(f"http://{where.host}:{where.port}/_stcore/health", _PROBE_S)
    return Supervisor("dashboard", command, ready=ready, redacted=config.redacted)


def _without_secrets(config: MonitorConfig) -> dict[str, object]:
    settings = config.settings
    return {
        "app": {"name": settings.app.name},
        "dashboard": settings.dashboard.model_dump(mode="json"),
        "monitor": {"thresholds": settings.monitor.thresholds.model_dump(mode="json")},
    }
