"""The house: one model a section for everything but providers and datasets."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from config.cache_url import cache_url
from config.database_url import database_url
from config.durations import Duration, Size, SomeTime
from config.errors import Fault, shown
from config.model import Names, Section


def _zone(value: str) -> str:
    if value == "UTC":
        return value
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        from difflib import get_close_matches

        near = get_close_matches(value, zoneinfo.available_timezones(), n=1)
        suggestion = f"; did you mean `{near[0]}`?" if near else ""
        raise Fault(
            f"unknown time zone {shown(value)}{suggestion}", hint="Use an IANA name such as `Europe/Berlin`."
        ) from error
    return value


Zone = Annotated[str, AfterValidator(_zone)]
"""An IANA time zone's name."""


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


_PLACE = re.compile(r"(s3|s3a|gs|gcs|az|abfs|abfss)://([^\s/?#@{}*\[\]]+@)?[^\s/?#@{}*\[\]]+(/[^\s?#{}*\[\]]*)?")


def _storage_url(value: str) -> str:
    if "://" not in value or value.startswith("file://"):
        return value
    found = _PLACE.fullmatch(value)
    if found is None:
        raise Fault(  # it may hold a password: not shown
            "expected a folder, a `file://` address, or a bucket with a prefix",
            hint="Write for example `s3://bucket/prefix`; `gs://` and `az://` are the others.",
        )
    if found[2] and not found[1].startswith("abfs"):
        raise Fault("holds a user and a password", hint="Give `key` and `secret` in `storage.options`.")
    return value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) and value else value or []


def _cache_size(value: int) -> int:
    if value < 1_000_000:
        raise Fault(f"expected at least `1MB`, got `{value:,}B`", hint="An empty cache takes a part of that already.")
    return value


def _chain_secret(value: str) -> str:
    if len(value) < LEAST_SECRET:
        raise Fault(
            f"a secret of {len(value)} characters can be guessed; {LEAST_SECRET} are the least",
            hint="Make one with `openssl rand -hex 32`, and name its file: `${file:/run/secrets/chain_secret}`.",
        )
    return value


LEAST_SECRET = 32
"""Characters that the secret of the chain must have."""


def _module(value: str) -> str:
    if not all(part.isidentifier() for part in value.split(".")):
        raise Fault(
            f"expected a module's name, got {shown(value)}",
            hint="Write it as Python imports it, without `.py`: `my_plugin`; its folder stands under `code`.",
        )
    return value


PluginName = Annotated[str, AfterValidator(_module)]
"""A Python module of the user's."""

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Port = Annotated[int, Field(ge=0, le=65535)]


class AppSettings(Section):
    """Who we are and where our state lives. `state_dir` is absolute once loaded; `memory_limit` in bytes.

    `zone`: of wall times in schedules and promises that name none.
    """

    name: str = Field("my-data", min_length=1)
    state_dir: Path = Path("state")
    zone: Zone = "UTC"
    memory_limit: Size = 1_000_000_000
    durability: Literal["process", "power"] = "process"


class DatabaseSettings(Section):
    """Log, views and history: "" is SQLite in the state directory.

    `chain_secret`: the first signs the log's chain, the others prove what they signed before.
    """

    url: Annotated[str, AfterValidator(database_url)] = ""
    chain_secret: Annotated[tuple[Annotated[str, AfterValidator(_chain_secret)], ...], BeforeValidator(_listed)] = ()


class StorageSettings(Section):
    """Where versions are kept: "" is `storage` in the state directory, else a folder or a place in a bucket.

    `options`: for the file system of the bucket, as of `collect` (object_store). All secret.
    """

    url: Annotated[str, AfterValidator(_storage_url)] = ""
    options: dict[str, Any] = Field(default_factory=dict, repr=False)

    @property
    def in_bucket(self) -> bool:
        return "://" in self.url and not self.url.startswith("file://")

    @property
    def folder(self) -> Path | None:
        """The folder that was named."""
        return None if not self.url or self.in_bucket else Path(self.url.removeprefix("file://"))

    @model_validator(mode="after")
    def _for_a_bucket(self) -> Self:
        if self.options and not self.in_bucket:
            raise Fault("`options` are for an object store", hint="Name one as `url`, or remove them.")
        return self


class CacheSettings(Section):
    """The latest results. `ttl` in seconds, `size_limit` in bytes; "" is diskcache in the state directory."""

    url: Annotated[str, AfterValidator(cache_url)] = ""
    ttl: SomeTime = 900.0
    size_limit: Annotated[Size, AfterValidator(_cache_size)] = 2_000_000_000


_DASK_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):([0-9]{1,5})")


def dask_address(value: str) -> str:
    """The address of a Dask scheduler, or "". Raises a Fault when it is neither."""
    found = _DASK_ADDRESS.fullmatch(value)
    if value and (found is None or not 1 <= int(found[3]) <= 65535):
        raise Fault(
            f"expected the address of a Dask scheduler, got {shown(value)}",
            hint='Write for example `tcp://scheduler:8786`; `tls://` with certificates; "" is a cluster of our own.',
        )
    return value


class ExecutorSettings(Section):
    """What runs datasets side by side: threads of this process, or the processes of a Dask cluster.

    `address`: of the scheduler; "": a cluster on this machine, that comes and goes with the process. `workers`:
    datasets at the same time, or processes of that cluster; a cluster with an address has what it has.
    """

    kind: Literal["local", "dask"] = "local"
    address: Annotated[str, AfterValidator(dask_address)] = ""
    workers: Annotated[int, Field(ge=1, le=1024)] = 8

    @model_validator(mode="after")
    def _of_dask(self) -> "ExecutorSettings":
        if self.address and self.kind != "dask":
            raise Fault("an address without a cluster", hint="Add `kind: dask`, or leave `address` out.")
        return self


class EventRetention(Section):
    """Events in the database: seconds and bytes; the rest is sealed. A plain duration is the age."""

    age: Duration = 90 * 86_400.0
    size: Size = 1_000_000_000


class HistoryRetention(Section):
    """How long points of metrics are kept, and their roll-ups by minute and by hour. Seconds."""

    raw: Duration = 86_400.0
    minute: Duration = 14 * 86_400.0
    hour: Duration = 400 * 86_400.0


class VersionRetention(Section):
    """Accepted versions of a dataset: the newest `count`, none older than `age` seconds."""

    count: Count = 10
    age: Duration = 30 * 86_400.0


class QuarantineRetention(Section):
    """Quarantined rows: seconds and bytes."""

    age: Duration = 90 * 86_400.0
    size: Size = 1_000_000_000


class RawRetention(Section):
    """Answers as sent, of datasets with `keep_raw`: seconds and bytes."""

    age: Duration = 7 * 86_400.0
    size: Size = 1_000_000_000


class LogRetention(Section):
    """Bytes a log file may have before it is rotated, how many of those are kept, and for how many seconds."""

    size: Size = 50_000_000
    files: Count = 10
    age: Duration = 30 * 86_400.0


class RetentionSettings(Section):
    """How long everything is kept. Seconds."""

    events: EventRetention = EventRetention()
    runs: Duration = 90 * 86_400.0
    history: HistoryRetention = HistoryRetention()
    versions: VersionRetention = VersionRetention()
    last_good: Duration = 30 * 86_400.0
    raw: RawRetention = RawRetention()
    quarantine: QuarantineRetention = QuarantineRetention()
    logs: LogRetention = LogRetention()


class MaintenanceSettings(Section):
    """Seconds between two maintenances."""

    every: Duration = 6 * 3600.0


class PerformanceSettings(Section):
    """How long things may take, seconds; None: as long as they take."""

    run: SomeTime | None = None
    """A run, from its start to its end."""
    delivery: SomeTime | None = None
    """A dataset in a run, from its first request to its stored version."""

    @property
    def asked(self) -> bool:
        """Whether anything has a budget."""
        return self.run is not None or self.delivery is not None


def _loki_url(value: str) -> str:
    if value and re.fullmatch(r"https?://([^\s/?#@]+@)?[^\s/?#@]+(/[^\s?#]*)?", value) is None:
        raise Fault(  # it may hold a password: not shown
            "expected the address of a Loki", hint="Write for example `http://loki:3100`, without a query."
        )
    return value


def _loki_labels(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if re.fullmatch(r"(?!__)[A-Za-z_][A-Za-z0-9_]*", name) is None:
            raise Fault(f"{shown(name)} is no name of a label", hint="Letters, digits and `_`, no digit first.")
        if name in {"component", "level"}:
            raise Fault(f"the label `{name}` is given by the program", hint="Choose another name.")
        if not text:
            raise Fault(f"the label `{name}` is empty", hint="Give it a value, or leave it out.")
    if not value:
        raise Fault("no label is left", hint="A stream needs one at least: `{job: orchestrator}`.")
    return value


class LokiSettings(Section):
    """Where log lines are sent besides; "" is nowhere."""

    url: Annotated[str, AfterValidator(_loki_url)] = ""
    labels: Annotated[dict[str, str], AfterValidator(_loki_labels)] = Field(
        default_factory=lambda: {"job": "orchestrator"}
    )


class LoggingSettings(Section):
    """`console`: `auto` (a terminal gets colours), true or false; `files`: both forms, or one of them, or none.

    `redact`: more words that make a field's name secret.
    """

    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)] = "INFO"
    console: bool | Literal["auto"] = "auto"
    files: bool | Literal["text", "json"] = True
    redact: tuple[str, ...] = ()
    loki: LokiSettings = LokiSettings()


_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")


def host_and_port(text: str) -> tuple[str, int]:
    """`1.1.1.1:443` or `[::1]:443` in its two parts. Raises a Fault when it is neither."""
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 65535:
        raise Fault(f"expected `host:port`, got {shown(text)}", hint="Write for example `1.1.1.1:443` or `[::1]:443`.")
    return found[1].strip("[]"), int(found[2])


def _canary(text: str) -> str:
    host_and_port(text)
    return text


class NetworkSettings(Section):
    """What tells whether our own network is there; without canaries it is never judged away."""

    canaries: tuple[Annotated[str, AfterValidator(_canary)], ...] = ()

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each canary."""
        return tuple(host_and_port(text) for text in self.canaries)


class DashboardAuthSettings(Section):
    """Whom single sign-on lets in, and as what: addresses, `@example.org` for all of a domain, `*` for everybody."""

    viewers: Names = ()
    operators: Names = ()
    admins: Names = ()


class DashboardSettings(Section):
    """Where the page is served, and what it shows. `api`: the API of another machine; "": this installation's own."""

    host: str = Field("127.0.0.1", min_length=1)
    port: Port = 8501
    api: str = ""
    language: Literal["auto", "en", "pt"] = "auto"
    auth: DashboardAuthSettings = DashboardAuthSettings()
