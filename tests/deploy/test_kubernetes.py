"""Kubernetes: every manifest is what its kind may be, fits the others, and knows what the program needs."""

import types
import typing
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.settings import Settings
from tests.deploy.commands import accepted, configured
from tests.deploy.dockerfile import ROOT, stages

FOLDER = ROOT / "deploy/kubernetes"
RESOURCES = {path.name: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}
KUSTOMIZATION = RESOURCES.pop("kustomization.yaml")
MODELS = {"v1": "core_v1", "apps/v1": "apps_v1", "batch/v1": "batch_v1"}
PODS = {
    "deployment.yaml": RESOURCES["deployment.yaml"]["spec"]["template"],
    "cronjob.yaml": RESOURCES["cronjob.yaml"]["spec"]["jobTemplate"]["spec"]["template"],
}
CONTAINERS = [
    one for pod in PODS.values() for one in (*pod["spec"].get("initContainers", []), *pod["spec"]["containers"])
]

each_pod = pytest.mark.parametrize("name", list(PODS))


def faults(value: Any, model: Any, at: str) -> Iterator[str]:
    """Where a value is not what the API's model has: unknown and missing keys, other types."""
    arguments = typing.get_args(model)
    if typing.get_origin(model) in {typing.Union, types.UnionType}:
        ways = [list(faults(value, one, at)) for one in arguments if one is not type(None)]
        yield from min(ways, key=len)
    elif is_dataclass(model):
        hints = typing.get_type_hints(model)
        known = {one.name: one for one in fields(model)}
        if not isinstance(value, dict):
            yield f"{at}: a map is expected"
            return
        yield from (f"{at}.{key}: unknown" for key in value if key not in known)
        for name, one in known.items():
            if name in value:
                yield from faults(value[name], hints[name], f"{at}.{name}")
            elif one.default is MISSING and one.default_factory is MISSING:
                yield f"{at}.{name}: missing"
    elif typing.get_origin(model) is list:
        if not isinstance(value, list):
            yield f"{at}: a list is expected"
            return
        for number, one in enumerate(value):
            yield from faults(one, arguments[0], f"{at}[{number}]")
    elif typing.get_origin(model) is dict or model is dict:
        if not isinstance(value, dict):
            yield f"{at}: a map is expected"
    elif isinstance(model, type) and not (isinstance(value, model) and (model is bool or not isinstance(value, bool))):
        yield f"{at}: {model.__name__} is expected, not {value!r}"


def model_of(resource: dict[str, Any]) -> Any:
    return getattr(import_module(f"lightkube.models.{MODELS[resource['apiVersion']]}"), resource["kind"])


@pytest.mark.parametrize("name", list(RESOURCES))
def test_a_manifest_is_what_its_kind_may_be(name: str):
    """No key that the API does not know, none missing that it needs, each of its type."""
    assert list(faults(RESOURCES[name], model_of(RESOURCES[name]), name)) == []


def test_what_no_kind_may_be_is_found():
    """The judge itself: a misspelt key, a missing one, a number where a text belongs."""
    service = {"apiVersion": "v1", "kind": "Service", "spec": {"port": [], "ports": [{"name": 8000}], "type": 1}}

    found = list(faults(service, model_of(service), "service"))

    assert found == [
        "service.spec.port: unknown",
        "service.spec.ports[0].port: missing",
        "service.spec.ports[0].name: str is expected, not 8000",
        "service.spec.type: str is expected, not 1",
    ]


def test_what_they_name_is_there():
    """Namespace, claim, configuration, secret, selectors and files of the kustomization."""
    namespace = RESOURCES["namespace.yaml"]["metadata"]["name"]
    named = {one["kind"]: one["metadata"]["name"] for one in RESOURCES.values()}
    labels = PODS["deployment.yaml"]["metadata"]["labels"]

    others = [one for name, one in RESOURCES.items() if name != "namespace.yaml"]
    assert {one["metadata"]["namespace"] for one in others} == {namespace, KUSTOMIZATION["namespace"]}
    for pod in PODS.values():
        volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
        assert volumes["state"]["persistentVolumeClaim"]["claimName"] == named["PersistentVolumeClaim"]
        assert volumes["config"]["configMap"]["name"] == named["ConfigMap"]
        assert volumes["secrets"]["secret"]["secretName"] == named["Secret"]
    assert all({mount["name"] for mount in one["volumeMounts"]} == set(volumes) for one in CONTAINERS)
    assert RESOURCES["deployment.yaml"]["spec"]["selector"]["matchLabels"] == labels
    assert RESOURCES["service.yaml"]["spec"]["selector"] == labels
    assert set(KUSTOMIZATION["resources"]) == set(RESOURCES) - {"secret.example.yaml", "cronjob.yaml"}
    assert {one["image"] for one in CONTAINERS} == {one["name"] for one in KUSTOMIZATION["images"]}


@each_pod
def test_pods_fit_the_strictest_profile(name: str):
    """What `restricted` asks of a namespace, the user of the image, and roots that are read-only."""
    spec = PODS[name]["spec"]
    containers = [*spec.get("initContainers", []), *spec["containers"]]
    security = spec["securityContext"]

    assert RESOURCES["namespace.yaml"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert f"{security['runAsUser']}:{security['runAsGroup']}" == stages()[-1].last("USER").text
    assert (security["runAsNonRoot"], security["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    assert spec["automountServiceAccountToken"] is False
    for one in containers:
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert one["resources"]["limits"]["memory"]


@each_pod
def test_the_program_understands_what_it_is_told(name: str, tmp_path: Path):
    """The command is ours, the variables are keys, the shipped configuration is one, the state lies in the volume."""
    config = tmp_path / "orchestrator.yaml"
    config.write_text(RESOURCES["config.yaml"]["data"]["orchestrator.yaml"])
    (container,) = PODS[name]["spec"]["containers"]
    given = {one["name"]: one["value"] for one in container["env"]}
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}

    loaded = configured(given, config, tmp_path)

    assert accepted(container["args"])
    assert [one.name for one in loaded.settings.datasets] == ["prices"]
    assert all(one.schedule for one in loaded.settings.datasets)
    assert given["ORCHESTRATOR_CONFIG"] == f"{mounts['config']}/orchestrator.yaml"
    assert given["ORCHESTRATOR_APP__STATE_DIR"].startswith(f"{mounts['state']}/")


def test_probes_ask_from_inside_where_no_token_is_needed():
    """By loopback, the path that says it; and the token without which nobody else could ask is made before."""
    first, container = CONTAINERS[:2]
    probes = {name: container[f"{name}Probe"]["exec"]["command"] for name in ("startup", "liveness", "readiness")}
    port = str(Settings().api.port)

    assert not [key for name in probes for key in container[f"{name}Probe"] if key in {"httpGet", "tcpSocket"}]
    assert [command[-1] for command in probes.values()] == ["/livez", "/livez", "/readyz"]
    assert all(command[:3] == ["python", "/app/image/probe.py", port] for command in probes.values())
    assert first["command"] == ["/app/image/first-token.sh", "/state/prometheus.token"]
    assert {"name": "ORCHESTRATOR_API__HOST", "value": "0.0.0.0"} in container["env"]
    assert container["ports"] == [{"name": "api", "containerPort": Settings().api.port}]
    assert RESOURCES["service.yaml"]["spec"]["ports"][0]["targetPort"] == "api"


def test_the_state_is_never_shared_between_two_machines():
    """One pod at a time, on a disk that one node has."""
    deployment = RESOURCES["deployment.yaml"]["spec"]

    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    assert RESOURCES["volume.yaml"]["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert RESOURCES["cronjob.yaml"]["spec"]["concurrencyPolicy"] == "Forbid"
