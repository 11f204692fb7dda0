"""Ids: ordered by time, and those of our own tell the position of their event."""

from uuid import UUID

import pytest

from utils.events.event import OwnIds, position_in, uuid7, uuid7s

NOW = 1_790_000_000.123
EDGES = [1, 0xFFF, 0x1000, 2**26 - 1, 2**26, 2**26 + 0x1001, 2**38 - 4]


@pytest.mark.parametrize("seq", EDGES)
def test_an_id_of_ours_tells_its_position(seq: int) -> None:
    """One by one and many at once; each is a UUID of version 7 with the moment in front."""
    ids = [OwnIds().one(seq, NOW), *OwnIds().take(seq, 3, NOW)]

    assert [position_in(one) for one in ids] == [seq, seq, seq + 1, seq + 2]
    assert {(UUID(one).version, UUID(one).variant) for one in ids} == {(7, "specified in RFC 4122")}
    assert {UUID(one).int >> 80 for one in ids} == {int(NOW * 1000)}


def test_ids_of_one_maker_go_on_over_a_border() -> None:
    """Of the part that many ids share."""
    maker = OwnIds()

    assert [position_in(maker.one(seq, NOW)) for seq in range(0xFFD, 0x1003)] == list(range(0xFFD, 0x1003))
    assert [position_in(one) for one in maker.take(0x1FFD, 6, NOW)] == list(range(0x1FFD, 0x2003))


def test_another_id_tells_no_position() -> None:
    """Whoever gives an event an id of their own is looked up by it."""
    assert [position_in(one) for one in ("order-7", "", str(UUID(int=7)))] == [0, 0, 0]


def test_many_ids_of_a_moment_are_different_and_in_order() -> None:
    """UUIDs of version 7, chance in all the bits behind the moment."""
    ids = uuid7s(300, NOW)

    assert ids == sorted(set(ids))
    assert len(ids) == 300
    assert {UUID(one).version for one in (*ids, uuid7())} == {7}
    assert {UUID(one).int >> 80 for one in ids} == {int(NOW * 1000)}
    assert {len(one) for one in ids} == {36}
