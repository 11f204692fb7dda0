"""What a Dockerfile says, step by step, and which files of the checkout its COPY steps bring."""

import fnmatch
import json
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Ignored", "Stage", "Step", "copy", "stages"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Step:
    """One instruction: `COPY`, and what follows it."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The arguments: of the JSON form, else as a shell reads them."""
        return json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)

    @property
    def after_options(self) -> str:
        """The text without the `--option=value` before it."""
        words = self.text.split(" ")
        return " ".join(words[next(at for at, word in enumerate(words) if not word.startswith("--")) :])


@dataclass(frozen=True)
class Stage:
    """What stands between one FROM and the next."""

    base: str
    name: str
    steps: tuple[Step, ...]

    def all(self, name: str) -> list[Step]:
        """Its steps of that name."""
        return [step for step in self.steps if step.name == name]

    def last(self, name: str) -> Step:
        """The step that counts where a later one replaces an earlier one."""
        return self.all(name)[-1]

    @property
    def environment(self) -> dict[str, str]:
        """What its ENV steps set, as written."""
        return dict(pair.split("=", 1) for step in self.all("ENV") for pair in step.words)


def stages(file: Path = ROOT / "Dockerfile") -> list[Stage]:
    """The stages, the last one is the image."""
    text = "\n".join(line for line in file.read_text().splitlines() if not line.lstrip().startswith("#"))
    found: list[Stage] = []
    for line in text.replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        step = Step(name, " ".join(rest.split()))
        if name == "FROM":
            base, _, called = step.text.partition(" AS ")
            found.append(Stage(base, called, ()))
        elif name:
            found[-1] = Stage(found[-1].base, found[-1].name, (*found[-1].steps, step))
    return found


class Ignored:
    """Which files of the checkout never reach the builder: `.dockerignore`, the last line that matches decides."""

    def __init__(self, file: Path = ROOT / ".dockerignore") -> None:
        self._lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]

    def __call__(self, path: str) -> bool:
        """Of a path below the checkout."""
        hidden = False
        for line in self._lines:
            pattern = line.removeprefix("!")
            if any(_matches(part, pattern) for part in _upwards(path)):
                hidden = not line.startswith("!")
        return hidden


def copy(step: Step, root: Path, workdir: str, ignored: Ignored) -> None:
    """Carry out a COPY from the checkout into a root.

    Raises:
        FileNotFoundError: a source is not there, or `.dockerignore` hides it.
    """
    *sources, target = step.words
    for source in sources:
        files = [path for path in _files(ROOT / source) if not ignored(path.relative_to(ROOT).as_posix())]
        if not files:
            raise FileNotFoundError(f"{source} is not there, or .dockerignore hides it")
        to = root / Path(workdir, target).relative_to("/")
        for file in files:
            place = to / file.relative_to(ROOT / source) if (ROOT / source).is_dir() else to / file.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def _upwards(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _matches(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(path.rpartition("/")[2], pattern.removeprefix("**/"))
    return path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)
