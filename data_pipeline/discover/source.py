"""From what a user typed (an address, a path, a database, a query) to a `collect` block without secrets."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from config.variables import is_secret_key

OBJECT_STORES = ("s3", "gs", "gcs", "az", "abfs", "abfss", "sftp", "ftp", "ftps")
DATABASES = ("sqlite", "postgresql", "postgres", "mysql", "mariadb", "mssql", "oracle", "duckdb", "snowflake")
SAMPLE = 10_000
"""Rows that are read of a table to see what it holds."""

_SECRET = re.compile(
    r"(?i)(?:api|app|access|subscription|client)?[-_]?(?:key|id_token|token|secret|sig|signature|pwd|pass|auth|appid)"
)
_GENERIC = {
    *("data", "index", "export", "download", "api", "latest", "all", "feed", "query", "json", "csv", "xml", "rows"),
    *("list", "get", "search", "file", "rss", "atom", "view", "public", "items", "results", "v1", "v2", "v3"),
}
_SUFFIX = re.compile(
    r"(?i)(?:\.(?:csv|tsv|txt|json|geojson|jsonl|ndjson|xml|rss|atom|xlsx?|xlsb|ods|parquet|arrow|gz|zst|zip|db|php|aspx?))+$"
)


class NotASource(ValueError):
    """What was typed names nothing that could be collected. `hint` says what would."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows are.

    Attributes:
        collect: The block as it is written, secrets replaced by `${NAME}`.
        fetch: The same for looking at it now: a table is read only in part.
        variables: The secrets by the name of their variable.
        stem: What the dataset could be called.
    """

    collect: dict[str, Any]
    fetch: dict[str, Any]
    stem: str
    variables: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def source_of(text: str, *, name: str, query: str, url: str, here: Path, base: Path) -> Source:
    """Read the argument of `add`.

    Args:
        name: The dataset's name if the user gave one; variables are called after it.
        query, url: A statement, and the database that it is for.
        here: Where relative paths that were typed start.
        base: Where relative paths of the configuration start.

    Raises:
        NotASource: with what to write instead.
    """
    typed = text.strip()
    if not typed:
        raise NotASource("nothing to add", "name an address, a path, or a database")
    if re.match(r"(?is)(?:select|with)\s", typed):
        if not url:
            raise NotASource("a query needs its database", 'add --url: add "SELECT …" --url postgresql://host/db')
        return _database(url, typed, name)
    scheme = typed.partition("://")[0].lower() if "://" in typed else ""
    if scheme in ("http", "https"):
        return _web(typed, name)
    if scheme in OBJECT_STORES:
        address, variables = _without_user(typed, name or stem_of(typed))
        return _plain({"kind": "object_store", "url": address}, stem_of(typed), variables)
    if scheme.partition("+")[0] in DATABASES:
        return _database(typed, query, name)
    if scheme and scheme != "file":
        known = ", ".join(("http", "https", *OBJECT_STORES, *DATABASES))
        raise NotASource(f"`{scheme}://` is not known", f"known are a path, and addresses of {known}")
    return _file(typed.removeprefix("file://"), here, base)


def stem_of(address: str) -> str:
    """A dataset's name from an address: its last telling piece, after the host's name if it tells little.

    >>> stem_of("https://api.example.org/v1/Daily%20Rates.csv?x=1"), stem_of("https://api.example.org/v1/latest.json")
    ('daily_rates', 'example_latest')
    """
    parts = urlsplit(address)
    pieces = [_SUFFIX.sub("", unquote(piece)) for piece in parts.path.split("/") if piece]
    last = _slug(pieces[-1]) if pieces else ""
    if last and last not in _GENERIC and not last.isdigit():
        return last
    labels = [label for label in (parts.hostname or "").split(".") if label not in ("www", "api", "data")]
    host = _slug(labels[-2] if len(labels) > 1 else labels[0] if labels else "")
    if re.fullmatch(r"[\d.:]*", parts.hostname or ""):
        host = ""
    telling = next((slug for piece in reversed(pieces[:-1]) if (slug := _slug(piece)) not in _GENERIC), "")
    return "_".join(part for part in (host or telling, last) if part) or "dataset"


def doubled(text: str) -> str:
    """Braces that are no placeholder of ours, and `${`, as a configuration must write them."""
    from data_pipeline.collect.placeholders import check

    try:
        check(text)
    except ValueError:
        text = text.replace("{", "{{").replace("}", "}}")
    return text.replace("${", "$${")


def variable(name: str, key: str) -> str:
    """The name of an environment variable for a dataset's secret.

    >>> variable("fx-daily", "api_key")
    'FX_DAILY_API_KEY'
    """
    made = re.sub(r"[^A-Z0-9]+", "_", f"{name}_{key}".upper()).strip("_")
    return f"_{made}" if made[:1].isdigit() else made


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_-")[:64]


def _plain(collect: dict[str, Any], stem: str, variables: Mapping[str, str], *notes: str) -> Source:
    fetch = {key: _filled(value, variables) for key, value in collect.items()}
    return Source(collect, fetch, stem, variables, notes)


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, variables) for key, inner in value.items()}
    if isinstance(value, str):
        for name, secret in variables.items():
            value = value.replace(f"${{{name}}}", secret)
        return value.replace("$${", "${")
    return value


def _web(typed: str, name: str) -> Source:
    stem = stem_of(typed)
    address, variables = _without_user(typed.partition("#")[0], name or stem)
    parts = urlsplit(address)
    given = parse_qsl(parts.query, keep_blank_values=True)
    secret = [(key, value) for key, value in given if value and (_SECRET.fullmatch(key) or is_secret_key(key))]
    collect: dict[str, Any] = {"kind": "http"}
    if not secret:
        collect["url"] = doubled(address) if not variables else address
        return _plain(collect, stem, variables)
    hidden = {key for key, _ in secret}
    rest = urlencode([(key, value) for key, value in given if key not in hidden], quote_via=quote)
    address = urlunsplit(parts._replace(query=rest))
    collect["url"] = doubled(address) if not variables else address
    params = {}
    for key, value in secret:
        variables[variable(name or stem, key)] = value
        params[key] = f"${{{variable(name or stem, key)}}}"
    collect["params"] = params
    # A placeholder in a secret would be filled in: what is looked at now is asked for as it was typed.
    return _plain(collect, stem, variables)


def _without_user(address: str, name: str) -> tuple[str, dict[str, str]]:
    """The address with user and password as variables."""
    parts = urlsplit(address)
    user, at, _ = parts.netloc.rpartition("@")
    if not at or not user:
        return address, {}
    login, colon, password = user.partition(":")
    variables = {variable(name, "user"): login}
    written = f"${{{variable(name, 'user')}}}"
    if colon:
        variables[variable(name, "password")] = password
        written += f":${{{variable(name, 'password')}}}"
    start, end = address.split(user + "@", 1)
    return f"{start}{written}@{end}", {key: value for key, value in variables.items() if value}


def _database(typed: str, query: str, name: str) -> Source:
    address, _, table = typed.partition("#")
    database = urlsplit(address).path.rpartition("/")[2]
    stem = _slug(table.rpartition(".")[2]) or _slug(_SUFFIX.sub("", database)) or "query"
    written, variables = _without_user(address, name or stem)
    if not query and not table:
        raise NotASource(
            "which table of the database?",
            f"name it behind a `#`, or give --query{_tables(address)}",
        )
    whole = "SELECT * FROM " + ".".join(_quoted(address, part) for part in table.split("."))  # noqa: S608 - names are quoted
    statement = doubled(query.strip().rstrip(";") or whole)
    collect = {"kind": "sql", "url": written, "query": statement}
    made = _plain(collect, stem, variables)
    if urlsplit(address).scheme.partition("+")[0] in ("mssql", "oracle"):
        return made  # they have another word for LIMIT
    fetch = {**made.fetch, "query": f"SELECT * FROM ({statement}) AS looked_at LIMIT {SAMPLE}"}  # noqa: S608 - the user's own query
    return Source(collect, fetch, stem, variables, (f"at most {SAMPLE:,} rows were looked at",))


def _quoted(address: str, name: str) -> str:
    sign = "`" if address.startswith(("mysql", "mariadb")) else '"'
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else f"{sign}{name.replace(sign, sign * 2)}{sign}"


def _tables(address: str) -> str:
    """The tables that are there, for the hint; nothing when the database cannot be asked."""
    try:
        import sqlalchemy

        if address.startswith("sqlite:///") and not Path(address.removeprefix("sqlite:///")).exists():
            return f"; there is no file {address.removeprefix('sqlite:///')}"
        engine = sqlalchemy.create_engine(address)
        try:
            inspector = sqlalchemy.inspect(engine)
            names = [*inspector.get_table_names(), *inspector.get_view_names()]
        finally:
            engine.dispose()
    except Exception:  # noqa: BLE001 - only to say more in a hint; the error that is told stands
        return ""
    return "; there are " + ", ".join(f"`{name}`" for name in names[:20]) if names else "; it has no tables"


def _file(typed: str, here: Path, base: Path) -> Source:
    path = Path(os.path.normpath(here / Path(typed).expanduser()))
    written = str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
    stem = _slug(_SUFFIX.sub("", re.sub(r"[*?\[\]]+", "", path.name)))
    collect = {"kind": "file", "path": doubled(written)}
    return Source(collect, {"kind": "file", "path": doubled(str(path))}, stem or _slug(path.parent.name) or "files")
