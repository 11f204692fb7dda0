"""JSON lines with rotation and gzip: ours, redacted and safe for several processes, beside those of three peers.

100,000 lines of about 190 bytes, a new file every 5 MB. The time ends when the last file is compressed. Every line is
counted afterwards. All contenders run one after the other in each round; figures are medians over the rounds.
"""

from collections.abc import Mapping
from pathlib import Path

from benchmarks import logs_work
from benchmarks.comparison import Comparison, Figures, Target, compare, over_rounds
from benchmarks.contenders import in_turn
from benchmarks.machine import load, machine

GROUPS = ("lines",)

TARGETS = (
    Target("json_lines_per_s", ">= 100,000", at_least=100_000),
    Target("json_lines_per_s", "ahead of stdlib", at_least=1, of="stdlib"),
    Target("json_lines_per_s", "ahead of structlog over stdlib", at_least=1, of="structlog"),
    Target("json_lines_per_s", "ahead of loguru", at_least=1, of="loguru"),
    Target("worst_ms", "<= 5", 5),
)


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`. `short`: one round."""
    before = load()
    about = machine(folder)
    taken = in_turn("logs", folder, [GROUPS] * (1 if short else runs), 0.0, ())
    return compared(over_rounds(TARGETS, taken), about, (before, load()))


def compared(told: Mapping[str, Figures], about: Mapping[str, object], loads: tuple[float, float]) -> Comparison:
    """The result of what each contender's figures are."""
    return compare("logs", TARGETS, told, {**about, "lines": logs_work.LINES}, loads)
