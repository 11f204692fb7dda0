"""`python -m tests.mutants`: how many small faults of the program its tests notice.

A sample of the mutants of each part (`mutations.py`) meets, in a copy of the tree, the tests that run their line
(`reached.py`), until one fails (`judging.py`). Prints who survived, and a table. Those of `equivalent.toml` change
nothing that anybody could notice; each has its reason there.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests import folders
from tests.mutants.judging import PATIENCE_S, enough, ordered
from tests.mutants.mutations import Mutant, mutants
from tests.mutants.reached import Reached, measured

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
WANTED = 0.85

Verdicts = dict[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Part:
    """What is changed, and the tests that should notice: files and folders."""

    code: tuple[str, ...]
    tests: tuple[str, ...]


PARTS = {
    "resilience": Part(("utils/resilience",), ("tests/utils/resilience", "tests/utils/test_shared_rates.py")),
    "events": Part(("utils/events",), ("tests/utils/events",)),
    "validate": Part(
        ("data_pipeline/validate",), ("tests/data_pipeline/validate", "tests/data_pipeline/test_in_slices.py")
    ),
    "score": Part(
        ("data_pipeline/score.py",), ("tests/data_pipeline/test_score.py", "tests/data_pipeline/test_score_of_rows.py")
    ),
}
FOR_ALL = ("tests/test_examples.py",)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="how many mutants (default: 300)")
    parser.add_argument("--seed", type=int, default=14, help="which ones (default: 14)")
    parser.add_argument("--part", action="append", choices=PARTS, help="of this part only; may be repeated")
    parser.add_argument("--tests", action="append", default=[], help="more tests that may notice: a file or a folder")
    parser.add_argument("--again", type=Path, help="only those that survived, of what --json wrote before")
    parser.add_argument("--json", type=Path, help="write all verdicts there")
    parser.add_argument("--workers", type=int, default=2, help="processes that look who runs what (default: 2)")
    given = parser.parse_args()
    parts = {name: PARTS[name] for name in given.part or PARTS}
    folders.choose()
    with tempfile.TemporaryDirectory(prefix="mutants-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")) as folder:
        tree = Path(folder) / "tree"
        _copy(tree)
        if given.again:
            names = {one["told"] for one in json.loads(given.again.read_text()) if one["verdict"] != "killed"}
            everything = ((name, one) for name, part in parts.items() for one in _all(tree, part))
            chosen = [(name, one) for name, one in everything if one.told(_source(tree, one)) in names]
        else:
            chosen = _sampled(tree, parts, given.count, given.seed)
        tests = [*(test for part in parts.values() for test in part.tests), *FOR_ALL, *given.tests]
        reached = measured(tree, sorted({one.path for _, one in chosen}), tests, workers=given.workers)
        verdicts = _judged(tree, [one for _, one in chosen], reached)
        told = [
            {"part": part, "told": one.told(_source(tree, one)), **verdicts[number]}
            for number, (part, one) in enumerate(chosen)
        ]
    if given.json:
        given.json.write_text(json.dumps(told, indent=1))
    return _tell(told)


def _copy(tree: Path) -> None:
    """All that git knows or would know: what is built, kept or ignored stays behind."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)


def _source(tree: Path, mutant: Mutant) -> str:
    return (tree / mutant.path).read_text(encoding="utf-8")


def _sampled(tree: Path, parts: Mapping[str, Part], count: int, seed: int) -> list[tuple[str, Mutant]]:
    """As many of each part, as far as it has them; what a small part lacks the others have more."""
    left, chosen = count, list[tuple[str, Mutant]]()
    found = {name: list(_all(tree, part)) for name, part in parts.items()}
    for done, name in enumerate(sorted(found, key=lambda name: len(found[name]))):
        share = min(len(found[name]), left // (len(found) - done))
        some = random.Random(f"{seed} {name}").sample(found[name], len(found[name]))
        able = [one for one in some[: share + 50] if _compiles(one, _source(tree, one))][:share]
        chosen += [(name, one) for one in able]
        left -= len(able)
    return chosen


def _all(tree: Path, part: Part) -> Iterator[Mutant]:
    for name in part.code:
        for path in [tree / name] if name.endswith(".py") else sorted((tree / name).rglob("*.py")):
            yield from mutants(str(path.relative_to(tree)), path.read_text(encoding="utf-8"))


def _compiles(mutant: Mutant, source: str) -> bool:
    try:
        compile(mutant.changed(source), mutant.path, "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def _judged(tree: Path, chosen: Sequence[Mutant], reached: Reached) -> Verdicts:
    tests: list[list[str]] = []
    for one in chosen:
        of_line = reached.tests(one.path, one.lines, imported=False) if one.function else []
        tests.append(ordered(one, of_line, reached.seconds))
    planned = [
        {"mutant": asdict(one), "changed": one.changed(_source(tree, one)), "tests": mine}
        for one, mine in zip(chosen, tests, strict=True)
    ]
    plan, verdicts = tree.parent / "plan.json", tree.parent / "verdicts.json"
    plan.write_text(json.dumps({"planned": planned, "seconds": reached.seconds}))
    with (tree.parent / "judging.log").open("w") as log:
        command = [sys.executable, "-m", "tests.mutants.judging", str(plan), str(verdicts)]
        if subprocess.run(command, cwd=tree, stdout=log, check=False).returncode:
            raise SystemExit((tree.parent / "judging.log").read_text()[-4000:])
    found: Verdicts = {int(number): verdict for number, verdict in json.loads(verdicts.read_text()).items()}
    for number, mutant in enumerate(chosen):
        if found[number]["verdict"] == "unswapped" or not tests[number]:
            some = ordered(mutant, reached.tests(mutant.path, mutant.lines, imported=True), reached.seconds)
            found[number] = _in_the_file(tree, mutant, enough(some, reached.seconds))
    return _trusted(tree, found)


def _in_the_file(tree: Path, mutant: Mutant, tests: Sequence[str]) -> dict[str, Any]:
    """Of a mutant that the import runs: with the file changed, in new processes."""
    source = _source(tree, mutant)
    (tree / mutant.path).write_text(mutant.changed(source), encoding="utf-8")
    try:
        failed = _run(tree, tests, stop=True)
    finally:
        (tree / mutant.path).write_text(source, encoding="utf-8")
    return {"verdict": "killed" if failed else "survived", "by": (failed or [""])[0], "tests": len(tests)}


def _trusted(tree: Path, verdicts: Verdicts) -> Verdicts:
    """A test that fails also without a mutant proves nothing."""
    killers = sorted({one["by"] for one in verdicts.values() if "::" in one["by"]})
    bad = set(_run(tree, killers)) if killers else set()
    return {
        number: {**one, "verdict": "unclear"} if one["by"] in bad else one for number, one in sorted(verdicts.items())
    }


def _run(tree: Path, tests: Sequence[str], *, stop: bool = False) -> list[str]:
    """The tests that fail; `import` where it does not come so far."""
    arguments = tree.parent / "arguments"
    arguments.write_text("\n".join(tests))
    options = ["-rfE", "--tb=no", "-p", "no:cacheprovider", f"--timeout={PATIENCE_S:g}", *(["-x"] if stop else [])]
    command = [sys.executable, "-m", "pytest", *options, f"@{arguments}"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if not done.returncode:
        return []
    lines = [line.split(" ", 1)[1] for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return [line.partition(" - ")[0] for line in lines] or ["import"]


def _tell(told: Sequence[Mapping[str, Any]]) -> int:
    known = {one["mutant"] for one in tomllib.loads(EQUIVALENT.read_text())["equivalent"]}
    for one in told:
        if one["verdict"] != "killed" and one["told"] not in known:
            print(f"{one['verdict']} ({one['tests']} tests): {one['told']}")
    print("\n| part | mutants | killed | change nothing | survived | killed of those that change something |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in [*dict.fromkeys(one["part"] for one in told), "all"]:
        mine = [one for one in told if name in {one["part"], "all"}]
        counts = Counter("same" if one["told"] in known else one["verdict"] for one in mine)
        changing = len(mine) - counts["same"]
        share = counts["killed"] / changing if changing else 1.0
        survived = changing - counts["killed"]
        print(f"| {name} | {len(mine)} | {counts['killed']} | {counts['same']} | {survived} | {share:.1%} |")
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
