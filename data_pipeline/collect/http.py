"""Collect over HTTP: bounded, conditional, page after page, each request on its provider's account."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self
from urllib.parse import quote, urljoin, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from config.durations import Size
from data_pipeline.collect import answers, placeholders
from data_pipeline.collect.addresses import file_name, provider_name, same_origin, shown
from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.connections import Connections, Credentials, Route
from data_pipeline.collect.exchange import Answer, Exchange
from data_pipeline.collect.keys import NotYet
from data_pipeline.collect.paging import Paginate, is_empty, next_in_json, next_in_links
from data_pipeline.collect.spool import Spool
from data_pipeline.dataset import Collected, Payload, Provenance
from data_pipeline.errors import CollectError, ProviderRefused

__all__ = ["HttpCollector", "Options"]

MAX_REDIRECTS = 5
MAX_JSON_PAGE = 64 * 10**6
"""Bytes of a page that are read into memory to look for the next page's address."""
HARMLESS = {"accept", "accept-encoding", "accept-language", "user-agent"}


class Options(BaseModel):
    """`collect: {kind: http, …}`.

    Attributes:
        url: Full address, or a path under the provider's `base_url`. `{now}`, `{run_date}` are filled in.
        params: Query parameters, encoded and added to `url`.
        max_size: Bytes, after decompression, over all pages; more is refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["http"] = "http"
    url: str = Field(min_length=1)
    method: Literal["GET"] = "GET"
    params: dict[str, str | int | float | bool] = {}
    headers: dict[str, str] = {}
    max_size: Size = Field(default=10**9, gt=0)
    paginate: Paginate = Paginate()

    mirrors: NotYet = None
    auth: NotYet = None
    success: NotYet = None
    transient_when: NotYet = None
    for_each: NotYet = None
    body: NotYet = None

    @field_validator("method", mode="before")
    @classmethod
    def _only_get(cls, method: Any) -> Any:
        if isinstance(method, str) and method.upper() != "GET":
            raise ValueError(f"method `{method}` is not supported yet; only GET")
        return method.upper() if isinstance(method, str) else method

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        scheme, separator, rest = url.partition("://")
        if separator:
            if scheme.lower() not in ("http", "https"):
                raise ValueError(f"`{scheme}://` is not HTTP; kind http takes http:// and https:// addresses")
            if "{" in rest.partition("/")[0]:
                raise ValueError("a placeholder in the host is not possible: the host decides who the provider is")
            provider_name(url)
        return placeholders.check(url)

    @model_validator(mode="after")
    def _templates(self) -> Self:
        for value in (*self.params.values(), *self.headers.values()):
            if isinstance(value, str):
                placeholders.check(value)
        return self


class HttpCollector:
    """Brings the body of an HTTP answer, or of all its pages.

    Bodies beyond 8 MB wait in a temporary file. Redirects are followed by hand, up to five: each hop is a request of
    the provider that it goes to, and credentials go to their own host only.
    """

    Options: ClassVar[type] = Options

    def __init__(self) -> None:
        self._connections = Connections()

    def provider_of(self, options: Any, dataset: str) -> str:
        if "://" not in options.url:
            raise ValueError(
                f"dataset {dataset}: `url` is only a path; give a full address, or name a `provider` with a `base_url`"
            )
        return provider_name(options.url)

    def collect(self, request: CollectRequest) -> Collected:
        """See `Collector.collect`. A failure after the first page keeps what came before: `partial`, with a note."""
        return _Collection(request, request.options, self._connections).run()

    def close(self) -> None:
        self._connections.close()


@dataclass(slots=True)
class _Collection:
    """One collection of one dataset."""

    request: CollectRequest
    options: Options
    connections: Connections
    home: str = ""
    route: Route = field(default_factory=Route)
    credentials: Credentials = field(default_factory=Credentials)
    attempts: int = 0
    size: int = 0
    pages: list[Answer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    partial: bool = False

    def run(self) -> Collected:
        started = self.request.clock.monotonic()
        try:
            self.home = _first_url(self.request)
            self.route = Route.of(self.request.settings)
            self.credentials = Credentials.of(self.request.settings, self.home)
            # The first page alone cannot say that none of them changed.
            first = self._page(self.home, conditional=self.options.paginate.kind == "none")
            if first.body is None:
                return self._not_modified(first, started)
            self._keep(first)
            self._follow_pages(first)
            return self._collected(started)
        except CollectError as error:
            self.close()
            error.provider = error.provider or self.request.provider
            error.attempts = max(error.attempts, self.attempts)
            raise
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for page in self.pages:
            if page.body is not None:
                page.body.close()

    # Pages

    def _follow_pages(self, page: Answer) -> None:
        from utils.resilience.errors import RejectedError

        paginate = self.options.paginate
        addresses = {self.home, page.url}
        contents = {page.body.sha256} if page.body else set()
        while (url := self._next_address(page)) is not None:
            number = len(self.pages) + 1
            if number > paginate.max_pages:
                self.notes.append(f"stopped after max_pages: {paginate.max_pages}; the provider has more")
                return
            if url in addresses:
                self.notes.append(f"page {number - 1} names an earlier page as the next one; stopped there")
                return
            addresses.add(url)
            try:
                page = self._page(url, conditional=False)
            except (CollectError, RejectedError) as error:
                self.partial = True
                self.notes.append(f"page {number} did not come, the {number - 1} before it are kept: {error}")
                return
            body = page.body
            if body is None:
                return
            if self._is_empty(body) or body.sha256 in contents:
                if body.sha256 in contents:
                    self.notes.append(f"page {number} repeats an earlier page; stopped there")
                body.close()
                return
            contents.add(body.sha256)
            self._keep(page)

    def _keep(self, page: Answer) -> None:
        self.pages.append(page)
        self.size += page.body.size if page.body else 0

    def _next_address(self, page: Answer) -> str | None:
        paginate = self.options.paginate
        target: str | None = None
        if paginate.kind == "link_header":
            target = next_in_links(page.headers.get("link", ""))
        elif paginate.kind == "json_next" and page.body is not None:
            if page.body.size > MAX_JSON_PAGE:
                self.partial = True
                self.notes.append(f"a page of {page.body.size:,} bytes is too large to look for `{paginate.next}` in")
                return None
            try:
                with page.body.open() as stream:
                    target = next_in_json(stream, paginate.next)
            except ValueError as error:
                # The parser will say more about a page that is no JSON; here it only means that pages may be missing.
                self.partial = True
                self.notes.append(f"page {len(self.pages)} does not say whether there is a next one: {error}")
        return None if not target else urljoin(page.url, target)

    def _is_empty(self, body: Spool) -> bool:
        with body.open() as stream:
            return is_empty(stream.read(64), body.size)

    # One page: a request, or a few when it is redirected

    def _page(self, url: str, *, conditional: bool) -> Answer:
        for _hop in range(MAX_REDIRECTS + 1):
            exchange = self._exchange(url, conditional=conditional)
            try:
                answer = self.request.call(exchange.provider, exchange)
            finally:
                self.attempts = max(self.attempts, exchange.calls)
            if not answer.redirect:
                return answer
            url = urljoin(url, answer.redirect).partition("#")[0]
            if urlsplit(url).scheme not in ("http", "https"):
                raise ProviderRefused(
                    f"{self.request.dataset}: redirected to {shown(url)}, which is not HTTP", provider=exchange.provider
                )
        raise ProviderRefused(
            f"{self.request.dataset}: more than {MAX_REDIRECTS} redirects, the last to {shown(url)}",
            hint="the provider sends us in circles; open `url` in a browser and set the address where it ends",
            provider=self.request.provider,
        )

    def _exchange(self, url: str, *, conditional: bool) -> Exchange:
        at_home = same_origin(self.home, url)
        headers = {
            name: placeholders.render(value, self.request.values) for name, value in self.options.headers.items()
        }
        if not at_home:
            # A user's own header may be a credential too; only those that never are go along.
            headers = {name: value for name, value in headers.items() if name.lower() in HARMLESS}
        return Exchange(
            self.request,
            self.connections,
            url,
            provider=self.request.provider if at_home else provider_name(url),
            route=self.route if at_home else self.route.to_a_stranger(),
            credentials=self.credentials if at_home else Credentials(),
            headers=headers,
            conditions=_conditions(self.request.validators, url) if conditional else {},
            limit=self.options.max_size - self.size,
            max_size=self.options.max_size,
        )

    # Results

    def _collected(self, started: float) -> Collected:
        spools = [page.body for page in self.pages if page.body is not None]
        newest = [moment for page in self.pages if (moment := answers.http_date(page.headers.get("last-modified", "")))]
        provenance = self._provenance(started)
        provenance = replace(
            provenance,
            content_sha256=_sha256(spools),
            last_modified=max(newest, default=None),
            size=self.size,
            partial=self.partial,
            validators=_validators(self.pages[0]) if self.options.paginate.kind == "none" else (),
            notes=tuple(self.notes),
        )
        payloads = tuple(_payload(page, spool) for page, spool in zip(self.pages, spools, strict=True))
        return Collected(provenance, payloads, close=self.close)

    def _not_modified(self, answer: Answer, started: float) -> Collected:
        # A 304 may bring new validators (RFC 9110, 15.4.5); what it does not name stays as it was.
        validators = {**self.request.validators, **dict(_validators(answer))}
        provenance = replace(
            self._provenance(started),
            unchanged=True,
            last_modified=answers.http_date(validators.get("last_modified", "")),
            validators=tuple(validators.items()),
        )
        return Collected(provenance, not_modified=True)

    def _provenance(self, started: float) -> Provenance:
        clock = self.request.clock
        return Provenance(
            provider=self.request.provider,
            collected_at=clock.now(),
            attempts=max(1, self.attempts),
            latency_s=max(0.0, clock.monotonic() - started),
            source=shown(self.home),
        )


def _first_url(request: CollectRequest) -> str:
    options: Options = request.options
    address, mark, query = options.url.partition("#")[0].partition("?")
    url = placeholders.render(address, request.values, encode=placeholders.in_path)
    url += mark + placeholders.render(query, request.values, encode=placeholders.in_query)
    if "://" not in url:
        base = str(getattr(request.settings, "base_url", "") or "")
        if not base:
            raise ProviderRefused(
                f"{request.dataset}: `url` is only a path and provider {request.provider} has no `base_url`",
                hint="give a full address in `url`, or set `base_url` at the provider",
            )
        url = f"{base.rstrip('/')}/{url.lstrip('/')}"
    if options.params:
        pairs = "&".join(
            f"{quote(name, safe='')}={quote(_parameter(value, request.values), safe='')}"
            for name, value in options.params.items()
        )
        url += ("&" if "?" in url else "?") + pairs
    return url


def _parameter(value: str | float | bool, values: placeholders.Values) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return placeholders.render(value, values) if isinstance(value, str) else str(value)


def _conditions(validators: Mapping[str, str], url: str) -> dict[str, str]:
    """Ask conditionally only for the very address that the validators came from."""
    if validators.get("address") != _fingerprint(url):
        return {}
    headers = {"If-None-Match": validators.get("etag", ""), "If-Modified-Since": validators.get("last_modified", "")}
    return {name: value for name, value in headers.items() if value}


def _validators(answer: Answer) -> tuple[tuple[str, str], ...]:
    found = {"etag": answer.headers.get("etag", ""), "last_modified": answer.headers.get("last-modified", "")}
    known = [(name, value) for name, value in found.items() if value]
    return (("address", _fingerprint(answer.url)), *known) if known else ()


def _fingerprint(url: str) -> str:
    """Tells addresses apart without storing them: their query may hold a secret."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def _payload(page: Answer, spool: Spool) -> Payload:
    kind, charset = answers.media_type(page.headers.get("content-type", ""))
    return Payload(spool.open, spool.size, spool.sha256, name=file_name(page.url), media_type=kind, charset=charset)


def _sha256(spools: list[Spool]) -> str:
    """Of all pages, one after the other; of one page it is the page's own."""
    if len(spools) == 1:
        return spools[0].sha256
    digest = hashlib.sha256()
    for spool in spools:
        with spool.open() as stream:
            while chunk := stream.read(2**20):
                digest.update(chunk)
    return digest.hexdigest()
