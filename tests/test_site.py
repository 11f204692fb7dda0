"""The site of the papers: every page, every link, and nothing from elsewhere."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.markdown import DOCS, ROOT


def test_the_site_has_every_page_once():
    """The navigation names all pages of docs/, and none that is not there."""
    text = re.sub(r"!!python/\S+", "", (ROOT / "mkdocs.yml").read_text("utf-8"))
    named = [page for page in _pages(yaml.safe_load(text)["nav"]) if not page.startswith("project/")]
    assert sorted(named) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def _pages(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
        return
    for inner in part.values() if isinstance(part, dict) else part:
        yield from _pages(inner)


@pytest.mark.prove
def test_the_site_is_whole_and_fetches_nothing(tmp_path: Path):
    """Every link and anchor leads somewhere; no font, script or picture from elsewhere: it needs no network."""
    command = [sys.executable, "-m", "mkdocs", "--quiet", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 60
    fetched = re.compile(r"<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")
    found = {tag for page in pages for tag in fetched.findall(page.read_text("utf-8")) if "canonical" not in tag}
    assert found == set()
