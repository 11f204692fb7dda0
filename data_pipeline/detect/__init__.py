"""Detect: anomalies over the metrics' history. numpy is imported only when something is asked for."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_pipeline.detect.measure import score_causal, score_series

__all__ = ["score_causal", "score_series"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from data_pipeline.detect import measure

        return getattr(measure, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
