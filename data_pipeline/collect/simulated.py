"""A provider that is not there: rows from a seed, failures on demand. For demos, tests and benchmarks."""

import hashlib
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from config.durations import Duration
from data_pipeline.collect.collector import CollectRequest
from data_pipeline.dataset import Collected, Provenance
from data_pipeline.errors import PayloadUnreadable, ProviderUnavailable

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Options", "SimulatedCollector"]

Type = Literal["integer", "float", "string", "boolean", "date", "timestamp"]

SLOW_S = 10.0
"""How long a provider that is told to be slow takes: where the breaker's `slow_call` begins."""
_EPOCH_DAY = 20_454  # 2026-01-01, in days since 1970-01-01
_WORDS = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "harbour")


class Step(BaseModel):
    """From `after` on (counted from the first collection of this process) the provider is in the state `do`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Duration = 0.0
    do: Literal["down", "slow", "garbage", "same", "up"]


class Options(BaseModel):
    """`collect: {kind: simulated, …}`.

    Attributes:
        columns: Name -> type. The first integer column counts from 1, so it can be a key.
        failure_rate: Share of runs in which the provider is not available, 0 to 1.
        latency: Seconds before each answer, give or take `jitter` (a share of it, 0 to 1).
        seed: Rows depend on it alone; failures on it, the dataset and the run's number.
        script: What happens later on; before its first step the provider is up. `same` is `up` said aloud: the rows
            never change, as with a provider that sends yesterday's body again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["simulated"] = "simulated"
    rows: int = Field(default=100, ge=0, le=50_000_000)
    columns: dict[str, Type] = Field(default={"id": "integer", "value": "float"}, min_length=1)
    failure_rate: float = Field(default=0.0, ge=0.0, le=1.0)
    latency: Duration = 0.0
    jitter: float = Field(default=0.0, ge=0.0, le=1.0)
    seed: int = 0
    script: tuple[Step, ...] = ()


_Options = Options  # inside the class below the name means its attribute


class SimulatedCollector:
    """Answers at once and never fails, unless its options say otherwise. Each dataset is its own provider."""

    Options: ClassVar[type] = Options

    def __init__(self) -> None:
        # By identity: hashing the options would cost more than everything else here. The entry keeps them alive.
        self._ready: dict[int, tuple[_Options, _Rows, bool]] = {}
        self._made: dict[tuple[Any, ...], _Rows] = {}
        self._began: dict[str, float] = {}

    def provider_of(self, options: Any, dataset: str) -> str:
        return dataset

    def collect(self, request: CollectRequest) -> Collected:
        """See `Collector.collect`."""
        options: _Options = request.options
        entry = self._ready.get(id(options))
        if entry is None or entry[0] is not options:
            entry = self._prepare(options)
        _, rows, well_behaved = entry
        clock = request.clock
        if well_behaved:
            calls, latency = 1, 0.0
            request.call(request.provider, _at_once)
        else:
            started = clock.monotonic()
            calls = self._misbehave(request, options)
            latency = max(0.0, clock.monotonic() - started)
        return Collected(
            Provenance(
                request.provider,
                clock.now(),
                rows.sha256,
                attempts=calls,
                latency_s=latency,
                size=rows.size,
                source="simulated",
            ),
            rows=rows.open,
        )

    def close(self) -> None:
        self._ready.clear()
        self._made.clear()

    def _prepare(self, options: "_Options") -> "tuple[_Options, _Rows, bool]":
        key = (options.rows, tuple(options.columns.items()), options.seed)
        rows = self._made.get(key)
        if rows is None:
            rows = self._made[key] = _Rows(options)
        entry = options, rows, not (options.failure_rate or options.latency or options.script)
        self._ready[id(options)] = entry
        return entry

    def _misbehave(self, request: CollectRequest, options: "_Options") -> int:
        """Answer as the script and the dice say; the number of times that we were asked."""
        dice = random.Random(f"{options.seed}:{request.dataset}:{request.number}")
        fails = dice.random() < options.failure_rate
        delay = options.latency * (1.0 + options.jitter * dice.uniform(-1.0, 1.0))
        calls = 0

        def answer() -> None:
            nonlocal calls
            calls += 1
            state = self._state(request, options)
            _wait(request, max(delay, SLOW_S) if state == "slow" else delay)
            if fails or state == "down":
                raise ProviderUnavailable(
                    f"{request.dataset}: simulated failure (503)", provider=request.provider, status=503
                )
            if state == "garbage":
                raise PayloadUnreadable(
                    f"{request.dataset}: expected rows, got HTML (first bytes: `<html><body>`); simulated",
                    hint="the `script` of this simulated dataset says so",
                    provider=request.provider,
                )

        request.call(request.provider, answer)
        return calls

    def _state(self, request: CollectRequest, options: "_Options") -> str:
        if not options.script:
            return "up"
        now = request.clock.monotonic()
        elapsed = now - self._began.setdefault(request.dataset, now)
        state = "up"
        for step in sorted(options.script, key=lambda step: step.after):
            if step.after <= elapsed:
                state = step.do
        return state


class _Rows:
    """The rows of one set of options, made once and handed out again and again."""

    __slots__ = ("_batch", "sha256", "size")

    def __init__(self, options: Options) -> None:
        from utils.arrow import pa

        names = list(options.columns)
        first = next((name for name in names if options.columns[name] == "integer"), None)
        arrays = [
            _column(kind, options.rows, random.Random(f"{options.seed}:{name}"), counts=name == first)
            for name, kind in options.columns.items()
        ]
        self._batch = pa.RecordBatch.from_arrays(arrays, names=names)
        self.size = self._batch.nbytes
        # Not over the schema's bytes, which a new pyarrow may lay out otherwise: the same rows stay the same news.
        digest = hashlib.sha256(repr((options.rows, list(options.columns.items()))).encode())
        for array in arrays:
            for buffer in array.buffers():
                if buffer is not None:
                    digest.update(buffer)
        self.sha256 = digest.hexdigest()

    def open(self) -> Iterator[Any]:
        return iter((self._batch,))


def _column(kind: Type, rows: int, dice: random.Random, *, counts: bool) -> "pa.Array":
    from utils.arrow import pa

    if kind == "integer":
        return pa.array(range(1, rows + 1) if counts else (dice.randrange(1000) for _ in range(rows)), pa.int64())
    if kind == "float":
        return pa.array((round(dice.gauss(100.0, 10.0), 3) for _ in range(rows)), pa.float64())
    if kind == "string":
        return pa.array((dice.choice(_WORDS) for _ in range(rows)), pa.string())
    if kind == "boolean":
        return pa.array((dice.random() < 0.5 for _ in range(rows)), pa.bool_())
    if kind == "date":
        return pa.array((_EPOCH_DAY + number % 365 for number in range(rows)), pa.int32()).cast(pa.date32())
    minutes = (_EPOCH_DAY * 86_400_000_000 + number * 60_000_000 for number in range(rows))
    return pa.array(minutes, pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def _wait(request: CollectRequest, delay: float) -> None:
    """Take `delay` seconds to answer, but be given up on as a real provider would be."""
    if delay <= 0:
        return
    from utils.resilience.cancellation import sleep
    from utils.resilience.deadline import remaining

    patience = min(request.read_timeout, remaining())
    sleep(min(delay, patience), request.clock)
    if delay > patience:
        raise ProviderUnavailable(
            f"{request.dataset}: no answer in time (simulated: it takes {delay:g} s)", provider=request.provider
        )


def _at_once() -> None:
    return None
