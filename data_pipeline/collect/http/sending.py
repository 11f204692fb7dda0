"""Make one request, or the few that redirects turn it into, and decide what each host is shown."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from data_pipeline.collect.addresses import led_to, provider_name, same_origin, shown
from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.http.connections import Connections, Credentials, Route
from data_pipeline.collect.http.exchange import Answer, Ask, Exchange, Expected
from data_pipeline.collect.spool import MEMORY
from data_pipeline.errors import ProviderRefused

if TYPE_CHECKING:
    from data_pipeline.collect.http.options import Options

__all__ = ["Sender"]

MAX_REDIRECTS = 5
HELD = 32 * 2**20
"""Bytes that all answers of one collection may hold in memory together; later ones wait in files."""
HARMLESS = {"accept", "accept-encoding", "accept-language", "content-type", "soapaction", "user-agent"}
"""Headers of the user that any host may see; others may be credentials."""


class Sender:
    """Sends the requests of one collection from one address.

    Redirects are followed by hand: each hop is a request of the provider that it goes to. The provider's credentials
    and the user's own headers go to the origin of `url` only, a body to that of `start` as well.

    Args:
        home: The dataset's own address.
        start: The address that is collected from: `home`, or a mirror of it.

    Attributes:
        attempts: How often the most stubborn request was made.
        size: Bytes that were kept; the caller counts them.
    """

    def __init__(self, request: CollectRequest, connections: Connections, *, home: str, start: str) -> None:
        options: Options = request.options
        self.attempts = 0
        self.size = 0
        self._request = request
        self._connections = connections
        self._home, self._start = home, start
        self._max_size: int = options.max_size
        self._expected = Expected(options.success, options.transient_when)
        self._route = Route.of(request.settings)
        # The dataset's own `auth` wins over its provider's.
        self._credentials = Credentials.of(
            request.settings, home, options.auth, provider=request.provider, dataset=request.dataset
        )

    def __call__(
        self,
        ask: Ask,
        *,
        conditions: Mapping[str, str] | None = None,
        excused: Callable[[Answer], bool] | None = None,
    ) -> Answer:
        """The answer that all redirects lead to.

        Args:
            conditions: Headers that make the request conditional.
            excused: See `Expected`.

        Raises:
            CollectError, RejectedError: it did not come.
        """
        for _hop in range(MAX_REDIRECTS + 1):
            exchange = self._exchange(ask, conditions or {}, excused)
            try:
                answer = self._connections.authorizer.call(self._request, exchange)
            finally:
                self.attempts = max(self.attempts, exchange.calls)
            if not answer.redirect:
                return answer
            ask = self._redirected(ask, answer, exchange.provider)
        raise ProviderRefused(
            f"{self._request.dataset}: more than {MAX_REDIRECTS} redirects, the last to {shown(ask.url)}",
            hint="the provider sends us in circles; open `url` in a browser and set the address where it ends",
            provider=self._request.provider,
        )

    def _redirected(self, ask: Ask, answer: Answer, provider: str) -> Ask:
        try:
            url = led_to(ask.url, answer.redirect)
        except ValueError as error:
            raise ProviderRefused(
                f"{self._request.dataset}: {shown(ask.url)} redirects to an address that cannot be asked: {error}",
                hint="check `url`; if it is right, tell the provider",
                provider=provider,
            ) from error
        # 303 means "look there"; after 301 and 302 everybody does the same with a POST (RFC 9110, 15.4).
        if ask.method != "GET" and answer.status in (301, 302, 303):
            headers = tuple(pair for pair in ask.headers if pair[0].lower() != "content-type")
            return Ask(url, "GET", headers)
        return replace(ask, url=url)

    def _exchange(self, ask: Ask, conditions: Mapping[str, str], excused: Callable[[Answer], bool] | None) -> Exchange:
        at_home, at_start = same_origin(self._home, ask.url), same_origin(self._start, ask.url)
        if ask.content is not None and not (at_home or at_start):
            raise ProviderRefused(
                f"{self._request.dataset}: sent on to {shown(ask.url)}; the body of a request goes to no other host",
                hint="if that host is meant, set its address as `url`",
                provider=self._request.provider,
            )
        if at_home:
            credentials = self._credentials
        else:
            if not at_start:
                _refuse_metadata(ask.url)
            # A mirror may have a user part of its own.
            credentials = Credentials.of(None, self._start) if at_start else Credentials()
            ask = replace(ask, headers=tuple(pair for pair in ask.headers if pair[0].lower() in HARMLESS))
        return Exchange(
            self._request,
            self._connections,
            ask,
            provider=self._request.provider if at_home else provider_name(ask.url),
            route=self._route if at_home else self._route.to_a_stranger(),
            credentials=credentials,
            conditions=conditions,
            limit=self._max_size - self.size,
            max_size=self._max_size,
            memory=max(0, min(MEMORY, HELD - self.size)),
            expected=replace(self._expected, excused=excused),
        )


def _refuse_metadata(url: str) -> None:
    """An address that only a provider wrote: what it says as a number is judged here, a name when it is looked up."""
    from data_pipeline.collect.http.network import refuse_metadata

    host = urlsplit(url).hostname or ""
    with suppress(ValueError):  # a name
        refuse_metadata(host, [str(ip_address(host))])
