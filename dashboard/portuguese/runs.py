"""The page `runs` in Portuguese, by its English."""

TEXTS: dict[str, str] = {}
