"""Secrets through every path: a configuration full of them, providers that send them back, and then a look everywhere.

Each secret is a canary (`canaries.py`). What is written, printed, sent or shown is searched for it.
"""

import gzip
import html
import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from dashboard.caller import Caller
from dashboard.shell import PAGES
from dashboard.source import Source
from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import Actor, owner
from operations.alerting import deliver
from operations.backup import backup
from operations.report import report
from tests import faulty_server as fault
from tests.counts import few
from tests.faulty_server import FaultyServer
from tests.integration.canaries import files_of, found_in
from tests.integration.installation import Installation
from tests.integration.shown import api_answers, backup_members, pages
from utils.logger import configure

VARIABLES = {
    "BASIC_PASSWORD": "canary-01/Basic+pass word&<1>",
    "BEARER_TOKEN": "canary-02-Bearer.token_2",
    "REDIS_PASSWORD": "canary-03-redisPass3",
    "SQL_PASSWORD": "canary-04-sqlPass4",
    "CHANNEL_TOKEN": "canary-05-channelTok5",
    "LOKI_PASSWORD": "canary-06-lokiPass6",
    "HEALTH_TOKEN": "canary-07-healthTok7",
}
PLAIN = {
    "chain": "canary-10-chain-secret-of-thirty-two-signs",
    "header": "canary-11-HeaderKey11",
    "query": "canary-12-queryTok12",
    "param": "canary-13-paramTok13",
    "user": "canary-14-userPass14",
    "oauth": "canary-15-clientSecret15",
    "refresh": "canary-16-refreshTok16",
    "own_header": "canary-17-ownHeader17",
    "query_auth": "canary-18-queryAuth18",
    "channel_path": "canary-19-channelPath19",
    "channel_query": "canary-20-channelQuery20",
    "mail": "canary-21-mailPass21",
    "heartbeat": "canary-22-heartbeatUuid22",
    "sink": "canary-23-sinkPass23",
    "store": "canary-24-storeKey24",
    "health_user": "canary-25-healthUser25",
    "body": "canary-26-bodyPass26",
    "base": "canary-27-baseTok27",
    "hook_path": "canary-28-hookPath28",
    "hook_secret": "canary-29-hookSecret29",
    "hook_header": "canary-30-hookHeader30",
    "bucket": "canary-31-bucketKey31",
}
CANARIES = (*VARIABLES.values(), *PLAIN.values())


_SECRET = ("authorization", "x-key", "x-api-key", "x-token")


def echo(status: int) -> Any:
    """An answer that has all of the request in its body and headers."""

    def answer(request: fault.Request) -> fault.Answer:
        # What a message shows of an answer is its beginning: so the secrets come first.
        given = {**request.query, **{name: request.headers[name] for name in _SECRET if name in request.headers}}
        raw = " ".join((*given.values(), request.body.decode("utf-8", "replace"), request.path))
        said = {"error": f"denied {raw}", "query": dict(request.query), "headers": dict(request.headers)}
        body, media = json.dumps(said).encode(), "application/json"
        if status == 200:  # a login page where data was expected
            body, media = f"<html><body>denied {html.escape(raw)}</body></html>".encode(), "text/html"
        header = quote(raw, safe=" :;,=-_./")[:2000]
        headers = {"Content-Type": media, "X-Echo": header, "Location": f"/login?{header[:200]}"}
        return fault.Answer(status, body, headers)

    return answer


@pytest.fixture
def provider() -> Iterator[FaultyServer]:
    """What stands before the `?` says how it fails: `/401/…`, `/500/…`; 200 is data that is none."""

    def answer(request: fault.Request) -> fault.Answer:
        made: fault.Answer = echo(int(request.path.strip("/").split("/")[0]))(request)
        return made

    with FaultyServer(answer) as server:
        yield server


def configured(installation: Installation, server: FaultyServer) -> None:
    base = f"http://{server.host}"
    with_user = base.replace("http://", f"http://me:{PLAIN['user']}@")
    channel = (
        f"json://user:${{CHANNEL_TOKEN}}@{server.host}/500/{PLAIN['channel_path']}?+X-Token={PLAIN['channel_query']}"
    )

    def http(name: str, path: str, **collect: Any) -> dict[str, Any]:
        return {"name": name, "provider": name, "collect": {"kind": "http", "url": base + path, **collect}}

    installation.configure(
        http("basic", "/500/basic"),
        http("bearer", "/401/bearer"),
        http("header", "/403/header"),
        http("oauth", "/200/data"),
        http("queryauth", "/500/queryauth"),
        http("query", f"/500/query?token={PLAIN['query']}&day=1"),
        http("param", "/200/param", params={"api_key": PLAIN["param"]}),
        http("ownheader", "/400/own", headers={"X-Api-Key": PLAIN["own_header"]}),
        http("body", "/500/body", method="POST", body={"form": {"user": "me", "password": PLAIN["body"]}}),
        {"name": "based", "provider": "based", "collect": {"kind": "http", "url": "more"}},
        {"name": "user", "collect": {"kind": "http", "url": f"{with_user}/500/user"}},
        {
            "name": "sql",
            "collect": {
                "kind": "sql",
                "url": "postgresql+psycopg://me:${SQL_PASSWORD}@127.0.0.1:1/shop",
                "query": "SELECT 1 AS a",
            },
        },
        {
            "name": "store",
            "collect": {
                "kind": "object_store",
                "url": "s3://bucket/key.csv",
                "options": {"key": "AK", "secret": PLAIN["store"], "endpoint_url": base},
            },
        },
        {
            "name": "good",
            "collect": {"kind": "simulated", "rows": 3},
            "publish": [
                {"kind": "sql", "url": f"postgresql+psycopg://me:{PLAIN['sink']}@127.0.0.1:1/x", "table": "t"},
                {
                    "kind": "webhook",
                    "url": f"{base}/400/{PLAIN['hook_path']}",
                    "secret": PLAIN["hook_secret"],
                    "headers": {"X-Key": PLAIN["hook_header"]},
                },
                {
                    "kind": "object_store",
                    "url": "s3://bucket/out.csv",
                    "options": {"key": "AK", "secret": PLAIN["bucket"], "endpoint_url": f"{base}/403/store"},
                },
            ],
        },
        providers={
            "basic": {"auth": {"kind": "basic", "user": "joe", "password": "${BASIC_PASSWORD}"}},
            "bearer": {"auth": {"kind": "bearer", "token": "${BEARER_TOKEN}"}},
            "based": {"base_url": f"{base}/401/based?token={PLAIN['base']}&x="},
            "header": {"auth": {"kind": "header", "name": "X-Key", "value": PLAIN["header"]}},
            "queryauth": {"auth": {"kind": "query", "name": "k", "value": PLAIN["query_auth"]}},
            "oauth": {
                "auth": {
                    "kind": "oauth2",
                    "token_url": f"{base}/400/token",
                    "client_id": "us",
                    "client_secret": PLAIN["oauth"],
                    "refresh_token": PLAIN["refresh"],
                }
            },
        },
        database={"chain_secret": PLAIN["chain"]},
        cache={"url": "redis://:${REDIS_PASSWORD}@127.0.0.1:1/0"},
        logging={"level": "DEBUG", "console": True, "loki": {"url": f"http://me:${{LOKI_PASSWORD}}@{server.host}/204"}},
        monitor={
            "health": [
                {"name": "api", "http": f"{base}/500/health?token=${{HEALTH_TOKEN}}"},
                {"name": "gate", "http": f"http://me:{PLAIN['health_user']}@{server.host}/401/gate"},
                {"name": "db", "database": f"postgresql://me:{PLAIN['sink']}@127.0.0.1:1/x", "timeout": "1s"},
            ]
        },
        alerts={
            "channels": {
                "hook": channel,
                "mail": f"mailto://me:{PLAIN['mail']}@localhost:1?from=a@b.co&to=d@e.co&smtp=127.0.0.1",
            },
            "heartbeat": {"url": f"{base}/500/{PLAIN['heartbeat']}"},
            "rules": [{"when": "dataset.failed", "to": ["hook", "mail"], "severity": "critical"}],
        },
    )


COMMANDS = (
    ("config", "check"),
    ("config", "show"),
    ("config", "show", "--json"),
    ("run", "--fresh", "--json"),
    ("run", "--fresh", "--debug"),
    ("try", "basic"),
    ("try", "param", "--debug"),
    ("try", "queryauth", "--json"),
    ("status",),
    ("status", "--json"),
    ("health",),
    ("health", "--json"),
    ("why", "basic"),
    ("why", "query", "--json"),
    ("why", "sql"),
    ("breakers", "list", "--json"),
    ("events", "--json"),
    ("metrics",),
    ("metrics", "--json"),
    ("maintain", "--json"),
    ("maintain", "--debug"),
    ("alerts", "list", "--json"),
    ("alerts", "dead", "--json"),
    ("alerts", "test", "hook"),
    ("alerts", "test", "mail", "--debug"),
    ("alerts", "test", "--event", "dataset.failed", "--dataset", "basic"),
    ("report", "--format", "html"),
    ("report", "--format", "markdown"),
    ("report", "--format", "json"),
)


def test_no_secret_is_found_anywhere(
    installation: Installation,
    provider: FaultyServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Outputs of commands, tracebacks, the whole state directory, what goes to channels and Loki, the page's source."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(deliver.__kwdefaults__, "within_s", 0.5)  # channels that never answer well are not waited for
    configured(installation, provider)
    installation.state.mkdir(mode=0o755)  # as somebody made it who did not think of others
    places: dict[str, bytes] = {}
    codes: dict[str, int] = {}

    for number, command in enumerate(COMMANDS):
        words = " ".join(command)
        codes[words] = installation.typed(*command)
        said = capfd.readouterr()
        places[f"{number} {words}: output"], places[f"{number} {words}: errors"] = said.out.encode(), said.err.encode()
    with IntegratedSystem(installation.config, state_dir=installation.state, environ=VARIABLES) as system:
        secret = tokens.create(system, owner(), "viewer", "looker").secret
        monkeypatch.setattr("api.monitoring.overview", _broken)
        places |= api_answers(system, secret, ("basic", "good", "1"))
        places |= backup_members(backup(system, owner(), installation.folder).path)
    places |= pages(monkeypatch, installation, secret, PAGES if few(100) == 100 else ("settings", "incidents"))
    configure("WARNING", "off")
    places["the page"] = _page(installation).encode()
    places |= files_of(installation.state)
    for request in provider.requests:
        if request.path.startswith(("/204/", "/500/canary-19")):  # Loki, and the channel: what they are told
            packed = request.headers.get("content-encoding") == "gzip"
            places[f"request {request.number}"] = gzip.decompress(request.body) if packed else request.body

    assert found_in(places, (*CANARIES, secret)) == []
    open_to_others = [
        f"{path}: {path.stat().st_mode:o}" for path in installation.state.rglob("*") if path.stat().st_mode & 0o077
    ]
    assert open_to_others == []
    assert 2 not in codes.values(), codes  # every command was understood
    _all_was_tried(places, provider, codes)


def _broken(*_: object) -> None:
    raise RuntimeError(f"http://me:{PLAIN['user']}.test?k={PLAIN['param']} broke in an unforeseen way")


def _page(installation: Installation) -> str:
    """All that the dashboard reads."""
    source = Source(lambda: IntegratedSystem(installation.config, state_dir=installation.state), patience=120.0)
    try:
        caller = Caller(Actor("looks", "viewer"))
        asked = (
            "status",
            "configuration",
            "schedules",
            "health",
            "channels",
            "providers",
            "incidents",
            "runs",
            "events",
        )
        return repr([source.ask(caller, question) for question in asked])
    finally:
        source.close()


def _all_was_tried(places: dict[str, bytes], provider: FaultyServer, codes: dict[str, int]) -> None:
    """Else nothing would be found because nothing was there."""
    asked = "\n".join(f"{request.path} {dict(request.query)} {dict(request.headers)}" for request in provider.requests)
    for name in (
        "header",
        "query",
        "param",
        "own_header",
        "query_auth",
        "channel_path",
        "channel_query",
        "heartbeat",
        "hook_path",
        "hook_header",
    ):
        assert PLAIN[name] in asked, name
    assert PLAIN["base"] in asked
    for name in ("BEARER_TOKEN", "HEALTH_TOKEN"):
        assert VARIABLES[name] in asked, name
    bodies = b"\n".join(request.body for request in provider.requests)
    assert PLAIN["body"].encode() in bodies
    assert PLAIN["refresh"].encode() in bodies or PLAIN["oauth"].encode() in bodies
    assert places["GET /api/monitoring/status"].startswith(b"500")
    assert any(b"broke in an unforeseen way" in text for place, text in places.items() if place.startswith("logs/"))
    assert sum(text.startswith(b"200") for text in places.values()) > 40
    assert {"backup orchestrator.db", "page settings"} <= set(places)
    assert any(place.startswith("logs/") and place.endswith(".jsonl") for place in places)
    assert any(place.startswith("alerts/") for place in places)
    assert any(request.path.startswith("/204/") for request in provider.requests)
    assert codes["run --fresh --json"] == codes["health"] == codes["alerts test hook"] == 1
    told = json.loads(places[next(place for place in places if "run --fresh --json: output" in place)])
    assert {one["status"] for one in told["datasets"] if one["dataset"] != "good"} == {"failed"}
    assert all("denied" in one["error"]["message"] for one in told["datasets"] if one["dataset"] in {"basic", "query"})


def test_the_report_of_an_installation_is_made(installation: Installation) -> None:
    """What the look above reads of it is what `report` writes."""
    installation.configure({"name": "good", "collect": {"kind": "simulated", "rows": 3}})
    installation.run()
    with installation.system() as system:
        assert report(system) is not None


@pytest.mark.parametrize("place", ["text", "quoted", "basic", "html"])
def test_the_look_finds_a_canary_that_sings(place: str) -> None:
    """A look that finds nothing because it looks wrongly would prove nothing."""
    secret = VARIABLES["BASIC_PASSWORD"]
    text = {
        "text": f"a {secret} b",
        "quoted": f"/x?y={quote(secret)}",
        "basic": b64encode(f"joe:{secret}".encode()).decode(),
        "html": html.escape(secret),
    }[place]

    assert len(found_in({"somewhere": text.encode()}, CANARIES)) >= 1


@pytest.mark.parametrize("status", [500, 401, 200], ids=["refused", "not accepted", "a page instead of data"])
def test_tokens_that_a_provider_granted_are_secret_too(
    installation: Installation, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    """Nobody configured them: a token, and the refresh token that takes the place of ours. They lie in one file."""
    access, refresh = "canary-45-accessTok45", "canary-46-refreshTok46"
    granted = {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600}

    def answer(request: fault.Request) -> fault.Answer:
        return fault.as_json(granted) if request.path == "/token" else echo(status)(request)

    with FaultyServer(answer) as server:
        auth = {
            "kind": "oauth2",
            "token_url": f"http://{server.host}/token",
            "client_id": "us",
            "refresh_token": PLAIN["refresh"],
        }
        collect = {"kind": "http", "url": f"http://{server.host}/data", "auth": auth}
        installation.configure({"name": "feed", "collect": collect})
        codes = [installation.typed("run", "--fresh", *more) for more in (("--json",), ("--debug",))]
        said = capfd.readouterr()
    with installation.system() as system:
        saved = backup_members(backup(system, owner(), installation.folder).path)
    places = {"output": said.out.encode(), "errors": said.err.encode(), **saved, **files_of(installation.state)}
    kept = {name: text for name, text in places.items() if "coordination.db" in name}

    assert found_in({name: places[name] for name in places.keys() - kept.keys()}, (access, refresh)) == []
    assert any(refresh.encode() in text for text in kept.values())
    assert codes == [1, 1]
    assert any(request.headers.get("authorization") == f"Bearer {access}" for request in server.requests)


@pytest.mark.parametrize("before", range(20, 60, 3))
def test_a_secret_that_is_cut_in_two_leaves_no_half(installation: Installation, before: int) -> None:
    """A message shows the beginning of what a provider sent: wherever that ends, no half of a secret stays."""
    secret = PLAIN["param"]
    page = f"<html>{'.' * before}{secret} and more</html>".encode()
    with FaultyServer(fault.ok(page, "text/html")) as server:
        installation.configure(
            {"name": "feed", "collect": {"kind": "http", "url": server.url, "params": {"api_key": secret}}}
        )
        (run,) = installation.run().datasets

    assert run.error is not None
    told = json.dumps(installation.events("dataset.failed"))
    assert "HTML" in told
    assert secret[:10] not in told


def test_addresses_of_servers_are_no_secrets(installation: Installation) -> None:
    """Of a channel only what may be a token is masked: the rest of the log stays readable."""
    installation.configure(
        {"name": "good", "collect": {"kind": "simulated", "rows": 3}},
        alerts={"channels": {"hook": "jsons://alerts.example.org/services/in", "log": "syslog://localhost"}},
    )
    with installation.system() as system:
        shown = system.loaded.known.redacted("alerts.example.org localhost services syslog://localhost")

    assert shown == "alerts.example.org localhost services syslog://localhost"


@pytest.mark.parametrize("address", ["jsons://alerts.example.org:8443/in", "https://alerts.example.org"])
def test_the_server_of_an_address_with_a_token_is_still_named(installation: Installation, address: str) -> None:
    """What follows it is masked; who does not answer is told."""
    channel, hook = f"{address}/canary-40-path/x", f"https://hooks.example.org/canary-41-path/{PLAIN['hook_path']}"
    published = {"kind": "webhook", "url": hook}
    installation.configure(
        {"name": "good", "collect": {"kind": "simulated", "rows": 3}, "publish": [published]},
        alerts={"channels": {"hook": channel}},
    )
    with installation.system() as system:
        shown = system.loaded.known.redacted(f"alerts.example.org, hooks.example.org: {hook}, {channel}")

    assert shown.startswith("alerts.example.org, hooks.example.org: ")
    assert "canary" not in shown


def test_a_slack_address_is_masked_whole_and_in_parts(installation: Installation, tmp_path: Path) -> None:
    """As Apprise writes it, and as Slack gives it."""
    token = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    installation.configure(
        {"name": "good", "collect": {"kind": "simulated", "rows": 3}},
        alerts={"channels": {"one": f"slack://{token}", "two": f"https://hooks.slack.com/services/{token}"}},
    )
    with installation.system() as system:
        known = system.loaded.known
        for text in (f"POST /services/{token} failed", "TIiajkdnlazkcOXrIdevi7FQ", "T1JJ3T3L2 A1BRTD4JD"):
            assert "TIiajk" not in known.redacted(text)
            assert "T1JJ3T3L2" not in known.redacted(text)
        from config.masking import masked

        assert masked(system.loaded)["alerts"]["channels"] == {"one": "slack://***", "two": "https://***"}
    assert urlsplit(f"slack://{token}").hostname
