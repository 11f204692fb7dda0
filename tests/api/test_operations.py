"""What changes something over the API: it is done, and the log says who did it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.alerting import after_run
from operations.queue import queue_worker
from operations.run import run
from tests.api.conftest import UNBOUND
from tests.api.serving import asked, served
from tests.integration.installation import Installation

WHO = "local:api"

HELD = {"range": {"column": "id", "max": 17, "severity": "critical"}}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """One dataset that delivers and has some rows in quarantine, one that is held, one that fails, one in pieces."""
    made = Installation(tmp_path)
    made.configure(
        {
            "name": "orders",
            "collect": {"kind": "simulated", "rows": 20},
            "rules": [{"range": {"column": "id", "max": 17}}],
            "schedule": {"every": "1h"},
        },
        {"name": "held", "collect": {"kind": "simulated", "rows": 20}, "rules": [HELD]},
        {
            "name": "broken",
            "collect": {"kind": "simulated", "script": [{"after": "0s", "do": "down"}]},
            "promise": {"max_age": "1h"},
        },
        {
            "name": "pieces",
            "collect": {"kind": "simulated", "rows": 3},
            "write": "append",
            "partition": {"by": ["a", "b"]},
        },
        api=UNBOUND,
    )
    return made


@pytest.fixture
def ran(system: IntegratedSystem) -> IntegratedSystem:
    run(system, Actor("test"), ["orders", "held", "broken"])
    after_run(system)
    return system


@contextmanager
def at_work(system: IntegratedSystem) -> Iterator[None]:
    """Somebody works off the queue, as `serve` does."""
    worker = queue_worker(system)
    worker.step()
    over = threading.Event()
    thread = threading.Thread(target=lambda: _work(worker, over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        worker.close(0.0)


def _work(worker: Any, over: threading.Event) -> None:
    while not over.wait(0.02):
        worker.step()


def _events(system: IntegratedSystem, kind: str) -> list[dict[str, Any]]:
    return [event.data for event in system.events.read(type=kind)]


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/datasets/held/accept", {"reason": "looked", "force": True}, 200, "batch.accepted"),
        ("/datasets/held/reject", {"reason": "wrong"}, 200, "batch.rejected"),
        ("/quarantine/orders/drop", {"reason": "known"}, 200, "quarantine.dropped"),
        ("/quarantine/orders/replay", None, 200, "quarantine.replayed"),
        ("/breakers/broken/open", {"reason": "they asked"}, 200, "breaker.opened"),
        ("/breakers/broken/close", {"hold": True}, 200, "breaker.closed"),
        ("/cache/clear", None, 200, "action.invoked"),
        ("/events/verification", None, 202, "action.invoked"),
        ("/maintenance", {"seconds": 5}, 200, "maintenance.finished"),
        ("/schedules/pause", {"datasets": ["orders"], "reason": "night"}, 200, "schedule.paused"),
        ("/silences", {"matchers": ["dataset=b*"], "until": "2h"}, 201, "incident.silenced"),
        ("/anomalies/feedback", {"kind": "normal_since", "metrics": ["orders.rows"], "at": "2026-01-01T00:00:00Z"}, 201,
         "feedback.given"),
    ],
    ids=["accept", "reject", "drop", "replay", "open", "close", "clear", "prove", "maintain", "pause", "silence",
         "feedback"],
)  # fmt: skip
def test_what_is_asked_for_is_done_and_the_log_says_who_asked(
    ran: IntegratedSystem, path: str, body: Any, status: int, kind: str
) -> None:
    """One event more, with the actor of the request."""
    before = len(_events(ran, kind))

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(f"/api/v1{path}", json=body)

    answer = asked(ran, talk)

    assert answer.status_code == status, answer.text
    events = _events(ran, kind)[before:] or _events(ran, "silence.*")
    assert events
    assert WHO in json.dumps(events[-1])


def test_a_run_is_asked_for_followed_and_there(system: IntegratedSystem) -> None:
    """202 with its place; the stream tells it at each change and at its end, as do those who wait."""
    with at_work(system):

        async def talk(client: httpx.AsyncClient) -> Any:
            started = await client.post("/api/v1/runs", json={"datasets": ["orders"]})
            place = started.headers["location"]
            waited = await client.get(place, params={"wait": 20})
            stream = await client.get(f"{place}/follow")
            rows = await client.get("/api/v1/datasets/orders/data", params={"format": "json"})
            return started, waited.json(), stream, rows.json()

        started, waited, stream, rows = asked(system, talk)

    assert started.status_code == 202
    assert started.json()["status"] == "queued"
    assert waited["status"] == "succeeded"
    assert waited["actor"] == WHO
    assert stream.headers["content-type"].startswith("text/event-stream")
    last = stream.text.strip().split("\n\n")[-1].splitlines()
    assert last[0] == "event: finished"
    assert json.loads(last[1].removeprefix("data: "))["status"] == "succeeded"
    assert len(rows) == 17


def test_a_run_that_waits_is_told_as_it_is_when_the_time_is_up(
    system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it may be called off before it begins; called off twice it is a conflict."""
    monkeypatch.setattr("operations.detached.start_detached", lambda *_: None)

    async def talk(client: httpx.AsyncClient) -> Any:
        place = (await client.post("/api/v1/runs")).headers["location"]
        waiting = await client.get(place, params={"wait": 1})
        queued = await client.get("/api/v1/runs", params={"status": "queued", "limit": 1})
        cancelled = await client.post(f"{place}/cancel", json={"reason": "not now"})
        again = await client.post(f"{place}/cancel")
        over = await client.get(place, params={"wait": 20})
        return waiting.json(), queued.json(), cancelled.json(), again, over.json()

    waiting, queued, cancelled, again, over = asked(system, talk)

    assert waiting["status"] == "queued"
    assert [run["run_id"] for run in queued["items"]] == [waiting["run_id"]]
    assert cancelled == {"run_id": waiting["run_id"], "status": "cancelled", "was": "queued"}
    assert again.status_code == 409
    assert (over["status"], over["cancelled_by"], over["cancelled_because"]) == ("cancelled", WHO, "not now")


def test_without_somebody_at_work_a_process_is_started(
    system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a run, and for a backfill."""
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr("operations.detached.start_detached", lambda _, *command: started.append(command))

    async def talk(client: httpx.AsyncClient) -> Any:
        run = await client.post("/api/v1/runs", json={"datasets": ["orders"], "fresh": True})
        backfill = await client.post("/api/v1/backfills", json={"dataset": "pieces"})
        resumed = await client.post(f"{backfill.headers['location']}/resume")
        cancelled = await client.post(f"{backfill.headers['location']}/cancel", json={"reason": "enough"})
        refused = await client.post(f"{backfill.headers['location']}/resume")
        return run.json()["run_id"], backfill, resumed, cancelled, refused

    run_id, backfill, resumed, cancelled, refused = asked(system, talk)

    identity = backfill.json()["backfill"]
    assert started == [("run", "--resume", run_id), *[("backfills", "resume", identity)] * 2]
    assert [one.status_code for one in (backfill, resumed, cancelled, refused)] == [202, 202, 200, 409]
    assert (backfill.json()["total"], cancelled.json()["status"]) == (2, "cancelled")


def test_a_dry_run_changes_nothing(system: IntegratedSystem) -> None:
    """Of a run, a backfill, and maintenance: what would be done."""
    head = system.events.head()[0]

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [
            await client.post("/api/v1/runs", json={"dry_run": True}),
            await client.post("/api/v1/backfills", json={"dataset": "pieces", "dry_run": True}),
            await client.post("/api/v1/maintenance", json={"dry_run": True}),
        ]

    run_planned, planned, maintained = asked(system, talk)

    assert [one.status_code for one in (run_planned, planned, maintained)] == [200, 200, 200]
    assert len(run_planned.json()["datasets"]) == 4
    assert planned.json()["partitions"] == ["a", "b"]
    assert maintained.json()["dry_run"] is True
    assert system.events.head()[0] == head


def test_readers_get_an_earlier_version_again(tmp_path: Path) -> None:
    """By default the one before; the list says why."""
    made = Installation(tmp_path)
    file = tmp_path / "in.csv"
    made.configure({"name": "orders", "collect": {"kind": "file", "path": str(file)}}, api=UNBOUND)
    for content in ("id\n1\n", "id\n1\n2\n"):
        file.write_text(content)
        made.run(fresh=True)
    with made.system() as system:

        async def talk(client: httpx.AsyncClient) -> Any:
            back = await client.post("/api/v1/datasets/orders/rollback", json={"reason": "wrong file"})
            rows = (await client.get("/api/v1/datasets/orders/data")).json()
            versions = (await client.get("/api/v1/datasets/orders/versions")).json()["versions"]
            return back.json(), rows, versions

        back, rows, versions = asked(system, talk)

    assert (back["decision"], back["actor"]) == ("rolled_back", WHO)
    assert rows == [{"id": 1}]
    assert [one["why"] for one in versions if one["current"]] == ["wrong file"]
    assert [one["state"] for one in versions].count("rolled_back") == 1


def test_an_incident_is_taken_and_declared_over(ran: IntegratedSystem) -> None:
    """By how its id begins; what does not exist is not found."""

    async def talk(client: httpx.AsyncClient) -> Any:
        found = (await client.get("/api/v1/incidents")).json()["incidents"]
        first = next(one for one in found if one["state"] == "open")
        place = f"/api/v1/incidents/{first['id']}"
        taken = await client.post(f"{place}/acknowledge", json={"until": "2h", "comment": "called them"})
        explained = await client.get(f"{place}/explain")
        over = await client.post(f"{place}/resolve")
        missing = await client.post("/api/v1/incidents/ffffffff/acknowledge")
        return taken.json(), explained.json(), over.json(), missing.status_code

    taken, explained, over, missing = asked(ran, talk)

    assert (taken["state"], taken["acknowledged_by"], taken["comment"]) == ("acknowledged", WHO, "called them")
    assert explained["incident"]["id"] == taken["id"]
    assert over["state"] == "resolved"
    assert missing == 404


def test_a_silence_ends_by_its_id(ran: IntegratedSystem) -> None:
    """Made for a window that is to come, listed, taken back."""

    async def talk(client: httpx.AsyncClient) -> Any:
        body = {"matchers": ["broken"], "from": "1h", "until": "2h", "reason": "they move"}
        made = (await client.post("/api/v1/silences", json=body)).json()
        listed = (await client.get("/api/v1/silences")).json()["silences"]
        ended = (await client.delete(f"/api/v1/silences/{made['id']}")).json()
        past = await client.post("/api/v1/silences", json={"matchers": ["broken"], "until": "2020-01-01T00:00:00Z"})
        return made, listed, ended, past

    made, listed, ended, past = asked(ran, talk)

    assert made["matcher"]["dataset"] == "broken"
    assert [one["id"] for one in listed] == [made["id"]]
    assert ended["ended_by"] == WHO
    assert past.status_code == 422


def test_a_number_is_recorded_and_feedback_taken_back(system: IntegratedSystem) -> None:
    """What was recorded has a history at once."""

    async def talk(client: httpx.AsyncClient) -> Any:
        body = {"name": "open", "value": 12.5, "unit": "orders", "tags": {"shop": "berlin"}}
        made = await client.post("/api/v1/metrics", json=body)
        history = await client.get("/api/v1/metrics/history", params={"metric": "open"})
        wrong = await client.post("/api/v1/metrics", json={"name": "no name", "value": 1})
        say = {"kind": "excluded", "metrics": ["open"], "at": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
        said = (await client.post("/api/v1/anomalies/feedback", json=say)).json()["feedback"]
        place = f"/api/v1/anomalies/feedback/{said[0]['number']}"
        taken = [(await client.delete(place)).status_code for _ in range(2)]
        return made, history.json()["history"], wrong, taken

    made, history, wrong, taken = asked(system, talk)

    assert (made.status_code, made.json()["value"]) == (201, 12.5)
    assert [(one["series"], one["points"][0]["last"]) for one in history] == [('open{shop="berlin"}', 12.5)]
    assert wrong.status_code == 422
    assert taken == [200, 404]


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/runs", {"dataset": ["orders"]}, "body.dataset"),
        ("/runs", {"datasets": "orders"}, "body.datasets"),
        ("/runs", {"datasets": ["order"]}, "did you mean `orders`?"),
        ("/runs", {"fresh": "yes"}, "body.fresh"),
        ("/metrics", {"name": "open", "value": "12"}, "body.value"),
        ("/backfills", {"dataset": "orders"}, "not a table in pieces"),
        ("/anomalies/feedback", {"kind": "excluded"}, "excluded needs at and until"),
        ("/silences", {"matchers": ["who=me"], "until": "2h"}, "does not say which incidents"),
    ],
    ids=["unknown", "type", "name", "truth", "number", "pieces", "half", "matcher"],
)
def test_a_body_that_is_not_understood_changes_nothing(
    system: IntegratedSystem, path: str, body: Any, words: str
) -> None:
    """422 (404 for a name that there is not), with the field and what is wrong."""
    head = system.events.head()[0]

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(f"/api/v1{path}", json=body)

    answer = asked(system, talk)

    assert answer.status_code in {404, 422}
    assert words in answer.json()["detail"]
    assert system.events.head()[0] == head


def test_who_follows_hears_that_the_server_ends(system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams end with the server: none keeps it from ending."""
    monkeypatch.setattr("operations.detached.start_detached", lambda *_: None)
    with httpx.Client(timeout=120) as client:
        with served(system) as url:
            place = client.post(f"{url}/api/v1/runs").headers["location"]
            stream = client.send(client.build_request("GET", f"{url}{place}/follow"), stream=True)
            lines = stream.iter_lines()
            assert next(lines) == "event: progress"
        rest = list(lines)
        stream.close()

    assert "event: finished" not in rest


def test_many_follow_one_run_and_it_is_read_once_for_all(
    system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty who wait cost the database what one does."""
    monkeypatch.setattr("operations.detached.start_detached", lambda *_: None)
    reads: list[str] = []
    from operations import runs

    real = runs.show

    def counted(of: IntegratedSystem, run_id: str, **asked: Any) -> Any:
        reads.append(run_id)
        return real(of, run_id, **asked)

    monkeypatch.setattr(runs, "show", counted)

    async def talk(client: httpx.AsyncClient) -> int:
        place = (await client.post("/api/v1/runs")).headers["location"]
        waiting = [client.get(place, params={"wait": 1}) for _ in range(50)]
        answers = await asyncio.gather(*waiting)
        assert {one.json()["status"] for one in answers} == {"queued"}
        return len(reads)

    assert asked(system, talk) < 25
