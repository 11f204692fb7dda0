"""Whether the log is whole: its chain, its segments, and the links along which its events are found."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain as joined
from typing import Any

from utils.database import Database
from utils.events import chain, rows
from utils.events.archive import Archive
from utils.events.chain import Verification
from utils.events.links import LINKED, Links
from utils.events.signing import Secrets

__all__ = ["proven"]

TELL_EVERY = 5_000

_BEFORE_ALL = -(2**62)  # an event that was inserted may have any number


def proven(
    database: Database,
    archive: Archive | None,
    secrets: Secrets,
    expected_head: str | None,
    told: Callable[[int], object] | None = None,
) -> Verification:
    """Recompute the whole chain, and compare the links with it. Raises as `chain.verify`, and what `told` raises.

    Args:
        told: Is given the position, every `TELL_EVERY` events.
    """
    links = Links()
    beside = links.fault if told is None else _telling(links.fault, told)
    verify = partial(
        chain.verify,
        secret_of=secrets.from_row,
        signed_with=secrets.newest,
        beside=beside,
        explain=database.explain,
    )
    if archive is not None:
        found = archive.verify(expected_head, verify)
    else:
        with database.read() as connection:
            pages = rows.pages(connection, _BEFORE_ALL, columns=LINKED)
            found = verify(joined.from_iterable(pages), expected_head=expected_head)
    if found.fault is not None:
        return found
    with database.read() as connection:
        return replace(found, fault=links.fault_of_names(connection))


def _telling(
    fault: Callable[[Sequence[Any]], str | None], told: Callable[[int], object]
) -> Callable[[Sequence[Any]], str | None]:
    def looked(row: Sequence[Any]) -> str | None:
        if row[0] % TELL_EVERY == 0:
            told(row[0])
        return fault(row)

    return looked
