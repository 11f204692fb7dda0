"""What runs datasets: threads of this process, or the processes of a Dask cluster."""

from typing import TYPE_CHECKING

from config.sections import ExecutorSettings
from data_pipeline.workforce import Workforce
from integrated_system import IntegratedSystem

if TYPE_CHECKING:
    from data_pipeline.elsewhere import Elsewhere

__all__ = ["named", "workforce"]


def named(text: str, settings: ExecutorSettings) -> ExecutorSettings:
    """What `--executor` asks for: `local`, `dask` (as configured), or the address of a scheduler.

    Raises:
        Fault: it is none of them; with a `hint`.
    """
    from config.errors import Fault, shown
    from config.sections import dask_address

    if text == "local":
        return settings.model_copy(update={"kind": "local", "address": ""})
    if text == "dask":
        return settings.model_copy(update={"kind": "dask"})
    if "://" not in text:
        raise Fault(f"no executor is called {shown(text)}", hint="local, dask, or tcp://HOST:PORT of a Dask scheduler")
    return settings.model_copy(update={"kind": "dask", "address": dask_address(text)})


def workforce(
    system: IntegratedSystem,
    executor: ExecutorSettings | None = None,
    *,
    workers: int | None = None,
    shared: bool = False,
) -> Workforce:
    """Workers for one run, or (`shared`) for many.

    Args:
        executor: In the place of the configured one.
        workers: In the place of its `workers`.
    """
    chosen = executor or system.settings.executor
    if workers is not None:
        chosen = chosen.model_copy(update={"workers": workers})
    return system.runner.workforce(chosen.workers, shared=shared, elsewhere=_elsewhere(system, chosen))


def _elsewhere(system: IntegratedSystem, executor: ExecutorSettings) -> "Elsewhere | None":
    if executor.kind == "local":
        return None
    from data_pipeline.elsewhere import Elsewhere
    from operations.dask_cluster import DaskCluster

    return Elsewhere(DaskCluster(system, executor))
