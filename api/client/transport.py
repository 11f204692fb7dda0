"""One question to the API over HTTP, and its answer: what fails in passing is tried again."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from .errors import refused, unreachable

__all__ = ["Document", "Transport", "part"]

Document = dict[str, Any]

LONGEST_PAUSE_S = 10.0
"""Of what the server asks to wait (`Retry-After`); beyond, the error is told at once."""


class Transport:
    """Asks paths below `/api/v1`. A POST has an `Idempotency-Key`, so that it is done once however often it is sent.

    Args:
        tries: How often what fails in passing (nobody answers, 429, 503) is asked for, all in all.
    """

    def __init__(self, http: httpx.Client, sleep: Callable[[float], None], tries: int) -> None:
        self._http = http
        self._sleep = sleep
        self._tries = tries

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **parameters: Any) -> Document:
        """The JSON of a path below `/api/v1`; a parameter that is None is left out."""
        return self._asked("GET", path, params=_given(parameters))

    def each(self, member: str, path: str, **parameters: Any) -> list[Document]:
        """The list that stands in it under a name."""
        return list(self.get(path, **parameters)[member])

    def post(self, path: str, **body: Any) -> Document:
        """Have something done; gives the JSON that tells what."""
        return self._asked("POST", path, json=_given(body), headers={"Idempotency-Key": str(uuid.uuid4())})

    def delete(self, path: str) -> Document:
        return self._asked("DELETE", path)

    def pages(self, path: str, limit: int | None = None, **parameters: Any) -> Iterator[Document]:
        """The items of a long list, page after page as they are asked for; `limit`: so many at most."""
        cursor, left = None, limit
        while left is None or left > 0:
            size = 1000 if left is None else min(left, 1000)
            page = self.get(path, limit=size, cursor=cursor, **parameters)
            yield from page["items"]
            left = None if left is None else left - len(page["items"])
            if (cursor := page["next"]) is None:
                return

    @contextmanager
    def streamed(self, path: str, **parameters: Any) -> Iterator[httpx.Response]:
        """An answer that is read as it comes."""
        try:
            with self._http.stream("GET", path, params=_given(parameters)) as response:
                if response.is_error:
                    response.read()
                    raise refused(response)
                yield response
        except httpx.TransportError as error:
            raise unreachable(self._http, error) from error

    def _asked(self, method: str, path: str, **request: Any) -> Document:
        for left in reversed(range(self._tries)):
            try:
                response = self._http.request(method, path, **request)
            except httpx.TransportError as error:
                # What was perhaps done must not be done twice: only a key, or a look, is safe.
                if not left or method == "DELETE":
                    raise unreachable(self._http, error) from error
                self._sleep(0.5)
                continue
            if not response.is_error:
                body: Document = response.json()
                return body
            failed = refused(response)
            pause = 1.0 if failed.retry_after is None else failed.retry_after
            if not left or not failed.transient or failed.status == 504 or pause > LONGEST_PAUSE_S:
                raise failed
            self._sleep(pause)
        raise AssertionError("the last try answers or raises")


def part(text: str) -> str:
    """A name as a part of a path, whatever is in it."""
    return quote(text, safe="")


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
