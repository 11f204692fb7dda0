"""Bytes <-> values: what was not stored is never returned."""

import hashlib
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from utils.arrow import pa
from utils.cache.codec import HEADER_SIZE, Encoded, ValueDamaged, encode, hit, moment_bytes, seal, unseal

VALUES: list[object] = [b"some bytes", {"json": [1, 2, 3]}, pa.table({"a": [1, 2], "b": ["x", None]})]


@settings(max_examples=few(100), deadline=None)
@given(which=st.integers(0, 2), position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found_out(which: int, position: float, bit: int) -> None:
    """One changed bit anywhere in header or payload makes the value damaged, never different."""
    whole = bytearray(sealed("key", VALUES[which]))
    whole[int(position * len(whole))] ^= 1 << bit

    with pytest.raises(ValueDamaged):
        unseal("key", bytes(whole[:HEADER_SIZE]), bytes(whole[HEADER_SIZE:]), 150.0)


def sealed(key: str, value: object) -> bytes:
    """A value stored at 100, fresh until 200, kept until 250."""
    encoded = encode(key, value, now=100.0, ttl=100.0, stale=50.0)
    return seal(key, encoded) + bytes(encoded.payload)


@pytest.mark.parametrize("cut", [0, 1, 20, HEADER_SIZE - 1, HEADER_SIZE, HEADER_SIZE + 3])
def test_any_cut_is_found_out(cut: int) -> None:
    """A value that ends too early is damaged."""
    whole = sealed("key", VALUES[0])[:cut]

    with pytest.raises(ValueDamaged):
        unseal("key", whole[:HEADER_SIZE], whole[HEADER_SIZE:], 150.0)


def test_a_value_under_another_key_is_damaged() -> None:
    """A damaged index cannot pass one key's value off as another's."""
    whole = sealed("mine", 1)

    with pytest.raises(ValueDamaged):
        unseal("yours", whole[:HEADER_SIZE], whole[HEADER_SIZE:], 150.0)


@pytest.mark.parametrize(("codec", "payload"), [(1, b"{"), (2, b"no arrow"), (2, b""), (3, b"x"), (200, b"\x80\x04N.")])
def test_a_valid_header_over_nonsense_is_damaged(codec: int, payload: bytes) -> None:
    """Even with a right checksum only the three kinds of values are decoded."""
    header = seal("key", Encoded(codec, payload, 1.0, 2.0, 2.0))

    with pytest.raises(ValueDamaged):
        unseal("key", header, payload, 1.5)


@pytest.mark.parametrize(
    ("stored", "expires"), [(1.0, 1e300), (1.0, math.nan), (-1.0, 2.0), (math.nan, 2.0), (1.0, -math.inf)]
)
def test_times_that_no_calendar_has_are_damaged(stored: float, expires: float) -> None:
    """A header made on purpose with absurd times is refused, not a crash."""
    header = seal("key", Encoded(0, b"", stored, expires, 2.0))

    with pytest.raises(ValueDamaged):
        unseal("key", header, b"", 1.5)


def test_a_ttl_beyond_the_calendar_never_expires() -> None:
    """A ttl of more years than a date can hold comes back as no expiry."""
    found = hit(encode("key", 1, now=100.0, ttl=1e300), 200.0)

    assert found is not None
    assert found.expires_at is None


def test_a_value_of_the_format_before_is_a_clean_miss() -> None:
    """What an older release stored has expired; it is not damage."""
    header = b"OCV1" + struct.pack(">ddB", 200.0, 100.0, 0) + hashlib.sha256(b"whatever").digest()

    assert unseal("key", header + b"some bytes"[:8], b"me bytes"[2:], 150.0) is None


@pytest.mark.parametrize(
    ("now", "stale", "found"),
    [
        *[(199.9, 0, True), (200, 0, False), (200, 10, True), (209.9, 10, True), (210, 10, False), (249.9, 99, True)],
        *[(250, 99, False), (95.0, 99, True), (94.9, 99, False)],
    ],
)
def test_a_value_is_fresh_then_stale_then_over(now: float, stale: float, found: bool) -> None:
    """Stored at 100 with ttl 100 and stale 50: given to those who ask for stale values, never from the future."""
    seen = hit(encode("key", 1, now=100.0, ttl=100.0, stale=50.0), now, stale)

    assert (seen is not None) is found
    if seen is not None:
        assert seen.stale is (now >= 200)
        assert (seen.age_s, seen.overdue_s) == (max(0, now - 100), max(0, now - 200))


@settings(max_examples=few(100))
@given(a=st.floats(0, 1e12), b=st.floats(0, 1e12))
def test_moments_sort_as_bytes(a: float, b: float) -> None:
    """The store compares moments as bytes; that is the same order as of the numbers."""
    assert (moment_bytes(a) < moment_bytes(b)) == (a < b)
    assert moment_bytes(a) < moment_bytes(math.inf) == struct.pack(">d", math.inf)
