"""What Streamlit logs of single sign-on, masked: a provider that refuses us may send back all that we sent it.

Those lines go to standard error, past our own logger, and from there into journals and the logs of `serve`.
"""

import logging
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from operations.logs import masking

__all__ = ["install"]


def install() -> None:
    """From now on, in this process."""
    masked = masking(("code", "nonce", "state"), _secrets)
    make = logging.getLogRecordFactory()

    def made(name: str, *args: Any, **options: Any) -> logging.LogRecord:
        record = make(name, *args, **options)
        if "auth" in name:
            record.msg, record.args = masked(record.getMessage()), ()
            if record.exc_info:
                # What a formatter finds here it takes as it is.
                record.exc_text = masked("".join(traceback.format_exception(*record.exc_info)).rstrip())
        return record

    logging.setLogRecordFactory(made)


def _secrets() -> Iterator[str]:
    """All texts of `[auth]` in `.streamlit/secrets.toml` under names that say so, of each provider."""
    from streamlit.runtime.secrets import secrets_singleton

    if secrets_singleton.load_if_toml_exists():
        yield from _named(secrets_singleton.get("auth", {}))


def _named(given: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        if isinstance(value, Mapping):
            yield from _named(value)
        elif "secret" in name:
            yield str(value)
