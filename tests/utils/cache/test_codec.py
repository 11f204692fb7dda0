"""Bytes <-> values: what was not stored is never returned."""

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.arrow import pa
from utils.cache.codec import HEADER_SIZE, ValueDamaged, encode, expiry_bytes, seal, unseal

VALUES: list[object] = [b"some bytes", {"json": [1, 2, 3]}, pa.table({"a": [1, 2], "b": ["x", None]})]


@settings(max_examples=100, deadline=None)
@given(which=st.integers(0, 2), position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found_out(which: int, position: float, bit: int) -> None:
    """One changed bit anywhere in header or payload makes the value damaged, never different."""
    codec, payload = encode("key", VALUES[which])
    whole = bytearray(seal("key", codec, payload, 100.0, 200.0) + bytes(payload))
    whole[int(position * len(whole))] ^= 1 << bit

    with pytest.raises(ValueDamaged):
        unseal("key", bytes(whole[:HEADER_SIZE]), bytes(whole[HEADER_SIZE:]), 150.0)


@pytest.mark.parametrize("cut", [0, 1, 20, HEADER_SIZE - 1, HEADER_SIZE, HEADER_SIZE + 3])
def test_any_cut_is_found_out(cut: int) -> None:
    """A value that ends too early is damaged."""
    codec, payload = encode("key", VALUES[0])
    whole = (seal("key", codec, payload, 1.0, 2.0) + bytes(payload))[:cut]

    with pytest.raises(ValueDamaged):
        unseal("key", whole[:HEADER_SIZE], whole[HEADER_SIZE:], 1.5)


def test_a_value_under_another_key_is_damaged() -> None:
    """A damaged index cannot pass one key's value off as another's."""
    codec, payload = encode("mine", 1)
    header = seal("mine", codec, payload, 1.0, 2.0)

    with pytest.raises(ValueDamaged):
        unseal("yours", header, payload, 1.5)


@pytest.mark.parametrize(("codec", "payload"), [(1, b"{"), (2, b"no arrow"), (2, b""), (3, b"x"), (200, b"\x80\x04N.")])
def test_a_valid_header_over_nonsense_is_damaged(codec: int, payload: bytes) -> None:
    """Even with a right checksum only the three kinds of values are decoded."""
    header = seal("key", codec, payload, 1.0, 2.0)

    with pytest.raises(ValueDamaged):
        unseal("key", header, payload, 1.5)


def test_times_that_no_calendar_has_are_damaged() -> None:
    """A header made on purpose with absurd times is refused, not a crash."""
    header = seal("key", 0, b"", 1.0, 1e300)

    with pytest.raises(ValueDamaged):
        unseal("key", header, b"", 1.5)


@settings(max_examples=100)
@given(a=st.floats(0, 1e12), b=st.floats(0, 1e12))
def test_expiries_sort_as_bytes(a: float, b: float) -> None:
    """The store compares expiries as bytes; that is the same order as of the numbers."""
    assert (expiry_bytes(a) < expiry_bytes(b)) == (a < b)
    assert expiry_bytes(a) < expiry_bytes(math.inf) == struct.pack(">d", math.inf)
