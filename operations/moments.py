"""Times that somebody typed."""

from datetime import UTC, datetime

from operations.actor import UsageError

__all__ = ["moment_of"]


def moment_of(option: str, text: str) -> datetime:
    """The moment that was given for an option, such as `since`; one without a zone is UTC.

    >>> moment_of("since", "2026-11-20T09:00:00+01:00").isoformat()
    '2026-11-20T08:00:00+00:00'

    Raises:
        UsageError: it is not a time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--{option}: {text!r} is not a time", hint="write it as 2026-11-20T08:00:00Z") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
