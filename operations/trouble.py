"""An error as a face shows it: what was wrong and what to do, never a traceback."""

from dataclasses import dataclass

from utils.logger import get_logger


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong, in words. `hint`: what to do; empty when the message says it already."""

    message: str
    hint: str = ""


def told(error: Exception) -> Trouble:
    """The words of one of our errors; any other error goes to the log whole and is named here.

    >>> told(ValueError("7"))
    Trouble(message='internal error: ValueError: 7', hint='the log has the details')
    """
    hint = getattr(error, "hint", None)
    if hint is None:
        get_logger("operations").error("internal.error", exc=error)
        return Trouble(f"internal error: {type(error).__name__}: {error}", "the log has the details")
    message = str(error)
    return Trouble(message, "" if hint in message else hint)
