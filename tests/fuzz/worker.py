"""A process that parses damaged payloads one after the other and says, a line of JSON each, what came of it."""

import contextlib
import hashlib
import io
import json
import random
import re
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data_pipeline.dataset import Collected, Payload, Provenance
from data_pipeline.errors import PipelineError, UnexpectedError
from data_pipeline.parse.options import ColumnOptions, ParseOptions
from data_pipeline.parse.parse import parse
from tests.fuzz.corpus import Piece, pieces
from tests.fuzz.mutations import mutated

ADDRESS_SPACE = 8 * 2**30
"""Bytes after which the system itself says no, so that a bad case cannot take the machine down."""

VALIDATED = 64 * 2**20
_PROVENANCE = Provenance("fuzz", datetime(2026, 3, 1, tzinfo=UTC))


def case(seed: int, number: int) -> tuple[str, Piece, bytes, bool]:
    """Name of the piece, the piece, its damaged bytes, and whether the format is told; always the same for a number."""
    draw = random.Random(f"{seed}:{number}")
    known = pieces()
    name = draw.choice(list(known))
    data = mutated(known[name].data, draw, lambda: draw.choice(list(known.values())).data)
    return name, known[name], data, draw.random() < 0.5


def outcome(piece: Piece, data: bytes, *, told: bool) -> dict[str, Any]:
    """`rows`, `refused`, or `fault` with what is wrong about it."""
    options = {**piece.options, **({"format": piece.format} if told else {})}
    payload = Payload(lambda: io.BytesIO(data), len(data), hashlib.sha256(data).hexdigest())
    try:
        batch = parse(
            Collected(_PROVENANCE, (payload,)),
            dataset="fuzzed",
            options=ParseOptions.model_validate(options),
            columns={name: ColumnOptions.model_validate(value) for name, value in piece.columns.items()},
        )
        if batch.nbytes < VALIDATED:
            table = batch.table
            table.validate(full=True)
            if table.num_rows != batch.rows:
                return {"kind": "fault", "what": f"{batch.rows} rows said, {table.num_rows} there"}
    except PipelineError as error:
        return _judged(error)
    except BaseException:  # noqa: BLE001 - a panic of a library in Rust is no `Exception`
        return {"kind": "fault", "what": traceback.format_exc()}
    return {"kind": "rows", "rows": batch.rows}


def _judged(error: PipelineError) -> dict[str, Any]:
    message = str(error)
    wrong = None
    if isinstance(error, UnexpectedError):
        wrong = "an unexpected error"
    elif not message.startswith("fuzzed: "):
        wrong = "the dataset is not named"
    elif not error.hint:
        wrong = "no hint says what to do"
    elif len(message) > 1_500 or re.search(r"[\x00-\x1f\x7f]", message):
        wrong = "too long for a person, or with control characters"
    if wrong:
        return {"kind": "fault", "what": f"{wrong}: {type(error).__name__}: {message[:300]!r} hint {error.hint!r}"}
    return {"kind": "refused", "message": message[:200]}


@contextlib.contextmanager
def _measured(result: dict[str, Any]) -> Iterator[None]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    began = time.process_time()  # of this process alone: a busy machine is no slow parser
    yield
    result["seconds"] = round(time.process_time() - began, 3)
    status = Path("/proc/self/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+)", status)
    result["peak_mb"] = int(peak[1]) // 1024 if peak else 0


def main() -> None:
    """Cases FIRST up to (not including) END, every STEPth."""
    seed, first, end, step = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    for number in range(first, end, step):
        name, piece, data, told = case(seed, number)
        result: dict[str, Any] = {"number": number, "piece": name, "told": told}
        print(json.dumps({"begins": number}), flush=True)
        with _measured(result):
            result.update(outcome(piece, data, told=told))
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
