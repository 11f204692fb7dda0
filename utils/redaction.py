"""Keep secrets out of everything that is written down: by the key's name, by value, and in texts and URLs."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from config.variables import BEGINNING, without_beginnings

MASK: Final = "***"
SECRET_WORDS: Final = ("password", "passwd", "token", "secret", "authorization", "api_key", "apikey", "cookie")

_SHORTEST = 4  # a shorter secret would mask half of every text, and is none
_DEEPEST = 12
_SHORT = 64
"""Texts of at most so many signs are remembered: names and kinds come again, sentences hardly do."""

_MOST_REMEMBERED = 1000
_URL_USER = re.compile(r"://[^\s/?#\"'<>]*@")
# A token of our own API, wherever it stands. It holds a capital letter (but one in 10^9), names of metrics do not.
_OURS = re.compile(r"\bcdo_(?=[a-z0-9_-]{0,42}[A-Z])[A-Za-z0-9_-]{43}")
_BEARER = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)


class Redactor:
    """Masks secrets in fields and texts.

    Args:
        keys: More words that make a key secret, besides `SECRET_WORDS`; found anywhere in it, case and `-` no matter.
        secrets: The secret values known now, as written; also found when percent-encoded or escaped for JSON.
            Values under four characters are left: masking them would blank out ordinary text.

    >>> Redactor().fields({"url": "https://me:hunter2@example.org/x", "api_key": "k", "rows": 3})
    {'url': 'https://***@example.org/x', 'api_key': '***', 'rows': 3}
    """

    def __init__(self, keys: Iterable[str] = (), secrets: Callable[[], Iterable[str]] = tuple) -> None:
        words = sorted({_plain(word) for word in (*SECRET_WORDS, *keys) if word})
        self._secret_key = re.compile("|".join(map(re.escape, words)))
        spelled = "|".join(re.escape(word).replace("_", "[_-]?") for word in words)
        # `token=…` in query strings and command lines, `"password": "…"` in embedded JSON
        # (every repetition is bounded: a long text must not take quadratic time)
        self._assigned = re.compile(
            rf"""((?:{spelled})[\w.-]{{0,40}}["']?\s{{0,3}}[=:]\s{{0,3}})("[^"]*"|'[^']*'|(?!\*\*\*)[^\s&;,"'}}\])]+)""",
            re.IGNORECASE,
        )
        self._secrets = secrets
        self._known: tuple[str, ...] = ()
        self._values: re.Pattern[str] | None = None
        self._beginnings: re.Pattern[str] | None = None
        self._asked: object = None
        self._verdicts: dict[str, bool] = {}  # whether a key is secret; the same few keys come again and again
        self._names: dict[str, str] = {}

    def text(self, text: str) -> str:
        """`text` without secret values, user parts of URLs, bearer tokens, tokens of our own and `password=…`."""
        pattern = self._pattern()
        if pattern is not None:
            text = pattern.sub(MASK, text)
            if self._beginnings is not None and self._beginnings.search(text) is not None:
                text = without_beginnings(text, self._known)
        if "://" in text:
            text = _URL_USER.sub(f"://{MASK}@", text)
        if "cdo_" in text:
            text = _OURS.sub(MASK, text)
        if "earer" in text or "asic" in text or "EARER" in text or "ASIC" in text:
            text = _BEARER.sub(rf"\1 {MASK}", text)
        if "=" in text or ":" in text:
            text = self._assigned.sub(rf"\1{MASK}", text)
        return text

    def name(self, text: str) -> str:
        """As `text`, for what comes again and again: what came out is remembered until the secrets change."""
        self._pattern()
        return self._names.get(text) or self._remembered(text)

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A copy that JSON can hold, masked: other objects become their text, NaN and infinity theirs."""
        self._pattern()
        verdicts, names = self._verdicts, self._names
        masked = {}
        for key, value in fields.items():
            if type(value) is str and verdicts.get(key) is False:  # nearly all of them
                masked[key] = names.get(value) or (
                    self._remembered(value) if len(value) <= _SHORT else self.text(value)
                )
            else:
                masked[key] = self._value(key, value, 0)
        return masked

    def is_secret_key(self, key: str) -> bool:
        """Whether what stands under this key is never shown."""
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._secret_key.search(_plain(key)) is not None
            if len(self._verdicts) < 1000:
                self._verdicts[key] = verdict
        return verdict

    def _remembered(self, text: str) -> str:
        if len(self._names) >= _MOST_REMEMBERED:
            self._names.clear()
        found = self._names[text] = self.text(text)
        return found

    def _value(self, key: str, value: Any, depth: int) -> Any:
        if value is None or value is True or value is False:
            return value
        verdict = self._verdicts.get(key)
        if self.is_secret_key(key) if verdict is None else verdict:
            return MASK
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is int:
            pattern = self._pattern()  # a numeric PIN is a secret like any other
            return value if pattern is None or pattern.fullmatch(str(value)) is None else MASK
        if kind is float:
            return value if value - value == 0.0 else str(value)
        if isinstance(value, str):
            return self.text(value)
        if depth < _DEEPEST:
            if isinstance(value, Mapping):
                return {self.text(str(k)): self._value(str(k), v, depth + 1) for k, v in value.items()}
            if isinstance(value, list | tuple | set | frozenset):
                return [self._value("", item, depth + 1) for item in value]
        try:
            return self.text(str(value))
        except Exception as error:  # noqa: BLE001 - somebody's __str__ must not stop a log line
            return f"<{type(value).__name__} without text: {type(error).__name__}>"

    def _pattern(self) -> re.Pattern[str] | None:
        asked = self._secrets()
        if asked is self._asked:
            return self._values
        known = tuple(asked)
        if type(asked) in {frozenset, tuple}:  # cannot change: the next look need not go through it
            self._asked = asked
        if known != self._known:
            self._names = {}
            spellings = {spelling for secret in known if len(secret) >= _SHORTEST for spelling in _spellings(secret)}
            longest_first = sorted(spellings, key=len, reverse=True)  # one secret may be part of another
            self._values = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
            self._known = known
            beginnings = {re.escape(secret[:BEGINNING]) for secret in known if len(secret) > BEGINNING}
            self._beginnings = re.compile("|".join(sorted(beginnings))) if beginnings else None
        return self._values


def _plain(key: str) -> str:
    return key.lower().replace("-", "_").replace(" ", "_")


def _spellings(secret: str) -> set[str]:
    return {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
