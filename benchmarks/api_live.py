"""One alert to 500 WebSocket clients, alone and beside 20 that do not read; from before it is said to who hears it.

The server is a process of its own, the clients another, on the same cores. They read frames off the bare protocol of
asyncio: 500 clients of a library would be what is measured. Both read the same monotonic clock.
"""

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.comparison import Comparison, Target, compare, over_rounds
from benchmarks.loops import Value
from benchmarks.machine import load, machine
from benchmarks.measure import ROOT, BenchmarkError, environment
from benchmarks.workload import noop_configuration

CLIENTS, SILENT, ALERTS = 500, 20, 20
MARK = b"said at "
PATIENCE_S, SETTLES_S = 20.0, 1.0

TARGETS = (
    Target("p99_ms", "<= 100", 100),
    Target("silent_p99_ms", "<= 100", 100),
    Target("missed", "none", 0),
)


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`. `short`: a tenth of the alerts, one round."""
    before, about = load(), machine(folder)
    configuration = noop_configuration(folder, 1)
    declared = {**json.loads(configuration.read_text()), "api": {"rate_limit": {"rate": 1e6, "burst": 1_000_000}}}
    configuration.write_text(json.dumps(declared))
    taken: dict[str, dict[str, list[Value]]] = {"ours": {}}
    command = [sys.executable, "-m", "benchmarks.api_live", str(configuration), str(folder / "state")]
    for number in range(1 if short else runs):
        print(f"round {number + 1}", file=sys.stderr, flush=True)
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            if not (address := server.stdout.readline().strip()):
                raise BenchmarkError("the server ended")
            for figure, value in asyncio.run(_all_hear(address, server, ALERTS // (10 if short else 1))).items():
                taken["ours"].setdefault(figure, []).append(value)
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=30)
    about = {**about, "clients": CLIENTS, "silent": SILENT, "alerts": ALERTS}
    return compare("api_live", TARGETS, over_rounds(TARGETS, taken), about, (before, load()))


class _Client(asyncio.Protocol):
    """Hears alerts; `times`: from what they say until they are here, in seconds."""

    def __init__(self, path: str, times: list[float], *, reads: bool = True) -> None:
        self._path, self._times, self._reads = path, times, reads
        self.ready = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
        head = f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{upgrade}\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if b'"subscribed"' in data:
            self.ready.set_result(None)
            if not self._reads:
                self._transport.pause_reading()
        for said in data.split(MARK)[1:]:
            self._times.append(now - float(said.partition(b" ")[0]))


async def _all_hear(address: str, server: "subprocess.Popen[str]", alerts: int) -> dict[str, float]:
    host, _, port = address.removeprefix("http://").partition(":")
    loop = asyncio.get_running_loop()
    times: list[float] = []

    async def come(count: int, path: str, *, reads: bool) -> list[asyncio.Transport]:
        made = [
            await loop.create_connection(lambda: _Client(path, times, reads=reads), host, int(port))
            for _ in range(count)
        ]
        await asyncio.gather(*(client.ready for _, client in made))
        return [transport for transport, _ in made]

    clients = await come(CLIENTS, "/ws", reads=True)
    alone = await _tell(server, times, alerts)
    silent = await come(SILENT, "/ws?topics=alerts,bench.*", reads=False)
    assert server.stdin is not None
    server.stdin.write("bulk\n")  # for those that do not read: more than a socket holds
    server.stdin.flush()
    await asyncio.sleep(SETTLES_S)
    beside = await _tell(server, times, alerts)
    for transport in (*clients, *silent):
        transport.abort()
    both = alone + beside
    return {
        "p50_ms": 1e3 * _quantile(alone, 0.5),
        "p99_ms": 1e3 * _quantile(alone, 0.99),
        "silent_p99_ms": 1e3 * _quantile(beside, 0.99),
        "missed": float(2 * alerts * CLIENTS - len(both)),
    }


async def _tell(server: "subprocess.Popen[str]", times: list[float], alerts: int) -> list[float]:
    """Have so many alerts said, each when all have heard the one before."""
    assert server.stdin is not None
    times.clear()
    for number in range(alerts):
        server.stdin.write("alert\n")
        server.stdin.flush()
        over = time.monotonic() + PATIENCE_S
        while len(times) < (number + 1) * CLIENTS and time.monotonic() < over:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    return list(times)


def _quantile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(share * len(times)))] if times else float("inf")


def main() -> None:
    """The server: an alert for each line that it reads."""
    from api.serving import ApiService
    from integrated_system import IntegratedSystem
    from utils.events import NewEvent

    with IntegratedSystem(Path(sys.argv[1]), state_dir=Path(sys.argv[2]), environ={}) as system:
        service = ApiService(system, port=0)
        service.bind()
        service.step()
        print(service.url, flush=True)
        for line in sys.stdin:
            if line == "bulk\n":
                system.events.append([NewEvent("bench.happened", "x", {"pad": "x" * 60_000})] * 200)
                continue
            words = f"{MARK.decode()}{time.monotonic()} s"
            system.alerts.send(level="ERROR", title=words, message="The provider does not answer.", source="bench")
        service.close()


if __name__ == "__main__":
    main()
