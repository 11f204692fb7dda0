"""Collect over HTTP: one address of the data or another, one value after the other, page after page."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from data_pipeline.collect.addresses import provider_name, shown
from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.files.wildcards import split_members
from data_pipeline.collect.http.archives import unpacked
from data_pipeline.collect.http.brought import Found, better, conditions, payloads, sha256_of, validators
from data_pipeline.collect.http.connections import Connections
from data_pipeline.collect.http.drafts import Draft, draft_of, full_address
from data_pipeline.collect.http.for_each import ForEach, values_of
from data_pipeline.collect.http.mirrors import Load, Source
from data_pipeline.collect.http.options import Options
from data_pipeline.collect.http.pages import collect_pages
from data_pipeline.collect.http.sending import Sender
from data_pipeline.dataset import Collected, Provenance
from data_pipeline.errors import CollectError, PayloadUnreadable, ProviderRefused, ProviderUnavailable
from utils.http_date import http_date
from utils.resilience.deadline import deadline, remaining
from utils.resilience.errors import CircuitOpenError, RejectedError

__all__ = ["HttpCollector", "Options"]

_OF_THE_PROVIDER = (ProviderUnavailable, ProviderRefused, PayloadUnreadable, RejectedError)
"""Failures after which another address of the same data is worth asking; a full disk is none of them."""


MOST_NOTES = 20
"""Notes of one collection."""


class HttpCollector:
    """Brings the body of an HTTP answer, or of all its pages, or of those for each value of a column.

    Bodies beyond 8 MB wait in a temporary file. Redirects are followed by hand, up to five: each hop is a request of
    the provider that it goes to, and credentials go to their own host only.
    """

    Options: ClassVar[type] = Options

    def __init__(self) -> None:
        self._connections = Connections()
        self._load = Load()

    def provider_of(self, options: Any, dataset: str) -> str:
        if "://" not in options.url:
            raise ValueError(
                f"dataset {dataset}: `url` is only a path; give a full address, or name a `provider` with a `base_url`"
            )
        return provider_name(options.url)

    def collect(self, request: CollectRequest) -> Collected:
        """See `Collector.collect`. A failure after the first page keeps what came before: `partial`, with a note.

        All of it comes from one address. With mirrors the next one is asked from the beginning when one fails; when
        none can bring it all, the largest part is kept.
        """
        return _Collection(request, request.options, self._connections, self._load).run()

    def close(self) -> None:
        self._connections.close()


@dataclass(slots=True)
class _Collection:
    """One collection of one dataset."""

    request: CollectRequest
    options: Options
    connections: Connections
    load: Load
    attempts: int = 0

    def run(self) -> Collected:
        started = self.request.clock.monotonic()
        try:
            found = self._from_any(self._sources())
        except CollectError as error:
            error.provider = error.provider or self.request.provider
            error.attempts = max(error.attempts, self.attempts)
            raise
        if found.answers and found.answers[0].body is None:
            return self._not_modified(found, started)
        try:
            return self._collected(found, started)
        except BaseException:
            found.close()
            raise

    # From where

    def _sources(self) -> list[Source]:
        """The dataset's own address first."""
        url, _ = split_members(self.options.url)
        found = [Source(full_address(self.request, url), self.request.provider)]
        for mirror in self.options.mirrors:
            address = full_address(self.request, split_members(mirror)[0])
            found.append(Source(address, provider_name(address), mirror=True))
        return found

    def _from_any(self, sources: list[Source]) -> Found:
        """What the first source brings that brings it all, else the largest part.

        Raises:
            CollectError, RejectedError: none brought anything; the error is that of the dataset's own address.
        """
        clock, home = self.request.clock, sources[0]
        values = values_of(self.options.for_each, self.request) if self.options.for_each else None
        best: Found | None = None
        failures: dict[Source, CollectError | RejectedError] = {}
        try:
            ordered = self.load.order(sources, clock.monotonic())
            for source in ordered:
                with self.load.at(source), deadline(_share(remaining(), last=source is ordered[-1]), clock):
                    found, failure = self._from_one(source, home, values)
                if failure is None:
                    self.load.worked(source)
                else:
                    self.load.failed(source, clock.monotonic())
                    failures[source] = failure
                best = better(best, found)
                if failure is None or not isinstance(failure, _OF_THE_PROVIDER):
                    break
            if best is None:
                best = self._as_last_resort(sources, home, values, failures)
        except BaseException:
            if best is not None:
                best.close()
            raise
        if best is None:
            raise _of_all(home, failures)
        self._tell_mirrors(best, failures)
        return best

    def _as_last_resort(
        self,
        sources: list[Source],
        home: Source,
        values: list[Any] | None,
        failures: dict[Source, CollectError | RejectedError],
    ) -> Found | None:
        """What one source brings through its open circuit, when all mirrors of the data are refused at once.

        After Envoy's longest share of ejected hosts: an outage that takes them all is more likely one of our judgement.
        The one that rests shortest is asked, without retries.
        """
        waits = {source: error.retry_after for source, error in failures.items() if isinstance(error, CircuitOpenError)}
        last_resort, now = self.request.last_resort, self.request.clock.monotonic()
        if len(sources) < 2 or len(waits) < len(sources) or last_resort is None:
            return None
        if not self.load.may_resort(sources, now):
            return None
        asked = self.request
        self.request = replace(asked, call=last_resort)
        try:
            for source in sorted(waits, key=waits.__getitem__):
                with self.load.at(source):
                    found, failure = self._from_one(source, home, values)
                if not isinstance(failure, CircuitOpenError):  # it was asked; else a person keeps it open
                    break
        finally:
            self.request = asked
        if failure is None:
            self.load.worked(source)
            failures.pop(source)
        else:
            failures[source] = failure
        if found is not None:
            found.notes.insert(
                0, f"the circuits of all addresses are open: {shown(source.address)} was asked all the same"
            )
        return found

    def _from_one(
        self, source: Source, home: Source, values: list[Any] | None
    ) -> tuple[Found | None, CollectError | RejectedError | None]:
        """What one source brings, and what it did not."""
        found = Found(source)
        try:
            self._fill(found, source, home, values)
        except (CollectError, RejectedError) as error:
            found.close()
            return None, error
        except BaseException:
            found.close()
            raise
        finally:
            self.attempts = max(self.attempts, found.attempts)
        return found, found.failure

    def _tell_mirrors(self, best: Found, failures: Mapping[Source, CollectError | RejectedError]) -> None:
        told = [
            f"{'mirror' if source.mirror else 'address'} {shown(source.address)} did not deliver: {error}"
            for source, error in failures.items()
            if source is not best.source
        ]
        if best.source.mirror:
            told.append(f"this came from the mirror {shown(best.first_url)}")
        best.notes[:0] = told

    # What

    def _fill(self, found: Found, source: Source, home: Source, values: list[Any] | None) -> None:
        """Collect for every value, or once without one."""
        each, request = self.options.for_each, self.request
        sender = Sender(request, self.connections, home=home.address, start=source.address)
        found.first_url = source.address
        try:
            if each is None or values is None:
                self._take(found, sender, self._draft(source), ())
            else:
                self._take_each(found, sender, source, each, values)
        finally:
            found.attempts, found.size = sender.attempts, sender.size

    def _take_each(self, found: Found, sender: Sender, source: Source, each: ForEach, values: list[Any]) -> None:
        failures: list[tuple[Any, CollectError | RejectedError]] = []
        for value in values:
            try:
                self._take(found, sender, self._draft(source, each, value), ((each.name, value),))
            except (CollectError, RejectedError) as failure:
                failures.append((value, failure))
        if not values:
            found.notes.append(f"for_each: {each.dataset}.{each.column} has no values")
        if not failures:
            return
        value, error = failures[0]
        if len(failures) == len(values):
            raise error
        found.partial = True
        found.failure = found.failure or error
        found.notes.insert(
            0,
            f"for_each: {len(failures)} of {len(values)} values of {each.dataset}.{each.column} did not come, "
            f"the first is {value}: {error}",
        )

    def _take(self, found: Found, sender: Sender, draft: Draft, extra: tuple[tuple[str, Any], ...]) -> None:
        """The pages that begin with `draft`."""
        paginate = self.options.paginate
        # The first page alone cannot say that none of them changed; nor can the first value.
        alone = paginate.kind == "none" and draft.method == "GET" and not extra
        url = draft.ask().url
        if not found.answers:
            found.first_url = url
        pages = collect_pages(
            sender,
            draft,
            paginate,
            records=self.request.records,
            conditions=conditions(self.request.validators, draft.ask().url) if alone else None,
        )
        found.answers += pages.answers
        found.extras += [extra] * len(pages.answers)
        about = f"for_each {extra[0][1]}: " if extra else ""
        found.notes += [about + note for note in pages.notes]
        found.partial = found.partial or pages.partial
        found.failure = found.failure or pages.failure

    def _draft(self, source: Source, each: ForEach | None = None, value: Any = None) -> Draft:
        """The request to a source, for one value."""
        values = self.request.values
        if each is not None and each.word:
            values = replace(values, named={**values.named, each.word: value})
        try:
            draft = draft_of(self.request, source.address, values)
            if each is not None and each.place is not None:
                draft = draft.put(each.place, value)
            draft.ask()
            return draft
        except ValueError as error:
            raise ProviderRefused(
                f"{self.request.dataset}: the request cannot be made: {error}",
                hint="check `url`, `params`, `headers` and `body`",
                provider=self.request.provider,
            ) from error

    # Results

    def _collected(self, found: Found, started: float) -> Collected:
        spools = [answer.body for answer in found.answers if answer.body is not None]
        newest = [moment for answer in found.answers if (moment := http_date(answer.headers.get("last-modified", "")))]
        simple = self.options.paginate.kind == "none" and self.options.method == "GET" and not self.options.for_each
        provenance = replace(
            self._provenance(found, started),
            content_sha256=sha256_of(spools),
            last_modified=max(newest, default=None),
            size=found.size,
            partial=found.partial,
            validators=validators(found.answers[0]) if simple else (),
            notes=_few(found.notes),
        )
        sent = unpacked(payloads(found), split_members(self.options.url)[1], self.request)
        return Collected(provenance, tuple(sent), close=found.close)

    def _not_modified(self, found: Found, started: float) -> Collected:
        # A 304 may bring new validators (RFC 9110, 15.4.5); what it does not name stays as it was.
        known = {**self.request.validators, **dict(validators(found.answers[0]))}
        provenance = replace(
            self._provenance(found, started),
            unchanged=True,
            last_modified=http_date(known.get("last_modified", "")),
            validators=tuple(known.items()),
            notes=tuple(found.notes),
        )
        return Collected(provenance, not_modified=True)

    def _provenance(self, found: Found, started: float) -> Provenance:
        clock = self.request.clock
        return Provenance(
            provider=self.request.provider,
            collected_at=clock.now(),
            attempts=max(1, self.attempts),
            latency_s=max(0.0, clock.monotonic() - started),
            source=shown(found.first_url),
        )


def _of_all(home: Source, failures: Mapping[Source, CollectError | RejectedError]) -> CollectError | RejectedError:
    """The error of the dataset's own address, with what the mirrors said."""
    error = failures.get(home) or next(iter(failures.values()))
    others = [f"{shown(source.address)}: {other}" for source, other in failures.items() if other is not error]
    if not others:
        return error
    told = f"{error}. The mirrors did not deliver either: {'; '.join(others)}"
    if isinstance(error, RejectedError):
        error.message, error.args = told, (error.name, told, error.retry_after, error.hint)
    else:
        error.args = (told,)
    return error


def _share(seconds: float, *, last: bool) -> float | None:
    """How long one address may take, of what is left: a third is kept back for those that come after it.

    An address that hangs through all its retries would else leave no time to ask another.
    """
    return None if last or math.isinf(seconds) else seconds * 2 / 3


def _few(notes: list[str]) -> tuple[str, ...]:
    """The notes, but not those of ten thousand values."""
    kept = notes[:MOST_NOTES]
    return (*kept, f"and {len(notes) - MOST_NOTES} more notes") if len(notes) > MOST_NOTES else tuple(kept)
