"""`make soak`: a day of 50 datasets with the API and the dashboard in use; its figures as a table."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.soak.day import CRUMB_S, EVENTS_S, MAINTAINED_S, Day
from tests.soak.figures import EARLY, table, wrong


def main(arguments: Sequence[str]) -> int:
    told = argparse.ArgumentParser(prog="make soak", description=__doc__)
    told.add_argument("--hours", type=int, default=24)
    told.add_argument("--datasets", type=int, default=50)
    asked = told.parse_args(arguments)
    began, hours = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        day = Day(Path(folder), asked.datasets)
        for hour in day.hours(asked.hours):
            hours.append(hour)
            print(
                f"hour {hour.number} of {asked.hours}, {day.runs:,} runs, {time.monotonic() - began:.0f} s", flush=True
            )
    print(table(hours))
    if len(hours) <= EARLY:
        return 0
    found = wrong(hours, kept_s=EVENTS_S + MAINTAINED_S + CRUMB_S)
    print("\n".join(found) or "nothing grew, leaked or became slower")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
