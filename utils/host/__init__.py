"""This machine at one moment, cheaply: `MetricsCollector().collect()`.

`sampling.py` takes samples, `sample.py` says what they hold, `processes.py` reads all processes.
"""

from utils.host.sample import HostSample, TopProcess
from utils.host.sampling import MetricsCollector

__all__ = ["HostSample", "MetricsCollector", "TopProcess"]
