"""One request to a token endpoint (RFC 6749), and its answer in our words."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, quote_plus

from data_pipeline.collect.addresses import shown
from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.http import answers
from data_pipeline.collect.http.connections import Connections, Route
from data_pipeline.collect.http.credentials import hidden
from data_pipeline.collect.http.decoding import ACCEPTED
from data_pipeline.errors import PayloadUnreadable, ProviderRefused, ProviderUnavailable
from utils.one_line import one_line

if TYPE_CHECKING:
    import httpx

__all__ = ["ClientAuth", "Granted", "TokenRefused", "TokenRequest"]

ClientAuth = Literal["basic", "body"]
"""How the client proves itself: by HTTP Basic, or with its id and secret in the form (RFC 6749, 2.3.1)."""

MAX_ANSWER = 2**20
_PASSING = {"temporarily_unavailable", "server_error", "slow_down"}
_HINTS = {
    "invalid_client": "check `client_id` and `client_secret` in {where}",
    "invalid_scope": "check `scope` in {where}",
    "unauthorized_client": "this client may not fetch tokens in this way; ask the provider to allow it",
    "unsupported_grant_type": "the provider gives tokens in another way: set or remove `refresh_token` in {where}",
}
_NO_GRANT = {
    "refresh_token": "the refresh token has ended, was revoked or was used elsewhere: authorise again and put the new "
    "one into `refresh_token` in {where}",
    "client_credentials": "check `client_id`, `client_secret` and `scope` in {where}",
}


@dataclass(frozen=True, slots=True)
class Granted:
    """A token. `expires_in`: seconds, None when the provider does not say; `refresh_token`: "" when it sent none."""

    access_token: str = field(repr=False)
    expires_in: float | None = None
    refresh_token: str = field(default="", repr=False)


class TokenRefused(ProviderRefused):
    """The token endpoint said no. `error`: its code (RFC 6749, 5.2), "" when it gave none."""

    def __init__(self, message: str, *, error: str, hint: str, provider: str, status: int) -> None:
        super().__init__(message, hint=hint, provider=provider, status=status)
        self.error = error


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Asks for a token; every call asks once.

    Args:
        url: The token endpoint.
        host: The name of the policy that the request runs under.
        form: `grant_type` and what belongs to it.
        where: Whose settings these are, for messages.
    """

    request: CollectRequest
    connections: Connections
    route: Route
    url: str
    host: str
    form: Mapping[str, str] = field(repr=False)
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    client_auth: ClientAuth
    where: str

    def __call__(self) -> Granted:
        """Make the request.

        Raises:
            ProviderUnavailable: it may pass. TokenRefused, ProviderRefused, PayloadUnreadable: it will not.
        """
        import httpx

        request = self.request
        timeout = httpx.Timeout(request.read_timeout, connect=request.connect_timeout)
        self.route.look_behind_the_proxy(self.url, request.connect_timeout)
        headers, form = self._signed()
        try:
            sent = httpx.Request(
                "POST", self.url, data=form, headers=headers, extensions={"timeout": timeout.as_dict()}
            )
            with self.connections.answer(self.route, sent) as response:
                shown_there = headers.get("Authorization", "").partition(" ")[2]
                return self._granted(response, self._body(response), shown_there)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            by_proxy = bool(self.connections.proxy_of(self.route, self.url))
            raise answers.transport_error(self._what, self.host, error, url=self.url, by_proxy=by_proxy) from error
        except httpx.DecodingError as error:
            raise self._no_token(f"its body is not compressed as its headers say ({error})") from error

    @property
    def _what(self) -> str:
        request = self.request
        return f"{request.dataset}: provider {request.provider}: the token endpoint {shown(self.url)}"

    def _signed(self) -> tuple[dict[str, str], dict[str, str]]:
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED,
            "Connection": "keep-alive",
            "User-Agent": "cloud-data-orchestrator",
        }
        form = dict(self.form)
        if self.client_auth == "basic":
            pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        else:
            form["client_id"] = self.client_id
            if self.client_secret:
                form["client_secret"] = self.client_secret
        return headers, form

    def _body(self, response: "httpx.Response") -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER:
                raise self._no_token(f"it sent more than {MAX_ANSWER:,} bytes")
        return bytes(body)

    def _granted(self, response: "httpx.Response", body: bytes, shown_there: str) -> Granted:
        status, headers = response.status_code, response.headers
        kind, _ = answers.media_type(headers.get("content-type", ""))
        fields = _fields(body, kind)
        secrets = (self.client_secret, shown_there, self.form.get("refresh_token", ""), *_given(fields))
        # Hidden first, then cut: of a secret that is cut in two, half would be left.
        code, said = (one_line(hidden(text, secrets)) for text in _complaint(fields))
        if status in (301, 302, 303, 307, 308):
            raise ProviderRefused(
                f"{self._what} redirects to {shown(headers.get('location', ''))}; the client's secret is not sent on",
                hint=f"put the address where it ends into `token_url` in {self.where}",
                provider=self.request.provider,
                status=status,
            )
        if status in (408, 425, 429) or status >= 500:
            raise answers.status_error(self._what, self.host, status, headers, self.request.clock.now(), said)
        if code in _PASSING:
            raise ProviderUnavailable(f"{self._what} answered {code}: {said}", provider=self.host, status=status)
        if code or not 200 <= status < 300:
            raise self._refused(code, said, status)
        return self._token(fields, kind)

    def _token(self, fields: Mapping[str, Any] | None, kind: str) -> Granted:
        if fields is None:
            raise self._no_token(f"it sent {kind or 'something'} that is no JSON object")
        access = fields.get("access_token")
        if not isinstance(access, str) or not access.strip():
            raise self._no_token("its answer has no `access_token`")
        written = str(fields.get("token_type") or "Bearer")
        if not written.lower().startswith("bearer"):
            raise self._no_token(f"it sent a token of type `{written[:40]}`, and only bearer tokens can be shown")
        refresh = fields.get("refresh_token")
        return Granted(access.strip(), _seconds(fields.get("expires_in")), refresh if isinstance(refresh, str) else "")

    def _refused(self, code: str, said: str, status: int) -> TokenRefused:
        grant = self.form["grant_type"]
        words = ": ".join(filter(None, (code or f"status {status}", said)))
        usual = "check `token_url`, `client_id` and `client_secret` in {where}"
        hint = _NO_GRANT[grant] if code == "invalid_grant" else _HINTS.get(code, usual)
        return TokenRefused(
            f"{self._what} gave no token ({words})",
            error=code,
            hint=hint.format(where=self.where),
            provider=self.request.provider,
            status=status,
        )

    def _no_token(self, why: str) -> PayloadUnreadable:
        return PayloadUnreadable(
            f"{self._what} gave no usable token: {why}",
            hint=f"check that `token_url` in {self.where} is the address that gives tokens, not a login page",
            provider=self.request.provider,
        )


def _fields(body: bytes, kind: str) -> Mapping[str, Any] | None:
    """The answer's fields; None when it has none. Some older providers answer with a form."""
    import orjson

    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode("utf-8", "replace")))
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _complaint(fields: Mapping[str, Any] | None) -> tuple[str, str]:
    """Code and description of an error answer; empty when it is none."""
    error = (fields or {}).get("error")
    if not error or fields is None:
        return "", ""
    if isinstance(error, Mapping):
        code, said = error.get("type") or error.get("code") or "error", error.get("message")
    else:
        code, said = error, fields.get("error_description")
    return str(code), str(said or "")


def _given(fields: Mapping[str, Any] | None) -> list[str]:
    return [str((fields or {}).get(name, "")) for name in ("access_token", "refresh_token", "id_token")]


def _seconds(value: Any) -> float | None:
    """`expires_in`, which many send as text; None for nonsense: then the token is used until it is refused."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds < 10**10 else None
