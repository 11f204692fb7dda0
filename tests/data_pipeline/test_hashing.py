"""The stable hash: the same for the same value however Arrow keeps it, and the same in every release."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.hashing import HASH, hashes, mixed, together
from utils.arrow import pa

EXPECTED_TEXT = [
    "0xbc1242f19d31d401",
    "0x31ff9177aec1c2ef",
    "0xbc862eac3b59c1e4",
    "0xffb3fae31905fcae",
    "0x9ff105ec4280d30",
]
EXPECTED_WHOLE = ["0x0", "0x5692161d100b05e5", "0xb4d055fcf2cbbd7b", "0x709cf374e67c56aa"]

TEXTS = ["", "a", "12345678", "123456789", "é🎉", "x" * 40, "a\0", "a\0\0"]


def test_the_hash_never_changes():
    """States that were kept are compared with new ones: another result needs another name."""
    assert HASH == "words64-1"
    assert [hex(found) for found in hashes(pa.array(["", "a", "abcdefgh", "abcdefghi", "é🎉"]))] == EXPECTED_TEXT
    assert [hex(found) for found in hashes(pa.array([0, 1, -1, 2**53 + 1]))] == EXPECTED_WHOLE


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()), pa.binary()],
    ids=str,
)
def test_text_has_one_hash_however_it_is_kept(kind):
    """32 or 64 bit offsets, views, dictionaries, bytes; whole or cut out of a longer array."""
    plain = hashes(pa.array(TEXTS))

    cut = pa.chunked_array([pa.array(["before", *TEXTS, "after"])]).cast(kind).combine_chunks()
    cut = cut.chunk(0) if isinstance(cut, pa.ChunkedArray) else cut

    assert hashes(cut.slice(1, len(TEXTS))).tolist() == plain.tolist()
    assert len(set(plain.tolist())) == len(TEXTS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([-1, 7], pa.int8()), pa.array([-1, 7], pa.int64())),
        (pa.array([0.5, -0.0], pa.float32()), pa.array([0.5, 0.0], pa.float64())),
        (pa.array([True, False]), pa.array([1, 0])),
        (pa.array([3], pa.date32()), pa.array([3])),
    ],
    ids=["integers", "floats and minus zero", "booleans", "dates"],
)
def test_the_width_of_a_number_does_not_matter(one, other):
    assert hashes(one).tolist() == hashes(other).tolist()


@pytest.mark.parametrize(
    "values",
    [
        pa.array([Decimal("1.50"), Decimal("-1.50"), Decimal("9999999999999999.99")]),
        pa.array([b"abc", b"abd", b"\0bc"], pa.binary(3)),
        pa.array([dt.time(1), dt.time(2), dt.time(3)]),
        pa.array([2**63, 2**64 - 1, 0], pa.uint64()),
    ],
    ids=["decimals", "fixed bytes", "times of day", "unsigned"],
)
def test_every_flat_type_has_a_hash(values):
    """Different values differ, and a slice has the hashes of its rows."""
    found = hashes(values).tolist()

    assert len(set(found)) == 3
    assert hashes(values.slice(1)).tolist() == found[1:]


def test_lists_have_none():
    with pytest.raises(TypeError, match="list"):
        hashes(pa.array([[1]]))


@given(st.lists(st.none() | st.text(max_size=30), max_size=60), st.integers(0, 60))
def test_the_hash_of_a_text_depends_on_nothing_else(texts: list[str | None], start: int):
    """Neither on its neighbours, nulls among them, nor on its place; different texts differ."""
    found = hashes(pa.array(texts, pa.string()).slice(start)).tolist()

    mine = [(text, value) for text, value in zip(texts[start:], found, strict=True) if text is not None]
    assert all(hashes(pa.array([text])).tolist() == [value] for text, value in mine)
    assert len({value for _, value in mine}) == len({text for text, _ in mine})


def test_long_texts_beside_short_ones():
    """More than one go of rows, one of them of 100,000 characters."""
    texts = [str(number) for number in range(40_000)]
    texts[20_000] = "y" * 100_000

    found = hashes(pa.array(texts))

    assert len(set(found.tolist())) == 40_000
    assert found[20_000] == hashes(pa.array(["y" * 100_000]))[0]


SOME = "0123456789abcdefghijklmnopqrstuvwxyz"
KEYS = {
    "counted in hex": [f"{number:016x}" for number in range(0, 2**20, 21)],
    "numbered in parts": [f"ORD-{shop:03d}-{number:03d}" for shop in range(250) for number in range(200)],
    "three letters far apart": [f"xxxxxxx{a}yyy{b}yyy{c}" for a in SOME for b in SOME for c in SOME],
}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_keys_that_differ_in_few_places_do_not_meet(keys):
    """A difference in the last byte of one word must not be undone by one in the next word, and buckets fill evenly."""
    found = hashes(pa.array(keys))

    assert len(set(found.tolist())) == len(keys)
    counts = np.bincount((found >> np.uint64(60)).astype(np.intp), minlength=16)
    assert ((counts - len(keys) / 16) ** 2 / (len(keys) / 16)).sum() < 60  # chi square, 15 degrees: once in ten million


def test_several_columns_make_one_hash_in_their_order():
    one, other = hashes(pa.array([1, 2])), hashes(pa.array([2, 1]))

    assert together([one, other])[0] == together([other, one])[1]
    assert together([one, other])[0] != together([one, other])[1]


def test_all_bits_take_part():
    """Neighbouring numbers differ in about half the bits, so any of them can choose a bucket."""
    found: Any = mixed(np.arange(10_000, dtype=np.uint64))

    ones = [int(((found >> np.uint64(bit)) & np.uint64(1)).sum()) for bit in range(64)]
    assert all(4_700 < count < 5_300 for count in ones)
