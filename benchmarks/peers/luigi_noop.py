"""N independent no-op Luigi tasks, local scheduler, one worker. All that Luigi keeps is a marker file a task."""

import sys
from pathlib import Path

import luigi

MARKERS = Path("markers")


class NoOp(luigi.Task):
    number = luigi.IntParameter()

    def output(self):
        return luigi.LocalTarget(str(MARKERS / str(self.number)))

    def run(self):
        with self.output().open("w") as file:
            file.write("")


if __name__ == "__main__":
    count = int(sys.argv[1])
    tasks = [NoOp(number=number) for number in range(count)]
    if not luigi.build(tasks, local_scheduler=True, log_level="ERROR"):
        sys.exit("a task failed")
    print(sum(1 for _ in MARKERS.iterdir()))
