"""Raw capture: what was sent comes back byte for byte, whole or not at all."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.dataset import Collected, FileSeen, Payload, Provenance
from data_pipeline.errors import StoreError
from data_pipeline.store.raw import Kept, Raw
from utils.arrow import pa
from utils.storage import Storage

AT = datetime(2026, 3, 1, 7, 5, tzinfo=UTC)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    storage = Storage(tmp_path, pack_below=100)
    yield storage
    storage.close()


def whole(collected: Collected) -> Kept:
    return Kept((("", collected),))


def replayed(raw: Raw) -> Collected:
    ((_, collected),) = raw.replay("eq", "run-1").pieces
    return collected


def sent(*bodies: bytes) -> Collected:
    payloads = tuple(
        Payload(
            lambda body=body: BytesIO(body),
            len(body),
            f"sha-{number}",
            f"{number}.csv",
            "text/csv",
            "latin-1",
            extra=(("id", str(number)),),
        )
        for number, body in enumerate(bodies)
    )
    provenance = Provenance(
        provider="api.example.org",
        collected_at=AT,
        content_sha256="abc",
        last_modified=AT,
        size=sum(map(len, bodies)),
        validators=(("etag", '"1"'),),
        notes=("a note",),
        files=(FileSeen("in/a.csv", 3, 1.5, "def"),),
    )
    return Collected(provenance, payloads)


def content(payload: Payload) -> bytes:
    with payload.open() as stream:
        return bytes(stream.read())


@given(bodies=st.lists(st.binary(max_size=300), max_size=4))
def test_payloads_come_back_byte_for_byte(bodies: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    """With name, media type, charset, hash, and the provenance of the day."""
    storage = Storage(tmp_path_factory.mktemp("raw"), pack_below=100)
    raw = Raw(storage)
    before = sent(*bodies)

    raw.keep("eq", "run-1", whole(before))
    after = replayed(raw)

    assert [content(payload) for payload in after.payloads] == bodies
    assert [(p.size, p.sha256, p.name, p.media_type, p.charset, p.extra) for p in after.payloads] == [
        (p.size, p.sha256, p.name, p.media_type, p.charset, p.extra) for p in before.payloads
    ]
    assert after.provenance.notes == ("a note", "replayed from what was collected 2026-03-01 07:05 UTC")
    assert after.provenance.files == before.provenance.files
    assert after.provenance.validators == before.provenance.validators
    assert after.provenance.collected_at == after.provenance.last_modified == AT
    storage.close()


def test_rows_come_back_with_the_schema_of_every_batch(storage: Storage) -> None:
    """A source that sends rows (SQL, Python) may send batches of different columns."""
    batches = [pa.RecordBatch.from_pylist([{"a": 2**53 + 1}]), pa.RecordBatch.from_pylist([{"a": "x", "b": None}])]
    raw = Raw(storage)

    raw.keep("eq", "run-1", whole(Collected(sent().provenance, rows=lambda: iter(batches))))
    rows = replayed(raw).rows

    assert rows is not None
    assert list(rows()) == batches
    assert list(rows()) == batches  # a second time


def test_a_capture_that_was_broken_off_does_not_count(storage: Storage) -> None:
    """The index is written last; without it there is no capture."""
    raw = Raw(storage)

    class Breaks(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("gone")

    broken = Collected(sent().provenance, (Payload(Breaks, 3, "x"),))
    with pytest.raises(OSError, match="gone"):
        raw.keep("eq", "run-1", whole(broken))

    assert raw.captures() == []
    with pytest.raises(StoreError, match="no raw answer of run run-1 is kept") as caught:
        raw.replay("eq", "run-1")
    assert "keep_raw" in caught.value.hint


def test_a_damaged_capture_is_told(storage: Storage) -> None:
    """A blob that was cut is never parsed as if it were whole."""
    raw = Raw(storage)
    raw.keep("eq", "run-1", whole(sent(b"id\n1\n")))
    storage.put_bytes("raw/eq/run-1/00000/00000", b"id")

    with pytest.raises(StoreError, match="damaged"):
        raw.replay("eq", "run-1")


def test_captures_are_listed_and_dropped(storage: Storage) -> None:
    """Oldest first, with their sizes; what is dropped is gone, its neighbours stay."""
    raw = Raw(storage)
    raw.keep("eq", "run-1", whole(sent(b"id\n1\n")))
    raw.keep("eq", "run-2", whole(sent(b"id\n2\n", b"x" * 200)))
    raw.keep("fx", "run-3", whole(sent(b"")))

    assert [(c.dataset, c.run_id, c.collected_at) for c in raw.captures()] == [
        ("eq", "run-1", AT),
        ("eq", "run-2", AT),
        ("fx", "run-3", AT),
    ]
    first, second = raw.captures("eq")
    assert second.size > first.size > 5

    raw.drop(first)

    assert [capture.run_id for capture in raw.captures()] == ["run-2", "run-3"]
    assert not list(storage.list("raw/eq/run-1"))
    with pytest.raises(StoreError, match="no raw answer") as caught:
        raw.replay("eq", "run-1")
    assert caught.value.hint == "kept are run-2"


def test_every_piece_comes_back_under_its_key(storage: Storage) -> None:
    """Of a partitioned table, with why later pieces did not come."""
    raw = Raw(storage)
    kept = Kept(
        (("2026-03-01", sent(b"id\n1\n")), ("2026-03-02", sent(b"id\n2\n"))), complete=False, short="2026-03-03"
    )

    raw.keep("eq", "run-1", kept)
    again = raw.replay("eq", "run-1")

    assert [(key, content(collected.payloads[0])) for key, collected in again.pieces] == [
        ("2026-03-01", b"id\n1\n"),
        ("2026-03-02", b"id\n2\n"),
    ]
    assert (again.complete, again.short) == (False, "2026-03-03")


@pytest.mark.parametrize(
    "value",
    [None, True, 7, 2**70, 1.5, "x", Decimal("1.50"), date(2026, 3, 1), AT, time(7, 5), b"\x00\xff"],
    ids=repr,
)
def test_what_all_rows_of_an_answer_share_comes_back_with_its_type(storage: Storage, value: Any) -> None:
    """`for_each` puts values of another dataset beside the rows: they are what they were."""
    raw = Raw(storage)
    payload = Payload(lambda: BytesIO(b"x"), 1, "", extra=(("each", value),))

    raw.keep("eq", "run-1", whole(Collected(sent().provenance, (payload,))))

    ((found,),) = (each.extra for each in replayed(raw).payloads)
    assert found == ("each", value)
    assert type(found[1]) is type(value)
