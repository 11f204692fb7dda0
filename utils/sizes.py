"""Bytes as people say them."""

__all__ = ["size"]


def size(count: float) -> str:
    """Bytes in the unit that keeps the number short.

    >>> size(0), size(1_500), size(2_340_000)
    ('0 B', '1.5 kB', '2.3 MB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{int(count)} B"
