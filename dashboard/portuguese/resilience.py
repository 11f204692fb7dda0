"""The page `resilience` in Portuguese, by its English."""

TEXTS: dict[str, str] = {}
