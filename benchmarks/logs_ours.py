"""Our JSON lines with rotation, gzip and redaction, and the least that could be done: one contender of `logs.py`.

Run as a program (`python -m benchmarks.logs_ours FOLDER`); answers as `benchmarks.loops.serve` says.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from benchmarks.logs_work import EVENT, SIZE, check, timed
from benchmarks.loops import Table, serve
from utils.logger import Files, close, configure, get_logger

SECRETS = frozenset(f"secret-value-{number:02}-of-a-provider" for number in range(8))
"""As many as an installation with a few providers has: none of them is in a line, all are looked for in each."""


def ours(folder: Path, forms: Files = "json") -> dict[str, float]:
    """As an installation logs: redacted, safe for several processes."""
    configure("INFO", "off", folder, forms=forms, size=SIZE, files=1000, secrets=lambda: SECRETS)
    log = get_logger("bench")
    figures = timed(lambda fields: log.info(EVENT, **fields), close)
    if forms == "json":
        check(folder)
    return figures


def floor(folder: Path) -> dict[str, float]:
    """One call of orjson and one of the system a line: nothing rotated, compressed or redacted."""
    fd = os.open(folder / "bench.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def log(fields: dict[str, object]) -> None:
        line = {"time": "2026-01-01T00:00:00.000Z", "level": "INFO", "component": "bench", "event": EVENT, **fields}
        os.write(fd, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    return timed(log, lambda: os.close(fd))


def lines(_seconds: float) -> Table:
    """Every figure of ours and of the floor; of text and JSON together, the lines a second."""
    told: Table = {}
    for name, contender in (("ours", ours), ("floor", floor)):
        with TemporaryDirectory(dir=sys.argv[1]) as folder:
            for figure, value in contender(Path(folder)).items():
                told.setdefault(figure, {})[name] = value
    with TemporaryDirectory(dir=sys.argv[1]) as folder:
        told["text_and_json_lines_per_s"] = {"ours": ours(Path(folder), "both")["json_lines_per_s"]}
    return told


if __name__ == "__main__":
    serve({"lines": lines})
