"""systemd: the units are sound, say what the program understands, and lock it in."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.commands import accepted, configured
from tests.deploy.dockerfile import ROOT

UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
TIMERS = sorted((ROOT / "deploy/systemd").glob("*.timer"))
ADVICE = "no systemd-analyze: install it with `apt-get install systemd`"

systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason=ADVICE)
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)


def read(unit: Path) -> dict[str, dict[str, list[str]]]:
    """Sections of keys, each with all its values in order."""
    found: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in unit.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(section, {}).setdefault(key, []).append(value)
    return found


def analyze(*words: object) -> str:
    """What it had to complain of."""
    done = subprocess.run(
        ["systemd-analyze", *map(str, words)], capture_output=True, text=True, check=False, timeout=120
    )
    return "" if done.returncode == 0 and "verify" not in words else done.stdout + done.stderr


@systemd
def test_units_and_timers_are_sound(tmp_path: Path):
    """`systemd-analyze verify`, with this checkout and this user in place of those of an installation."""
    for unit in (*UNITS, *TIMERS):
        text = unit.read_text().replace("/opt/orchestrator/.venv/bin/python", sys.executable)
        text = re.sub("^(User|Group)=.*$", r"\1=root", text.replace("/opt/orchestrator", str(ROOT)), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)

    assert analyze("verify", "--man=no", *tmp_path.iterdir()) == ""


@systemd
def test_services_are_locked_in():
    """The exposure that systemd computes is at most 2 of 10."""
    assert analyze("security", "--offline=true", "--threshold=20", "--no-pager", *UNITS) == ""


@each_unit
def test_a_unit_runs_a_command_of_ours_as_nobody_else(unit: Path, tmp_path: Path):
    """The command is there, the variables are keys, state and configuration are where it may write and read."""
    service = read(unit)["Service"]
    python, program, *words = service["ExecStart"][0].split()

    assert (python, program) == ("/opt/orchestrator/.venv/bin/python", "/opt/orchestrator/integrated_system.py")
    assert accepted(words)
    given = dict(value.split("=", 1) for value in service["Environment"])
    assert given["ORCHESTRATOR_CONFIG"].startswith(f"/etc/{service['ConfigurationDirectory'][0]}/")
    assert given["ORCHESTRATOR_APP__STATE_DIR"] == f"/var/lib/{service['StateDirectory'][0]}"
    assert service["StateDirectoryMode"] == ["0700"]
    assert service["User"] == ["orchestrator"]
    given.pop("PYTHONUNBUFFERED", None)
    configured(given, ROOT / "config/orchestrator.yaml", tmp_path)


def test_the_service_that_stays_tells_systemd_that_it_lives():
    """Ready and alive by `sd_notify`; ended by SIGTERM it did not fail; a wrong configuration is not tried again."""
    service = read(ROOT / "deploy/systemd/orchestrator.service")["Service"]

    assert (service["Type"], service["WatchdogSec"]) == (["notify"], ["2min"])
    assert (service["SuccessExitStatus"], service["RestartPreventExitStatus"]) == (["143"], ["2"])
    assert service["Restart"] == ["always"]


@pytest.mark.parametrize("timer", TIMERS, ids=lambda timer: timer.stem)
def test_a_timer_starts_a_unit_that_ends(timer: Path):
    """Beside each timer lies its unit, of the kind that runs once."""
    unit = timer.with_suffix(".service")

    assert read(unit)["Service"]["Type"] == ["oneshot"]
    assert read(timer)["Timer"]["Persistent"] == ["true"]


def test_the_locks_are_the_same_for_all_units():
    """What one may not, the others may not either."""
    keys = ("NoNewPrivileges", "ProtectSystem", "CapabilityBoundingSet", "SystemCallFilter", "RestrictAddressFamilies")
    first, *others = [read(unit)["Service"] for unit in UNITS]

    assert all({key: one[key] for key in keys} == {key: first[key] for key in keys} for one in others)
