"""Terraform: the module can be read, and says the same as Compose."""

import re
from pathlib import Path
from typing import Any

import hcl2
import yaml

from config.settings import Settings
from tests.deploy.commands import accepted, configured
from tests.deploy.dockerfile import ROOT

FOLDER = ROOT / "deploy/terraform"
FILES = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.tf"))}


def plain(value: Any) -> Any:
    """What was parsed, without the quotes that the parser keeps around texts."""
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.strip('"') if isinstance(value, str) else value


MODULE: dict[str, list[dict[str, Any]]] = {}
for _text in FILES.values():
    for _kind, _blocks in plain(hcl2.loads(_text)).items():
        MODULE.setdefault(_kind, []).extend(_blocks if isinstance(_blocks, list) else [_blocks])


def resource(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(next(iter(one[kind].values())) for one in MODULE["resource"] if kind in one)
    return found


def test_every_variable_is_declared_explained_and_used():
    """No name is misspelt, and none is asked for in vain."""
    declared = {name: one for block in MODULE["variable"] for name, one in block.items() if not name.startswith("__")}
    used = set(re.findall(r"\bvar\.(\w+)", "\n".join(FILES.values())))

    assert used == set(declared)
    assert all(one["description"] and one["type"] for one in declared.values())


def test_the_container_is_as_locked_in_as_under_compose(tmp_path: Path):
    """Read-only root, no rights, loopback only, the same ports, the same probe, variables that are keys."""
    container = resource("docker_container")
    app = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]["app"]
    settings = Settings()

    assert container["read_only"] is app["read_only"] is True
    assert container["capabilities"][0]["drop"] == app["cap_drop"]
    assert container["security_opts"] == app["security_opt"]
    assert container["restart"] == app["restart"]
    assert container["healthcheck"][0]["test"] == app["healthcheck"]["test"]
    assert {port["ip"] for port in container["ports"]} == {"127.0.0.1"}
    assert [port["internal"] for port in container["ports"]] == [settings.api.port, settings.dashboard.port]
    assert accepted(container["command"])
    given = dict(re.findall(r'(ORCHESTRATOR_\w+)\s+= "([^"]*)"', FILES["main.tf"]))
    assert given == app["environment"]
    configured(given, ROOT / "config/orchestrator.yaml", tmp_path)


def test_the_state_is_not_destroyed_by_mistake():
    """The volume is guarded, and it is what the container keeps its state in."""
    assert resource("docker_volume")["lifecycle"][0]["prevent_destroy"] is True
    assert [mount["target"] for mount in resource("docker_container")["mounts"]] == ["/state", "/config"]
