"""Credentials that stand in the configuration as they are: a bad habit, and no reason to show them anywhere."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from config.providers import AUTH_SECRETS, PLAIN_OPTIONS
from config.settings import Settings
from config.variables import Secrets, is_secret_key, is_secret_parameter

__all__ = ["learn_from_written", "learn_plain_secrets"]

_PART_OF_A_CHANNEL = re.compile(r"[^/?&=#@:,]{8,}")


def learn_plain_secrets(settings: Settings, secrets: Secrets) -> None:
    """Remember them, so that they are masked wherever they appear, also where a provider sends them back."""
    for secret in _in_house(settings):
        secrets.learn(secret)
    for provider in settings.providers.values():
        for secret in (*_of_auth(provider.auth), *_by_name(provider.headers), *_of_query(provider.base_url)):
            secrets.learn(secret)
    for dataset in settings.datasets:
        if _may_hold_any(dataset.collect):
            for secret in _of_collect(dataset.collect):
                secrets.learn(secret)
    # Equal sinks of one file are one object.
    for sink in {id(sink): sink for dataset in settings.datasets for sink in dataset.publish}.values():
        for secret in _of_sink(sink):
            secrets.learn(secret)
    # Where a user part is known, so is what HTTP makes of it.
    for pair in [value for value in secrets.values if ":" in value and "/" not in value]:
        secrets.learn(_basic(*unquote(pair).split(":", 1)))


def learn_from_written(data: Any, secrets: Secrets) -> None:
    """The same of a configuration that is not understood: what its names tell, and addresses with a `?`."""
    for secret in (*_by_name({"": data}), *(one for text in _texts(data) if "?" in text for one in _of_query(text))):
        secrets.learn(secret)


def _in_house(settings: Settings) -> Iterator[str]:
    yield from settings.database.chain_secret
    yield from _of_options(settings.storage.options)
    for address in (*settings.alerts.channels.values(), settings.alerts.heartbeat.url):
        yield from _of_channel(address)
    for check in settings.monitor.health:
        yield from _of_query(check.http or "")
    yield from _of_query(settings.dashboard.api)


def _of_collect(collect: Any) -> Iterator[str]:
    """What other code validates has what it has: asked by name."""
    given = vars(collect)
    yield from _of_auth(given.get("auth"))
    for name in ("headers", "params"):
        yield from _by_name(given.get(name) or {})
    for address in (given.get("url"), *(given.get("mirrors") or ())):
        yield from _of_query(str(address or ""))
    yield from _of_options(given.get("options") or {})
    yield from _of_body(given.get("body"))
    for name in _secret_fields(collect):
        yield from _texts(given.get(name))


def _of_sink(sink: Any) -> Iterator[str]:
    given = vars(sink)
    address = str(given.get("url") or "")
    yield from _of_channel(address) if given.get("kind") == "webhook" else _of_query(address)
    yield from _texts(given.get("headers") or {})
    yield from _of_options(given.get("options") or {})
    for name in _secret_fields(sink):
        yield from _texts(given.get(name))


def _secret_fields(options: Any) -> tuple[str, ...]:
    """Those of a kind whose names say so: `secret` of a webhook, `password` of somebody's own collector."""
    kind = type(options)
    found = _fields.get(kind)
    if found is None:
        found = _fields[kind] = tuple(name for name in vars(options) if is_secret_key(name))
    return found


_fields: dict[type, tuple[str, ...]] = {}


def _of_options(options: Mapping[str, Any]) -> Iterator[str]:
    """Of an object store. Of a map in them, what its names tell: most of it is no secret."""
    for key, value in options.items():
        if key in PLAIN_OPTIONS:
            continue
        if not _is_text(value):
            yield from _by_name({key: value})
            continue
        yield str(value)
        for pair in str(value).split(";"):  # `AccountName=…;AccountKey=…`
            name, _, part = pair.partition("=")
            if is_secret_key(name.strip()):
                yield part


def _of_body(body: Any) -> Iterator[str]:
    """Of a request: a map, a form, or a text that is one of them."""
    if isinstance(body, str):
        try:
            body = json.loads(body.replace("{{", "{").replace("}}", "}"))
        except ValueError:
            yield from _of_query(f"?{body}")
    if isinstance(body, dict | list):
        yield from _by_name({"": body})


def _may_hold_any(collect: Any) -> bool:
    """Nearly all of 10,000 datasets do not, and are not looked at any closer."""
    has = vars(collect).get
    return bool(
        has("auth")
        or has("headers")
        or has("params")
        or has("options")
        or has("mirrors")
        or has("body")
        or "?" in str(has("url") or "")
        or _secret_fields(collect)
    )


def _of_auth(auth: Any) -> Iterator[str]:
    if auth is None:
        return
    yield from (secret for key in AUTH_SECRETS if (secret := getattr(auth, key, "")))
    yield from _of_query(getattr(auth, "token_url", ""))
    if getattr(auth, "kind", "") == "basic":
        yield _basic(auth.user, auth.password)


def _by_name(given: Mapping[str, Any]) -> Iterator[str]:
    """What stands under the name of a secret, however deep."""
    for key, value in given.items():
        if is_secret_parameter(str(key), str(value) if _is_text(value) else ""):
            for text in _texts(value):
                yield text
                yield text.partition(" ")[2]  # `Bearer …`
            continue
        for inner in value if isinstance(value, list | tuple) else (value,):
            if isinstance(inner, Mapping):
                yield from _by_name(inner)


def _texts(value: Any) -> Iterator[str]:
    """All that stands in a value."""
    if _is_text(value):
        yield str(value)
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)


def _of_query(address: str) -> Iterator[str]:
    """What stands under the name of a secret behind the `?`, as written and as it is meant."""
    written = address.partition("?")[2].partition("#")[0]
    for pair in written.split("&") if written else ():
        name, _, value = pair.partition("=")
        if is_secret_parameter(unquote(name), value):
            yield value
    yield from (value for name, value in parse_qsl(written) if is_secret_parameter(name, value))


def _of_channel(address: str) -> Iterator[str]:
    """All of it but names of servers and plain words: tokens stand anywhere in these addresses."""
    rest = address.partition("://")[2]
    tokens = [part for part in _PART_OF_A_CHANNEL.findall(rest) if not _is_plain(unquote(part))]
    if tokens:
        server, _, path = rest.partition("/")
        yield address
        # A name of a server is not the beginning of a secret: it may stand in a message.
        yield path if _is_plain(server.partition(":")[0]) else rest
    for token in tokens:
        yield token
        yield unquote(token)


def _is_plain(part: str) -> bool:
    """`services`, `127.0.0.1`, `localhost`: no token that anybody was given."""
    return re.fullmatch(r"[a-z_-]{1,15}|[0-9.]+|([a-z0-9-]+\.)+[a-z]{2,}", part) is not None


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _basic(user: str, password: str) -> str:
    return b64encode(f"{user}:{password}".encode()).decode()
