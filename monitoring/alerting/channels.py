"""Hand one message to one channel: Apprise knows a hundred services; what came of it is told in four words."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlencode, urlsplit

from monitoring.alerting.answers import Exchange, listening
from monitoring.alerting.message.formats import plain_markdown
from monitoring.alerting.message.message import Format, Message
from utils.one_line import one_line
from utils.resilience.retry_after import retry_after

if TYPE_CHECKING:
    from apprise import NotifyBase

__all__ = ["Channel", "ChannelFault", "Outcome", "Sending"]

TRY_LATER = frozenset({408, 409, 425, 429})
"""Answers of the 4xx kind that are worth another try; any other says that this will never be taken."""

LONGEST_ERROR = 300
"""Signs of what went wrong that are kept."""

_SEVERITIES = {"info": "info", "warning": "warning", "error": "failure", "critical": "failure"}
_AS_DATA = ("json", "jsons", "xml", "xmls", "form", "forms")
"""Services that hand our fields on to a program: they get plain text, the ids beside it, and the key as a header."""


class ChannelFault(ValueError):
    """The address of a channel is none that can be used; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of handing a message over.

    Attributes:
        state: `sent`; `failed`, worth another try; `refused`, which no other try will change; `unknown`: it went out
            and no answer came, so a second try may bring it twice (with the same key).
        error: Why it was not sent; secrets are masked in it.
        retry_after: Seconds that the service asks us to wait; None: it does not say.
    """

    state: Literal["sent", "failed", "refused", "unknown"]
    error: str = ""
    retry_after: float | None = None


Sending = Callable[[Message, str], Outcome]
"""Hands a message over; the second argument is its key: the same for each try of the same message."""


class Channel:
    """One address of the configuration. Nothing is imported, and nothing looked at, before something is sent.

    Args:
        url: An Apprise URL; the https address of a Slack or Discord webhook is one too.
        app: Who signs the messages.
        redacted: Masks known secrets in what services say.
    """

    def __init__(
        self, name: str, url: str, *, app: str = "Cloud Data Orchestrator", redacted: Callable[[str], str] = str
    ) -> None:
        self.name = name
        self._url = url
        self._app = app
        self._redacted = redacted

    def __repr__(self) -> str:
        return f"Channel({self.name!r})"  # the address holds secrets

    def check(self) -> None:
        """Look at the address; nothing is sent.

        Raises:
            ChannelFault: no service is behind it, or something is missing in it.
        """
        with _quiet():
            self._service({})

    def send(self, message: Message, key: str) -> Outcome:
        """Hand a message over, once. Takes as long as the service does; never raises."""
        with _quiet() as said, listening() as heard:
            try:
                service = self._service(_extras(self._url, message, key))
                taken = _notify(service, message, plain=_scheme(self._url) in _AS_DATA)
            except ChannelFault as fault:
                return Outcome("refused", f"{fault}. {fault.hint}")
            except Exception as error:  # noqa: BLE001 - a hundred services by others: whatever one of them raises
                return Outcome("failed", self._words(f"{type(error).__name__}: {error}"))
        if taken:
            return Outcome("sent")
        return _judged(heard, self._words("; ".join(dict.fromkeys(said)) or "the service did not take it"))

    def _service(self, extras: Mapping[str, str]) -> "NotifyBase":
        from apprise import Apprise, AppriseAsset

        # Pictures would be loaded from Apprise's own pages by whoever reads the message.
        asset = AppriseAsset(
            app_id=self._app,
            app_desc=self._app,
            app_url="",
            image_url_mask="",
            image_url_logo="",
            storage_mode="memory",
        )
        url = self._url
        if extras:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode(extras)}"
        found = Apprise.instantiate(url, asset=asset)
        if found is None:
            raise ChannelFault(
                f"channel {self.name}: no service can be reached under its address ({_scheme(self._url)}://…)",
                "Apprise's pages say how the address of each service is written; a webhook of your own that takes "
                "JSON is `jsons://host/path`",
            )
        return found

    def _words(self, text: str) -> str:
        return one_line(self._redacted(text).replace(self._url, "***"), LONGEST_ERROR)


def _notify(service: "NotifyBase", message: Message, *, plain: bool) -> bool:
    """Markdown where the service sets it, HTML where it wants that (mail), else plain text.

    Slack gets plain text: its own marks know no escape, so `fx_daily` would come out as `fx\\_daily`.
    """
    format_ = service.resolve_format("text" if plain or service.service_name == "Slack" else "markdown").value
    body = message.body(cast("Format", format_))
    # Discord has no titles: ours would be the first line of the text, in which names may mean something.
    title = plain_markdown(message.title) if service.service_name == "Discord" else message.title
    kind = "success" if message.kind == "resolved" else _SEVERITIES[message.severity]
    # What is too long for a service is cut; it would refuse the whole.
    return bool(service.notify(body=body, title=title, notify_type=kind, body_format=format_, overflow="truncate"))


def _judged(heard: list[Exchange], words: str) -> Outcome:
    bad = [one for one in heard if one.unsure or not 200 <= one.status < 400]
    if not bad:
        return Outcome("failed", words)
    last = bad[-1]
    if last.unsure:
        return Outcome("unknown", words)
    if 400 <= last.status < 500 and last.status not in TRY_LATER:
        return Outcome("refused", words)
    # Discord's service tries once more by itself, at once: the first answer says how long we were to wait.
    now = datetime.now(UTC)
    asked = [found for one in bad if (found := retry_after(one.retry_after, now=now, date=one.date)) is not None]
    return Outcome("failed", words, max(asked, default=None))


def _extras(url: str, message: Message, key: str) -> dict[str, str]:
    """What some services take beside title and body. What the address says already is left as it is."""
    scheme, query = _scheme(url), urlsplit(url).query
    if scheme == "pagerduty":
        about = message.incident or key
        wanted = {"dedup": about, "action": "map", "severity": message.severity}
        return {name: value for name, value in wanted.items() if f"{name}=" not in query}
    if scheme in _AS_DATA:
        ids = {":kind": message.kind, ":severity": message.severity, ":incident": message.incident, ":key": key}
        return {"+Idempotency-Key": key, **{name: value for name, value in ids.items() if value}}
    return {}


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


# --- what Apprise says ------------------------------------------------------------------------


class _Said(logging.Handler):
    """Takes what Apprise logs, in the thread that sends; nothing of it goes to the console."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.of: dict[int, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        said = self.of.get(threading.get_ident())
        if said is not None:
            said.append(record.getMessage())


_said = _Said()


@contextmanager
def _quiet() -> Iterator[list[str]]:
    logger = logging.getLogger("apprise")
    if _said not in logger.handlers:
        logger.addHandler(_said)
        logger.propagate = False
    me = threading.get_ident()
    _said.of[me] = []
    try:
        yield _said.of[me]
    finally:
        del _said.of[me]


def channels_of(addresses: Mapping[str, str], **options: Any) -> dict[str, Channel]:
    """The channels by name."""
    return {name: Channel(name, url, **options) for name, url in addresses.items()}
