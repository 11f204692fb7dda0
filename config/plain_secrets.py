"""Credentials that stand in the configuration as they are: a bad habit, and no reason to show them anywhere."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from config.providers import AUTH_SECRETS
from config.settings import Settings
from config.variables import Secrets, is_secret_key

__all__ = ["learn_plain_secrets"]

_PART_OF_A_CHANNEL = re.compile(r"[^/?&=#@:,]{8,}")
_PLAIN_OPTIONS = frozenset({"anon", "endpoint_url", "client_kwargs", "account_name", "username", "project", "tls"})
"""Of an object store: what is no secret by itself; all else may be one."""


def learn_plain_secrets(settings: Settings, secrets: Secrets) -> None:
    """Remember them, so that they are masked wherever they appear, also where a provider sends them back."""
    for secret in _in_house(settings):
        secrets.learn(secret)
    for provider in settings.providers.values():
        for secret in (*_of_auth(provider.auth), *_by_key(provider.headers)):
            secrets.learn(secret)
    for dataset in settings.datasets:
        if _may_hold_any(dataset.collect):
            for secret in _of_collect(dataset.collect):
                secrets.learn(secret)
    # Where a user part is known, so is what HTTP makes of it.
    for pair in [value for value in secrets.values if ":" in value and "/" not in value]:
        secrets.learn(_basic(*unquote(pair).split(":", 1)))


def _in_house(settings: Settings) -> Iterator[str]:
    yield from settings.database.chain_secret
    yield from _of_options(settings.storage.options)
    for address in (*settings.alerts.channels.values(), settings.alerts.heartbeat.url):
        yield from _of_channel(address)
    for check in settings.monitor.health:
        yield from _of_query(check.http or "")


def _of_collect(collect: Any) -> Iterator[str]:
    """What other code validates has what it has: asked by name."""
    given = vars(collect)
    yield from _of_auth(given.get("auth"))
    for name in ("headers", "params"):
        yield from _by_key(given.get(name) or {})
    for address in (given.get("url"), *(given.get("mirrors") or ())):
        yield from _of_query(str(address or ""))
    yield from _of_options(given.get("options") or {})


def _of_options(options: Mapping[str, Any]) -> Iterator[str]:
    """Of an object store."""
    return (str(value) for key, value in options.items() if key not in _PLAIN_OPTIONS and _is_text(value))


def _may_hold_any(collect: Any) -> bool:
    """Nearly all of 10,000 datasets do not, and are not looked at any closer."""
    has = vars(collect).get
    return bool(
        has("auth")
        or has("headers")
        or has("params")
        or has("options")
        or has("mirrors")
        or "?" in str(has("url") or "")
    )


def _of_auth(auth: Any) -> Iterator[str]:
    if auth is None:
        return
    yield from (secret for key in AUTH_SECRETS if (secret := getattr(auth, key, "")))
    if getattr(auth, "kind", "") == "basic":
        yield _basic(auth.user, auth.password)


def _by_key(given: Mapping[str, Any]) -> Iterable[str]:
    return (str(value) for key, value in given.items() if is_secret_key(key) and _is_text(value))


def _of_query(address: str) -> Iterator[str]:
    """What stands under the name of a secret behind the `?`, as written and as it is meant."""
    written = address.partition("?")[2].partition("#")[0]
    for pair in written.split("&"):
        name, _, value = pair.partition("=")
        if is_secret_key(unquote(name)):
            yield value
    yield from (value for name, value in parse_qsl(written) if is_secret_key(name))


def _of_channel(address: str) -> Iterator[str]:
    """All of it but names of servers and plain words: tokens stand anywhere in these addresses."""
    rest = address.partition("://")[2]
    tokens = [part for part in _PART_OF_A_CHANNEL.findall(rest) if not _is_plain(unquote(part))]
    if tokens:
        yield address
        yield rest
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
