"""With storage in an object store: what it lacks is sent, and copies on this disk beyond their limit go."""

from collections.abc import Callable

from data_pipeline.errors import StoreError
from integrated_system import IntegratedSystem
from operations.step import Step
from utils.storage.object_storage import ObjectStorage

__all__ = ["settle_copies"]


def settle_copies(
    system: IntegratedSystem, *, dry_run: bool, in_time: Callable[[], bool], most: int | None = None
) -> Step:
    """Copies may take `most` bytes (default: `cache.size_limit`); those of what readers see stay, whatever they take.

    Raises:
        StorageError: the store is away, or does not let us.
    """
    storage = system.storage
    assert isinstance(storage, ObjectStorage)
    limit = system.settings.cache.size_limit if most is None else most
    done = storage.settle(most=limit, keep=_seen(system), go_on=in_time, dry_run=dry_run)
    told = f"copies removed; {done.sent} blobs sent that the store lacked"
    if done.left:
        told += f", {done.left} to be sent"
    return Step("copies", done.dropped, done.freed, told)


def _seen(system: IntegratedSystem) -> set[str]:
    """Files of the versions that readers see."""
    found: set[str] = set()
    for current in system.views.current().values():
        if (version := system.results.newest(current)) is not None:
            try:
                found |= system.results.files(version)
            except StoreError:
                continue  # a list that is gone or damaged is told where versions are compared
    return found
