"""The progressive monitor: it watches the host the more closely the worse it stands.

    collector = MetricsCollector()
    with ProgressiveMonitor(collector.collect) as monitor:
        monitor.on_level_changed(lambda changed: print(changed.words()))
        ...

`levels.py` says how often, `states.py` how a resource stands, `policy.py` which level that asks for (pure), `cost.py`
what the watching costs, `monitor.py` does it.
"""

from monitoring.progressive.levels import Level
from monitoring.progressive.monitor import ProgressiveMonitor
from monitoring.progressive.notices import LevelChanged, Notice, Overloaded, Relieved, Throttled
from monitoring.progressive.report import Report
from monitoring.progressive.snapshot import Snapshot
from monitoring.progressive.states import Thresholds

__all__ = [
    "Level",
    "LevelChanged",
    "Notice",
    "Overloaded",
    "ProgressiveMonitor",
    "Relieved",
    "Report",
    "Snapshot",
    "Thresholds",
    "Throttled",
]
