"""Damaged payloads give rows or `PayloadUnreadable`, never another exception."""

import random

import pytest

from data_pipeline.errors import PayloadUnreadable
from tests.data_pipeline.parse.reading import PAYLOADS, read

CASES = {
    "csv": ("bundesbank_fx_dec_1998.csv", 9_000, {"na_values": ["."]}, {"OBS_VALUE": "decimal", "TIME_PERIOD": "date"}),
    "json": ("tcmb_fx_march_2026.json", 27_747, {"records": "items"}, {"TP_DK_USD_A_YTL": "decimal"}),
    "jsonl": (None, 0, {}, {"b": "timestamp"}),
}
LINES = b'{"a": 1, "b": "2024-01-01T00:00:00Z", "c": {"d": [1, 2.5e3]}}\n{"a": 18446744073709551616, "b": null}\n' * 10


def damaged(data: bytes, draw: random.Random) -> bytes:
    """The bytes with a few of the things that happen on the way."""
    result = bytearray(data)
    for _ in range(draw.randint(1, 5)):
        at = draw.randrange(len(result) + 1)
        match draw.randrange(6):
            case 0:
                del result[at:]
            case 1:
                del result[at : at + draw.randint(1, 50)]
            case 2:
                result[at:at] = draw.randbytes(draw.randint(1, 4))
            case 3:
                result[at:at] = draw.choice([b'"', b"\n", b"\r", b"\x00", b"\xff", b"{", b"]", b",", b";", b"1e999"])
            case 4:
                result[at:at] = result[max(0, at - 200) : at]
            case _:
                result[at : at + 1] = b"9" * draw.randint(1, 45)
        if not result:
            break
    return bytes(result)


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("mode", ["auto", "told"])
def test_damage_is_read_or_told(kind, mode):
    """50 damaged copies each, drawn from a fixed seed."""
    name, size, options, columns = CASES[kind]
    data = (PAYLOADS / name).read_bytes()[:size] if name else LINES
    data = data[: data.rindex(b"\n") + 1] if kind == "csv" else data  # whole rows
    draw = random.Random(f"{kind} {mode}")
    outcomes = {"rows": 0, "unreadable": 0}
    if mode == "told":
        options = {**options, "format": kind}

    for _ in range(50):
        try:
            batch = read(damaged(data, draw), parse_options=options, columns=columns)
            assert batch.table.num_rows == batch.rows
            batch.table.validate(full=True)
            outcomes["rows"] += 1
        except PayloadUnreadable:
            outcomes["unreadable"] += 1

    assert outcomes["rows"] > 0
    assert outcomes["unreadable"] > 0
