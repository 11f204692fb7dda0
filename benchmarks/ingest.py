"""Rows a second through the whole line, from the provider's form to a stored, judged, accepted version.

The outer wall of the whole program; the start cancels out: the rate is the time between the larger and the smaller
run, (t1000000 - t10000) / 990000. The memory is the peak of the process that reads the large file.
"""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.comparison import Comparison, Figures, Target, compare
from benchmarks.machine import load, machine
from benchmarks.measure import PROGRAM, ROOT, BenchmarkError, Measurement, Time, medians, timed
from benchmarks.rows import rows

SMALL, LARGE = 10_000, 1_000_000
BIG = 2 * 10**9
"""Bytes of the file whose reading shall stay in bounded memory."""
RULES: list[dict[str, Any]] = [
    {"not_null": ["id"]},
    {"unique": "id"},
    {"range": {"column": "score", "min": 0, "max": 100}},
    {"one_of": {"column": "category", "values": list("abcdefgh")}},
    {"row_count": {"min": 1}},
]
TARGETS = (
    Target("csv_per_s", ">= 1,000,000", at_least=1_000_000),
    Target("big_csv_peak_mb", "<= 400", 400),
    Target("dicts_per_s", ">= 5 x dlt", at_least=5, of="dlt"),
    Target("dicts_per_s", ">= 0.5 of writing them to Parquet unchecked", at_least=0.5, of="floor"),
)


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`. `short`: a tenth of the rows, and a file of 200 MB."""
    before = load()
    about = machine(folder)
    large = LARGE // 10 if short else LARGE
    sizes = (SMALL, large)
    names = (f"{number:05d}" for number in count())

    def new() -> Path:
        made = folder / next(names)
        made.mkdir()
        return made

    contenders: dict[str, Measurement] = {}
    for size in sizes:
        for kind, configuration in _configurations(folder, size).items():
            contenders[f"{kind} {size}"] = partial(_ours, configuration, size, new)
        contenders[f"floor {size}"] = partial(_counted, _floor(size), size, new)
        if command := peers.command("dlt", str(size), script="rows"):
            contenders[f"dlt {size}"] = partial(_counted, command, size, new)
    for name, measurement in contenders.items():
        if name.endswith(f" {SMALL}"):
            measurement()  # unmeasured: bytecode is written, libraries are in the page cache
    times = medians(contenders, runs=runs)
    big = _big(folder, new, BIG // 10 if short else BIG)

    def rate(who: str) -> float | None:
        least, most = times.get(f"{who} {SMALL}"), times.get(f"{who} {large}")
        return None if least is None or most is None else (large - SMALL) / (most.wall - least.wall)

    figures = {f"{kind}_per_s": rate(kind) for kind in ("dicts", "csv", "jsonl")}
    figures |= {f"{kind}_peak_mb": times[f"{kind} {large}"].peak / 1e6 for kind in ("dicts", "csv", "jsonl")}
    figures |= big
    told: dict[str, Figures] = {"ours": figures, "floor": {"dicts_per_s": rate("floor")}}
    if rate("dlt"):
        told["dlt"] = {"dicts_per_s": rate("dlt")}
    return compare("ingest", TARGETS, told, about, (before, load()))


def _configurations(folder: Path, size: int) -> dict[str, Path]:
    """The same rows as dicts of a generator, as CSV, as JSON lines."""
    csv, jsonl = folder / f"rows{size}.csv", folder / f"rows{size}.jsonl"
    with csv.open("w") as file:
        file.writelines(_csv(size))
    with jsonl.open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows(size))
    shutil.copy(ROOT / "benchmarks" / "rows.py", folder / "bench_rows.py")
    return {
        "dicts": _written(
            folder, f"dicts{size}", {"kind": "python", "function": "bench_rows:rows", "params": {"count": size}}
        ),
        "csv": _written(folder, f"csv{size}", {"kind": "file", "path": csv.name}),
        "jsonl": _written(folder, f"jsonl{size}", {"kind": "file", "path": jsonl.name}),
    }


def _written(folder: Path, name: str, collect: dict[str, Any]) -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"code": ["."], "datasets": [{"name": "rows", "collect": collect, "rules": RULES}]}))
    return path


def _csv(size: int) -> Iterator[str]:
    yield "id,name,value,flag,at,category,score,note\n"
    for row in rows(size):
        cells = (
            "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            for value in row.values()
        )
        yield ",".join(cells) + "\n"


def _ours(configuration: Path, size: int, new: Callable[[], Path]) -> Time:
    def check(output: str) -> None:
        (told,) = json.loads(output)["datasets"]
        if (told["status"], told["rows"], told["quality"]["score"]) != ("succeeded", size, 100.0):
            raise BenchmarkError(f"{told['rows']} rows {told['status']}: {told['reason']}")

    command = (*PROGRAM, "run", "--fresh", "--json", "--config", str(configuration), "--state-dir", "state")
    return timed(command, cwd=new(), check=check)


def _big(folder: Path, new: Callable[[], Path], size: int) -> dict[str, float | None]:
    """The file is made of one block again and again; its ids repeat, so uniqueness is not asked of it."""
    block = "".join(list(_csv(200_000))[1:]).encode()
    path = folder / "big.csv"
    with path.open("wb") as file:
        file.write(b"id,name,value,flag,at,category,score,note\n")
        while file.tell() < size:
            file.write(block)
        written = file.tell()
    configuration = folder / "big.json"
    rules = [rule for rule in RULES if "unique" not in rule]
    declared = {"name": "rows", "collect": {"kind": "file", "path": path.name}, "rules": rules}
    patience = {"dataset": {"deadline": "30m"}}
    configuration.write_text(json.dumps({"defaults": patience, "datasets": [declared]}))
    print(f"a CSV file of {written / 1e9:.2f} GB", file=sys.stderr, flush=True)
    rows_in_it = (written // len(block)) * 200_000
    taken = _ours(configuration, rows_in_it, new)
    path.unlink()
    return {"big_csv_gb": written / 1e9, "big_csv_peak_mb": taken.peak / 1e6, "big_csv_per_s": rows_in_it / taken.wall}


def _floor(size: int) -> tuple[str, ...]:
    return (PROGRAM[0], str(ROOT / "benchmarks" / "floor.py"), "rows", str(size))


def _counted(command: tuple[str, ...], expected: int, new: Callable[[], Path]) -> Time:
    """A contender that prints how many it has done."""

    def check(output: str) -> None:
        if output.split()[-1:] != [str(expected)]:
            raise BenchmarkError(f"{command[1]} did not do {expected}: {output[-200:]}")

    return timed(command, cwd=new(), check=check)
