"""What MkDocs is told besides mkdocs.yml: pages that lie outside of docs/, and links that lead out of it.

The Markdown is written for readers of the repository, where `../tests/x.py` is a link. On the site it would lead
nowhere: the papers among such files become pages, of the others the name stays, without a link.
"""

import re
from pathlib import Path
from posixpath import normpath, relpath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = (
    "README.md",
    "CHANGELOG.md",
    "THIRD_PARTY.md",
    "benchmarks/RESULTS.md",
    "config/snapshots/README.md",
    "extensions/vscode/README.md",
)
"""Papers that are pages of the site as well, below `project/`."""

_LINK = re.compile(r"(!?)\[((?:[^\]\[]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"(^ *```.*?^ *```)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the papers from outside."""
    for name in OUTSIDE:
        files.append(File.generated(config, _site_path(name), abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite the links of a page, but not what is shown as code."""
    source = page.file.src_uri
    origin = next((name for name in OUTSIDE if _site_path(name) == source), f"docs/{source}")
    parts = _FENCE.split(markdown)
    parts[::2] = [_LINK.sub(lambda found: _link(found, origin, source), part) for part in parts[::2]]
    return "".join(parts)


def _site_path(name: str) -> str:
    # A README would become the index of its folder, and two of them would clash.
    return f"project/{name.replace('README.md', 'about.md').replace('/', '-')}"


def _link(found: re.Match[str], origin: str, source: str) -> str:
    image, label, target = found.groups()
    if re.match(r"[a-z]+:|#", target):
        return found[0]
    path, mark, anchor = target.partition("#")
    there = normpath(f"{Path(origin).parent.as_posix()}/{path}")
    if there in OUTSIDE:
        there = _site_path(there)
    elif there.startswith("docs/"):
        there = there.removeprefix("docs/")
    else:
        return label
    return f"{image}[{label}]({relpath(there, Path(source).parent.as_posix())}{mark}{anchor})"
