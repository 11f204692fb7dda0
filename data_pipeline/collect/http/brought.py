"""What one address brought: answers, notes, and what the next collection needs to know."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from data_pipeline.collect.addresses import file_name
from data_pipeline.collect.http import answers
from data_pipeline.collect.http.exchange import Answer
from data_pipeline.collect.http.mirrors import Source
from data_pipeline.collect.spool import Spool
from data_pipeline.dataset import Payload
from data_pipeline.errors import CollectError
from utils.resilience.errors import RejectedError

__all__ = ["Found", "better", "conditions", "payloads", "sha256_of", "validators"]


@dataclass(slots=True)
class Found:
    """What one address brought, complete or not.

    Attributes:
        first_url: The first request's address.
        extras: Of each answer: name and value that its rows have in common.
        failure: What is missing did not come because of this.
    """

    source: Source
    first_url: str = ""
    answers: list[Answer] = field(default_factory=list)
    extras: list[tuple[tuple[str, Any], ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    partial: bool = False
    failure: CollectError | RejectedError | None = None
    attempts: int = 0
    size: int = 0

    def close(self) -> None:
        for answer in self.answers:
            if answer.body is not None:
                answer.body.close()


def better(one: Found | None, other: Found | None) -> Found | None:
    """The whole one, else the longer one; the one that is not chosen is given back."""
    if one is None or other is None:
        return one or other
    if (not other.failure, len(other.answers)) > (not one.failure, len(one.answers)):
        one, other = other, one
    other.close()
    return one


def conditions(validators: Mapping[str, str], url: str) -> dict[str, str]:
    """Ask conditionally only for the very address that the validators came from."""
    if not validators or validators.get("address") != _fingerprint(url):
        return {}
    headers = {"If-None-Match": validators.get("etag", ""), "If-Modified-Since": validators.get("last_modified", "")}
    return {name: value for name, value in headers.items() if value}


def validators(answer: Answer) -> tuple[tuple[str, str], ...]:
    found = {"etag": answer.headers.get("etag", ""), "last_modified": answer.headers.get("last-modified", "")}
    known = [(name, value) for name, value in found.items() if value]
    return (("address", _fingerprint(answer.url)), *known) if known else ()


def _fingerprint(url: str) -> str:
    """Tells addresses apart without storing them: their query may hold a secret."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def payloads(found: Found) -> Iterator[Payload]:
    for answer, extra in zip(found.answers, found.extras, strict=True):
        if answer.body is None:
            continue
        kind, charset = answers.media_type(answer.headers.get("content-type", ""))
        body, name = answer.body, file_name(answer.url)
        yield Payload(body.open, body.size, body.sha256, name=name, media_type=kind, charset=charset, extra=extra)


def sha256_of(spools: list[Spool]) -> str:
    """Of all pages, one after the other; of one page it is the page's own."""
    if len(spools) == 1:
        return spools[0].sha256
    digest = hashlib.sha256()
    for spool in spools:
        with spool.open() as stream:
            while chunk := stream.read(2**20):
                digest.update(chunk)
    return digest.hexdigest()
