"""The configuration: check it, see it, start one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem


@dataclass(frozen=True, slots=True)
class Checked:
    """A configuration without faults."""

    files: tuple[str, ...]
    datasets: int
    providers: int

    def to_json(self) -> dict[str, Any]:
        return {"files": list(self.files), "datasets": self.datasets, "providers": self.providers, "problems": []}


def check(system: IntegratedSystem) -> Checked:
    """Read everything, compile every rule, resolve every provider.

    Raises:
        ConfigError: all faults at once, each with file, key and fix.
    """
    settings = system.settings
    providers = {system.collector.provider_of(dataset) for dataset in settings.datasets}
    return Checked(tuple(str(file) for file in system.loaded.files), len(settings.datasets), len(providers))


def shown(system: IntegratedSystem) -> dict[str, Any]:
    """The effective configuration as nested values and as flat rows with their origin; secrets masked."""
    from config.loading import masked

    values = masked(system.loaded)
    origins = system.loaded.origins
    rows = [
        {"key": key, "value": str(value), "origin": origins.get(key, "default")} for key, value in _flat(values, "")
    ]
    return {"files": [str(file) for file in system.loaded.files], "values": rows}


def init(path: Path) -> Path:
    """Write a commented first configuration.

    Raises:
        PipelineError: there is a file already, or it cannot be written.
    """
    from config.loading import init_text

    try:
        with path.open("x") as file:
            file.write(init_text())
    except FileExistsError as error:
        raise PipelineError(f"{path} exists already", hint="choose another name; nothing was written") from error
    except OSError as error:
        raise PipelineError(f"{path}: {error.strerror}", hint="choose a folder you may write to") from error
    return path.absolute()


def _flat(value: Any, key: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [entry for name, inner in value.items() for entry in _flat(inner, f"{key}.{name}" if key else str(name))]
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        named = (
            item.get("name", position) if isinstance(item, dict) else position for position, item in enumerate(value)
        )
        return [entry for name, inner in zip(named, value, strict=True) for entry in _flat(inner, f"{key}[{name}]")]
    return [(key, value)]
