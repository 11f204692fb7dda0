"""What `config check` finds of the channels of alerts: addresses behind which there is no service."""

from collections.abc import Iterator

from config.errors import KeyPath, Problem, key_text
from config.layers import locate
from integrated_system import IntegratedSystem

__all__ = ["problems_of_channels"]


def problems_of_channels(system: IntegratedSystem) -> Iterator[Problem]:
    """Each with file and line. Nothing is sent, nobody is asked."""
    if not system.settings.alerts.channels:
        return
    from monitoring.alerting.channels import ChannelFault

    for name, channel in system.alert_channels.items():
        try:
            channel.check()
        except ChannelFault as fault:
            path: KeyPath = ("alerts", "channels", name)
            file, line = locate(system.loaded.layers, path)
            yield Problem(file, line, key_text(path), str(fault), fault.hint)
