"""The page `anomalies` in Portuguese, by its English."""

TEXTS: dict[str, str] = {}
