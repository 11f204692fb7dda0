"""What stands in a `collect:` block of kind http, and whether it fits together."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from config.durations import Size
from config.providers import Auth
from data_pipeline.collect import placeholders
from data_pipeline.collect.addresses import provider_name
from data_pipeline.collect.files.wildcards import split_members
from data_pipeline.collect.http.body import Body, texts_of
from data_pipeline.collect.http.for_each import ForEach
from data_pipeline.collect.http.paging import Paginate
from data_pipeline.collect.http.success import check_condition
from data_pipeline.collect.http.targets import Target

__all__ = ["Options"]


class Options(BaseModel):
    """`collect: {kind: http, …}`.

    Attributes:
        url: Full address, or a path under the provider's `base_url`. Placeholders are filled in. Behind `.zip!` a
            pattern of the members to read.
        mirrors: Other addresses of the same data.
        params: Query parameters, encoded and added to `url`.
        body: A text, a map that is sent as JSON, or `{form: {…}}`. Only with POST.
        auth: Who asks, instead of the provider's own `auth`.
        success: What an answer must fulfil: JMESPath, XPath or RE2, by what the answer is. "": nothing.
        transient_when: The same; an answer of which it is true counts as a failure that may pass.
        max_size: Bytes, after decompression, over all pages; more is refused.
        for_each: One collection for each value of another dataset's column.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["http"] = "http"
    url: str = Field(min_length=1)
    mirrors: tuple[str, ...] = ()
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, str | int | float | bool] = {}
    headers: dict[str, str] = {}
    body: str | dict[str, Any] | None = None
    auth: Auth | None = None
    success: str = ""
    transient_when: str = ""
    max_size: Size = Field(default=10**9, gt=0)
    paginate: Paginate = Paginate()
    for_each: ForEach | None = None

    @field_validator("method", mode="before")
    @classmethod
    def _upper(cls, method: Any) -> Any:
        if isinstance(method, str) and method.upper() not in ("GET", "POST"):
            raise ValueError(f"method `{method}` is not one that reads data; GET or POST")
        return method.upper() if isinstance(method, str) else method

    @field_validator("url", "mirrors")
    @classmethod
    def _addresses(cls, given: Any) -> Any:
        for url in (given,) if isinstance(given, str) else given:
            _check_address(url)
        return given

    @field_validator("success", "transient_when")
    @classmethod
    def _condition(cls, text: str) -> str:
        return check_condition(text) if text else text

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._check_placeholders()
        if self.body is not None and self.method != "POST":
            raise ValueError("`body` needs `method: POST`; a GET has none")
        if self.body is not None and not self.body:
            raise ValueError("`body` is empty; leave it out")
        places = self.paginate.targets
        if self.for_each is not None and self.for_each.place is not None:
            places = (*places, self.for_each.place)
        for place in places:
            self._check_place(place)
        return self

    def _check_placeholders(self) -> None:
        word = self.for_each.word if self.for_each else ""
        also = (word,) if word else ()
        named: set[str] = set()
        addresses = (self.url, *self.mirrors)
        values = (*self.params.values(), *self.headers.values())
        for text in (*addresses, *(value for value in values if isinstance(value, str)), *texts_of(self.body)):
            placeholders.check(text, also=also)
            named |= placeholders.named(text)
        if word and word not in named:
            raise ValueError(
                f"`for_each` fills `{{{word}}}`, which stands nowhere; write it into `url`, `params`, `headers` or "
                f"`body`, or name a place: into: params.{word}"
            )

    def _check_place(self, place: Target) -> None:
        if place.place != "body":
            return
        if self.method != "POST":
            raise ValueError(f"`{place}` needs `method: POST`; a GET has no body")
        if isinstance(self.body, str):
            raise ValueError(f"`{place}` cannot be set in a body that is a text; write the body as a map")
        if self.body is not None and set(self.body) == {"form"} and len(place.path) > 1:
            raise ValueError(f"`{place}`: the fields of a form have one name, like body.{place.path[-1]}")
        Body("json", self.body).put(place.path, None)


def _check_address(url: str) -> None:
    if split_members(url)[1] == "":
        raise ValueError("name the members behind `!`, for example `a.zip!*.csv`")
    scheme, separator, rest = url.partition("://")
    if not separator:
        return
    if scheme.lower() not in ("http", "https"):
        raise ValueError(f"`{scheme}://` is not HTTP; kind http takes http:// and https:// addresses")
    if "{" in rest.partition("/")[0]:
        raise ValueError("a placeholder in the host is not possible: the host decides who the provider is")
    provider_name(url)
