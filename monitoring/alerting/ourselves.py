"""Is it us? Looked at when several providers go down together: our disk, our gateway, our names, our network."""

import shutil
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from monitoring.alerting.explaining import Finding
from utils.network import resolve

__all__ = ["look_at_ourselves"]

LEAST_FREE = 64 * 1024**2
"""Bytes below which nothing can be written for long."""

PATIENCE_S, MOST_ASKED = 2.0, 3
"""Seconds for a name to be resolved, and how many names are asked for: one after the other."""

_ROUTES, _ROUTES_6 = Path("/proc/net/route"), Path("/proc/net/ipv6_route")
_NOBODY_ANSWERED = (socket.EAI_AGAIN, socket.EAI_SYSTEM, socket.EAI_FAIL)


def look_at_ourselves(
    folder: Path,
    hosts: Sequence[str],
    *,
    away: Callable[[], bool],
    resolver: Callable[[str, int, float], list[str]] = resolve,
    routes: Sequence[Path] = (_ROUTES, _ROUTES_6),
    free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
) -> Finding | None:
    """What is wrong with this machine, the surest first; None: nothing, as far as can be told.

    Args:
        folder: Where we write.
        hosts: Names of the providers that went down and are asked over the internet; none: only the disk is looked at.
        away: Whether none of the canaries can be reached.
        routes: The kernel's tables of routes; one that cannot be read says nothing.
    """
    if (left := free(folder)) < LEAST_FREE:
        return Finding("disk", f"{left / 1e6:.0f} MB are left on the disk of {folder}")
    if not hosts:
        return None
    if _has_gateway(routes) is False:
        return Finding("network", "this machine has no gateway: no route leads out of it")
    if away():
        return Finding("network", "none of the canaries can be reached")
    asked = list(dict.fromkeys(hosts))[:MOST_ASKED]
    # That there is no such name is an answer; that there is none of three that were there yesterday is not.
    if not any(_is_resolved(host, resolver, believed=len(asked) < MOST_ASKED) for host in asked):
        return Finding("network", f"names are not resolved: {', '.join(asked)}")
    return None


def _has_gateway(routes: Sequence[Path]) -> bool | None:
    """Whether a default route leads out; None: the kernel does not say."""
    known = False
    for path in routes:
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        known = True
        for fields in map(str.split, lines):
            if len(fields) == 10 and (fields[0], fields[1]) == ("0" * 32, "00") and fields[9] != "lo":
                return True
            if len(fields) == 11 and (fields[1], fields[7]) == ("00000000", "00000000"):
                return True
    return False if known else None


def _is_resolved(host: str, resolver: Callable[[str, int, float], list[str]], *, believed: bool) -> bool:
    """Whether somebody knew the name. `believed`: when somebody says that there is none, that is an answer, too."""
    try:
        resolver(host, 0, PATIENCE_S)
    except socket.gaierror as error:
        return believed and error.errno not in _NOBODY_ANSWERED
    except OSError:
        return False
    return True
