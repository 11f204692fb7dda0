"""What a treatment is, how often it may be taken, what came of it, and whether that helped."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from utils.host import HostSample

__all__ = [
    "LADDERS",
    "Earlier",
    "Handler",
    "Healing",
    "Policy",
    "Request",
    "Status",
    "Treated",
    "Trouble",
    "did_it_help",
    "figures",
    "treated",
]

Trouble = Literal["memory", "disk", "zombies", "network", "component"]

LADDERS: Mapping[Trouble, tuple[str, ...]] = {
    "memory": ("collect_garbage", "clean_caches"),
    "disk": ("clean_temporary", "clean_caches"),
    "zombies": ("reap_zombies",),
    "network": ("reapply_network",),
}
"""What is tried for each trouble, one after the other, each once as long as the trouble lasts."""

Status = Literal["done", "failed", "skipped"]

LEAST_POINTS = 1.0
"""Percent by which a figure must fall so that a treatment has helped, where it does not end the trouble."""

LEAST_BYTES = 1_000_000
"""The same of our own memory."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How often an action may be taken. `cooldown_s`: seconds; `per_hour`: times; `dry_run`: only tell."""

    enabled: bool = True
    dry_run: bool = False
    cooldown_s: float = 600.0
    per_hour: int = 3


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler is asked. `critical`: it may do what costs something; `dry_run`: it must do nothing."""

    action: str
    subject: str = ""
    trouble: Trouble | None = None
    critical: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Treated:
    """What a handler did (in a dry run: would have done). `helped`: it knows itself; None: the figures tell."""

    count: int = 0
    freed_bytes: int = 0
    detail: str = ""
    helped: bool | None = None


Handler = Callable[[Request], Treated | bool | int | None]
"""A treatment. What it gives counts as what was done: a number, or whether it helped. It may raise."""


def treated(found: Treated | bool | int | None) -> Treated:
    """What a handler gave, also one that gives only whether it helped, or how many things went."""
    if isinstance(found, Treated):
        return found
    if isinstance(found, bool):
        return Treated(int(found), helped=found)
    return Treated(0 if found is None else int(found))


class Earlier(NamedTuple):
    """A treatment that was taken before this start. `at`: epoch seconds."""

    action: str
    subject: str
    at: float


@dataclass(frozen=True, slots=True)
class Healing:
    """A treatment that was taken, or (`skipped`) was not. True when it helped.

    Attributes:
        why: What called for it, in words.
        before, after: Figures of the host and of this process; percent and bytes.
        helped: None: it cannot be told, or it was a dry run.
        error: What the handler raised.
    """

    action: str
    subject: str
    why: str
    status: Status
    time: datetime
    dry_run: bool = False
    seconds: float = 0.0
    count: int = 0
    freed_bytes: int = 0
    detail: str = ""
    before: dict[str, float | None] = field(default_factory=dict)
    after: dict[str, float | None] = field(default_factory=dict)
    helped: bool | None = None
    error: str = ""

    def __bool__(self) -> bool:
        return bool(self.helped)

    def to_json(self) -> dict[str, Any]:
        """For programs; `time` in RFC 3339."""
        return {**asdict(self), "time": self.time.isoformat().replace("+00:00", "Z")}


def figures(sample: HostSample) -> dict[str, float | None]:
    """What a treatment can change of a sample."""
    names = ("memory_percent", "disk_percent", "disk_free_bytes", "swap_percent", "own_rss_bytes")
    return {name: getattr(sample, name, None) for name in names}


def did_it_help(
    treated: Treated,
    trouble: Trouble | None,
    before: Mapping[str, float | None],
    after: Mapping[str, float | None],
    limit: float | None,
) -> bool | None:
    """Whether a treatment helped: it ended the trouble, or the figure fell by something; None: it cannot be told.

    Args:
        limit: Percent below which the trouble is over.
    """
    if treated.helped is not None:
        return treated.helped
    if trouble == "zombies":
        return treated.count > 0
    name = {"memory": "memory_percent", "disk": "disk_percent"}.get(trouble or "")
    if name is not None and (was := before.get(name)) is not None and (now := after.get(name)) is not None:
        return (limit is not None and now < limit <= was) or was - now >= LEAST_POINTS
    if trouble is None and treated.freed_bytes:
        return True
    was, now = before.get("own_rss_bytes"), after.get("own_rss_bytes")
    if trouble is None and was is not None and now is not None and was - now >= LEAST_BYTES:
        return True
    return None
