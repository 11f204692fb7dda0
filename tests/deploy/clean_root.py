"""Carry out the Dockerfile without an engine: each stage in a folder of its own that is a whole Debian, by chroot.

The base image is replaced by `debootstrap` of the same Debian release, with its own Python of the same minor version.
Needs root, `debootstrap` and the network; `ADVICE` says so where they are missing.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.deploy.dockerfile import Ignored, Stage, copy, stages

__all__ = ["ADVICE", "Container", "build", "is_there"]

ADVICE = "no clean root: needs root and `apt-get install debootstrap`"

NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
"""This machine's way to the network; an engine provides it, too. None of them stays in the image."""

PASSED = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


def is_there() -> bool:
    """Whether such a root can be made here."""
    return os.geteuid() == 0 and shutil.which("debootstrap") is not None and shutil.which("unshare") is not None


class Container:
    """A root in which commands run, with /proc and /dev of their own mount namespace.

    Args:
        read_only: Nothing but /state, /tokens and /tmp can be written, as Compose and Kubernetes run it.
    """

    def __init__(self, root: Path, stage: Stage, *, read_only: bool = False) -> None:
        self.root = root
        self.stage = stage
        self._read_only = read_only

    @property
    def user(self) -> str:
        """Who runs commands: root until a USER step."""
        found = self.stage.all("USER")
        return found[-1].text if found else "0:0"

    @property
    def workdir(self) -> str:
        found = self.stage.all("WORKDIR")
        return found[-1].text if found else "/"

    def command(self, words: Sequence[str]) -> list[str]:
        """What starts a command in it."""
        mounts = [f"mount -t proc proc {self.root}/proc", f"mount --rbind /dev {self.root}/dev"]
        if self._read_only:
            writable = [f"{self.root}/{name}" for name in ("state", "tokens")]
            mounts = [f"mount --bind {self.root} {self.root}", *mounts, *(f"mount --bind {at} {at}" for at in writable)]
            mounts += [f"mount -o remount,bind,ro {self.root}", f"mount -t tmpfs tmpfs {self.root}/tmp"]
        enter = (
            f'exec chroot --userspec={self.user} {self.root} /bin/sh -c \'cd "$0" && exec "$@"\' {self.workdir} "$@"'
        )
        return ["unshare", "--mount", "sh", "-ec", "; ".join([*mounts, enter]), "sh", *words]

    def environment(self, more: Mapping[str, str] = {}) -> dict[str, str]:
        """As the image sets it, and no variable of this process."""
        base = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp"}
        for name, value in self.stage.environment.items():
            base[name] = value.replace("$PATH", base["PATH"])
        return {**base, **more}

    def run(self, *words: str, more: Mapping[str, str] = {}) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self.command(words), env=self.environment(more), capture_output=True, text=True, check=False, timeout=900
        )

    def start(self, *words: str, more: Mapping[str, str] = {}) -> "subprocess.Popen[str]":
        """Start one that stays."""
        given = {"env": self.environment(more), "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(self.command(words), **given)  # type: ignore[call-overload, no-any-return]


def build(folder: Path) -> Container:
    """Make the image's root from the Dockerfile.

    Raises:
        AssertionError: a step failed; with what it printed.
    """
    base = folder / "base"
    first, *_ = read = stages()
    python, release = _base_of(first.base)
    _debootstrap(base, release, python)
    roots: dict[str, Path] = {}
    for stage in read:
        root = folder / (stage.name or "image")
        subprocess.run(["cp", "-a", str(base), str(root)], check=True)
        _carry_out(stage, root, roots)
        roots[stage.name] = root
    image = Container(folder / "image", read[-1])
    for path in NETWORK[:3]:
        (image.root / path[1:]).unlink(missing_ok=True)
    return image


def _carry_out(stage: Stage, root: Path, roots: Mapping[str, Path]) -> None:
    ignored = Ignored()
    workdir = "/"
    network = {name: value for name, value in os.environ.items() if name.startswith(PASSED)}
    for at, step in enumerate(stage.steps):
        here = Container(root, Stage(stage.base, stage.name, stage.steps[:at]))
        if step.name == "WORKDIR":
            workdir = step.text
            (root / workdir[1:]).mkdir(parents=True, exist_ok=True)
        elif step.name == "COPY" and step.text.startswith("--from="):
            option, source, target = step.text.split(" ")
            made = roots[option.removeprefix("--from=")] / source[1:]
            subprocess.run(["cp", "-a", str(made), str(root / target[1:])], check=True)
        elif step.name == "COPY":
            copy(step, root, workdir, ignored)
        elif step.name == "RUN":
            ended = here.run("/bin/sh", "-c", step.text, more=network)
            assert ended.returncode == 0, f"RUN {step.text}\n{ended.stdout}{ended.stderr}"


def _base_of(image: str) -> tuple[str, str]:
    found = re.fullmatch(r"python:(3\.\d+)\.\d+-slim-([a-z]+)", image)
    assert found, f"{image}: expected python:3.X.Y-slim-RELEASE"
    return found[1], found[2]


def _debootstrap(root: Path, release: str, python: str) -> None:
    """The release with its own Python as `/usr/local/bin/python`, which has pip: so the official image has it."""
    wanted = "--include=python3,python3-venv,ca-certificates"
    # Its mounts end with it, whatever becomes of it.
    command = ["unshare", "--mount", "debootstrap", "--variant=minbase", wanted, release, str(root)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr
    for path in NETWORK:
        if Path(path).exists():
            (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / path[1:])
    container = Container(root, Stage("", "", ()))
    ended = container.run("python3", "-m", "venv", "/usr/local")
    assert ended.returncode == 0, ended.stderr
    version = container.run("python", "--version").stdout.split()[1]
    assert version.startswith(f"{python}."), f"Debian {release} has Python {version}, the image {python}"
