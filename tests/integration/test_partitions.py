"""Tables in pieces: what a run collects, what it replaces, and what it does when a piece does not come."""

from datetime import UTC, datetime
from typing import Any

import pytest

from operations.partitions import partitions
from tests.integration.feed import Feed, Row
from tests.integration.installation import Installation
from utils.clock import ManualClock


def sales(**more: Any) -> dict[str, Any]:
    collect = {"kind": "python", "function": "tests.integration.feed:piece"}
    return {"name": "sales", "collect": collect, "partition": {"by": "day"}, **more}


def day(number: int, hour: int = 8) -> ManualClock:
    return ManualClock(datetime(2026, 3, number, hour, tzinfo=UTC))


def piece(key: str, *amounts: int) -> list[Row]:
    return [{"day": key, "amount": amount} for amount in amounts]


def amounts(installation: Installation) -> list[int]:
    return [row["amount"] for row in installation.rows("sales")]


def test_each_run_collects_the_newest_complete_piece_and_adds_it(installation: Installation, feed: Feed) -> None:
    """Yesterday, once today began; a piece that is collected again is replaced."""
    installation.configure(sales())
    feed.pieces = {"2026-03-01": piece("2026-03-01", 1, 2), "2026-03-02": piece("2026-03-02", 3)}
    installation.run_one(clock=day(2))
    installation.run_one(clock=day(3), fresh=True)
    assert feed.asked == ["2026-03-01", "2026-03-02"]
    assert amounts(installation) == [1, 2, 3]

    feed.pieces = {"2026-03-02": piece("2026-03-02", 4, 5)}
    ran = installation.run_one(clock=day(3, 20), fresh=True)
    assert (ran.rows, amounts(installation)) == (2, [1, 2, 4, 5])
    assert installation.rows("sales", last_batch=True) == piece("2026-03-02", 4, 5)


def test_missed_pieces_are_caught_up_oldest_first(installation: Installation, feed: Feed) -> None:
    """In one run, as one version."""
    installation.configure(sales())
    feed.pieces = {f"2026-03-0{number}": piece(f"2026-03-0{number}", number) for number in range(1, 6)}
    installation.run_one(clock=day(2))
    ran = installation.run_one(clock=day(6), fresh=True)
    assert feed.asked[1:] == ["2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"]
    assert (ran.rows, amounts(installation)) == (4, [1, 2, 3, 4, 5])


def test_a_piece_that_does_not_come_is_asked_for_again(installation: Installation, feed: Feed) -> None:
    """What came before it is delivered, degraded, with the reason; later ones wait for it."""
    installation.configure(sales())
    feed.pieces = {key: piece(key, 1) for key in ("2026-03-01", "2026-03-02", "2026-03-04")}
    installation.run_one(clock=day(2))

    ran = installation.run_one(clock=day(5), fresh=True)
    assert (ran.status, ran.accepted, ran.partial) == ("degraded", True, False)
    assert "2026-03-03 and what follows it did not come" in (ran.reason or "")
    assert amounts(installation) == [1, 1]

    feed.pieces = {**feed.pieces, "2026-03-03": piece("2026-03-03", 3)}
    installation.run_one(clock=day(5), fresh=True)
    assert amounts(installation) == [1, 1, 3, 1]


def test_a_partial_piece_is_not_taken_for_whole(installation: Installation, feed: Feed) -> None:
    """It is delivered when there is none, and asked for again; it never replaces one that is whole."""
    installation.configure(sales())
    feed.pieces, feed.breaks_after = {"2026-03-01": piece("2026-03-01", 1, 2)}, 1
    first = installation.run_one(clock=day(2))
    assert (first.status, first.partial, first.accepted) == ("degraded", True, True)
    feed.breaks_after = None
    feed.pieces = {**feed.pieces, "2026-03-02": piece("2026-03-02", 3)}
    installation.run_one(clock=day(2, 9), fresh=True)
    assert amounts(installation) == [1, 2]

    feed.breaks_after = 1
    again = installation.run_one(clock=day(2, 10), fresh=True)
    assert (again.status, again.accepted) == ("degraded", False)
    assert amounts(installation) == [1, 2]


def test_a_list_of_pieces_is_collected_key_by_key(installation: Installation, feed: Feed) -> None:
    """All of them in each run; types that differ become one that holds both."""
    installation.configure(sales(partition={"by": ["north", "south"]}))
    feed.pieces = {"north": [{"amount": 1}], "south": [{"amount": 0.5}]}
    ran = installation.run_one()
    assert feed.asked == ["north", "south"]
    assert (ran.rows, installation.rows("sales")) == (2, [{"amount": 1.0}, {"amount": 0.5}])


def test_bad_rows_of_a_piece_go_to_quarantine(installation: Installation, feed: Feed) -> None:
    """And each good row to the piece that it came with."""
    installation.configure(sales(rules=[{"range": {"column": "amount", "min": 0}}], partition={"by": ["a", "b"]}))
    feed.pieces = {"a": piece("a", 1, 2, -1, 3), "b": piece("b", 4, 5, 6)}
    ran = installation.run_one()
    assert (ran.rows, ran.quarantined) == (6, 1)
    feed.pieces = {"a": piece("a", 7), "b": piece("b", 4, 5, 6)}
    installation.run_one(fresh=True)
    assert amounts(installation) == [7, 4, 5, 6]


def test_a_table_that_was_kept_in_other_pieces_can_be_looked_at(installation: Installation, feed: Feed) -> None:
    """It keeps what it has until it begins anew; then the pieces of before are listed no more."""
    feed.pieces = {"2026-03-01": piece("2026-03-01", 1), "2026-02": piece("2026-02", 2)}

    def stand() -> dict[str, str]:
        with installation.system(day(2)) as system:
            return {one.key: one.state for one in partitions(system, "sales").pieces}

    installation.configure(sales())
    installation.run_one(clock=day(2))
    installation.configure(sales(partition={"by": "month", "start": "2026-02-01"}))
    refused = installation.run_one(fresh=True, clock=day(2))
    assert (refused.status, amounts(installation)) == ("degraded", [1])
    assert stand() == {"2026-02": "missing", "2026-03-01": "collected"}

    installation.run_one(full=True, clock=day(2))
    assert amounts(installation) == [2]
    assert stand() == {"2026-02": "collected"}


@pytest.mark.parametrize("start", ["2026-04-01", "2027-01-01"], ids=["next month", "next year"])
def test_nothing_is_complete_yet(installation: Installation, feed: Feed, start: str) -> None:
    """That is said; nobody is asked for a piece that does not exist."""
    installation.configure(sales(partition={"by": "day", "start": start}))
    ran = installation.run_one(clock=day(2))
    assert (ran.status, feed.asked) == ("failed", [])
    assert "no piece is complete yet" in (ran.error or {})["message"]


def test_a_piece_of_files_with_the_same_content_is_no_news(installation: Installation) -> None:
    """It was collected once more and confirmed; another content under the same name takes its place."""
    collect = {"kind": "file", "path": "sales_{partition.key}.csv"}
    installation.configure(sales(collect=collect))
    file = installation.folder / "sales_2026-03-01.csv"
    file.write_text("amount\n1\n2\n")
    first = installation.run_one(clock=day(2), fresh=True)

    again = installation.run_one(clock=day(2, 9), fresh=True)
    assert (again.status, again.unchanged, again.version) == ("succeeded", True, first.version)

    file.write_text("amount\n1\n3\n")
    other = installation.run_one(clock=day(2, 10), fresh=True)
    assert (other.unchanged, amounts(installation)) == (False, [1, 3])
