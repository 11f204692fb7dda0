"""What CONFIG promises and this version does not do yet. Such keys are refused, so that nobody believes they work.

An issue that builds one of them deletes its row here (and gives its model the field). The table is read only when a
value was refused anyway: a row of a key that works is harmless.
"""

from config.errors import KeyPath

KEYS: tuple[str, ...] = (
    "app.zone",
    "network",
    "retention.events",
    "retention.runs",
    "retention.history.raw",
    "retention.history.minute",
    "retention.last_good",
    "retention.raw",
    "plugins",
    "calendars",
    "monitor",
    "protector",
    "healing",
    "alerts",
    "api",
    "dashboard.api",
    "dashboard.auth",
    "dashboard.language",
    "storage.options",
    "executor.address",
    "logging.loki",
    "providers.*.resilience.rate_limit.quota_per",
    "defaults.resilience.rate_limit.quota_per",
    "datasets.*.deletes",
    "datasets.*.incremental",
    "datasets.*.partition",
    "datasets.*.schema",
    "datasets.*.schedule",
    "datasets.*.depends_on",
    "datasets.*.transform",
    "datasets.*.publish",
    "datasets.*.objective",
    "datasets.*.promise.due",
    "datasets.*.promise.zone",
    "datasets.*.promise.calendar",
    "datasets.*.collect.mirrors",
    "datasets.*.collect.body",
    "datasets.*.collect.auth",
    "datasets.*.collect.success",
    "datasets.*.collect.transient_when",
    "datasets.*.collect.for_each",
    "datasets.*.collect.ready",
    "datasets.*.collect.stable_for",
    "datasets.*.collect.reread",
    "datasets.*.parse.footer_rows",
    "datasets.*.parse.stop_at_blank",
    "datasets.*.parse.repeated_header",
    "datasets.*.parse.namespaces",
    "datasets.*.parse.attributes",
    "datasets.*.parse.sheet",
    "datasets.*.parse.melt",
    "datasets.*.parse.drop_where",
    "datasets.*.rules.*.format",
    "datasets.*.rules.*.changed",
    "datasets.*.rules.*.aggregate",
    "datasets.*.rules.*.change",
    "datasets.*.rules.*.references",
    "datasets.*.rules.*.monotonic",
    "datasets.*.rules.*.drift",
    "datasets.*.rules.*.python",
)

VALUES: dict[str, tuple[str, ...]] = {
    # Key: the values meant; () means every value but the default.
    "database.url": (),
    "storage.url": (),
    "cache.url": (),
    "executor.kind": ("dask",),
    "providers.*.auth.kind": ("oauth2",),
    "providers.*.resilience.rate_limit.quota": (),
    "defaults.resilience.rate_limit.quota": (),
    "datasets.*.write": ("append", "merge"),
    "datasets.*.keep_raw": (),
    "datasets.*.collect.kind": ("sql", "object_store", "python"),
    "datasets.*.collect.auth.kind": ("oauth2",),
    "datasets.*.collect.paginate.kind": ("page", "offset", "cursor"),
    "datasets.*.parse.format": ("xml", "excel", "prometheus"),
}

HINT = "Remove it: this version would not act on it."


def key_not_yet(path: KeyPath) -> bool:
    """Whether an unknown key is one that a later version will know."""
    return any(_matches(row, path) for row in KEYS)


def value_not_yet(path: KeyPath, value: object) -> bool:
    """Whether a refused value is one that a later version will take."""
    return any(_matches(row, path) and (not values or value in values) for row, values in VALUES.items())


def keys_at(parent: KeyPath) -> list[str]:
    """The keys of later versions right below `parent`, so that a misspelt one is recognised too."""
    return [row.rpartition(".")[2] for row in KEYS if _matches(row.rpartition(".")[0], parent)]


def _matches(row: str, path: KeyPath) -> bool:
    parts = row.split(".") if row else []
    return len(parts) == len(path) and all(part in ("*", str(key)) for part, key in zip(parts, path, strict=True))
