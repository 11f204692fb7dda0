"""The page `quality` in Portuguese, by its English."""

TEXTS: dict[str, str] = {}
