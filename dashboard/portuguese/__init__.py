"""The pages in Portuguese: one file for each page, and `shell` for what all have."""

from importlib import import_module

PAGES = (
    "shell",
    "overview",
    "dataset",
    "runs",
    "incidents",
    "quality",
    "anomalies",
    "resilience",
    "host",
    "events",
    "settings",
)

TEXTS: dict[str, str] = {}
for _page in PAGES:
    TEXTS.update(import_module(f"dashboard.portuguese.{_page}").TEXTS)
