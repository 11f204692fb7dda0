"""A request before it is made: the dataset's templates filled, and one value or another still to be put in."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_plus

from data_pipeline.collect import placeholders
from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.http import answers
from data_pipeline.collect.http.body import Body, body_of
from data_pipeline.collect.http.exchange import Ask
from data_pipeline.collect.http.targets import Target
from data_pipeline.collect.placeholders import Values
from data_pipeline.errors import ProviderRefused

if TYPE_CHECKING:
    from data_pipeline.collect.http.options import Options

__all__ = ["Draft", "draft_of", "full_address"]


@dataclass(frozen=True, slots=True)
class Draft:
    """One request to be. `url` has no fragment; `params` are not encoded yet; `headers` are the dataset's own."""

    url: str
    method: str = "GET"
    params: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: Body | None = None

    def put(self, place: Target, value: Any) -> "Draft":
        """The same request with one value set; what stood there gives way.

        Raises:
            ValueError: the body has no such place.
        """
        if place.place == "body":
            return replace(self, body=(self.body or Body("json", {})).put(place.path, value))
        (name,) = place.path
        text = _text(value)
        if place.place == "headers":
            kept = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
            return replace(self, headers=(*kept, (name, text)))
        return replace(
            self,
            url=_without(self.url, name),
            params=(*(pair for pair in self.params if pair[0] != name), (name, text)),
        )

    def at(self, url: str) -> "Draft":
        """The same request to an address that a provider named: it is complete as it is."""
        return replace(self, url=url.partition("#")[0], params=())

    def ask(self) -> Ask:
        """The request as it is sent."""
        url = self.url
        if self.params:
            pairs = "&".join(f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in self.params)
            url += ("&" if "?" in url else "?") + pairs
        if self.body is None:
            return Ask(url, self.method, self.headers)
        _, charset = answers.media_type(_header(self.headers, "content-type"))
        return Ask(url, self.method, self.headers, self.body.content(charset), self.body.media_type)


def draft_of(request: CollectRequest, template: str, values: Values) -> Draft:
    """The dataset's request to `template` (a full address, see `full_address`), its placeholders filled."""
    options: Options = request.options
    address, mark, query = template.partition("#")[0].partition("?")
    url = _without_ways_up(address, placeholders.render(address, values, encode=_in_path(values)))
    url += mark + placeholders.render(query, values, encode=placeholders.in_query)
    headers = tuple((name, placeholders.render(text, values)) for name, text in options.headers.items())
    return Draft(
        url,
        options.method,
        tuple((name, _filled(value, values)) for name, value in options.params.items()),
        headers,
        body_of(options.body, values, _header(headers, "content-type")),
    )


def full_address(request: CollectRequest, url: str) -> str:
    """An address of the configuration, under the provider's `base_url` when it is only a path."""
    if "://" in url:
        return url
    base = str(getattr(request.settings, "base_url", "") or "")
    if not base:
        raise ProviderRefused(
            f"{request.dataset}: `url` is only a path and provider {request.provider} has no `base_url`",
            hint="give a full address in `url`, or set `base_url` at the provider",
        )
    # Braces of the base are its own: placeholders stand in datasets only.
    base = base.rstrip("/").replace("{", "{{").replace("}", "}}")
    return f"{base}/{url.lstrip('/')}"


def _in_path(values: Values) -> Any:
    """A slash of a placeholder is the user's own, `{now:%Y/%m}`; one that came with the data is not."""
    data = {str(value) for value in (*values.named.values(), values.cursor)}
    return lambda text: quote(text, safe="") if text in data else placeholders.in_path(text)


def _without_ways_up(template: str, address: str) -> str:
    """The address itself; `..` as a value would ask for another path than the user wrote, and no encoding hides it.

    Raises:
        ValueError: a value makes `.` or `..` of a part of the path.
    """
    dots = {".", ".."}
    if sum(part in dots for part in address.split("/")) > sum(part in dots for part in template.split("/")):
        raise ValueError("a value would be `.` or `..` in the path of `url`; refused")
    return address


def _filled(value: str | float | bool, values: Values) -> str:
    return placeholders.render(value, values) if isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.isoformat()).replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)


def _header(headers: tuple[tuple[str, str], ...], name: str) -> str:
    return next((text for key, text in headers if key.lower() == name), "")


def _without(url: str, name: str) -> str:
    address, mark, query = url.partition("?")
    if not mark:
        return url
    kept = [pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) != name]
    return address + ("?" + "&".join(kept) if kept else "")
