"""`python -m benchmarks NAME`: measure, and print a table, or JSON with `--json`. Progress goes to stderr.

`python -m benchmarks all`: everything, one after the other, with a report and a plot in the folder `--report`.
"""

import argparse
import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from benchmarks.measure import ROOT, BenchmarkError
from benchmarks.report import report

ROUNDS = {
    "overhead": 5,
    "coldstart": 5,
    "ingest": 5,
    "providers": 5,
    "resilience": 7,
    "events": 5,
    "quality": 3,
    "schedule": 3,
    "logs": 5,
    "detect": 1,
    "host": 3,
    "api": 5,
    "api_live": 3,
    "executor": 5,
    "dashboard": 3,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, side by side with the peers.")
    parser.add_argument("name", choices=(*ROUNDS, "all"))
    parser.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")
    parser.add_argument(
        "--runs", type=int, help="rounds whose median is taken (default: 5, more or less where one takes long)"
    )
    parser.add_argument("--short", action="store_true", help="a tenth of the work, to see that it runs")
    parser.add_argument("--folder", type=Path, help="where the states are made (default: the temporary folder)")
    parser.add_argument("--report", type=Path, default=ROOT / "out" / "bench", help="of `all`: where the report is put")
    given = parser.parse_args()
    if given.runs is not None and given.runs < 1:
        parser.error("--runs must be at least 1")
    if given.name == "all":
        return 1 if report(tuple(ROUNDS), given.report, short=given.short, runs=given.runs) else 0
    runs = ROUNDS[given.name] if given.runs is None else given.runs
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=given.folder) as folder:
        try:
            result = import_module(f"benchmarks.{given.name}").measure(Path(folder), runs=runs, short=given.short)
        except BenchmarkError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    print(json.dumps(result.to_json(), indent=2) if given.json else result.to_markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
