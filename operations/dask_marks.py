"""How a worker finds out that it works with the same state as who asks: marks, put wherever the state is shared.

A worker on the same machine finds one in the state directory. One that does not must find the others: a lease in the
PostgreSQL, a blob in the storage, and what the blob names in the Redis.
"""

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from utils.database import StateError
from utils.sqlite import explain
from utils.storage import StorageError

if TYPE_CHECKING:
    from integrated_system import IntegratedSystem

__all__ = ["Unusable", "check_afar", "check_cache", "check_here", "is_here", "missing_afar", "put_marks", "take_marks"]

CACHED_S = 600.0
"""How long the Redis keeps its mark. Workers are looked at right after it was put; who comes later is not."""

PATIENCE_S = 20.0
"""How long a Redis may be busy until it counts as out of reach; it is asked every `LOOK_S`."""

LOOK_S = 0.2

_MARK = re.compile(r"executor:[0-9a-z]{1,64}")


class Unusable(Exception):
    """This process cannot work for an installation. `hint` says what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def missing_afar(system: "IntegratedSystem") -> list[str]:
    """What the configuration must name yet, so that processes on other machines can share the state."""
    settings = system.settings
    named = {
        "database.url (a PostgreSQL)": settings.database.url,
        "cache.url (a Redis)": settings.cache.url,
        "storage.url (an object store)": settings.storage.in_bucket,
    }
    return [key for key, there in named.items() if not there]


def put_marks(system: "IntegratedSystem") -> str:
    """Put them; gives their name. As long as its lease is held they are good.

    Raises:
        StateError, StorageError: a place cannot be written.
    """
    mark = f"executor:{uuid4().hex}"
    system.leases.acquire([mark])
    try:
        _tidy(system)
        path = _file(system.state_dir, mark)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)
        if not missing_afar(system):
            # A Redis that is away stops nobody: then it is not asked for the mark.
            cached = not system.cache.trouble() and system.cache.set(mark, "", ttl=CACHED_S)
            system.storage.put_bytes(_blob(mark), mark.encode() if cached else b"-")
    except OSError as error:
        take_marks(system, mark)
        raise explain(error, system.state_dir) from error
    except BaseException:
        take_marks(system, mark)
        raise
    return mark


def take_marks(system: "IntegratedSystem", mark: str) -> None:
    """Take them away again, as far as that can be done now."""
    with suppress(StateError):  # whoever needs the state tells that it is in trouble
        system.leases.drop([mark])
    _take_files(system, mark)


def _tidy(system: "IntegratedSystem") -> None:
    """Remove what processes left that were killed."""
    left = {path.name for path in _file(system.state_dir, "executor:x").parent.glob("*")}
    if not missing_afar(system):
        left |= {blob.path.rpartition("/")[2] for blob in system.storage.list("executor/")}
    for name in left:
        if system.leases.is_free(f"executor:{name}"):
            _take_files(system, f"executor:{name}")


def _take_files(system: "IntegratedSystem", mark: str) -> None:
    _file(system.state_dir, mark).unlink(missing_ok=True)
    with suppress(StorageError):
        if not missing_afar(system):
            system.storage.delete(_blob(mark))
            system.cache.delete(mark)


def is_here(state_dir: Path, mark: str) -> bool:
    """Whether a directory of this machine is the state directory of who asks."""
    return _MARK.fullmatch(mark) is not None and _file(state_dir, mark).exists()


def check_here(system: "IntegratedSystem", mark: str) -> None:
    """Refuse to work beside a process that keeps its leases, and with them all that is shared, elsewhere.

    Raises:
        Unusable: it does.
    """
    if not is_here(system.state_dir, mark) or system.leases.is_free(mark):
        raise Unusable(f"the state in {system.state_dir} is not the state of the process that asks", hint=SHARE_HINT)


def check_afar(system: "IntegratedSystem", mark: str) -> None:
    """The same for a worker with a state directory of its own.

    Raises:
        Unusable: what has to be shared is another one here, or cannot be reached.
    """
    try:
        if system.leases.is_free(mark):
            raise _another("database", system.shared.name)
    except StateError as error:
        raise Unusable(f"the database cannot be used: {error}", hint=error.hint) from error
    _stored(system, mark)


def check_cache(system: "IntegratedSystem", mark: str) -> None:
    """The same of its Redis, while the mark is new. It is left out when the Redis was away as the mark was put."""
    if _stored(system, mark) != mark.encode():
        return
    until = system.clock.monotonic() + PATIENCE_S
    while system.cache.get(mark) is None:
        trouble = system.cache.trouble()
        if not trouble and system.cache.get(mark) is None and not system.cache.trouble():
            raise _another("Redis", "cache.url")
        if system.clock.monotonic() > until:
            raise Unusable(f"the Redis in cache.url cannot be used: {trouble}", hint=_REACH_HINT)
        system.clock.sleep(LOOK_S)  # a busy machine is no reason to refuse a run; it calls nobody back


def _stored(system: "IntegratedSystem", mark: str) -> bytes:
    try:
        return system.storage.read_bytes(_blob(mark))
    except FileNotFoundError as error:
        raise _another("storage", "storage.url") from error
    except StorageError as error:
        raise Unusable(f"the storage cannot be used: {error}", hint=_REACH_HINT) from error


SHARE_HINT = (
    "give all machines one PostgreSQL, one Redis and one storage (database.url, cache.url, storage.url), or mount the"
    " same state directory at the same place"
)
_REACH_HINT = "its address must mean the same server on all machines: `localhost` does not"


def _another(what: str, where: str) -> Unusable:
    return Unusable(f"the {what} here ({where}) is not the {what} of the process that asks", hint=_REACH_HINT)


def _file(state_dir: Path, mark: str) -> Path:
    return state_dir / _blob(mark)


def _blob(mark: str) -> str:
    return f"executor/{mark.partition(':')[2]}"
