"""The image, built without an engine in a clean root, run as Compose and Kubernetes run it."""

import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy import clean_root
from tests.deploy.clean_root import ADVICE, Container
from tests.deploy.dockerfile import stages

STAGE = stages()[-1]
SECRET = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bghp_\w{36}\b|\bcdo_[\w-]{43}\b")
PATIENCE_S = 120.0
BUILDS = {"gcc", "cc", "g++", "make", "pip", "pip3", "ld", "cargo", "git"}


@pytest.fixture(scope="module")
def image() -> Iterator[Container]:
    """Built once: a Debian by debootstrap, the stages by chroot. Three gigabytes on disk, which go afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="clean-root-", dir="/var/tmp"))
    folder.chmod(0o755)  # the image's user passes through it
    try:
        began = time.perf_counter()
        built = clean_root.build(folder)
        print(f"\nbuilt in {time.perf_counter() - began:.0f} s")
        yield Container(built.root, built.stage, read_only=True)
    finally:
        shutil.rmtree(folder)


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not clean_root.is_there(), reason=ADVICE)
def test_an_image_built_in_a_clean_root_works(image: Container):
    """Entry point, health check, first token, `serve` with probes and the page, and its end by SIGTERM."""
    entry = STAGE.last("ENTRYPOINT").words
    _, *check = STAGE.last("HEALTHCHECK").text.partition("CMD ")[2].strip('[]"').split('", "')

    assert image.run("id", "--user").stdout == "10001\n"
    assert image.run(*entry, "--version").returncode == 0
    main = image.run(*entry)
    assert main.returncode == 0, main.stderr
    assert "datasets delivered as they should" in main.stdout
    assert image.run("python", *check).returncode == 0
    assert image.run("sh", "-c", "touch /app/x || touch /venv/x").returncode != 0
    tokens = []
    for lost in (False, True):  # the same name again is refused, unless the lost one was revoked
        if lost:
            (image.root / "tokens/prometheus").unlink()
        assert image.run("/app/image/first-token.sh", "/tokens/prometheus").returncode == 0
        tokens.append((image.root / "tokens/prometheus").read_text())
    assert tokens[0] != tokens[1]

    more = {"ORCHESTRATOR_API__HOST": "0.0.0.0", "ORCHESTRATOR_API__PORT": "18000"}
    more |= {"ORCHESTRATOR_DASHBOARD__HOST": "0.0.0.0", "ORCHESTRATOR_DASHBOARD__PORT": "18501"}
    serving = image.start(*entry, "serve", more=more)
    probes = [("18000", "/livez"), ("18000", "/readyz"), ("18501", "/_stcore/health")]
    try:
        for port, path in probes:
            until = time.monotonic() + PATIENCE_S
            while (asked := image.run("python", "/app/image/probe.py", port, path)).returncode:
                assert time.monotonic() < until, asked.stdout
    finally:
        serving.send_signal(signal.SIGTERM)
        code = serving.wait(120)
        said = serving.communicate()[0]
    assert code == 143, said


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not clean_root.is_there(), reason=ADVICE)
def test_it_holds_no_secret_no_test_and_nothing_that_builds(image: Container):
    """Its content, listed: with sizes, so that what grows is seen."""
    ours, venv = files(image.root / "app"), files(image.root / "venv")
    names = {path.relative_to(image.root / "app").parts[0] for path in ours}
    programs = {
        path.name for folder in ("venv/bin", "usr/local/bin", "usr/bin") for path in (image.root / folder).iterdir()
    }
    for title, some in (("app", ours), ("venv", venv)):
        print(f"\n{title}: {len(some):,} files, {sum(path.stat().st_size for path in some) / 1e6:,.0f} MB")
    print(f"/app holds {sorted(names)}")

    assert names.isdisjoint({"tests", "benchmarks", "docs", "extensions", "deploy", "state", ".git", ".env"})
    assert not [path for path in (*ours, *venv) if "tests" in path.relative_to(image.root).parts[:-1]]
    assert not [path for path in ours if SECRET.search(path.read_bytes())]
    assert not [path for path in ours if os.stat(path).st_mode & 0o002]
    assert programs.isdisjoint(BUILDS)
    assert not (image.root / "etc/pip.conf").exists()
