"""Who comes in: this machine's user as long as no token exists, else whoever has one."""

from dashboard.caller import Caller
from dashboard.source import Source
from operations.actor import local_user

__all__ = ["caller"]


def caller(source: Source) -> Caller | None:
    """Who looks; None: somebody who must log in first, for which a form was drawn."""
    source.system  # noqa: B018 - what is wrong with it is told before anybody comes in
    return Caller(local_user())
