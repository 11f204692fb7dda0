"""Samples with the figures that a test wants."""

from datetime import UTC, datetime
from typing import Any

from utils.host.sample import HostSample


def sampled(at: float = 0.0, **figures: float) -> HostSample:
    """A sample with these figures and no others, `at` seconds after the beginning of 1970."""
    nothing: dict[str, Any] = dict.fromkeys(HostSample.__slots__)
    fixed = {"process_threads": 1, "gc_collections": 0, "top_cpu": (), "top_memory": ()}
    return HostSample(**{**nothing, **fixed, "time": datetime.fromtimestamp(at, UTC), **figures})
