"""What CONFIG promises and this version does not do yet. Such keys are refused, so that nobody believes they work.

An issue that builds one of them deletes its row here (and gives its model the field). The table is read only when a
value was refused anyway: a row of a key that works is harmless.
"""

from config.errors import KeyPath

KEYS: tuple[str, ...] = (
    "retention.last_good",
    "storage.options",
)

VALUES: dict[str, tuple[str, ...]] = {
    # Key: the values meant; () means every value but the default.
    "storage.url": (),
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
