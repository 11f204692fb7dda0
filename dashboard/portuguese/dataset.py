"""The page `dataset` in Portuguese, by its English."""

TEXTS: dict[str, str] = {}
