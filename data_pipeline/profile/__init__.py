"""What a batch looks like in figures: counts, sums, lengths, ages, and sketches on demand; mergeable, bit for bit.

exact.py        sums without rounding
numbers.py      numbers            spans.py       texts, times, booleans
distinct.py     HyperLogLog        quantiles.py   a log-linear histogram
column.py       one column: all of these together
reading.py      Arrow columns -> the above          batch.py       whole batches
"""

from data_pipeline.profile.batch import (
    EVERYTHING,
    NOTHING_MORE,
    Profile,
    Profiler,
    Sketches,
    passed_over,
    profile,
    sketches_of,
)
from data_pipeline.profile.column import Column

__all__ = [
    "EVERYTHING",
    "NOTHING_MORE",
    "Column",
    "Profile",
    "Profiler",
    "Sketches",
    "passed_over",
    "profile",
    "sketches_of",
]
