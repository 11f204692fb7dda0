"""Where log records go."""

from integrated_system import IntegratedSystem


def start_logging(system: IntegratedSystem, *, level: str | None = None) -> None:
    """Send log records where the configuration says; before this, they go nowhere."""
    from utils.logger import configure

    written, kept = system.settings.logging, system.settings.retention.logs
    configure(
        level or written.level,
        console="auto" if written.console == "auto" else "on" if written.console else "off",
        directory=system.state_dir / "logs" if written.files else None,
        size=kept.size,
        files=kept.files,
        redact=written.redact,
        secrets=lambda: system.loaded.secrets,
        clock=system.clock,
    )
