"""Write a new dataset into the user's configuration: their file stays byte for byte, and grows at its end."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from config.errors import ConfigError
from config.files import parse_text, read_text
from config.loading import Loaded, load
from data_pipeline.errors import PipelineError

_NEW = (
    "# What you declare here is collected, validated, scored and stored; `config init` shows more of it.\ndatasets:\n"
)


@dataclass(frozen=True, slots=True)
class Target:
    """The user's configuration file and where a new dataset goes.

    Attributes:
        main: The configuration file, which may not exist yet.
        file: The file that the block is written to: `main`, or one of its own in `datasets/` beside it.
        indent: Blanks in front of the block's dash.
        include: What must stand under `include` of `main`; empty: nothing has to be added.
    """

    main: Path
    file: Path
    indent: int = 2
    include: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """The file that holds the block now, and what the user still has to do."""

    path: Path
    notes: tuple[str, ...] = ()


def target_of(main: Path, name: str) -> Target:
    """Where a dataset goes: to the end of the file when `datasets` is the last thing in it, else to a file of its own.

    Raises:
        ConfigError: the file cannot be read.
    """
    main = main.resolve() if main.exists() else main.absolute()
    if not main.exists():
        return Target(main, main)
    text = read_text(main)
    own = main.parent / "datasets" / f"{name}.yaml"
    if main.suffix.lower() not in (".yaml", ".yml"):
        return Target(main, own, include=f"datasets/{name}.yaml")
    indent = _open_list(text)
    if indent is not None:
        return Target(main, main, indent)
    return Target(main, own, include=f"datasets/{name}.yaml")


def write(target: Target, block: str, name: str, *, environ: Mapping[str, str], cwd: Path) -> Written:
    """Append the block, once the configuration is known to be valid with it.

    Raises:
        ConfigError: the configuration would have faults; nothing was written.
        PipelineError: the file cannot be written.
    """
    try:
        if target.file == target.main:
            return _appended(target, block, name, environ, cwd)
        return _beside(target, block, name, environ, cwd)
    except OSError as error:
        raise PipelineError(
            f"{error.filename or target.file}: {error.strerror or error}", hint="choose a place you may write to"
        ) from error


def indented(block: str, indent: int) -> str:
    """The block with blanks in front of each line."""
    return "".join(f"{' ' * indent}{line}\n" if line else "\n" for line in block.splitlines())


def _appended(target: Target, block: str, name: str, environ: Mapping[str, str], cwd: Path) -> Written:
    before = target.main.read_bytes() if target.main.exists() else b""
    added = indented(block, target.indent)
    if not target.main.exists():
        added = _NEW + added
    elif not _has_datasets(before.decode("utf-8-sig")):
        added = "\ndatasets:\n" + added
    else:
        added = "\n" + added
    return Written(_replace(target.main, _with(before, added), name, environ, cwd))


def _beside(target: Target, block: str, name: str, environ: Mapping[str, str], cwd: Path) -> Written:
    if target.file.exists():
        raise PipelineError(f"{target.file} exists already", hint="choose another --name; nothing was written")
    target.file.parent.mkdir(exist_ok=True)
    with target.file.open("x", encoding="utf-8") as file:
        file.write("datasets:\n" + indented(block, 2))
    try:
        if name in _names(load(target.main, environ=environ, cwd=cwd)):
            return Written(target.file)  # an `include` of theirs covers it already
        before = target.main.read_bytes()
        text = before.decode("utf-8-sig")
        if target.main.suffix.lower() in (".yaml", ".yml") and "include" not in parse_text(text, target.main):
            only = len(list(target.file.parent.glob("*.yaml"))) == 1
            pattern = "datasets/*.yaml" if only else target.include
            _replace(target.main, _with(before, f"\ninclude: [{pattern}]\n"), name, environ, cwd)
            return Written(target.file, (f"{target.main.name} includes {pattern} now",))
    except BaseException:
        target.file.unlink()
        raise
    note = f"add `{target.include}` to `include` in {target.main}, and it will be collected"
    return Written(target.file, (note,))


def _with(before: bytes, added: str) -> bytes:
    if before and not before.endswith(b"\n"):
        added = "\n" + added
    if b"\r\n" in before:
        added = added.replace("\n", "\r\n")
    return before + added.encode()


def _replace(path: Path, content: bytes, name: str, environ: Mapping[str, str], cwd: Path) -> Path:
    """Put the content in the file's place when it is a valid configuration with the dataset in it."""
    handle, part = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if name not in _names(load(Path(part), environ=environ, cwd=cwd)):
            hint = "its own `datasets` lies over what it includes: take the empty `datasets: []` away, then add again"
            raise PipelineError(f"{path}: the dataset would not be found in it", hint=hint)
        if path.exists():
            shutil.copymode(path, part)
        else:
            Path(part).chmod(0o644)
        Path(part).replace(path)
    except ConfigError as error:
        # The user knows the file by its own name.
        raise ConfigError([replace(p, file=p.file.replace(part, str(path))) for p in error.problems]) from None
    finally:
        with suppress(FileNotFoundError):
            Path(part).unlink()
    return path


def _names(loaded: Loaded) -> set[str]:
    return {dataset.name for dataset in loaded.settings.datasets}


def _has_datasets(text: str) -> bool:
    import yaml

    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    return isinstance(root, yaml.MappingNode) and any(key.value == "datasets" for key, _ in root.value)


def _open_list(text: str) -> int | None:
    """The indentation of the items of `datasets` if more can follow at the end of the text; None: they cannot."""
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return None  # the loader has the words for it
    if root is None:
        return 2
    if not isinstance(root, yaml.MappingNode) or root.flow_style or text.rstrip().endswith("..."):
        return None
    keys = [key.value for key, _ in root.value]
    if "datasets" not in keys:
        return 2
    if keys[-1] != "datasets":
        return None
    value = root.value[-1][1]
    if not value.value and not isinstance(value, yaml.SequenceNode):
        return 2  # `datasets:` with nothing behind it
    if not isinstance(value, yaml.SequenceNode) or value.flow_style or not value.value:
        return None
    return int(value.start_mark.column)
