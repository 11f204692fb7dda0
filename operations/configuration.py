"""The configuration: check it, see it, start one."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from config.errors import ConfigError, Problem
from config.layers import locate
from config.settings import Settings
from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations.check_channels import problems_of_channels
from operations.check_health import problems_of_health
from operations.check_times import problems_of_times


@dataclass(frozen=True, slots=True)
class PluggedIn:
    """What a plug-in adds: its event types with what they mean, the names of its handlers and of its numbers."""

    name: str
    event_types: dict[str, str]
    handlers: tuple[str, ...]
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """A configuration without faults. `notes`: what is no fault, and perhaps not meant."""

    files: tuple[str, ...]
    datasets: int
    providers: int
    notes: tuple[str, ...] = ()
    plugins: tuple[PluggedIn, ...] = ()

    def to_json(self) -> dict[str, Any]:
        counts = {"datasets": self.datasets, "providers": self.providers}
        plugins = [asdict(plugin) for plugin in self.plugins]
        return {"files": list(self.files), **counts, "plugins": plugins, "problems": [], "notes": list(self.notes)}


def check(system: IntegratedSystem) -> Checked:
    """Read everything, compile every rule, resolve every provider, load every plug-in, look when schedules are due.

    And whether there is a service behind each channel of alerts, a function behind each health check that names one.

    Raises:
        ConfigError: all faults at once, each with file, key and fix.
    """
    settings = system.settings
    if problems := [*problems_of_times(system), *problems_of_channels(system), *problems_of_health(system)]:
        raise ConfigError(problems)
    providers = {system.collector.provider_of(one) for one in settings.datasets if one.transform is None}
    files = tuple(str(file) for file in system.loaded.files)
    plugins = tuple(_plugged_in(system))
    return Checked(files, len(settings.datasets), len(providers), tuple(_notes(settings)), plugins)


def _plugged_in(system: IntegratedSystem) -> Iterator[PluggedIn]:
    if system.plugins.faults:
        problems = []
        for fault in system.plugins.faults:
            place = ("plugins", system.settings.plugins.index(fault.plugin))
            file, line = locate(system.loaded.layers, place)
            key = f"plugins[{place[1]}]"
            problems.append(Problem(file, line, key, f"plug-in `{fault.plugin}` {fault.error}", fault.hint))
        raise ConfigError(problems)
    for plugin in system.plugins.loaded:
        yield PluggedIn(
            name=plugin.name,
            event_types={one.name: one.description for one in plugin.event_types},
            handlers=tuple(one.name for one in plugin.consumers),
            metrics=tuple(one.name for one in plugin.metrics),
        )


def _notes(settings: Settings) -> Iterator[str]:
    """Names of providers that look like slips: what a declared one says (`auth` for example) would not count."""
    for dataset in settings.datasets:
        name = dataset.provider
        if name is None or name in settings.providers:
            continue
        near = get_close_matches(name, settings.providers, n=1, cutoff=0.8)
        if near:
            yield f"{dataset.name}: provider `{name}` is not declared, so it has no settings; did you mean `{near[0]}`?"


def shown(system: IntegratedSystem) -> dict[str, Any]:
    """The effective configuration as flat rows, each with where its value came from; secrets masked."""
    from config.errors import key_text
    from config.loading import masked

    origins = system.loaded.origins
    flat = [(key_text(path), value) for path, value in _flat(masked(system.loaded), ())]
    rows = [{"key": key, "value": _written(value), "origin": origins.get(key, "default")} for key, value in flat]
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


def _written(value: Any) -> str:
    """A value as one could write it in the file.

    >>> _written(None), _written(True), _written(["id", "a"]), _written("15m"), _written(0.5)
    ('null', 'true', '["id","a"]', '15m', '0.5')
    """
    import orjson

    if value is None or isinstance(value, bool | list | dict):
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return str(value)


def _flat(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value with its key path; a list of named things goes by their names, as in messages."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, (*path, name))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for position, item in enumerate(value):
            name = item.get("name") if isinstance(item, dict) else None
            yield from _flat(item, (*path, name if isinstance(name, str) else position))
    else:
        yield path, value
