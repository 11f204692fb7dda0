"""From files in a place to payloads: list, choose, read each as a request of its own, look into archives."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.files import archives
from data_pipeline.collect.files.listing import Budget, Found, Place, Reading, filled
from data_pipeline.collect.files.unread import Ready, Which, fingerprint, not_read_yet, ready_files
from data_pipeline.dataset import Collected, FileSeen, Payload, Provenance
from data_pipeline.errors import CollectError, ProviderUnavailable

__all__ = ["gather"]

LISTING = "files"
"""The validator under which the fingerprint of a listing is kept."""

UNTOLD = "-"
"""Its value when equal listings prove nothing: there was data, no more is said."""


def gather(
    request: CollectRequest,
    place: Place,
    which: Which,
    *,
    members: str | None = None,
    budget: Budget | None = None,
    later: bool = False,
) -> Collected:
    """The payloads of all files that are ready; of an accumulating dataset (`only_new`) those not read before.

    A file that cannot be read costs only itself: the others are kept, `partial`, and a note names it.

    Args:
        members: Pattern of the members to read of each zip archive; None: the files themselves.
        later: No file being there can be normal: the path is a pattern or holds a moment.

    Raises:
        CollectError: no file is there, or ready, and there never was one; or none could be read.
    """
    members = None if members is None else filled(members, request)
    return _Gathering(request, place, which, members, budget or Budget(), later).run()


@dataclass(slots=True)
class _Gathering:
    request: CollectRequest
    place: Place
    which: Which
    members: str | None
    budget: Budget
    later: bool
    calls: int = 1
    notes: list[str] = field(default_factory=list)
    seen: list[FileSeen] = field(default_factory=list)
    payloads: list[Payload] = field(default_factory=list)
    open: list[Callable[[], None]] = field(default_factory=list)
    failed: list[Exception] = field(default_factory=list)

    def run(self) -> Collected:
        request, which = self.request, self.which
        started = request.clock.monotonic()
        now = request.clock.now().timestamp()
        # The ledger may be long; a plain collection has no use for it.
        ledger = request.ledger() if request.only_new or which.ready or which.stable_for else {}
        found = self.place.find()
        if not found:
            return self._nothing(started, ledger, self.place.nothing())
        ready = self._ready(found, now)
        self.notes += ready.notes
        if not ready.files:
            return self._nothing(started, ledger, self._waiting(ready))
        mark = self._mark(ready, now)
        if mark and mark == request.validators.get(LISTING) and not request.full:
            return self._not_modified(started, (LISTING, mark))
        files = ready.files
        if request.only_new and not request.full:
            files = not_read_yet(files, ledger, which.reread)
        try:
            for file in files:
                if not self._take(file, ledger):
                    break
            if self.failed and not self.payloads and not self.seen:
                raise self._first_failure()
        except BaseException:
            self._close()
            raise
        if not self.payloads and not self.failed:
            return self._not_modified(started)
        return self._collected(started, mark)

    # Choosing

    def _ready(self, found: list[Found], now: float) -> Ready:
        known: dict[str, frozenset[str]] = {}

        def names(folder: str) -> frozenset[str]:
            if folder not in known:
                known[folder] = frozenset(self.place.names(folder))
            return known[folder]

        which = self.which
        marker = None if which.ready is None else filled(which.ready, self.request)
        return ready_files(found, marker=marker, names=names, stable_for=which.stable_for, now=now)

    def _mark(self, ready: Ready, now: float) -> str:
        if self.request.only_new or not self.place.trusts_listing or self.which.reread == "always":
            return ""
        return fingerprint(ready.files, self.which.reread, now)

    def _waiting(self, ready: Ready) -> CollectError:
        why = "; ".join(ready.notes) or f"only markers `{self.which.ready}` are there"
        return ProviderUnavailable(
            f"{self.request.dataset}: nothing is ready at {self.place.shown}: {why}",
            hint="the files come when their writer is done; check `ready` and `stable_for` if it is",
            provider=self.request.provider,
        )

    def _nothing(self, started: float, ledger: Mapping[str, FileSeen], error: CollectError) -> Collected:
        """No file: no news for who has data already, an error for who waits for the first."""
        can_wait = self.which.ready is not None or isinstance(error, ProviderUnavailable)
        # A ledger of files elsewhere is that of another configuration.
        had = LISTING in self.request.validators or any(path.startswith(self.place.root) for path in ledger)
        # A piece of a table that is not there yet must not pass for one that was read.
        if had and self.request.partition is None and (can_wait or (self.request.only_new and self.later)):
            self.notes = self.notes or [f"nothing new: {error}"]
            return self._not_modified(started, *self.request.validators.items())
        if can_wait and not isinstance(error, ProviderUnavailable):
            error = ProviderUnavailable(
                f"{error}; waiting for its marker `{self.which.ready}`", hint=error.hint, provider=self.request.provider
            )
        raise error

    # Reading

    def _take(self, file: Found, ledger: Mapping[str, FileSeen]) -> bool:
        """Read one file; False: the provider is not to be asked for any more."""
        from utils.resilience.errors import RejectedError

        calls = 0

        def once() -> Reading:
            nonlocal calls
            calls += 1
            return self.place.read(file)

        reading = None
        try:
            reading = self.request.call(self.request.provider, once)
            self._keep(file, reading, ledger)
        except (CollectError, RejectedError) as error:
            if reading is not None:
                reading.close()
            self.failed.append(error)
            self.notes.append(f"{file.name} was not read: {error}")
            return not isinstance(error, RejectedError)
        finally:
            self.calls = max(self.calls, calls)
        return True

    def _keep(self, file: Found, reading: Reading, ledger: Mapping[str, FileSeen]) -> None:
        before = ledger.get(reading.seen.path) if self.request.only_new and not self.request.full else None
        again = self.which.reread != "always"
        if before is not None and again and before.sha256 == reading.seen.sha256:
            # Only its time changed. That is worth remembering, so that it is not read each time.
            self.seen.append(reading.seen)
            reading.close()
            return
        if before is not None and again:
            self.notes.append(f"{file.name} changed since it was read; it is read again as a whole")
        if self.members is not None or archives.is_archive(reading.payload):
            self.payloads += archives.members(reading.payload, self.members, self.request, self.budget)
        else:
            self.payloads.append(reading.payload)
        self.seen.append(reading.seen)
        self.open.append(reading.close)

    def _first_failure(self) -> Exception:
        error = self.failed[0]
        if isinstance(error, CollectError):
            error.attempts = max(error.attempts, self.calls)
        return error

    # Results

    def _collected(self, started: float, mark: str) -> Collected:
        partial = bool(self.failed)
        provenance = replace(
            self._provenance(started),
            content_sha256=_sha256([payload.sha256 for payload in self.payloads]),
            last_modified=_newest(self.seen),
            size=sum(seen.size for seen in self.seen),
            partial=partial,
            # What is not whole must be asked for again.
            validators=((LISTING, UNTOLD if partial else mark or UNTOLD),),
        )
        return Collected(provenance, tuple(self.payloads), close=self._close)

    def _not_modified(self, started: float, *validators: tuple[str, str]) -> Collected:
        provenance = replace(self._provenance(started), unchanged=True, validators=validators)
        return Collected(provenance, not_modified=True)

    def _provenance(self, started: float) -> Provenance:
        clock = self.request.clock
        return Provenance(
            provider=self.request.provider,
            collected_at=clock.now(),
            attempts=self.calls,
            latency_s=max(0.0, clock.monotonic() - started),
            source=self.place.shown,
            notes=tuple(dict.fromkeys([*self.place.notes, *self.notes])),
            files=tuple(self.seen),
        )

    def _close(self) -> None:
        while self.open:
            self.open.pop()()


def _newest(seen: list[FileSeen]) -> datetime | None:
    newest = max((file.modified for file in seen), default=0.0)
    return datetime.fromtimestamp(newest, UTC) if newest else None


def _sha256(digests: list[str]) -> str:
    """Of one file its own hash; of several the hash over their hashes, in the order of their names."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()
