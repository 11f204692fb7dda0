"""The rows that are ingested: eight columns of what tables hold. Every contender imports it, in its own environment."""

from collections.abc import Iterator
from typing import Any


def rows(count: int, first: int = 0) -> Iterator[dict[str, Any]]:
    """`count` dicts, one by one."""
    for number in range(first, first + count):
        yield {
            "id": number,
            "name": f"item-{number % 1000}",
            "value": number * 0.5,
            "flag": number % 3 == 0,
            "at": "2026-01-01T00:00:00Z",
            "category": "abcdefgh"[number & 7],
            "score": (number * 7919) % 1000 / 10,
            "note": None if number % 10 == 0 else "some text here",
        }
