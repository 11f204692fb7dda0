"""What providers sent, byte for byte, so that a rule can be mended today and yesterday replayed.

One capture is a folder, `raw/DATASET/RUN_ID/`: a folder a piece, in it a blob an answer (or one Arrow stream of rows),
and `index.json`, which is written last: a capture without it is not whole and does not count.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import orjson

from data_pipeline.dataset import Collected, FileSeen, Payload, Provenance
from data_pipeline.errors import StoreError
from utils.events import rfc3339
from utils.storage import BlobNotFound, Storage, StorageError, Stored

_INDEX = "index.json"
_ROWS = "rows.arrow"
_DAMAGE = (ValueError, LookupError, TypeError)
"""What reading an index raises that somebody or something has changed."""
_JSON_BITS = 63
_TYPES: dict[type, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    datetime: (datetime.isoformat, datetime.fromisoformat),  # before `date`, of which it is one
    date: (date.isoformat, date.fromisoformat),
    time: (time.isoformat, time.fromisoformat),
    Decimal: (str, Decimal),
    bytes: (bytes.hex, bytes.fromhex),
}
_PAYLOAD = ("size", "sha256", "name", "media_type", "charset")


@dataclass(frozen=True, slots=True)
class Capture:
    """One kept collection. `size` in bytes."""

    dataset: str
    run_id: str
    collected_at: datetime
    size: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What was collected in one run: an answer, or one for each piece of the table (with its key).

    `complete`: the answers were all there is, not only what was new; `short`: why later pieces did not come.
    """

    pieces: tuple[tuple[str, Collected], ...]
    complete: bool = True
    short: str = ""


class Raw:
    """Keeps captures and gives them back."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def keep(self, dataset: str, run_id: str, kept: Kept) -> None:
        """Keep what came.

        Raises:
            StoreError: it cannot be written; nothing half-written counts.
        """
        folder = f"raw/{dataset}/{run_id}"
        try:
            pieces = [self._piece(f"{folder}/{number:05d}", *piece) for number, piece in enumerate(kept.pieces)]
            index = {"pieces": pieces, "complete": kept.complete, "short": kept.short}
            self._storage.put_bytes(f"{folder}/{_INDEX}", orjson.dumps(index))
        except StorageError as error:
            raise StoreError(f"{dataset}: the raw answer cannot be kept: {error}", hint=error.hint) from error

    def replay(self, dataset: str, run_id: str) -> Kept:
        """What the provider sent in that run, with the provenance of that day.

        Raises:
            StoreError: nothing of that run is kept, or it is damaged.
        """
        folder = f"raw/{dataset}/{run_id}"
        try:
            index = orjson.loads(self._storage.read_bytes(f"{folder}/{_INDEX}"))
            pieces = tuple((piece["key"], self._collected(piece)) for piece in index["pieces"])
            return Kept(pieces, index["complete"], index["short"])
        except BlobNotFound as error:
            kept = [capture.run_id for capture in self.captures(dataset)]
            hint = f"kept are {', '.join(kept[-5:])}" if kept else f"set `keep_raw` at {dataset}: nothing is kept of it"
            raise StoreError(f"{dataset}: no raw answer of run {run_id} is kept", hint=hint) from error
        except (StorageError, *_DAMAGE) as error:
            raise StoreError(f"{dataset}: the raw answer of run {run_id} is damaged: {error}") from error

    def captures(self, dataset: str | None = None) -> list[Capture]:
        """Whole captures, oldest first, of one dataset or of all."""
        sizes: dict[str, int] = {}
        whole: list[str] = []
        for blob in self._storage.list("raw/" if dataset is None else f"raw/{dataset}/"):
            folder = "/".join(blob.path.split("/")[:3])
            sizes[folder] = sizes.get(folder, 0) + blob.size
            if blob.path == f"{folder}/{_INDEX}":
                whole.append(folder)
        found = []
        for folder in whole:
            _, name, run_id = folder.split("/")
            try:
                index = orjson.loads(self._storage.read_bytes(f"{folder}/{_INDEX}"))
                at = datetime.fromisoformat(index["pieces"][0]["provenance"]["collected_at"])
            except (BlobNotFound, *_DAMAGE):
                continue  # dropped meanwhile, or damaged
            found.append(Capture(name, run_id, at, sizes[folder]))
        return sorted(found, key=lambda capture: capture.run_id)

    def leftovers(self, before: datetime) -> list[Capture]:
        """Captures that a kill left without an index, or whose index is damaged, written before a moment."""
        whole = {(capture.dataset, capture.run_id) for capture in self.captures()}
        found: dict[tuple[str, str], tuple[int, datetime]] = {}
        for blob in self._storage.list("raw/"):
            _, dataset, run_id, *_ = blob.path.split("/")
            size, newest = found.get((dataset, run_id), (0, blob.modified))
            found[dataset, run_id] = size + blob.size, max(newest, blob.modified)
        return [
            Capture(*name, newest, size)
            for name, (size, newest) in found.items()
            if name not in whole and newest < before
        ]

    def drop(self, capture: Capture) -> None:
        """Forget a capture; its index goes first, so that what is left of a broken-off removal does not count."""
        folder = f"raw/{capture.dataset}/{capture.run_id}"
        self._storage.delete(f"{folder}/{_INDEX}")
        for blob in list(self._storage.list(f"{folder}/")):
            self._storage.delete(blob.path)

    def _piece(self, folder: str, key: str, collected: Collected) -> dict[str, Any]:
        payloads = [self._payload(f"{folder}/{number:05d}", each) for number, each in enumerate(collected.payloads)]
        rows = None if collected.rows is None else self._rows(f"{folder}/{_ROWS}", collected.rows)
        kept = {"key": key, "provenance": _written(collected.provenance), "payloads": payloads}
        return kept | ({"rows": None} if rows is None else {"rows": rows.path, "rows_sha256": rows.sha256})

    def _payload(self, blob: str, payload: Payload) -> dict[str, Any]:
        with self._storage.writer(blob) as target, payload.open() as source:
            shutil.copyfileobj(source, target, 2**20)
        about = {name: getattr(payload, name) for name in _PAYLOAD}
        digest = target.stored.sha256 if target.stored else ""
        return {
            "blob": blob,
            "blob_sha256": digest,
            "extra": [(name, _plain(value)) for name, value in payload.extra],
            **about,
        }

    def _rows(self, blob: str, rows: Callable[[], Iterator[Any]]) -> Stored:
        from utils.arrow import pa

        # One stream a batch, back to back: each says its own schema.
        with self._storage.writer(blob) as target:
            for batch in rows():
                with pa.ipc.new_stream(target, batch.schema) as stream:
                    stream.write_batch(batch)
        assert target.stored is not None
        return target.stored

    def _collected(self, piece: dict[str, Any]) -> Collected:
        provenance = _read(piece["provenance"])
        note = f"replayed from what was collected {provenance.collected_at:%Y-%m-%d %H:%M} UTC"
        provenance = replace(provenance, notes=(*provenance.notes, note))
        payloads = tuple(self._opened(entry) for entry in piece["payloads"])
        if piece["rows"] is not None:
            self._check(piece["rows"], piece.get("rows_sha256"))
        return Collected(provenance, payloads, None if piece["rows"] is None else self._reader(piece["rows"]))

    def _opened(self, entry: dict[str, Any]) -> Payload:
        blob = entry["blob"]
        if self._storage.size(blob) != entry["size"]:
            raise ValueError(f"{blob} has another size than when it was kept")
        self._check(blob, entry.get("blob_sha256"))
        about = {name: entry[name] for name in _PAYLOAD}
        extra = tuple((name, _value(found)) for name, found in entry["extra"])
        return Payload(open=lambda: self._storage.open(blob), extra=extra, **about)

    def _check(self, blob: str, digest: str | None) -> None:
        if digest and not self._storage.verify(blob, digest):
            raise ValueError(f"{blob} is not what was kept")

    def _reader(self, blob: str) -> Callable[[], Iterator[Any]]:
        def batches() -> Iterator[Any]:
            from utils.arrow import pa

            with self._storage.open(blob) as file, pa.PythonFile(file) as source:
                size = source.size()
                while source.tell() < size:
                    with pa.ipc.open_stream(source) as reader:
                        yield from reader

        return batches


def _plain(value: Any) -> Any:
    """A value as JSON; one that JSON does not know stands under the name of its type."""
    for kind, (write, _) in _TYPES.items():
        if isinstance(value, kind):
            return {kind.__name__: write(value)}
    return {"int": str(value)} if isinstance(value, int) and value.bit_length() > _JSON_BITS else value


def _value(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    ((name, text),) = found.items()
    return (
        int(text) if name == "int" else next(read(text) for kind, (_, read) in _TYPES.items() if kind.__name__ == name)
    )


def _written(provenance: Provenance) -> dict[str, Any]:
    moments = {
        name: None if moment is None else rfc3339(moment)
        for name in ("collected_at", "data_time", "last_modified")
        for moment in [getattr(provenance, name)]
    }
    return {
        "provider": provenance.provider,
        **moments,
        "content_sha256": provenance.content_sha256,
        "attempts": provenance.attempts,
        "latency_s": provenance.latency_s,
        "size": provenance.size,
        "partial": provenance.partial,
        "source": provenance.source,
        "validators": list(provenance.validators),
        "notes": list(provenance.notes),
        "files": [[seen.path, seen.size, seen.modified, seen.sha256] for seen in provenance.files],
    }


def _read(written: dict[str, Any]) -> Provenance:
    moments = {
        name: None if written[name] is None else datetime.fromisoformat(written[name])
        for name in ("collected_at", "data_time", "last_modified")
    }
    pairs = tuple((name, value) for name, value in written["validators"])
    files = tuple(FileSeen(*seen) for seen in written["files"])
    return Provenance(**{**written, **moments, "validators": pairs, "notes": tuple(written["notes"]), "files": files})
