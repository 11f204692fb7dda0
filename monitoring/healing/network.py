"""Has the system apply its network configuration anew, with the tool that this system has for it.

The program changes no configuration: what the administrator wrote is applied once more. It takes the rights of an
administrator, and other work on this host may feel it; so it is off unless asked for, and then only told at first.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence

from monitoring.healing.treatment import Request, Treated

__all__ = ["CannotReapply", "reapply", "reapply_command"]

_COMMANDS: Sequence[tuple[str, ...]] = (
    ("netplan", "apply"),
    ("nmcli", "general", "reload"),
    ("networkctl", "reload"),
    ("ifreload", "-a"),
    ("rc-service", "networking", "restart"),
)
"""In the order in which they are looked for: the first that is there knows of those below it."""

_SECONDS = 60.0

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


class CannotReapply(Exception):
    """There is no tool for it, it may not be used, or it failed. The message says which."""


def reapply_command(which: Callable[[str], str | None] = shutil.which) -> tuple[str, ...] | None:
    """The command of this system; None: it has none that is known."""
    for command in _COMMANDS:
        if (path := which(command[0])) is not None:
            return (path, *command[1:])
    return None


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - one of the commands above
        command, capture_output=True, text=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL
    )


def reapply(
    request: Request,
    *,
    is_there: Callable[[], bool],
    which: Callable[[str], str | None] = shutil.which,
    run: Run = _run,
    uid: int | None = None,
) -> Treated:
    """Apply it, unless it is a dry run; it has helped when the network is there afterwards.

    Args:
        is_there: Whether anybody on the network answers.

    Raises:
        CannotReapply: it cannot be done here, or failed.
    """
    command = reapply_command(which)
    if command is None:
        names = ", ".join(sorted({one[0] for one in _COMMANDS}))
        raise CannotReapply(f"this system has no tool that applies its network configuration ({names})")
    line = " ".join(command)
    if request.dry_run:
        return Treated(1, detail=f"would call `{line}`")
    if (os.geteuid() if uid is None else uid) != 0:
        raise CannotReapply(f"`{line}` takes the rights of an administrator, which this program does not have")
    try:
        done = run(command)
    except (OSError, subprocess.SubprocessError) as error:
        raise CannotReapply(f"`{line}`: {error}") from error
    if done.returncode != 0:
        from utils.one_line import one_line

        raise CannotReapply(f"`{line}` failed with {done.returncode}: {one_line(done.stderr or done.stdout)}")
    return Treated(1, detail=f"called `{line}`", helped=is_there())
