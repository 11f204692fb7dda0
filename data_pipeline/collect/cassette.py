"""A provider's answers on tape: recorded once, replayed in tests for as long as you like.

A cassette is a JSON file that people can read and edit: where the provider was (`home`), and the exchanges in the order
in which they happened. Bodies are kept decompressed, as text where they are UTF-8. Credentials are never on it: of the
request only method, path, query and body are kept, and secrets the configuration knows are masked.
"""

import base64
import binascii
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson

VERSION = 1
MASK = "***"
SECRET_NAMES = ("key", "token", "secret", "password", "signature", "sig", "auth", "apikey", "api_key", "access_token")
DROPPED = {
    "set-cookie", "connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "date",
    "server", "via", "alt-svc", "strict-transport-security", "www-authenticate", "proxy-authenticate", "trailer",
}  # fmt: skip
"""Headers of an answer that belong to one connection, or are nobody's business."""


class CassetteError(ValueError):
    """The file is no cassette; the message names it and what is wrong."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. `query` has its secrets masked; `body` is the answer's, decompressed."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    sent: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file."""
        asked = {"method": self.method, "path": self.path, "query": [list(pair) for pair in self.query]}
        if self.sent:
            asked["body"] = self.sent
        return {
            "request": asked,
            "response": {"status": self.status, "headers": dict(self.headers), **_body(self.body)},
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Self:
        asked, answered = written["request"], written["response"]
        body = answered.get("body")
        content = base64.b64decode(answered["body_base64"], validate=True) if body is None else body.encode()
        return cls(
            method=str(asked["method"]),
            path=str(asked["path"]),
            query=tuple((str(name), str(value)) for name, value in asked.get("query", ())),
            sent=str(asked.get("body", "")),
            status=int(answered["status"]),
            headers={str(name): str(value) for name, value in answered.get("headers", {}).items()},
            body=content,
        )


@dataclass(frozen=True, slots=True)
class Cassette:
    """What was recorded of one dataset. `home`: scheme and host of its provider, as they stand in links."""

    dataset: str
    home: str
    recorded_at: str
    exchanges: tuple[Exchange, ...]

    def to_bytes(self) -> bytes:
        written = {
            "cassette": VERSION,
            "dataset": self.dataset,
            "home": self.home,
            "recorded_at": self.recorded_at,
            "exchanges": [exchange.to_json() for exchange in self.exchanges],
        }
        return orjson.dumps(written, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The cassette in a file.

        Raises:
            CassetteError: it is missing, or is no cassette.
        """
        try:
            written = orjson.loads(path.read_bytes())
            if written["cassette"] != VERSION:
                raise CassetteError(f"{path}: written by another version ({written['cassette']}); record it again")
            exchanges = tuple(Exchange.from_json(each) for each in written["exchanges"])
            return cls(written["dataset"], written["home"], written["recorded_at"], exchanges)
        except CassetteError:
            raise
        except OSError as error:
            raise CassetteError(f"{path}: {error.strerror or error}") from error
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
            raise CassetteError(f"{path}: is no cassette ({type(error).__name__}: {error})") from error


@dataclass(slots=True)
class Recorder:
    """Takes down exchanges as they happen; may be called from several threads.

    Args:
        redacted: Masks the secrets that the configuration knows.
    """

    redacted: Callable[[str], str] = str
    home: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def take(self, method: str, url: str, sent: bytes, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Note one exchange. `url` as it was called; `body` decompressed."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        kept = {name.lower(): self.redacted(value) for name, value in headers.items() if name.lower() not in DROPPED}
        exchange = Exchange(
            method=method,
            path=parts.path or "/",
            query=tuple(self._masked(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True)),
            sent=self.redacted(sent.decode("utf-8", "replace")),
            status=status,
            headers=kept,
            body=self._clean(body),
        )
        with self._guard:
            self.home = self.home or origin
            self.exchanges.append(exchange)

    def cassette(self, dataset: str, recorded_at: datetime) -> Cassette:
        return Cassette(dataset, self.home, recorded_at.isoformat(timespec="seconds"), tuple(self.exchanges))

    def _masked(self, name: str, value: str) -> tuple[str, str]:
        words = name.lower().replace("-", "_")
        secret = words in SECRET_NAMES or words.rpartition("_")[2] in SECRET_NAMES
        return name, MASK if secret else self.redacted(value)

    def _clean(self, body: bytes) -> bytes:
        try:
            return self.redacted(body.decode()).encode()
        except UnicodeDecodeError:
            return body


class Player:
    """Finds the answer to a request: the same method, path and query in the order of the tape; the last one repeats.

    A query that is not on the tape (a moving date) is answered by what the tape holds for the path, in order.
    """

    def __init__(self, cassette: Cassette) -> None:
        self._cassette = cassette
        self._given: dict[tuple[Any, ...], int] = {}
        self._guard = threading.Lock()

    def answer(self, method: str, path: str, query: str, *, here: str) -> Exchange | None:
        """The exchange to play, its links pointing `here`; None: nothing of that path is on the tape."""
        asked = tuple(parse_qsl(query, keep_blank_values=True))
        same_path = [each for each in self._cassette.exchanges if (each.method, each.path) == (method, path)]
        exact = [each for each in same_path if _same(each.query, asked)]
        found = exact or same_path
        if not found:
            return None
        spot = (method, path, asked if exact else None)
        with self._guard:
            number = self._given.get(spot, 0)
            self._given[spot] = number + 1
        return self._moved(found[min(number, len(found) - 1)], here)

    def _moved(self, exchange: Exchange, here: str) -> Exchange:
        home = self._cassette.home
        headers = {name: value.replace(home, here) for name, value in exchange.headers.items()}
        return replace(exchange, headers=headers, body=exchange.body.replace(home.encode(), here.encode()))


def _same(taped: tuple[tuple[str, str], ...], asked: tuple[tuple[str, str], ...]) -> bool:
    if len(taped) != len(asked):
        return False
    pairs = zip(sorted(taped), sorted(asked), strict=True)
    return all(one[0] == other[0] and (MASK in one[1] or one[1] == other[1]) for one, other in pairs)


def query_of(exchange: Exchange) -> str:
    """The query as it stands on the tape, for people."""
    return urlencode(exchange.query, safe="*")


def _body(content: bytes) -> dict[str, str]:
    try:
        return {"body": content.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(content).decode()}
