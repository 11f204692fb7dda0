"""Texts that stand nowhere else, and a look for them: as they are, percent-encoded, in base64, in JSON, in HTML."""

import gzip
import html
import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

__all__ = ["files_of", "found_in"]


def _spellings(canary: str) -> set[bytes]:
    """How it may be written down. Base64: of the text at each of the three places where it may begin."""
    texts = {canary, quote(canary), quote(canary, safe=""), quote_plus(canary), html.escape(canary)}
    texts |= {json.dumps(canary)[1:-1], canary[:13]}  # of one that is cut in two, the half is a secret too
    for before in ("", "x", "xx"):
        packed = b64encode((before + canary).encode()).decode().rstrip("=")
        texts.add(packed[4 if before else 0 : -3])
    return {text.encode() for text in texts}


def found_in(places: Mapping[str, bytes], canaries: Iterable[str]) -> list[str]:
    """Where a canary sings."""
    needles = {canary: _spellings(canary) for canary in canaries}
    return sorted(
        f"{place}: {canary} as {needle!r}: …{text[max(0, text.find(needle) - 60) : text.find(needle) + 60]!r}…"
        for place, text in places.items()
        for canary, spelt in needles.items()
        for needle in spelt
        if needle in text
    )


def files_of(folder: Path) -> dict[str, bytes]:
    """Name and content of every file below it; of those that are packed, what is in them too."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[str(path.relative_to(folder))] = data = path.read_bytes()
            if path.suffix == ".gz":
                found[f"{path.name}, unpacked"] = gzip.decompress(data)
    return found
