"""Where log records go, and what becomes of old ones."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from integrated_system import IntegratedSystem
from operations.step import Step

if TYPE_CHECKING:
    from utils.log_archive import LogArchive
    from utils.loki import LokiSink

__all__ = ["log_archive", "masking", "start_logging", "stop_logging", "tidy_logs"]


def start_logging(system: IntegratedSystem, *, level: str | None = None) -> None:
    """Send log records where the configuration says; before this, they go nowhere."""
    from utils.logger import configure

    written, kept = system.settings.logging, system.settings.retention.logs
    configure(
        level or written.level,
        console="auto" if written.console == "auto" else "on" if written.console else "off",
        directory=system.state_dir / "logs" if written.files else None,
        forms="both" if isinstance(written.files, bool) else written.files,
        size=kept.size,
        files=kept.files,
        age=kept.age,
        redact=written.redact,
        secrets=lambda: system.loaded.secrets,
        more=[_loki(system)] if written.loki.url else [],
        clock=system.clock,
    )


def stop_logging() -> None:
    """Bring out what is on its way, within a bound. What is logged later is written all the same."""
    from utils.logger import close

    close()


def _loki(system: IntegratedSystem) -> "LokiSink":
    from utils.logger import get_logger
    from utils.loki import LokiSink

    def told(new: int, whole: int, reason: str) -> None:
        get_logger("loki").warning("loki.dropped", lines=new, since_start=whole, reason=reason)

    return LokiSink(system.settings.logging.loki.url, system.settings.logging.loki.labels, told=told)


def log_archive(system: IntegratedSystem, *, files: int | None = None) -> "LogArchive":
    """The rotated log files of the installation. `files`: how many of each are kept, when it is not as configured."""
    from utils.log_archive import LogArchive

    kept = system.settings.retention.logs
    return LogArchive(system.state_dir / "logs", files=kept.files if files is None else files, age=kept.age)


def tidy_logs(system: IntegratedSystem, *, dry_run: bool) -> Step:
    """Compress what was rotated and is written to no more, drop what is past its retention."""
    archive, now = log_archive(system), system.clock.time()
    old = archive.old(now)
    detail = "old log files removed"
    if dry_run:
        return Step("logs", len(old), sum(path.stat().st_size for path in old), detail)
    try:
        return Step("logs", len(old), max(0, archive.tidy_all(now)), detail)
    except OSError as error:
        return Step("logs", detail=f"log files could not be tidied: {error}", well=False)


def masking(keys: Iterable[str], secrets: Callable[[], Iterable[str]]) -> Callable[[str], str]:
    """Gives a text without secrets: for lines of others, which go past our own logger.

    Args:
        keys: Names whose values are masked, beside those that everybody masks.
        secrets: Texts that are masked wherever they stand; asked for each line.
    """
    from utils.redaction import Redactor

    return Redactor(keys, lambda: tuple(secrets())).text
