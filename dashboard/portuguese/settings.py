"""The page `settings` in Portuguese, by its English."""

TEXTS: dict[str, str] = {}
