"""Every key of the configuration that may hold a secret, found in the models themselves: none is ever shown.

A new key of text stands in neither list below, and the first test fails until somebody has said what it may hold.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from config import kinds
from config.errors import ConfigError
from config.loading import Loaded, load, masked
from config.settings import Settings

CANARY = "canary7Qx9Zk4Lm2Vt8Rb"
_NO_TEXT = (bool, int, float, NoneType)
_USER, _QUERY = f"me:{CANARY}@", f"?page=1&access_token={CANARY}"
_S3 = {"kind": "object_store", "url": "s3://bucket/key.csv"}


def _dataset(**keys: Any) -> dict[str, Any]:
    return {"datasets": [{"name": "some", "collect": {"kind": "simulated"}, **keys}]}


def _http(**keys: Any) -> dict[str, Any]:
    return _dataset(collect={"kind": "http", "url": "https://x.example/data", **keys})


def _provider(**keys: Any) -> dict[str, Any]:
    return {"providers": {"some": keys}}


def _published(**keys: Any) -> dict[str, Any]:
    return _dataset(key=["id"], publish=[keys])


def _checked(**keys: Any) -> dict[str, Any]:
    return {"monitor": {"health": [{"name": "some", **keys}]}}


def _auth(given: str, into: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each kind of proof, where it may stand."""
    oauth = {"kind": "oauth2", "token_url": "https://x.example/token", "client_id": "us"}
    yield f"{given}.basic.password", into({"kind": "basic", "user": "joe", "password": CANARY})
    yield f"{given}.bearer.token", into({"kind": "bearer", "token": CANARY})
    for kind in ("header", "query"):
        yield f"{given}.{kind}.value", into({"kind": kind, "name": "who", "value": CANARY})
    for key in ("client_secret", "refresh_token"):
        yield f"{given}.oauth2.{key}", into({**oauth, key: CANARY})
    yield f"{given}.oauth2.token_url", into({**oauth, "token_url": f"https://x.example/token{_QUERY}"})


def _options(place: str, into: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of an object store."""
    for given in (
        *({"secret": CANARY}, {"key": CANARY}, {"client_kwargs": {"aws_secret_access_key": CANARY}}),
        *({"token": {"type": "account", "private_key": CANARY}}, {"sas_token": CANARY}, {"password": CANARY}),
        {"connection_string": f"AccountName=us;AccountKey={CANARY};EndpointSuffix=x"},
        {"endpoint_url": f"https://{_USER}x.example"},
    ):
        yield place, into(given)


HOLDS: list[tuple[str, dict[str, Any]]] = [
    ("database.url", {"database": {"url": f"postgresql+psycopg://{_USER}db.example/it"}}),
    (
        "database.chain_secret.*",
        {"database": {"chain_secret": [f"{CANARY}-and-more-signs", f"{CANARY}-of-an-older-one"]}},
    ),
    *_options("storage.options.*", lambda given: {"storage": {"url": "s3://bucket/it", "options": given}}),
    ("database.url", {"database": {"url": f"postgresql://{_USER}/it?host=/run/postgresql"}}),
    ("cache.url", {"cache": {"url": f"unix://:{CANARY}@/run/redis.sock"}}),
    ("cache.url", {"cache": {"url": f"redis://:{CANARY}@cache.example/0"}}),
    ("logging.loki.url", {"logging": {"loki": {"url": f"https://{_USER}loki.example"}}}),
    ("dashboard.api", {"dashboard": {"api": f"https://{_USER}api.example"}}),
    ("dashboard.api", {"dashboard": {"api": f"https://api.example/{_QUERY}"}}),
    ("alerts.channels.*", {"alerts": {"channels": {"a": f"slack://{CANARY}/b/c"}}}),
    ("alerts.channels.*", {"alerts": {"channels": {"a": f"mailtos://{_USER}x.example?to=a@b.example"}}}),
    ("alerts.channels.*", {"alerts": {"channels": {"a": f"jsons://x.example/hook?+X-Token={CANARY}"}}}),
    ("alerts.channels.*", {"alerts": {"channels": {"a": f"https://hooks.slack.example/services/{CANARY}"}}}),
    ("alerts.heartbeat.url", {"alerts": {"heartbeat": {"url": f"https://ping.example/{CANARY}"}}}),
    ("monitor.health.*.http", _checked(http=f"https://{_USER}x.example/health")),
    ("monitor.health.*.http", _checked(http=f"https://x.example/health{_QUERY}")),
    ("monitor.health.*.database", _checked(database=f"postgresql://{_USER}db.example/it")),
    *_auth("providers.*.auth", lambda auth: _provider(auth=auth)),
    ("providers.*.base_url", _provider(base_url=f"https://{_USER}x.example")),
    ("providers.*.base_url", _provider(base_url=f"https://x.example/{_QUERY}")),
    ("providers.*.headers.*", _provider(headers={"X-Api-Key": CANARY})),
    ("providers.*.headers.*", _provider(headers={"Ocp-Apim-Subscription-Key": CANARY})),
    ("providers.*.headers.*", _provider(headers={"Authorization": f"Token {CANARY}"})),
    ("providers.*.proxy", _provider(proxy=f"http://{_USER}proxy.example:3128")),
    *_auth("datasets.*.collect.http.auth", lambda auth: _http(auth=auth)),
    ("datasets.*.collect.http.url", _http(url=f"https://{_USER}x.example/data")),
    ("datasets.*.collect.http.url", _http(url=f"https://x.example/data{_QUERY}")),
    ("datasets.*.collect.http.url", _http(url=f"https://x.example/data?key={CANARY}&day=1")),
    ("datasets.*.collect.http.mirrors.*", _http(mirrors=[f"https://y.example/data{_QUERY}"])),
    ("datasets.*.collect.http.params.*", _http(params={"apiKey": CANARY, "page": 2})),
    ("datasets.*.collect.http.params.*", _http(params={"appid": CANARY})),
    ("datasets.*.collect.http.headers.*", _http(headers={"X-Access-Token": CANARY})),
    ("datasets.*.collect.http.body", _http(method="POST", body=f"user=me&password={CANARY}")),
    ("datasets.*.collect.http.body", _http(method="POST", body=f'{{{{"login": {{{{"password": "{CANARY}"}}}}}}}}')),
    ("datasets.*.collect.http.body.*", _http(method="POST", body={"form": {"user": "me", "password": CANARY}})),
    ("datasets.*.collect.http.body.*", _http(method="POST", body={"login": [{"secret": {"old": CANARY}}]})),
    (
        "datasets.*.collect.sql.url",
        _dataset(collect={"kind": "sql", "url": f"mysql://{_USER}x/y", "query": "SELECT 1"}),
    ),
    (
        "datasets.*.collect.sql.url",
        _dataset(collect={"kind": "sql", "url": f"postgresql://x/y?user=me&password={CANARY}", "query": "SELECT 1"}),
    ),
    *(
        (
            f"datasets.*.collect.sql.params.{place}",
            _dataset(
                collect={
                    "kind": "sql",
                    "url": "sqlite:///x.db",
                    "query": f"SELECT 1 WHERE 2 IN {words}",
                    "params": {"token": given},
                }
            ),
        )
        for place, words, given in (("*", "(:token)", CANARY), ("*.*", ":token", [CANARY]))
    ),
    ("datasets.*.collect.object_store.url", _dataset(collect={**_S3, "url": f"sftp://{_USER}x.example/a.csv"})),
    *_options("datasets.*.collect.object_store.options.*", lambda given: _dataset(collect={**_S3, "options": given})),
    (
        "datasets.*.collect.python.params.*",
        _dataset(collect={"kind": "python", "function": "json:loads", "params": {"login": {"password": CANARY}}}),
    ),
    ("datasets.*.publish.sql.url", _published(kind="sql", url=f"postgresql://{_USER}x/y", table="t")),
    ("datasets.*.publish.sql.url", _published(kind="sql", url=f"postgresql://x/y?password={CANARY}", table="t")),
    ("datasets.*.publish.object_store.url", _published(kind="object_store", url=f"s3://{_USER}bucket/a.csv")),
    *_options(
        "datasets.*.publish.object_store.options.*",
        lambda given: _published(kind="object_store", url="s3://bucket/a.csv", options=given),
    ),
    ("datasets.*.publish.webhook.url", _published(kind="webhook", url=f"https://x.example/hooks/{CANARY}")),
    ("datasets.*.publish.webhook.url", _published(kind="webhook", url=f"https://x.example/{_QUERY}")),
    ("datasets.*.publish.webhook.secret", _published(kind="webhook", url="https://x.example/", secret=CANARY)),
    (
        "datasets.*.publish.webhook.headers.*",
        _published(kind="webhook", url="https://x.example/", headers={"X-Who": CANARY}),
    ),
]
"""Where it stands, and a configuration that has one there."""

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("storage.url", {"storage": {"url": f"s3://{_USER}bucket/it"}}),
    ("datasets.*.publish.webhook.url", _published(kind="webhook", url=f"https://{_USER}x.example/")),
]
"""As `HOLDS`, where none may stand."""

HOLDS_NONE = frozenset(Path(__file__).with_name("keys_without_secrets.txt").read_text().split())
"""Names, times, expressions, paths, addresses that people are given to open: nothing in them proves who asks."""


def keys_of_text(model: type[BaseModel], place: str) -> Iterator[str]:
    """Where a text may stand, or anything at all: `providers.*.headers.*`, `collect.http.auth.basic.password`."""
    for name, field in model.model_fields.items():
        if name != "kind":
            yield from _within(field.annotation, f"{place}{field.alias or name}")


def _within(kind: Any, place: str) -> Iterator[str]:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        yield from _within(parts[0], place)
    elif origin in {Union, UnionType}:
        models = [one for one in parts if _is_model(one)]
        for one in parts:
            named = len(models) > 1 and _is_model(one)
            yield from _within(one, f"{place}.{get_args(one.model_fields['kind'].annotation)[0]}" if named else place)
    elif origin in {dict, tuple, list}:
        for one in parts[-1:] if origin is dict else [part for part in parts if part is not Ellipsis]:
            yield from _within(one, f"{place}.*")
    elif _is_model(kind):
        yield from keys_of_text(kind, f"{place}.")
    elif origin is not Literal and kind not in _NO_TEXT:
        yield place


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def every_key() -> set[str]:
    """Of the file, and of what other code knows of `collect` and `publish`."""
    blocks = {"datasets.*.collect", "datasets.*.transform"}  # of which the kinds tell
    found = set(keys_of_text(Settings, "")) - blocks
    found |= {f"datasets.*.{key}" for kind in kinds.COLLECTORS for key in _of_kind("collect", kind)}
    return found | {f"datasets.*.{key}" for kind in kinds.SINKS for key in _of_kind("publish", kind)}


def _of_kind(block: str, kind: str) -> Iterator[str]:
    model = kinds.collect_options(kind) if block == "collect" else kinds.sink_options(kind)
    return keys_of_text(model, f"{block}.{kind}.")


def test_of_every_key_of_text_somebody_said_whether_it_may_hold_a_secret() -> None:
    """A new one stands in neither list: give it a configuration in `HOLDS`, or a line in `keys_without_secrets.txt`."""
    holds = {place for place, _ in [*HOLDS, *REFUSED]}

    assert every_key() - HOLDS_NONE == holds
    assert holds.isdisjoint(HOLDS_NONE)
    assert every_key() >= HOLDS_NONE


def _ids(cases: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [f"{place}-{number}" for number, (place, _) in enumerate(cases)]


@pytest.mark.parametrize(("place", "written"), HOLDS, ids=_ids(HOLDS))
def test_what_stands_there_is_masked_wherever_it_comes_up(place: str, written: dict[str, Any], tmp_path: Path) -> None:
    """In the configuration as it is shown, in whatever others say of it, also in base64, as HTTP sends it."""
    loaded = _loaded(written, tmp_path)

    assert CANARY not in json.dumps(masked(loaded))
    packed = b64encode(f"me:{CANARY}".encode()).decode() if f"me:{CANARY}@" in json.dumps(written) else ""
    for said in (f"denied {CANARY}", f"{{'x': '{CANARY}'}}", f"https://y/{CANARY}?a={CANARY}", f"Basic {packed}"):
        shown = loaded.known.redacted(said)
        assert CANARY[:10] not in shown
        assert not packed or packed not in shown


@pytest.mark.parametrize(("place", "written"), [*HOLDS, *REFUSED], ids=_ids([*HOLDS, *REFUSED]))
def test_no_mistake_is_told_with_a_secret(place: str, written: dict[str, Any], tmp_path: Path) -> None:
    """Neither one in its value, nor one in a key beside it."""
    told = [problem for wrong in _mistakes(written) for problem in _problems(wrong, tmp_path)]

    assert told
    assert [one for one in told if CANARY[:10] in one] == []


def _problems(written: dict[str, Any], folder: Path) -> list[str]:
    """What is said of it; nothing where it is no mistake here."""
    try:
        _loaded(written, folder)
    except ConfigError as error:
        return [str(error), *(f"{one.message} {one.hint}" for one in error.problems)]
    return []


def _loaded(written: dict[str, Any], folder: Path) -> Loaded:
    file = folder / "orchestrator.json"
    file.write_text(json.dumps(written))
    return load(file, environ={}, cwd=folder)


def _mistakes(node: Any) -> Iterator[Any]:
    """The same with one mistake: in the value that holds the secret, or beside it."""
    if isinstance(node, str):
        if CANARY in node:
            yield from (
                [[node]],
                {"x": node},
                CANARY,
                f"{node} ",
                node.replace(".example", ".example:99999"),
                f" {node}",
            )
    elif isinstance(node, list):
        for at, inner in enumerate(node):
            yield from ([*node[:at], wrong, *node[at + 1 :]] for wrong in _mistakes(inner))
    elif isinstance(node, dict):
        yield {**node, "nonsense": 1}
        for key, inner in node.items():
            yield from ({**node, key: wrong} for wrong in _mistakes(inner))
