"""File, includes, environment overlay, variables and secrets -> `Settings`; all errors at once."""

import gc
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.blocks import Shared
from config.errors import ConfigError, KeyPath, Problem, key_text
from config.files import SUFFIXES, parse_text, read_text
from config.layers import Layer, absolute, doubles, filled, locate, merged, problem_at, spelt_out, variable_layer
from config.masking import masked
from config.plain_secrets import learn_from_written, learn_plain_secrets
from config.providers import is_secret_place
from config.settings import Settings
from config.starter import init_text
from config.variables import MASK, Secrets

__all__ = ["ConfigError", "Loaded", "Problem", "init_text", "load", "masked"]

SHIPPED = Path(__file__).with_name("orchestrator.yaml")
_MAX_FILES = 10_000


@dataclass
class Loaded:
    """A configuration that can be used.

    Attributes:
        settings: All sections, validated.
        main: The file that the others hang on.
        files: Every file read, in the order they were laid over one another.
        data: What was written, merged, values filled in; defaults absent.
    """

    settings: Settings
    main: Path
    files: tuple[Path, ...]
    data: dict[str, Any] = field(repr=False)
    layers: list[Layer] = field(repr=False)
    known: Secrets = field(repr=False)

    @property
    def secrets(self) -> frozenset[str]:
        """Texts to redact wherever they appear; there may be more of them later."""
        return self.known.all()

    @cached_property
    def origins(self) -> dict[str, str]:
        """Key path -> `file:line`, `variable NAME` or `--state-dir`; keys that have their default are absent."""
        found: dict[str, str] = {}

        def walk(node: Any, path: KeyPath) -> None:
            if isinstance(node, dict) and node:
                for key, value in node.items():
                    walk(value, (*path, key))
            elif isinstance(node, list) and any(isinstance(item, dict) for item in node):
                for position, item in enumerate(node):
                    name = item.get("name") if isinstance(item, dict) else None
                    walk(item, (*path, name if isinstance(name, str) else position))
            else:
                file, line = locate(self.layers, path)
                names = self.known.names.get(path)
                found[key_text(path)] = (f"{file}:{line}" if line else file) + (f" from {names}" if names else "")

        walk(self.data, ())
        return found


def load(path: Path | None = None, *, environ: Mapping[str, str], cwd: Path, state_dir: Path | None = None) -> Loaded:
    """Read the configuration at `path`, else `$ORCHESTRATOR_CONFIG`, else `./orchestrator.yaml`, else the shipped one.

    `state_dir` lies over `app.state_dir`. The folders of `code` are appended to `sys.path`.

    Raises:
        ConfigError: with every problem that was found.
    """
    with _no_garbage():
        return _Loading(environ, cwd).load(path, state_dir)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """What is loaded stays: the garbage collector would walk through 10,000 datasets again and again, for seconds."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Loading:
    """One load: collects layers and problems."""

    def __init__(self, environ: Mapping[str, str], cwd: Path) -> None:
        self._environ = environ
        self._cwd = cwd
        self._layers: list[Layer] = []
        self._faults: list[tuple[KeyPath, Problem]] = []
        self._unread: list[Problem] = []
        self._secrets = Secrets()
        self._seen: set[Path] = set()

    def load(self, path: Path | None, state_dir: Path | None) -> Loaded:
        try:
            main = self._find(path)
            self._read(main)
            overlay = self._overlay(main)
            if overlay is not None:
                self._read(overlay)
            if self._unread:
                raise ConfigError([*self._unread, *(problem for _, problem in self._faults)])
            data = self._merge(state_dir)
            settings = self._validate(data)
        except RecursionError as error:
            raise ConfigError([Problem(str(path or ""), None, "", "the configuration is nested too deeply")]) from error
        files = tuple(layer.path for layer in self._layers if layer.path is not None)
        return Loaded(settings, main, files, data, self._layers, self._secrets)

    def _find(self, path: Path | None) -> Path:
        named = self._environ.get("ORCHESTRATOR_CONFIG", "")
        if path is not None:
            found, source = self._cwd / path.expanduser(), ""
        elif named:
            found, source = self._cwd / Path(named).expanduser(), "ORCHESTRATOR_CONFIG names this file. "
        else:
            local = self._cwd / "orchestrator.yaml"
            return local if local.exists() else SHIPPED
        if not found.exists():
            hint = f"{source}Check the path; `config init` writes a configuration to start from."
            raise ConfigError([Problem(str(found), None, "", "the configuration file does not exist", hint)])
        return found

    def _overlay(self, main: Path) -> Path | None:
        name = self._environ.get("ORCHESTRATOR_ENV", "")
        if not name:
            return None
        folder = main.parent / "environments"
        if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            for suffix in SUFFIXES:
                if (folder / f"{name}{suffix}").exists():
                    return folder / f"{name}{suffix}"
        hint = f"Create {folder / 'NAME.yaml'} for the environment's name, or unset ORCHESTRATOR_ENV."
        message = f"there is no environment `{name[:64]}` beside {main}"
        self._unread.append(Problem("variable ORCHESTRATOR_ENV", None, "", message, hint))
        return None

    def _read(self, path: Path) -> None:
        """Read a file after its includes, so that it lies over them."""
        known = path.resolve()
        if known in self._seen:
            return
        self._seen.add(known)
        if len(self._seen) > _MAX_FILES:
            self._unread.append(Problem(str(path), None, "include", f"more than {_MAX_FILES} files"))
            return
        try:
            text = read_text(path)
            data = parse_text(text, path)
        except ConfigError as error:
            self._unread += error.problems
            return
        layer = Layer(str(path), path.parent, data, text, path)
        include = data.pop("include", None)
        for pattern in self._patterns(include, layer):
            for found in self._included(pattern, layer):
                self._read(found)
        for place in reversed(doubles(data)):
            section, position = str(place[0]), int(place[1])
            double = data[section].pop(position)
            line = layer.place(place, place)[1]
            problem = Problem(
                str(path), line, key_text(place), f"`{double['name']}` is declared twice", "Rename one of the two."
            )
            self._faults.append((place, problem))
        self._fill(layer)
        absolute(layer.data, layer.folder, cwd=self._cwd)
        spelt_out(layer.data)
        self._layers.append(layer)

    def _patterns(self, include: Any, layer: Layer) -> list[str]:
        if include is None:
            return []
        if isinstance(include, list) and all(isinstance(item, str) and item for item in include):
            return include
        hint = "Write a list of files or patterns: `include: [datasets/*.yaml]`."
        self._unread.append(Problem(layer.label, None, "include", "expected a list of file names", hint))
        return []

    def _included(self, pattern: str, layer: Layer) -> list[Path]:
        import glob

        try:
            full = str(Path(pattern).expanduser())
            names = glob.glob(full, root_dir=layer.folder, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        except (OSError, ValueError, RuntimeError, re.error):
            names = []
        if not names:
            hint = f"The pattern starts at {layer.folder}."
            self._unread.append(Problem(layer.label, None, "include", f"no file matches `{pattern}`", hint))
        return [layer.folder / name for name in sorted(names)]

    def _fill(self, layer: Layer) -> None:
        text = layer.text
        # A file without any of these signs holds nothing to fill in: 10,000 datasets are then not walked.
        if layer.path is None or "${" in text or "\\" in text or "@" in text or layer.path.suffix.lower() == ".toml":
            layer.data = filled(
                layer.data,
                environ=self._environ,
                folder=layer.folder,
                secrets=self._secrets,
                report=lambda path, fault: self._report([layer], path, str(fault), fault.hint),
            )

    def _merge(self, state_dir: Path | None) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for layer in self._layers:
            data = merged(data, layer.data) if data else layer.data
        variables = variable_layer(self._environ, data, self._cwd)
        if variables.data:
            self._fill(variables)
            absolute(variables.data, self._cwd, cwd=self._cwd)
            spelt_out(variables.data)
            self._layers.append(variables)
            data = merged(data, variables.data)
        if state_dir is not None:
            option = {"app": {"state_dir": str(self._cwd / state_dir.expanduser())}}
            self._layers.append(Layer("--state-dir", self._cwd, option))
            data = merged(data, option)
        return data

    def _validate(self, data: dict[str, Any]) -> Settings:
        self._extend_path(data)
        complete = data
        app = data.get("app", {})
        if isinstance(app, dict) and "state_dir" not in app:
            complete = {**data, "app": {**app, "state_dir": str(self._cwd / "state")}}
        try:
            settings = Settings.model_validate(complete, context=Shared())
        except ValidationError as error:
            from config.wording import explain

            learn_from_written(data, self._secrets)
            told = {path for path, _ in self._faults}
            for wrong in explain(error, data, Settings):
                if not any(path == wrong.path[: len(path)] for path in told):
                    self._report(self._layers, wrong.path, wrong.message, wrong.hint)
            raise ConfigError(self._problems()) from None
        if self._faults:
            raise ConfigError(self._problems())
        self._place(settings)
        learn_plain_secrets(settings, self._secrets)
        return settings

    def _extend_path(self, data: dict[str, Any]) -> None:
        code = data.get("code")
        for folder in code if isinstance(code, list) else ():
            if not isinstance(folder, str):
                continue
            if not folder:
                self._report(self._layers, ("code",), "a folder's name must not be empty", "Write `.` for this folder.")
            elif not Path(folder).is_dir():
                self._report(self._layers, ("code",), f"`{folder}` is not a folder", "Create it, or remove it here.")
            elif folder not in sys.path:
                sys.path.append(folder)

    def _place(self, settings: Settings) -> None:
        """Tell each dataset where the relative paths of its `collect` start."""
        bases: dict[str, Path] = {}
        for layer in self._layers:
            items = layer.data.get("datasets")
            for item in items if isinstance(items, list) else ():
                collect = item.get("collect") if isinstance(item, dict) else None
                if isinstance(collect, dict) and ("path" in collect or item["name"] not in bases):
                    bases[item["name"]] = layer.folder
        for dataset in settings.datasets:
            dataset.place(bases.get(dataset.name, self._cwd))

    def _report(self, layers: list[Layer], path: KeyPath, message: str, hint: str = "") -> None:
        self._faults.append((path, problem_at(layers, path, message, hint)))

    def _problems(self) -> list[Problem]:
        return [self._safe(path, problem) for path, problem in self._faults]

    def _safe(self, path: KeyPath, problem: Problem) -> Problem:
        """The problem without any secret in it."""
        message = self._secrets.redacted(problem.message)
        hint = self._secrets.redacted(problem.hint)
        if (path in self._secrets.names or is_secret_place(path)) and "got `" in message:
            message, _, rest = message.partition(", got `")
            message += ", got a secret value"
            hint = hint.replace(rest.partition("`")[0], MASK)
        if (message, hint) == (problem.message, problem.hint):
            return problem
        return Problem(problem.file, problem.line, problem.key, message, hint)
