"""The examples for Flask and FastAPI, as they stand in docs/monitor.md, answer `/health`."""

import asyncio
import atexit
import re
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "monitor.md"


def _example(framework: str) -> dict[str, Any]:
    """Run the block of the page that imports the framework; gives its names."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if f"from {framework} import" in block]
    names: dict[str, Any] = {"__name__": f"example_{framework}"}
    exec(compile(block, f"{PAGE.name}, {framework}", "exec"), names)  # our own page
    return names


def _watches() -> bool:
    return "watchdog" in {thread.name for thread in threading.enumerate()}


def test_flask_answers_with_the_results_and_the_status_that_fits(monkeypatch: pytest.MonkeyPatch):
    """200 while all is well, 503 when something is not; it stops with the program."""
    at_exit: list[Any] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    names = _example("flask")
    monitor = names["monitor"]
    try:
        assert _watches()
        client = names["app"].test_client()
        answer = client.get("/health")
        assert (answer.status_code, answer.json["stock"]["healthy"]) == (200, True)
        monitor.register_health_check("bank", lambda: (False, "no answer"))
        answer = client.get("/health")
        assert answer.status_code == 503
        assert {name: result["healthy"] for name, result in answer.json.items()} == {"stock": True, "bank": False}
        assert answer.json["bank"]["detail"] == "no answer"
    finally:
        assert at_exit[-1] == monitor.stop
        at_exit[-1]()
    assert not _watches()


def test_fastapi_starts_and_stops_the_monitor_and_answers():
    """The loop of the server is watched meanwhile."""
    names = _example("fastapi")
    app, monitor = names["app"], names["monitor"]

    async def serve() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://shop") as client,
        ):
            assert _watches()
            well = await client.get("/health")
            assert monitor.watchdog.last_heartbeat("web") is not None
            monitor.register_health_check("bank", lambda: (False, "no answer"))
            return [well, await client.get("/health")]

    assert not _watches()
    well, ill = asyncio.run(serve())
    assert not _watches()
    assert (well.status_code, well.json()["stock"]["healthy"]) == (200, True)
    assert ill.status_code == 503
    assert {name: result["healthy"] for name, result in ill.json().items()} == {"stock": True, "bank": False}
    assert ill.json()["bank"]["detail"] == "no answer"
