"""`${NAME}`, `${NAME:-default}` and `${file:/path}` inside values; what they bring in is secret by origin."""

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from config.errors import Fault, KeyPath

MASK = "***"
BEGINNING = 10
SHORTEST_SECRET = 4
"""Shorter values are masked where they stand, but not wherever else the same letters appear."""

_GENERATIONS = 8
"""Texts that are remembered of what is renewed again and again: of a token and its refresh token the last four."""

_PLACE = re.compile(r"\$(\$?)\{([^{}]*)\}")
_CONTENT = re.compile(r"(?:file:(?P<file>.+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?)", re.DOTALL)
_USER_PART = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^/?#\s@]*(?:@[^/?#\s@]*)*)@")
_SECRET_KEY = re.compile(  # `client_secret`, `X-Api-Key`, `accessToken`
    r"(?:.*[-_]|.*[a-z0-9](?=[A-Z]))?(?i:password|passwd|passphrase|pwd|secret|token|authorization|cookie|credentials?"
    r"|signature|connection[-_]?string|(?:api|access|account|private|secret|shared|subscription)[-_]?key)"
)
_MAYBE_SECRET = re.compile(r"(?i)(?:app|client)?[-_]?key|sig|pass|auth|app[-_]?id")
_LOOKS_DRAWN = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_+/=-]{16,}")


@dataclass(slots=True)
class Secrets:
    """What was learned while values were filled in.

    Attributes:
        values: Texts to redact wherever they appear, of the configuration.
        masked: Key path -> the value as it may be shown.
        names: Key path -> which variables or files it came from, as written.
    """

    values: set[str] = field(default_factory=set)
    masked: dict[KeyPath, str] = field(default_factory=dict)
    names: dict[KeyPath, str] = field(default_factory=dict)
    _granted: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False)
    _all: frozenset[str] = field(default=frozenset(), init=False, repr=False)

    def learn(self, secret: str) -> None:
        """Remember a secret, also as it looks inside a URL, in JSON, in HTML, and as Python writes it."""
        self.values.update(_forms(secret))
        self._all = frozenset()

    def granted(self, name: str, *secrets: str) -> None:
        """Remember what a provider gave while the program runs, and what it gave before; older ones are over."""
        known = self._granted.get(name, ())
        if new := tuple(secret for secret in secrets if secret and secret not in known):
            self._granted = {**self._granted, name: (*known, *new)[-_GENERATIONS:]}
            self._all = frozenset()

    def all(self) -> frozenset[str]:
        """Every text to redact; the same object until there is one more."""
        found = self._all
        if not found:
            given = [form for secrets in self._granted.values() for secret in secrets for form in _forms(secret)]
            found = self._all = frozenset((*self.values, *given))
        return found

    def redacted(self, text: str) -> str:
        """`text` with every known secret masked, and the beginning of one that was cut off."""
        known = self.all()
        for secret in sorted(known, key=len, reverse=True):
            text = text.replace(secret, MASK)
        return without_beginnings(text, known)


def fill(text: str, path: KeyPath, *, environ: Mapping[str, str], folder: Path, secrets: Secrets) -> str:
    """The text with its `${…}` filled in and user parts of URLs noted as secret. `$${` is a literal `${`.

    Raises:
        ValueError: a variable is not set, a file cannot be read, or the braces hold something else.
    """
    if "${" in text:
        brought: list[str] = []
        names: list[str] = []
        faults: list[Fault] = []

        def put(match: re.Match[str]) -> str:
            if match[1]:
                return match[0][1:]
            try:
                value, secret = _lookup(match[2], environ, folder)
            except Fault as fault:
                faults.append(fault)
                return ""
            if secret:
                secrets.learn(value)
                names.append(match[0])
                brought.append(value)
                return f"\0{len(brought) - 1}\0"
            return value

        template = _PLACE.sub(put, text.replace("\0", ""))
        if len(faults) > 1:
            raise Fault("; ".join(map(str, faults)), hint=" ".join(fault.hint for fault in faults))
        if faults:
            raise faults[0]
        text = masked = template
        for number, value in enumerate(brought):
            text = text.replace(f"\0{number}\0", value)
            masked = masked.replace(f"\0{number}\0", MASK)
        if brought:
            secrets.names[path] = ", ".join(names)
            secrets.masked[path] = without_user_part(masked)
    for match in _USER_PART.finditer(text) if "://" in text and "@" in text else ():
        user, separator, password = match["user"].partition(":")
        for part in (password or ("" if separator else user), match["user"] if separator else ""):
            secrets.learn(part)
            secrets.learn(unquote(part))
        secrets.masked.setdefault(path, without_user_part(text))
    return text


def without_beginnings(text: str, secrets: Iterable[str]) -> str:
    """`text` without the beginnings of secrets: of an answer that was cut in the middle of one, a part is left.

    A beginning has ten characters at least; of what has a `/` it may be no secret: the scheme of an address, a folder.
    """
    for secret in secrets:
        if len(secret) <= BEGINNING or (beginning := secret[:BEGINNING]) not in text or "/" in beginning:
            continue
        kept, *cut = text.split(beginning)
        for rest in cut:
            same = next((at for at, (a, b) in enumerate(zip(secret[BEGINNING:], rest, strict=False)) if a != b), None)
            kept += MASK + rest[min(len(rest), len(secret) - BEGINNING) if same is None else same :]
        text = kept
    return text


def _forms(secret: str) -> list[str]:
    """How it may be written down."""
    from html import escape

    forms = {secret, secret.strip()}
    if not secret.isalnum():
        forms |= {quote(secret, safe=""), quote(secret), quote_plus(secret), escape(secret), repr(secret)[1:-1]}
        forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return [form for form in forms if len(form) >= SHORTEST_SECRET]


def without_user_part(text: str) -> str:
    """`scheme://user:password@host` with the part before the @ masked."""
    return _USER_PART.sub(rf"\g<scheme>{MASK}@", text)


def is_secret_key(name: str) -> bool:
    """Whether a key's name says that its value is nobody's business, `X-Api-Key` and `client_secret` for example."""
    return _SECRET_KEY.fullmatch(name) is not None


def is_secret_parameter(name: str, value: str) -> bool:
    """Whether what is sent under this name proves who asks; of `key` and `auth` the value must look like a token.

    >>> is_secret_parameter("key", "EUR"), is_secret_parameter("key", "AIzaSyD4k91Qx0pT")
    (False, True)
    """
    return is_secret_key(name) or bool(_MAYBE_SECRET.fullmatch(name) and _LOOKS_DRAWN.fullmatch(value))


def plain(value: Any) -> Any:
    """TOML's own dates and times as text, like in the other formats."""
    return value.isoformat() if isinstance(value, dt.date | dt.time) else value


def _lookup(content: str, environ: Mapping[str, str], folder: Path) -> tuple[str, bool]:
    found = _CONTENT.fullmatch(content)
    if found is None:
        raise Fault(
            f"`${{{content}}}` is not understood",
            hint="Write ${NAME}, ${NAME:-default} or ${file:/path}; a literal ${ is written $${.",
        )
    if found["file"] is not None:
        return _file(folder / Path(found["file"].strip()).expanduser()), True
    value = environ.get(found["name"])
    if found["default"] is not None and not value:
        return found["default"], False
    if value is None:
        name = found["name"]
        raise Fault(f"variable `{name}` is not set", hint=f"Set {name}, or give a default: ${{{name}:-value}}.")
    return value, True


def _file(path: Path) -> str:
    try:
        return path.read_text("utf-8").rstrip("\r\n")
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise Fault(f"`{path}` cannot be read ({reason})", hint="Does it exist, and may this user read it?") from error
