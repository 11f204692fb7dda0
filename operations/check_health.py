"""What `config check` finds of the health checks: functions that are not there."""

from collections.abc import Iterator

from config.errors import Fault, KeyPath, Problem, key_text
from config.layers import locate
from integrated_system import IntegratedSystem

__all__ = ["problems_of_health"]


def problems_of_health(system: IntegratedSystem) -> Iterator[Problem]:
    """Each with file and line. No function is run, nobody is asked."""
    from data_pipeline.user_function import check_function

    for one in system.settings.monitor.health:
        if one.function is None:
            continue
        try:
            check_function(one.function)
        except Fault as fault:
            path: KeyPath = ("monitor", "health", one.name, "function")
            file, line = locate(system.loaded.layers, path)
            yield Problem(file, line, key_text(path), str(fault), fault.hint)
