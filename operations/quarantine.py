"""Rows that broke a rule: kept with their reasons, never dropped."""

from typing import TYPE_CHECKING, Any

from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem

if TYPE_CHECKING:
    from utils.arrow import pa


def listed(system: IntegratedSystem, dataset: str | None = None) -> list[dict[str, Any]]:
    """What waits in quarantine, newest first: dataset, run, rows, and how many rows broke which rule."""
    if dataset is not None:
        system.settings.dataset(dataset)
    return system.views.quarantined(dataset)


def rows(system: IntegratedSystem, dataset: str, run_id: str | None = None) -> "pa.Table":
    """The quarantined rows of a dataset's run (default: the newest), with `_rules` and `_row`.

    Raises:
        PipelineError: nothing of it is in quarantine.
    """
    system.settings.dataset(dataset)
    found = [entry for entry in system.views.quarantined(dataset) if run_id in {None, entry["run_id"]}]
    if not found:
        of_run = f" of the run {run_id}" if run_id else ""
        raise PipelineError(f"{dataset}: nothing{of_run} is in quarantine", hint="see `quarantine list`")
    return system.results.table(found[0]["path"])
