"""A real Prometheus (Debian's `prometheus`) that reads a server of ours, for tests.

`python -m tests.prometheus_server` says what to do when there is none.
"""

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

__all__ = ["ADVICE", "PromServer", "is_there", "promtool", "reading"]

ADVICE = "no Prometheus: its tests are skipped; install it with `apt-get install prometheus`, then `make test`"
PATIENCE_S = 120.0


def is_there() -> bool:
    """Whether both programs are installed."""
    return shutil.which("prometheus") is not None and shutil.which("promtool") is not None


def promtool(*arguments: object, given: str = "") -> str:
    """Run `promtool`, which must have nothing to complain of; what it said otherwise."""
    command = ["promtool", *map(str, arguments)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=120, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


class PromServer:
    """One that runs."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=120)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives now. Raises `AssertionError` when Prometheus does not understand it."""
        answer = self._client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """The rules that it evaluates, with their health."""
        groups = self._client.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def wait_for(self, expression: str) -> None:
        """Come back once an expression gives something."""
        pause = threading.Event()
        for _ in range(int(PATIENCE_S / 0.1)):
            try:
                if self.query(expression):
                    return
            except (httpx.TransportError, ValueError):
                pass  # it starts
            pause.wait(0.1)
        raise TimeoutError(f"nothing came of {expression} within {PATIENCE_S:g} s")

    def close(self) -> None:
        self._client.close()


@contextmanager
def reading(target: str, folder: Path, rules: Path) -> Iterator[PromServer]:
    """A Prometheus that reads `http://TARGET/metrics` once a second, and evaluates rules as often."""
    rhythm = "{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}"
    jobs = f"[{{job_name: orchestrator, scrape_timeout: 1s, static_configs: [{{targets: ['{target}']}}]}}]"
    config = folder / "prometheus.yml"
    config.write_text(f"global: {rhythm}\nrule_files: [{rules}]\nscrape_configs: {jobs}\n")
    port = _free_port()
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}", "--log.level=warn"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        server = PromServer(f"http://127.0.0.1:{port}")
        try:
            yield server
        finally:
            server.close()
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


if __name__ == "__main__" and not is_there():
    print(ADVICE)
