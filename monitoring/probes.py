"""What a configured check looks at: one function a kind, each of which gives words when it is well, or raises `Unwell`.

None of them watches the time beyond what its library can do: who calls them leaves a late one behind.
"""

import shutil
import socket
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from http.client import HTTPMessage
    from urllib.request import OpenerDirector

__all__ = ["Probe", "Unwell", "database", "disk", "heartbeat", "http", "tcp"]

Probe = Callable[[], str]
"""Looks once; what it found, in words."""

USER_AGENT = "cloud-data-orchestrator-health"


class Unwell(Exception):
    """It answered that it is not well, or did not answer; the text says which, for a person."""


def http(address: str, timeout: float) -> Probe:
    """Well below status 400, redirects followed. The user part of the address is sent as Basic, to its server only."""

    def look() -> str:
        from urllib.error import HTTPError, URLError
        from urllib.request import Request

        parts = urlsplit(address)
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        request = Request(bare, headers={"User-Agent": USER_AGENT, **_credentials(parts.username, parts.password)})  # noqa: S310 - the configuration takes http and https only
        try:
            with _opener().open(request, timeout=timeout) as answer:
                return f"status {answer.status}"
        except HTTPError as error:
            with error:
                raise Unwell(f"status {error.code}") from error
        except URLError as error:
            raise Unwell(_said(error.reason)) from error

    return look


def tcp(host: str, port: int, timeout: float) -> Probe:
    """Well when a connection is taken."""

    def look() -> str:
        try:
            socket.create_connection((host, port), timeout).close()
        except (OSError, UnicodeError) as error:
            raise Unwell(_said(error)) from error
        return f"{host}:{port} takes connections"

    return look


def database(address: str, timeout: float) -> Probe:
    """Well when it answers `SELECT 1`: PostgreSQL (`postgresql://…`), or a file (`sqlite:///path`), opened to read."""

    def look() -> str:
        if address.startswith("sqlite:"):
            _ask_sqlite(Path(address.partition(":///")[2]), timeout)
        else:
            _ask_postgres(address.replace("postgresql+psycopg://", "postgresql://", 1), timeout)
        return "answers"

    return look


def disk(path: Path, limits: tuple[float, float]) -> Probe:
    """Well while less than the second of `limits` (percent) is used; from the first on the words say so."""

    def look() -> str:
        try:
            found = shutil.disk_usage(path)
        except OSError as error:
            raise Unwell(f"{path}: {error.strerror}") from error
        used = 100.0 * found.used / max(1, found.used + found.free)  # as `df` has it: root's reserve is nobody's room
        told = f"{used:.0f} % of the disk of {path} are used"
        if used >= limits[1]:
            raise Unwell(f"{told}, {limits[1]:g} % is the limit")
        return told + (f": above {limits[0]:g} %, it fills" if used >= limits[0] else "")

    return look


def heartbeat(name: str, newest: Callable[[str], float | None], within: float, now: Callable[[], float]) -> Probe:
    """Well when the newest beat of a name (epoch seconds; None: there was none) is at most `within` seconds old."""

    def look() -> str:
        beat = newest(name)
        if beat is None:
            raise Unwell(f"heartbeat `{name}` never came")
        age = max(0.0, now() - beat)
        since = datetime.fromtimestamp(beat, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        if age > within:
            raise Unwell(f"heartbeat `{name}` came last {age:.0f} s ago, at {since}; {within:g} s are allowed")
        return f"heartbeat `{name}` came {age:.0f} s ago"

    return look


def _opener() -> "OpenerDirector":
    """Follows redirects over HTTP only, and shows another host no credentials: as urllib comes, it sends them along."""
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Careful(HTTPRedirectHandler):
        def redirect_request(
            self, req: Request, fp: IO[bytes], code: int, msg: str, headers: "HTTPMessage", newurl: str
        ) -> Request | None:
            before, after = urlsplit(req.full_url), urlsplit(newurl)
            if after.scheme not in {"http", "https"}:
                fp.close()
                raise Unwell(f"status {code}, and a redirect to what is not HTTP")
            made = super().redirect_request(req, fp, code, msg, headers, newurl)
            if made is not None and (before.scheme, before.netloc) != (after.scheme, after.netloc):
                made.remove_header("Authorization")
            return made

    return build_opener(Careful)


def _credentials(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    from base64 import b64encode

    pair = f"{unquote(user)}:{unquote(password or '')}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _ask_sqlite(path: Path, timeout: float) -> None:
    import sqlite3

    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=timeout)) as connection:
            connection.execute("SELECT 1 FROM sqlite_schema").fetchall()  # `SELECT 1` alone does not open the file
    except sqlite3.Error as error:
        raise Unwell(f"{path}: {error}") from error


def _ask_postgres(address: str, timeout: float) -> None:
    import psycopg

    try:
        with psycopg.connect(address, connect_timeout=max(1, round(timeout)), autocommit=True) as connection:
            connection.execute("SELECT 1").fetchall()
    except psycopg.Error as error:
        raise Unwell(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__) from error


def _said(error: object) -> str:
    """A network's error in words: the system's own sentence where there is one."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
