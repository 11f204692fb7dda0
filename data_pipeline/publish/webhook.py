"""Tell an address of every version: a signed JSON document, as Standard Webhooks has it (standardwebhooks.com).

Who receives it heeds `webhook-id`: the same version comes twice when an answer was lost.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from config.errors import Fault
from data_pipeline.collect.http.connections import Connections, Route
from data_pipeline.errors import PublishError
from data_pipeline.publish.file_format import check_placeholders, filled
from data_pipeline.publish.sink import Published, PublishRequest

if TYPE_CHECKING:
    import httpx

__all__ = ["Options", "WebhookSink", "signature"]

MOST_BYTES = 1_048_576
"""How large the rows in a document may be; larger ones are left out, for most receivers would refuse them."""

ANSWER_WITHIN_S = 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 30.0, 3600.0
"""From the second failure on; it doubles. The first is tried again at the next occasion."""

_MAY_PASS = {408, 425, 429}
_HINTS = {
    401: "check `headers`",
    403: "check `headers`, and what the receiver lets in",
    404: "check `url`",
    410: "the receiver is gone for good: remove the sink, or set its new `url`",
}
_OURS = {"content-type", "content-length", "host", "idempotency-key", "webhook-id", "webhook-timestamp"}


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        well = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, half an IPv6 address
        well = False
    if not well:
        raise Fault("is no web address", hint="Write the whole address, such as `https://example.org/hooks/data`.")
    if parts.username is not None:
        raise Fault("has a user part", hint="Put it into `headers: {Authorization: …}`.")
    return url


def _checked_secret(secret: str) -> str:
    if secret:
        _key(secret)
    return secret


def _checked_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.lower() in _OURS or name.lower() == "webhook-signature":
            raise Fault(f"`{name}` is set by us")
        if not (name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
            raise Fault("a header's name has letters, digits and dashes only")
        if not (value.isascii() and value.isprintable()):
            raise Fault(f"`{name}` has signs that no header may have")
    return headers


def _checked_link(link: str) -> str:
    check_placeholders(link, "A link may be made")
    return link


class Options(BaseModel):
    """`{kind: webhook, url: "https://example.org/hooks/data", secret: "${HOOK_SECRET}"}`.

    Attributes:
        url: Where the document is posted to. Nothing of it but the host is ever told.
        secret: Signs each document: `whsec_` and Base64, or any text. "": not signed.
        headers: Sent with it. All secret.
        rows: Whether the rows are in the document, up to 1 MiB.
        link: A page about the version, for people; `{dataset}` and `{version}` are filled in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["webhook"] = "webhook"
    url: Annotated[str, AfterValidator(_checked)] = Field(repr=False)
    secret: Annotated[str, AfterValidator(_checked_secret)] = Field(default="", repr=False)
    headers: Annotated[dict[str, str], AfterValidator(_checked_headers)] = Field(default={}, repr=False)
    rows: bool = False
    link: Annotated[str, AfterValidator(_checked_link)] = ""


@dataclass(frozen=True, slots=True)
class _Document:
    id: str
    body: bytes
    rows: int


class WebhookSink:
    """Posts one document for each version, in order. What was posted cannot be taken back."""

    Options: ClassVar[type] = Options

    def __init__(self) -> None:
        self._connections = Connections()

    def name_of(self, options: Any) -> str:
        """The host, and a sign of the rest: in an address of this kind the path itself is often the password."""
        return f"{_host(options)}#{hashlib.sha256(options.url.encode()).hexdigest()[:8]}"

    def server_of(self, options: Any) -> str:
        return _host(options)

    def wants_every(self, options: Any) -> bool:
        return True

    revocable: ClassVar[bool] = False

    def publish(self, request: PublishRequest) -> Published:
        """See `Sink.publish`."""
        document = _document(request)
        self._post(request, document)
        return Published(document.rows)

    def prepare(self, request: PublishRequest) -> Published:
        """Make the document: its rows can be read. Whether somebody takes it shows when it is posted."""
        return Published(_document(request).rows)

    def put(self, request: PublishRequest) -> None:
        self.publish(request)

    def take_back(self, request: PublishRequest) -> None:
        """Nothing: it was read."""

    def clear(self, request: PublishRequest) -> None:
        """Nothing was laid aside."""

    def close(self) -> None:
        """Give back the connections."""
        self._connections.close()

    def _post(self, request: PublishRequest, document: _Document) -> None:
        import httpx

        from utils.resilience.deadline import deadline

        options: Any = request.options
        timeout = httpx.Timeout(ANSWER_WITHIN_S, connect=request.connect_timeout)
        try:
            sent = httpx.Request(
                "POST",
                options.url,
                headers=_headers(options, document, request.now),
                content=document.body,
                extensions={"timeout": timeout.as_dict()},
            )
            # No redirect is followed: who signs a document knows whom it is for.
            with deadline(ANSWER_WITHIN_S), self._connections.answer(Route(), sent) as answer:
                status, said = answer.status_code, dict(answer.headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _not_sent(error, request) from error
        if not 200 <= status < 300:
            raise _refused(status, said, request)


def signature(secret: str, id: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over id, seconds since 1970 and body, as Standard Webhooks writes it.

    >>> signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
    ...           b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    signed = b".".join((id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, "sha256")).decode()


def _key(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise Fault("begins with `whsec_`, and what follows is no Base64", hint="Copy it once more, whole.") from None


def _headers(options: Any, document: _Document, now: datetime) -> dict[str, str]:
    timestamp = str(int(now.timestamp()))
    headers = {
        **options.headers,
        "Host": urlsplit(options.url).netloc,
        "Content-Type": "application/json",
        "Idempotency-Key": document.id,
        "webhook-id": document.id,
        "webhook-timestamp": timestamp,
    }
    if options.secret:
        headers["webhook-signature"] = signature(options.secret, document.id, timestamp, document.body)
    return headers


def _document(request: PublishRequest) -> _Document:
    import orjson

    about = request.about
    body: Mapping[str, Any] = about.body if about else {}
    rows = about.rows if about else sum(batch.num_rows for batch in request.table.batches())
    key = f"{request.dataset}:{request.version}"  # versions of several datasets in one run have the same name
    data: dict[str, Any] = {
        "key": key,
        "dataset": request.dataset,
        "version": request.version,
        "rows": rows,
        "score": body.get("quality", {}).get("score"),
        "provider": body.get("provider"),
        "source": body.get("source"),
        "collected_at": body.get("collected_at"),
        "data_time": body.get("data_time"),
        "accepted_at": request.moment,
        "columns": request.table.schema.names,
    }
    if request.options.link:
        data["link"] = filled(request.options.link, request)
    if request.options.rows:
        data["records"] = _records(request)
    told = {"type": "version.published", "timestamp": request.moment, "data": data}
    return _Document(key, orjson.dumps(told, option=orjson.OPT_UTC_Z), rows)


def _records(request: PublishRequest) -> Any:
    """The rows as JSON, or null when they are more than a document may hold."""
    import orjson

    from data_pipeline.export import stream_rows

    written = bytearray()
    for piece in stream_rows(request.table.schema, request.table.batches(), "json"):
        written += piece
        if len(written) > MOST_BYTES:
            return None
    return orjson.Fragment(bytes(written))


def _host(options: Any) -> str:
    parts = urlsplit(options.url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _not_sent(error: "httpx.HTTPError | httpx.InvalidURL", request: PublishRequest) -> PublishError:
    import httpx

    host = _host(request.options)
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol | httpx.InvalidURL):
        # Its text may repeat a whole header, or the address.
        return PublishError(f"{host}: the request cannot be made", hint="check `url` and `headers`")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        hint = "if you trust it, name the file of its authority in SSL_CERT_FILE"
        return PublishError(f"{host}: no trusted TLS connection ({error})", hint=hint)
    away = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
    if isinstance(error, httpx.TimeoutException):
        what = "no connection in time" if away else "no answer in time"
    else:
        what = f"no connection ({error})" if away else "the connection broke"
    hint = "is the receiver up, and may this machine reach it?" if away else "a receiver answers first, and works then"
    return PublishError(f"{host}: {what}", hint=hint, transient=True, away=away, retry_after=_pause(request))


def _refused(status: int, headers: Mapping[str, str], request: PublishRequest) -> PublishError:
    from utils.resilience.retry_after import retry_after

    what = f"{_host(request.options)} answered {status}"
    if status in _MAY_PASS or status >= 500:
        asked = retry_after(headers.get("retry-after", ""), now=request.now, date=headers.get("date", ""))
        return PublishError(what, transient=True, retry_after=max(asked or 0.0, _pause(request)))
    hint = _HINTS.get(status, "look into the receiver's log")
    if status < 400:
        hint = "a document is not sent on to another address: set `url` to where it points"
    return PublishError(what, hint=hint, final=True)


def _pause(request: PublishRequest) -> float:
    """Seconds before the next try."""
    failures = request.attempt - 1
    return min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE_S) if failures else 0.0
