"""One HTTP request and its answer, read with a bound on time and size, and judged by the dataset's conditions."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import IO, TYPE_CHECKING

from data_pipeline.collect.addresses import file_name, shown
from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.http import answers, success
from data_pipeline.collect.http.connections import Connections, Credentials, Route
from data_pipeline.collect.http.decoding import ACCEPTED, BrokenEncoding, CutOff, UnknownEncoding, decoded
from data_pipeline.collect.spool import MEMORY, Spool
from data_pipeline.errors import CollectError, PayloadUnreadable, ProviderUnavailable
from data_pipeline.parse.unreadable import first_bytes
from utils.one_line import one_line
from utils.resilience.retry_after import retry_after

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "Ask", "Exchange", "Expected"]

_REDIRECTS = {301, 302, 303, 307, 308}
_TAGS = re.compile(rb"<[^>]*>?")
_FAILURE_READ = 2**20
"""Bytes of a failed answer that `transient_when` is asked about."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request as it is sent, but for credentials. `media_type`: of `content`, when no header names one."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes | None = None
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the dataset says about answers; "" says nothing.

    Attributes:
        success: What an answer must fulfil.
        transient_when: Of what an answer is a failure that may pass.
        excused: Answers that need not fulfil `success`: a page without rows only ends the pages.
    """

    success: str = ""
    transient_when: str = ""
    excused: Callable[["Answer"], bool] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: a body, or a new address (`redirect`), or neither: the copy we have is still good (304)."""

    url: str
    headers: Mapping[str, str]
    body: Spool | None = None
    redirect: str = ""
    status: int = 200


class Exchange:
    """One request, ready to be called again when a try failed; every call starts from nothing.

    `credentials` may be replaced between two calls: a token that is renewed.

    Args:
        ask: The request; its headers are the dataset's own, and win over the provider's.
        conditions: The headers that make the request conditional; only then a 304 is an answer.
        limit: Bytes that may still come, after decompression.
        max_size: What the user allowed for the whole collection; for the message.
        memory: Bytes of the answer that may be held in memory.
        expected: What is to be seen in the answer.
    """

    def __init__(
        self,
        request: CollectRequest,
        connections: Connections,
        ask: Ask,
        *,
        provider: str,
        route: Route,
        credentials: Credentials,
        conditions: Mapping[str, str],
        limit: int,
        max_size: int,
        memory: int = MEMORY,
        expected: Expected = Expected(),
    ) -> None:
        self.provider = provider
        self.calls = 0
        self._request = request
        self._connections = connections
        self._ask = ask
        self._url = ask.url
        self._route = route
        self.credentials = credentials
        self._conditions = conditions
        self._limit = limit
        self._max_size = max_size
        self._memory = memory
        self._expected = expected
        self._what = f"{request.dataset}: {shown(ask.url)}"

    def __call__(self) -> Answer:
        """Make the request.

        Raises:
            ProviderUnavailable, ProviderRefused, PayloadUnreadable: see `data_pipeline.errors`.
        """
        import httpx

        self.calls += 1
        request = self._request
        self._route.look_behind_the_proxy(self._url, request.connect_timeout)
        timeout = httpx.Timeout(request.read_timeout, connect=request.connect_timeout)
        try:
            try:
                sent = httpx.Request(
                    self._ask.method,
                    self.credentials.on(self._url),
                    headers=self._all_headers(),
                    content=self._ask.content,
                    extensions={"timeout": timeout.as_dict()},
                )
            except UnicodeError as error:  # a host that is no punycode, half a letter
                raise httpx.InvalidURL(str(error)) from error
            with self._connections.answer(self._route, sent) as response:
                return self._read(response)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            by_proxy = bool(self._connections.proxy_of(self._route, self._url))
            raise answers.transport_error(self._what, self.provider, error, url=self._url, by_proxy=by_proxy) from error

    def _read(self, response: "httpx.Response") -> Answer:
        status, headers = response.status_code, response.headers
        if status == 304 and self._conditions:
            self._record(response)
            return Answer(self._url, headers)
        if status in _REDIRECTS and headers.get("location"):
            self._record(response)
            return Answer(self._url, headers, redirect=headers["location"], status=status)
        if not 200 <= status < 300 or status == 206:
            raise self._failure(response)
        body = self._body(response)
        self._record(response, body.open)
        answer = Answer(self._url, headers, body=body)
        if self._expected.success or self._expected.transient_when:
            self._judge(answer)
        return answer

    def _record(self, response: "httpx.Response", body: Callable[[], IO[bytes]] = BytesIO) -> None:
        recorder = self._request.recorder
        if recorder is not None:
            with body() as stream:
                sent = self._ask.content or b""
                recorder.take(self._ask.method, self._url, sent, response.status_code, response.headers, stream.read())

    # What the answer says of itself

    def _failure(self, response: "httpx.Response") -> CollectError:
        """The error for an answer without data; `transient_when` may say that it will pass."""
        status, headers = response.status_code, response.headers
        thorough = self._expected.transient_when or self._request.recorder is not None
        head = _head_of(response, _FAILURE_READ if thorough else 400)
        self._record(response, lambda: BytesIO(head))
        said = self.credentials.hidden(_first_words(head, headers))
        error = answers.status_error(self._what, self.provider, status, headers, self._request.clock.now(), said)
        if error.transient or not self._expected.transient_when:
            return error
        try:
            passing = self._holds(self._expected.transient_when, BytesIO(head), headers)
        except ValueError:
            return error  # its status says enough
        if not passing:
            return error
        wait = self._wait_of(headers)
        said = f': "{said}"' if said else ""
        return ProviderUnavailable(
            f"{self._what} answered {status}, and `transient_when` holds{said}",
            provider=self.provider,
            status=status,
            retry_after=wait,
        )

    def _wait_of(self, headers: Mapping[str, str]) -> float | None:
        now = self._request.clock.now()
        return retry_after(headers.get("retry-after", ""), now=now, date=headers.get("date", ""))

    def _judge(self, answer: Answer) -> None:
        """See that a good status is a good answer; the body of one that is not is given back.

        Raises:
            ProviderUnavailable: `transient_when` holds.
            PayloadUnreadable: `success` does not.
        """
        assert answer.body is not None
        well = False
        try:
            self._judge_transient(answer, answer.body)
            self._judge_success(answer, answer.body)
            well = True
        finally:
            if not well:
                answer.body.close()

    def _judge_transient(self, answer: Answer, body: Spool) -> None:
        condition = self._expected.transient_when
        if not condition:
            return
        with body.open() as stream:
            try:
                passing = self._holds(condition, stream, answer.headers)
            except ValueError:
                return  # not the answer that it speaks of
        if passing:
            raise ProviderUnavailable(
                f"{self._what} answered, but `transient_when` holds: {condition}{self._begins(body)}",
                provider=self.provider,
                retry_after=self._wait_of(answer.headers),
            )

    def _judge_success(self, answer: Answer, body: Spool) -> None:
        condition = self._expected.success
        if not condition or (self._expected.excused is not None and self._expected.excused(answer)):
            return
        reason = ""
        with body.open() as stream:
            web_page = success.is_web_page(stream)
        with body.open() as stream:
            try:
                # A login page holds all kinds of words; whoever wants data never means a web page.
                if not web_page and self._holds(condition, stream, answer.headers):
                    return
            except ValueError as error:
                reason = f"; {error}"
        page = "it is a web page" if web_page else "`success` does not hold"
        raise PayloadUnreadable(
            f"{self._what} answered with a good status, but {page} (success: {condition}{reason}){self._begins(body)}",
            hint="look for the provider's login page or an error in the answer, check `auth`; or mend `success`",
            provider=self.provider,
        )

    def _holds(self, condition: str, content: IO[bytes], headers: Mapping[str, str]) -> bool:
        return success.holds(condition, content, media_type=headers.get("content-type", ""), name=file_name(self._url))

    def _begins(self, body: Spool) -> str:
        with body.open() as stream:
            return f"; it begins with {self.credentials.hidden(first_bytes(stream.read(60)))}"

    # The body

    def _body(self, response: "httpx.Response") -> Spool:
        announced = response.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit:
            raise self._too_large(f"announces {int(announced):,} bytes")
        spool = Spool(self._request.folder, memory=self._memory)
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
        usual = {
            "Accept": "*/*",
            "Accept-Encoding": ACCEPTED,
            "Connection": "keep-alive",
            "User-Agent": "cloud-data-orchestrator",
        }
        if self._ask.media_type:
            usual["Content-Type"] = self._ask.media_type
        merged: dict[str, tuple[str, str]] = {}
        for source in (usual.items(), self.credentials.headers, self._ask.headers, self._conditions.items()):
            merged.update({name.lower(): (name, value) for name, value in source})
        return [(name.encode(), value.encode()) for name, value in merged.values()]


def _chunks(response: "httpx.Response") -> Iterator[bytes]:
    return decoded(response.iter_raw(), response.headers.get("content-encoding", ""))


def _head_of(response: "httpx.Response", count: int) -> bytes:
    """The start of an answer that failed anyway; nothing when it cannot be read."""
    import httpx

    found = b""
    try:
        for chunk in _chunks(response):
            found += chunk[: count - len(found)]
            if len(found) >= count:
                break
    except (httpx.TransportError, ValueError):
        pass
    return found


def _first_words(head: bytes, headers: Mapping[str, str]) -> str:
    """The start of an error's text, for the message; nothing when it is a web page or unreadable."""
    kind, _ = answers.media_type(headers.get("content-type", ""))
    if "xml" in kind and "html" not in kind:
        head = _TAGS.sub(b" ", head)  # of a SOAP fault its words
    elif not (kind == "text/plain" or "json" in kind):
        return ""
    return one_line(head[:400].decode("utf-8", "replace"), 120)
