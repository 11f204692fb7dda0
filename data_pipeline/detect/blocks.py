"""Put the histories of a run in order: one block a subject, by time, each moment once."""

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite

import numpy as np

from data_pipeline.detect.detector import Series
from data_pipeline.detect.robust import Floats
from utils.history import Block


def together(series: Iterable[Series | Block]) -> Iterator[Block]:
    """Blocks in order of time; blocks of one subject that share a metric are joined into one.

    A dataset whose set of metrics changed (a rule was added) has its history in two blocks; joined, it
    does not start to learn again. Raises ValueError when a block's arrays do not fit together.
    """
    by_subject: dict[str, list[Block]] = {}
    for one in series:
        by_subject.setdefault(one.subject, []).append(_in_order(one))
    for blocks in by_subject.values():
        names = [metric for block in blocks for metric in block.metrics]
        if len(names) == len(set(names)):
            yield from blocks
        else:
            yield _joined(blocks)


def _in_order(one: Series | Block) -> Block:
    if isinstance(one, Series):
        metrics: tuple[str, ...] = (one.metric,)
        times, values = one.times, one.values[:, None]
    else:
        metrics, times, values = one.metrics, one.times, one.values
    if values.shape != (len(times), len(metrics)):
        raise ValueError(
            f"{one.subject}: {len(times)} times and {len(metrics)} metrics need values of shape "
            f"({len(times)}, {len(metrics)}); got {values.shape}"
        )
    n = len(times)
    if n and not (isfinite(times[-1]) and (n == 1 or (times[1:] > times[:-1]).all())):
        times, values = _sorted(np.asarray(times, np.float64), values)
    return one if isinstance(one, Block) and times is one.times else Block(one.subject, metrics, times, values)


def _sorted(times: Floats, values: Floats) -> tuple[Floats, Floats]:
    there = np.isfinite(times)
    times, values = times[there], values[there]
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    last = np.append(times[1:] != times[:-1], True)[: len(times)]  # of two points at one time the later one counts
    return times[last], values[last]


def _joined(blocks: Sequence[Block]) -> Block:
    metrics = tuple(dict.fromkeys(metric for block in blocks for metric in block.metrics))
    times = np.unique(np.concatenate([block.times for block in blocks]))
    values = np.full((len(times), len(metrics)), np.nan)
    for block in blocks:
        rows = np.searchsorted(times, block.times)
        for column, metric in enumerate(block.metrics):
            here = block.values[:, column]
            known = ~np.isnan(here)
            values[rows[known], metrics.index(metric)] = here[known]
    return Block(blocks[0].subject, metrics, times, values)
