"""Secrets of an installation that lies on servers: its database, its bucket. Nothing that it keeps or says has them."""

import json
from urllib.parse import quote

import pytest

from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import owner
from operations.backup import backup
from tests.integration.canaries import files_of, found_in
from tests.integration.installation import Installation
from tests.integration.shown import api_answers, backup_members
from tests.postgres import execute
from tests.servers.s3 import Bucket

DATABASE, KEY, SECRET, SESSION = (
    *("canary-50-database/Pass+word 50", "canary-51-bucketKey51"),
    *("canary-52-bucketSecret52", "canary-53-bucketSession53"),
)
CANARIES = (DATABASE, KEY, SECRET, SESSION)
COMMANDS = (
    ("config", "check"),
    ("config", "show", "--json"),
    ("migrate",),
    ("run", "--fresh", "--json"),
    ("run", "--fresh", "--debug"),
    ("status", "--json"),
    ("health", "--json"),
    ("why", "good", "--json"),
    ("events", "--json"),
    ("maintain", "--json"),
    ("report", "--format", "json"),
)
WHILE_AWAY = (("config", "show", "--json"), ("run", "--fresh", "--debug"), ("health", "--json"))
NOBODY = "127.0.0.1:1"


@pytest.mark.parametrize("away", ["", "database", "storage"], ids=["all is well", "no database", "no storage"])
def test_no_secret_of_a_server_is_found(
    installation: Installation, postgres: str, bucket: Bucket, capfd: pytest.CaptureFixture[str], away: str
) -> None:
    """While all goes well, and while one of them does not answer: said, written, kept on the servers, backed up."""
    whole = _configured(installation, postgres, bucket)
    if away:
        assert installation.typed("run", "--fresh") == 0
        _move_away(installation, whole, away)
    capfd.readouterr()
    places: dict[str, bytes] = {}
    codes: dict[str, int] = {}
    for number, command in enumerate(WHILE_AWAY if away else COMMANDS):
        codes[" ".join(command)] = installation.typed(*command)
        said = capfd.readouterr()
        places |= {f"{number} {command}: output": said.out.encode(), f"{number} {command}: errors": said.err.encode()}
    made: list[str] = []
    if not away:
        with IntegratedSystem(installation.config, state_dir=installation.state, environ={}) as system:
            made.append(tokens.create(system, owner(), "viewer", "looker").secret)
            places |= api_answers(system, made[0], ("good",))
            places |= backup_members(backup(system, owner(), installation.folder).path)
    places |= files_of(installation.state) | _rows(postgres) | _objects(bucket)

    assert found_in(places, (*CANARIES, *made)) == []
    assert codes["config show --json"] == 0
    assert codes["health --json"] == (1 if away else 0), codes
    assert 2 not in codes.values(), codes
    assert any(place.startswith("bucket ") for place in places)
    assert any(b"run.finished" in text for place, text in places.items() if place.startswith("table log"))


def _configured(installation: Installation, postgres: str, bucket: Bucket) -> dict[str, object]:
    address = postgres.replace("postgres:@", f"postgres:{quote(DATABASE, safe='')}@")
    assert address != postgres
    options = {
        "key": KEY,
        "secret": SECRET,
        "token": SESSION,
        "endpoint_url": bucket.endpoint,
        "client_kwargs": {"region_name": "us-east-1"},
    }
    sections = {
        "database": {"url": address},
        "storage": {"url": f"s3://{bucket.name}/state", "options": options},
        "logging": {"level": "DEBUG"},
    }
    installation.configure({"name": "good", "collect": {"kind": "simulated", "rows": 3}, "keep_raw": "7d"}, **sections)
    written: dict[str, object] = json.loads(installation.config.read_text())
    return written


def _move_away(installation: Installation, whole: dict[str, object], which: str) -> None:
    """Where nobody listens."""
    text = json.dumps(whole)
    here, there = {
        "database": (text.partition("@/")[2].partition('"')[0], f"{NOBODY}/gone"),
        "storage": (text.partition('"endpoint_url": "')[2].partition('"')[0], f"http://{NOBODY}"),
    }[which]
    moved = text.replace(f"@/{here}", f"@{there}") if which == "database" else text.replace(here, there)
    assert moved != text
    installation.config.write_text(moved)


def _rows(postgres: str) -> dict[str, bytes]:
    """All that the database holds."""
    tables = execute(postgres, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    return {f"table {name}": repr(execute(postgres, f'SELECT * FROM "{name}"')).encode() for (name,) in tables}


def _objects(bucket: Bucket) -> dict[str, bytes]:
    found = bucket.client.list_objects_v2(Bucket=bucket.name).get("Contents", [])
    return {
        f"bucket {one['Key']}": bucket.client.get_object(Bucket=bucket.name, Key=one["Key"])["Body"].read()
        for one in found
    }
