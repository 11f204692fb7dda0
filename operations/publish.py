"""Hand versions that wait to their sinks."""

from collections.abc import Sequence

from config.datasets import DatasetSettings
from data_pipeline.publish.attempt import Attempt
from integrated_system import IntegratedSystem
from utils.resilience.cancellation import CancelToken


def publish_pending(
    system: IntegratedSystem, datasets: Sequence[DatasetSettings], *, cancel: CancelToken | None = None
) -> list[Attempt]:
    """Try once each version of these datasets that has not gone out; what fails waits for the next time."""
    if not any(dataset.publish for dataset in datasets):
        return []
    return system.outbox.publish(datasets, cancelled=lambda: cancel is not None and cancel.cancelled)
