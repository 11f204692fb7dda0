"""The tutorial, typed to the letter in a folder of its own, prints what it says, in both languages."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faulty_server import Answer, FaultyServer, Request, ok, status
from tests.integration.installation import PROGRAM, ROOT, Installation
from tests.markdown import DOCS, console, is_shape_of

PAGE = DOCS / "tutorial.md"
TRANSLATED = DOCS / "pt" / "tutorial.md"
PORT = "8800"
BEFORE = 3
"""Steps that make the environment and the folder: a test has both already."""

HOME = "/home/ana/shop"
"""Where the page's own reader was."""


def test_both_languages_type_the_same():
    """Commands and what they print are not translated."""
    assert console(TRANSLATED) == console(PAGE)


def test_the_first_page_tells_the_same_in_both_languages():
    """As many chapters and things that you get, the same folders, pictures and first commands."""
    english, portuguese = (path.read_text("utf-8") for path in (ROOT / "README.md", DOCS / "pt" / "README.md"))
    for kept in (r"^##", r"^- \*\*", r"^\| `[^|]*\|", r"docs/images/\w+|(?<=\.\./)images/\w+", r"^make \w+"):
        mine, theirs = (re.findall(kept, text, flags=re.MULTILINE) for text in (english, portuguese))
        assert len(mine) > 1
        assert [one.removeprefix("docs/") for one in mine] == theirs, kept


def without_log(text: str) -> str:
    """What a command prints, without the lines of its log, nor what a shell says of its jobs."""
    said = re.sub(r"^\d\d:\d\d:\d\d +[A-Z]+ .*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^\[1\]\+ .*\n|^Serving HTTP on .*\n", "", said, flags=re.MULTILINE)


class Typed(Installation):
    """Whoever types in a folder names neither configuration nor state: both are found there."""

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(PROGRAM), *arguments]


class Reader:
    """Types what the page says, in a folder, and has the provider that the page starts.

    Commands of the program run in this process, those of the shell in a shell.
    """

    def __init__(self, folder: Path, printed: Callable[[], str]) -> None:
        self.folder = folder
        self._printed = printed
        self._server: FaultyServer | None = None

    def type(self, command: str) -> str:
        """What it prints."""
        if command.endswith("&"):
            self._server = FaultyServer(self._file).__enter__()
            return ""
        if command == "kill %1":
            self.close()
            return ""
        if not command.startswith("orchestrator "):
            done = subprocess.run(["bash", "-c", command], cwd=self.folder, capture_output=True, text=True, check=True)
            return done.stdout
        Typed(self.folder).typed(*shlex.split(self._here(command))[1:])
        return without_log(self._printed()).replace(str(self.folder), HOME)

    def close(self) -> None:
        """The provider dies."""
        if self._server is not None:
            self._server.close()

    def _here(self, text: str) -> str:
        return text if self._server is None else text.replace(f"127.0.0.1:{PORT}", self._server.host)

    def _file(self, request: Request) -> Answer:
        path = self.folder / "provider" / request.path.lstrip("/")
        return ok(path.read_bytes(), "text/csv") if path.is_file() else status(404)


def test_the_tutorial_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Every command in order; ids, times and the provider's port are another's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCHESTRATOR_CONFIG", raising=False)

    def printed() -> str:
        told = capsys.readouterr()
        return told.out + told.err

    steps = console(PAGE)
    assert [step.command.split()[0] for step in steps[:BEFORE]] == ["make", "alias", "mkdir"]
    reader = Reader(tmp_path, printed)
    try:
        for step in steps[BEFORE:]:
            said = reader.type(step.command)
            assert is_shape_of(step.shown, said), f"$ {step.command}\nshown:\n{step.shown}\nsaid:\n{said}"
    finally:
        reader.close()


@pytest.mark.prove
def test_the_tutorial_in_a_shell(tmp_path: Path):
    """The same with nothing in between: a shell, the processes that it starts, and the port of the page."""
    steps = console(PAGE)[1:]  # the environment is made
    typed = "\n".join(f"{step.command}\necho; echo ---{number}" for number, step in enumerate(steps))
    done = subprocess.run(
        ["bash"],
        input=f"shopt -s expand_aliases; set -m; exec 2>&1\n{typed}\n",
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    said = re.split(r"\n---\d+\n", done.stdout)
    assert len(said) > len(steps)
    for step, output in zip(steps, said, strict=False):
        told = without_log(output).replace(str(tmp_path / "shop"), HOME)
        assert is_shape_of(step.shown, told), f"$ {step.command}\nsaid:\n{told}"
