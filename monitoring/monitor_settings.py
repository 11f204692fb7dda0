"""Settings of a `Monitor`: written in code, read from a file, or taken from the environment; told alike when wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from config.settings import Settings

__all__ = ["MonitorConfig", "from_environment", "from_file", "from_mapping"]

_BARE = Path(__file__).with_name("bare.yaml")


@dataclass(frozen=True, slots=True)
class MonitorConfig:
    """What a monitor is told. `file`: where it stands, None: in no file of its own."""

    settings: "Settings"
    redacted: Callable[[str], str]
    file: Path | None = None


def from_mapping(data: "Mapping[str, Any] | Settings") -> MonitorConfig:
    """Sections as in a file: `{"app": {"name": "shop"}, "monitor": {"thresholds": {"cpu": [60, 80]}}}`.

    Raises:
        ConfigError: with everything that is wrong in it.
    """
    from pydantic import ValidationError

    from config.errors import ConfigError, Problem, key_text
    from config.settings import Settings
    from config.wording import explain
    from utils.redaction import Redactor

    if not isinstance(data, Settings):
        written = {"app": {"name": "my-program"}, **data}
        try:
            data = Settings.model_validate(written)
        except ValidationError as error:
            wrong = explain(error, written, Settings)
            problems = [Problem("", None, key_text(one.path), one.message, one.hint) for one in wrong]
            raise ConfigError(problems) from None
    secrets = tuple(data.alerts.channels.values())  # an address of a channel is a secret as a whole
    return MonitorConfig(data, Redactor(secrets=lambda: secrets).text)


def from_file(path: Path, environ: Mapping[str, str]) -> MonitorConfig:
    """A file in JSON, YAML or TOML; variables lie over it.

    Raises:
        ConfigError: with everything that is wrong in it.
    """
    from config.loading import load

    loaded = load(path, environ=environ, cwd=Path.cwd())
    return MonitorConfig(loaded.settings, loaded.known.redacted, loaded.files[0])


def from_environment(environ: Mapping[str, str]) -> MonitorConfig:
    """`ORCHESTRATOR_APP__NAME=shop` and its like; over the file that `ORCHESTRATOR_CONFIG` names, if it does.

    Raises:
        ConfigError: with everything that is wrong in it.
    """
    if environ.get("ORCHESTRATOR_CONFIG"):
        return from_file(Path(environ["ORCHESTRATOR_CONFIG"]), environ)
    from config.loading import load

    bare = {name: value for name, value in environ.items() if name != "ORCHESTRATOR_ENV"}  # there is no file beside
    loaded = load(_BARE, environ=bare, cwd=Path.cwd())
    return MonitorConfig(loaded.settings, loaded.known.redacted)
