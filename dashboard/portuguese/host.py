"""The page `host` in Portuguese, by its English."""

TEXTS: dict[str, str] = {}
