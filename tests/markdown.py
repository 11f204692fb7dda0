"""Reading our own papers: fenced blocks, tables, and the commands that a page has people type."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
OUTSIDE = ("benchmarks/RESULTS.md", "config/snapshots/README.md", "extensions/vscode/README.md")
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *(
            ROOT / name
            for name in ("benchmarks/RESULTS.md", "config/snapshots/README.md", "extensions/vscode/README.md")
        ),
    ]
)


def name_of(page: Path) -> str:
    """From the top of the checkout."""
    return page.relative_to(ROOT).as_posix()


def fenced(page: Path, language: str) -> list[str]:
    """The contents of a page's fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def without_fences(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def tables(page: Path) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Each table: the heading above it, its column names, its rows."""
    heading, rows = "", []
    for line in [*without_fences(page).split("\n"), ""]:
        if line.startswith("|"):
            rows.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
            continue
        if rows:
            yield heading, rows[0], rows[2:]
            rows = []
        if line.startswith("#"):
            heading = line.lstrip("# ")


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def anchors(page: Path) -> set[str]:
    """What may stand behind `#` in a link to the page, as its hosts make it of headings."""
    headings = re.findall(r"^#+ (.+)$", without_fences(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@dataclass(frozen=True)
class Step:
    """A command of a ```console block, and what the page says that it prints."""

    command: str
    shown: str


def console(page: Path) -> list[Step]:
    """All that the page has people type, in order. A command goes on over lines until its here-document is over."""
    steps: list[Step] = []
    for block in fenced(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            first, _, rest = part.partition("\n")
            if found := re.search(r"<<'(\w+)'", first):
                text, _, rest = rest.partition(f"\n{found[1]}\n")
                first = f"{first}\n{text}\n{found[1]}"
            steps.append(Step(first, rest.strip("\n")))
    return steps


_VARIES = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
    (r"\bport \d+", "port N"),
    (r"\b\d{8}T\d{6}Z", "TIME"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|\+00:00)?", "TIME"),
    (r"\d{1,2} [A-Z][a-z]{2}( \d{4})?( \d\d:\d\d)?", "TIME"),
    (r"\d{4}-\d\d-\d\d", "DAY"),
    (r"\b\d+:[0-9a-f]{64}\b", "HEAD"),
    (r"\b\d+ events?\b", "N events"),
    (r"(?m)^ *\d+(?=  TIME)", "SEQ"),
    (r"\b\d+(\.\d+)? ?(ms|s|min|h|d)\b", "SPAN"),
    (r"\b\d+(\.\d+)? ?(B|[kMG]B)\b", "SIZE"),
    (r"127\.0\.0\.1[:-]\d+", "PROVIDER"),
)
"""What no two runs have alike, and the word that stands for it."""


def shape(text: str) -> list[str]:
    """The lines of an output without what differs from run to run, nor how wide its columns are."""
    for pattern, word in _VARIES:
        text = re.sub(pattern, word, text)
    return [line for line in (re.sub(r"[ \t─━]+", " ", line).strip() for line in text.split("\n")) if line]


def is_shape_of(shown: str, output: str) -> bool:
    """Whether the output has the lines that are shown. `…` is any text, alone in a line any lines."""
    parts = []
    for line in shape(shown):
        if line == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(re.escape(part) for part in line.split("…")) + r"\n")
    return re.fullmatch("".join(parts), "".join(f"{line}\n" for line in shape(output))) is not None
