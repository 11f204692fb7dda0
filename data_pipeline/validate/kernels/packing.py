"""Figures as JSON and columns as raw bytes behind it: how states travel. No pickle, so nothing is run by reading it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["packed", "unpacked"]

_LENGTH = 8


def packed(figures: Mapping[str, Any], blobs: Sequence[bytes | memoryview] = ()) -> bytes:
    """The length of the JSON text (8 bytes, little-endian), the JSON with the sizes of the blobs, the blobs."""
    head = json.dumps({**figures, "blobs": [len(blob) for blob in blobs]}, separators=(",", ":")).encode()
    return b"".join([len(head).to_bytes(_LENGTH, "little"), head, *blobs])


def unpacked(data: bytes | memoryview) -> tuple[dict[str, Any], list[memoryview]]:
    """What was given to `packed`.

    Raises:
        ValueError: it is something else, or its end is missing.
    """
    view = memoryview(data)
    end = _LENGTH + int.from_bytes(view[:_LENGTH], "little")
    try:
        figures = json.loads(bytes(view[_LENGTH:end]))
        sizes = figures.pop("blobs")
    except (ValueError, KeyError, AttributeError) as error:
        raise ValueError("these are no packed figures") from error
    if len(view) != end + sum(sizes):
        raise ValueError(f"packed figures are {end + sum(sizes):,} bytes long, here are {len(view):,}")
    blobs = []
    for size in sizes:
        blobs.append(view[end : end + size])
        end += size
    return figures, blobs
