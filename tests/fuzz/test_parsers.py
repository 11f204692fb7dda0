"""Damaged payloads give rows or a clear error: never a traceback, never a hang, never all the memory."""

import pytest

from tests.fuzz.corpus import pieces
from tests.fuzz.harness import LIMIT_MB, LIMIT_S, Findings, fuzz
from tests.fuzz.worker import case, outcome

SEED = 2026


def check(findings: Findings, count: int) -> None:
    assert findings.faults == []
    assert findings.outcomes["rows"] + findings.outcomes["refused"] == count
    assert findings.slowest_s <= LIMIT_S
    assert findings.peak_mb <= LIMIT_MB


@pytest.mark.parametrize("name", [name for name in pieces() if name not in {"html", "zip", "nothing", "xml, entities"}])
def test_every_piece_can_be_read_before_it_is_damaged(name):
    """Else the fuzzing would only ever meet the first check."""
    piece = pieces()[name]

    assert outcome(piece, piece.data, told=True)["kind"] == "rows"


def test_a_case_is_the_same_each_time():
    """A finding is repeated by its number."""
    assert [case(SEED, number)[2] for number in range(20)] == [case(SEED, number)[2] for number in range(20)]


def test_damaged_payloads_are_read_or_refused_in_words():
    """200 over all parsers, in processes with a limit on time and memory."""
    findings = fuzz(SEED, 200)

    check(findings, 200)
    assert findings.outcomes["rows"] > 20
    assert findings.outcomes["refused"] > 20


@pytest.mark.prove
def test_twenty_thousand_damaged_payloads_are_read_or_refused_in_words():
    """Every piece comes out both ways."""
    findings = fuzz(SEED + 1, 20_000)

    print(findings.outcomes, f"slowest {findings.slowest_s} s, peak {findings.peak_mb} MB")
    check(findings, 20_000)
