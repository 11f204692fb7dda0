"""Judging needs little memory beside the rows: a bit a row for each broken rule, and the keys, up to their share.

The peak of a process is read from /proc (Linux).
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MIB = 2**20

# Runs in a process of its own, whose peak is that of nothing else. Rows come as a file gives them, chunk by chunk.
JUDGE = """
import json, sys
import numpy as np
from data_pipeline.batch import Batch
from data_pipeline.dataset import Provenance
from data_pipeline.row_spool import spooling_in
from data_pipeline.validate.engine import validate
from data_pipeline.validate.rules import parse_rules
from pathlib import Path
from tests.data_pipeline.validate.plain import NOW
from utils.arrow import pa

rows, limit, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
schema = pa.schema([("id", pa.int64()), ("amount", pa.float64()), ("code", pa.string())])
codes = pa.array([f"code {number:06}" for number in range(131_072)])

def opened():
    for start in range(0, rows, 131_072):
        count = min(131_072, rows - start)
        # An odd factor makes of the numbers from 0 as many different keys that fill all 64 bits; two of them repeat.
        ids = np.arange(start, start + count, dtype=np.int64) * np.int64(-7046029254386353131)
        if start + count == rows:
            ids[-1] = 0
        amounts = np.arange(start, start + count) % 1_000 - 10.0
        yield pa.RecordBatch.from_arrays([pa.array(ids), pa.array(amounts), codes.slice(0, count)], schema=schema)

rules = parse_rules([{"unique": "id"}, {"range": {"column": "amount", "min": 0}}, {"not_null": ["id", "code"]},
    {"matches": {"column": "code", "pattern": "code [0-9]+"}}, {"compare": "amount < 900"}])

def peak(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name)) * 1024

def judged(count):
    return validate(Batch(schema, opened, rows=count, nbytes=0, provenance=Provenance("t", NOW), memory_limit=limit),
        rules, now=NOW).report

with spooling_in(folder):
    whole, rows = rows, 300_000
    judged(rows)  # what is loaded and kept whatever the size is not counted
    rows = whole
    open("/proc/self/clear_refs", "w").write("5")
    before = peak("VmRSS")
    report = judged(rows)
print(json.dumps({"taken": peak("VmHWM") - before, "failed": [outcome.failed for outcome in report.outcomes]}))
"""


def taken(rows: int, limit: int, folder: Path) -> int:
    """Bytes that judging took at most, above what the process held before."""
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, str(rows), str(limit), str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["failed"] == [2, rows // 100, 0, 0, 0, rows // 1_000 * 90]
    return int(found["taken"])


def test_keys_beyond_their_share_go_to_a_file(tmp_path: Path):
    """24 MB of keys with a share of 2 MB: less is held than the keys alone would take."""
    assert taken(3_000_000, 8 * MIB, tmp_path) < 20 * MIB


@pytest.mark.prove
def test_ten_million_rows_need_less_than_100_mb(tmp_path: Path):
    """80 MB of them are keys; with a share of 16 MB all of it stays below 50."""
    assert taken(10_000_000, 10**9, tmp_path) < 100 * 10**6
    assert taken(10_000_000, 64 * MIB, tmp_path) < 50 * MIB
