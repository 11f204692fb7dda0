"""One HTTP request and its answer, read with a bound on time and size."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from data_pipeline.collect import answers
from data_pipeline.collect.addresses import DEFAULT_PORTS, shown
from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.connections import Connections, Credentials, Route
from data_pipeline.collect.decoding import ACCEPTED, BrokenEncoding, CutOff, UnknownEncoding, decoded
from data_pipeline.collect.spool import Spool
from data_pipeline.errors import CollectError, PayloadUnreadable, ProviderUnavailable

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "Exchange"]

_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: a body, or a new address (`redirect`), or neither: the copy we have is still good (304)."""

    url: str
    headers: Mapping[str, str]
    body: Spool | None = None
    redirect: str = ""


class Exchange:
    """One request, ready to be called again when a try failed; every call starts from nothing.

    Args:
        headers: The dataset's own headers; they win over the provider's.
        conditions: The headers that make the request conditional; only then a 304 is an answer.
        limit: Bytes that may still come, after decompression.
        max_size: What the user allowed for the whole collection; for the message.
    """

    def __init__(
        self,
        request: CollectRequest,
        connections: Connections,
        url: str,
        *,
        provider: str,
        route: Route,
        credentials: Credentials,
        headers: Mapping[str, str],
        conditions: Mapping[str, str],
        limit: int,
        max_size: int,
    ) -> None:
        self.provider = provider
        self.calls = 0
        self._request = request
        self._connections = connections
        self._url = url
        self._route = route
        self._credentials = credentials
        self._headers = headers
        self._conditions = conditions
        self._limit = limit
        self._max_size = max_size
        self._what = f"{request.dataset}: {shown(url)}"

    def __call__(self) -> Answer:
        """Make the request.

        Raises:
            ProviderUnavailable, ProviderRefused, PayloadUnreadable: see `data_pipeline.errors`.
        """
        import httpx

        self.calls += 1
        request = self._request
        client = self._connections.client(self._route, self._url)
        self._look_behind_the_proxy()
        timeout = httpx.Timeout(request.read_timeout, connect=request.connect_timeout)
        url = self._credentials.on(self._url)
        try:
            with client.stream("GET", url, headers=self._all_headers(), timeout=timeout) as response:
                return self._read(response)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise answers.transport_error(self._what, self.provider, error) from error

    def _read(self, response: "httpx.Response") -> Answer:
        status, headers = response.status_code, response.headers
        if status == 304 and self._conditions:
            return Answer(self._url, headers)
        if status in _REDIRECTS and headers.get("location"):
            return Answer(self._url, headers, redirect=headers["location"])
        if not 200 <= status < 300 or status == 206:
            said = _first_words(response)
            raise answers.status_error(self._what, self.provider, status, headers, self._request.clock.now(), said)
        return Answer(self._url, headers, body=self._body(response))

    def _body(self, response: "httpx.Response") -> Spool:
        announced = response.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit:
            raise self._too_large(f"announces {int(announced):,} bytes")
        spool = Spool(self._request.folder)
        whole = False
        try:
            for chunk in _chunks(response):
                if spool.size + len(chunk) > self._limit:
                    raise self._too_large(f"sent {spool.size + len(chunk):,} bytes and goes on")
                spool.write(chunk)
            whole = True
            return spool.finish()
        except UnknownEncoding as error:
            raise PayloadUnreadable(
                f"{self._what} uses the content encoding {error}, which was not asked for",
                hint=f"we read {ACCEPTED}; remove Accept-Encoding from `headers`",
                provider=self.provider,
            ) from error
        except BrokenEncoding as error:
            raise PayloadUnreadable(
                f"{self._what} is not compressed as its headers say ({error})",
                hint="the provider, or a proxy on the way, is broken; tell its owner",
                provider=self.provider,
            ) from error
        except CutOff as error:
            raise ProviderUnavailable(f"{self._what}: {error}", provider=self.provider) from error
        except OSError as error:
            raise CollectError(
                f"{self._what}: the answer cannot be kept in {self._request.folder}: {error.strerror or error}",
                hint="free some disk space, or check the permissions of that folder",
                provider=self.provider,
            ) from error
        finally:
            if not whole:
                spool.close()

    def _too_large(self, how: str) -> PayloadUnreadable:
        return PayloadUnreadable(
            f"{self._what} {how}, more than `max_size` ({self._max_size:,}) allows",
            hint="raise `max_size` if that much is meant, else check `url`",
            provider=self.provider,
        )

    def _all_headers(self) -> list[tuple[bytes, bytes]]:
        usual = {"Accept": "*/*", "Accept-Encoding": ACCEPTED, "User-Agent": "cloud-data-orchestrator"}
        merged: dict[str, tuple[str, str]] = {}
        for source in (usual.items(), self._credentials.headers, self._headers.items(), self._conditions.items()):
            merged.update({name.lower(): (name, value) for name, value in source})
        return [(name.encode(), value.encode()) for name, value in merged.values()]

    def _look_behind_the_proxy(self) -> None:
        """A proxy resolves names for us; when only public addresses are allowed, look at them before it does."""
        if self._route.allow_private or not self._route.proxy:
            return
        import httpcore

        from data_pipeline.collect.network import refuse_private, resolve

        parts = urlsplit(self._url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 80)
        try:
            found = resolve(host, port, self._request.connect_timeout)
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            return  # behind a proxy our own resolver often knows nothing
        refuse_private(host, found)


def _chunks(response: "httpx.Response") -> Iterator[bytes]:
    return decoded(response.iter_raw(), response.headers.get("content-encoding", ""))


def _first_words(response: "httpx.Response") -> str:
    """The start of an error's text, for the message; nothing when it is a web page or unreadable."""
    import httpx

    kind, _ = answers.media_type(response.headers.get("content-type", ""))
    if not (kind == "text/plain" or "json" in kind):
        return ""
    try:
        head = next(_chunks(response), b"")[:400]
    except (httpx.TransportError, ValueError):
        return ""
    words = " ".join(head.decode("utf-8", "replace").split())
    return words if len(words) <= 120 else words[:119] + "…"
