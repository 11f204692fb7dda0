"""The image holds what the program needs: its COPY steps are carried out in a folder, and the program runs there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STEPS = [line.split() for line in (ROOT / "Dockerfile").read_text().splitlines() if line and line[0].isupper()]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A folder with exactly what the Dockerfile copies, and nothing that git does not know."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    app = tmp_path / "app"
    app.mkdir()
    for step in STEPS:
        if step[0] == "COPY":
            *sources, target = step[1:]
            for source in sources:
                assert source in allowed, f"{source} is copied, but .dockerignore hides it"
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, app / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / source, app / source)
    return app


def test_the_image_runs_the_main_job_and_tells_its_health(image: Path, tmp_path: Path):
    """Without a command: run, status; the health check of the image passes afterwards."""
    entry = json.loads(" ".join(next(step for step in STEPS if step[0] == "ENTRYPOINT")[1:]))
    environment = {**os.environ, "ORCHESTRATOR_APP__STATE_DIR": str(tmp_path / "state"), "NO_COLOR": "1"}
    environment.pop("PYTHONPATH", None)

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, *entry[1:], *arguments]
        return subprocess.run(
            command, cwd=image, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    main, health, version = run(), run("health"), run("--version")

    assert main.returncode == 0, main.stderr
    assert "datasets delivered as they should" in main.stdout
    assert health.returncode == 0, health.stdout
    assert version.stdout.strip().count(".") == 2


def test_the_image_does_not_run_as_root():
    """The last user named is not root, and the state's folder belongs to it."""
    users = [step[1] for step in STEPS if step[0] == "USER"]

    assert users == ["orchestrator"]
