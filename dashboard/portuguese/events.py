"""The page `events` in Portuguese, by its English."""

TEXTS: dict[str, str] = {}
