"""The hash chain of the event log: what each hash covers, and whether a stored chain is whole.

Each event's hash covers its own canonical form and the hash before it, so a changed, removed or inserted event breaks
the chain from there on; a cut tail shows when the head (`SEQ:HASH`) is kept elsewhere. Without a secret the chain
proves order and integrity against accidents and careless hands, not against somebody who recomputes all hashes. With
one (`utils/events/signing.py`) nobody can recompute them who does not know it.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from utils.database import StateError

_sha256, _dumps = hashlib.sha256, orjson.dumps

GENESIS = "0" * 64
"""What stands before the first event."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found: `fault` names the first event that does not fit, `None` when the chain is whole.

    `events` counts those that were looked at; `head` is the last of them that fits, to be kept elsewhere.
    `signed_from`: the first event that is signed with a secret, None when none is.
    """

    events: int
    head: str
    fault: str | None
    signed_from: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "whole": self.fault is None}


def chained(before: str, head: Sequence[Any], data: bytes, secret: bytes = b"") -> str:
    """An event's hash, in hexadecimal: SHA-256, with a secret HMAC, over the hash before it and its canonical form.

    That form is (seq, id, time, source, type, subject, version) as JSON, a newline, the data as stored. The data is
    not put into the JSON array: escaping its quotes took longer than all the rest of an append.
    """
    covered = b"".join((before.encode(), _dumps(head), b"\n", data))
    return hmac.digest(secret, covered, "sha256").hex() if secret else _sha256(covered).hexdigest()


def verify(
    rows: Iterable[Sequence[Any]],
    *,
    expected_head: str | None = None,
    start: tuple[int, str] = (0, GENESIS),
    secret: bytes = b"",
    secret_of: Callable[[Sequence[Any]], bytes | None] = lambda _: None,
    signed_with: bytes | None = None,
    beside: Callable[[Sequence[Any]], str | None] = lambda _: None,
    explain: Callable[[Exception], StateError | None] = lambda _: None,
) -> Verification:
    """Recompute a chain from the rows of the log, all ten columns in the contract's order.

    Args:
        start: Position and hash of the event before the first of them.
        secret: What signs the first of them.
        secret_of: The secret that signs from a row on; None: the one before goes on. A `StateError` is a fault.
        signed_with: The secret that must have signed the last of them; None: any.
        beside: What else is wrong with a row that fits; None: nothing.
        explain: Of the database that the rows are read from: what it cannot read is a fault.

    Raises:
        StateError: `expected_head` is not of the form `SEQ:HASH`.
    """
    kept_seq, kept_hash = _parsed(expected_head)
    (count, before), fault = start, None
    signed_from = None
    try:
        for row in rows:
            if (other := secret_of(row)) is not None:
                secret, signed_from = other, signed_from or row[0]
            fault = _fault(row, before, count + 1, secret) or beside(row)
            if fault is None and row[0] == kept_seq and row[9] != kept_hash:
                fault = f"event {kept_seq} is not the one whose hash was kept"
            if fault is not None:
                break
            count, before = count + 1, row[9]
    except StateError as error:
        fault = f"event {count + 1}: {error}"
    except Exception as error:
        told = explain(error)
        if told is None or told.transient:
            raise  # the log may be whole: it is the way to it that failed
        fault = f"event {count + 1} cannot be read ({told})"
    if fault is None and kept_seq > count:
        fault = f"the log ends at {count}, the kept head is {kept_seq}: its tail was cut"
    if fault is None and count and signed_with is not None and secret != signed_with:
        fault = (
            f"event {count}, the newest, is not signed with the secret that is configured: "
            "nothing was appended since it was, or the log was written anew without it"
        )
    return Verification(count, f"{count}:{before}", fault, signed_from)


def _fault(row: Sequence[Any], before: str, expected: int, secret: bytes) -> str | None:
    seq = row[0]
    if seq > expected:
        return f"event {expected} is missing (found {seq})"
    if seq < expected:
        return f"event {seq} was inserted (the log begins with 1)"
    try:
        covered = (before, (*row[:6], row[7]), row[6].encode())
        if row[8] == before and row[9] == chained(*covered, secret):
            return None
        forged = secret and row[8] == before and row[9] == chained(*covered)
    except (TypeError, AttributeError):
        forged = False  # a column no longer holds text
    what = "is not signed, though events before it are" if forged else "does not match its hash"
    return f"event {seq} ({row[4]}, {row[2]}) {what}"


def _parsed(head: str | None) -> tuple[int, str]:
    if head is None:
        return 0, ""
    seq, colon, digest = head.partition(":")
    if not (seq.isdecimal() and colon and len(digest) == len(GENESIS)):
        raise StateError(
            f"{head!r} is no head of a log", hint="a head is SEQ:HASH with 64 hexadecimal digits, as `verify` prints it"
        )
    return int(seq), digest.lower()
