"""The page `incidents` in Portuguese, by its English."""

TEXTS: dict[str, str] = {}
