"""Lines for Loki: in batches, never waited for, dropped with a count; a server that is slow, dead or full."""

import base64
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests import faulty_server as fault
from tests.faulty_server import FaultyServer
from utils.clock import ManualClock
from utils.log_forms import Entry
from utils.logger import close, configure, get_logger
from utils.loki import LokiSink

PATIENCE_S = 120.0
SOON_S = 0.01
TLS = Path(__file__).parents[1] / "data" / "tls"


class Loki:
    """What a Loki was sent, checked as a real one would."""

    def __init__(self, *answers: fault.Answer) -> None:
        self.lines: list[tuple[dict[str, str], int, dict[str, Any]]] = []
        self.pushes: list[fault.Request] = []
        self._answers = list(answers)
        self._changed = threading.Condition()

    def __call__(self, request: fault.Request) -> fault.Answer:
        assert (request.method, request.path) == ("POST", "/loki/api/v1/push")
        assert request.headers["content-type"] == "application/json"
        zipped = request.headers.get("content-encoding") == "gzip"
        body = json.loads(gzip.decompress(request.body) if zipped else request.body)
        assert list(body) == ["streams"]
        with self._changed:
            self.pushes.append(request)
            self._changed.notify_all()
            answer = self._answers.pop(0) if self._answers else fault.status(204)
            if answer.status < 300 and not answer.fault:
                for stream in body["streams"]:
                    assert set(stream) == {"stream", "values"}
                    for nanoseconds, line in stream["values"]:
                        assert isinstance(nanoseconds, str)
                        self.lines.append((stream["stream"], int(nanoseconds), json.loads(line)))
            self._changed.notify_all()
        return answer

    def wait(self, until: Callable[["Loki"], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: until(self), PATIENCE_S)


@pytest.fixture
def loki() -> Loki:
    return Loki()


@pytest.fixture
def server(loki: Loki) -> Iterator[FaultyServer]:
    with FaultyServer(loki) as made:
        yield made


def base(server: FaultyServer, user: str = "") -> str:
    return f"http://{user}{urlsplit(server.url).netloc}"


def entry(number: int, component: str = "x", level: str = "INFO") -> Entry:
    return Entry(1_767_225_600.25 + number, 20, level, component, "event", {"n": number})


def test_lines_arrive_with_labels_and_times(server: FaultyServer, loki: Loki) -> None:
    """One stream for each component and level; nanoseconds as text; the line is that of the JSON file."""
    sink = LokiSink(base(server), {"job": "orchestrator", "site": "a"}, wait_s=SOON_S)
    sink.write(entry(0))
    sink.write(entry(1, "store"))
    sink.write(entry(2, level="WARNING"))
    sink.close()

    common = {"job": "orchestrator", "site": "a"}
    assert sorted(loki.lines, key=lambda line: line[1]) == [
        ({**common, "component": "x", "level": "info"}, 1_767_225_600_250_000_000, whole(0, "x", "INFO")),
        ({**common, "component": "store", "level": "info"}, 1_767_225_601_250_000_000, whole(1, "store", "INFO")),
        ({**common, "component": "x", "level": "warning"}, 1_767_225_602_250_000_000, whole(2, "x", "WARNING")),
    ]
    assert sink.figures().sent == 3


def whole(number: int, component: str, level: str) -> dict[str, Any]:
    time = f"2026-01-01T00:00:0{number}.250Z"
    return {"time": time, "level": level, "component": component, "event": "event", "n": number}


def test_many_lines_are_few_requests_and_compressed(server: FaultyServer, loki: Loki) -> None:
    """A batch has a thousand lines at most; all arrive once, in order."""
    sink = LokiSink(base(server), {"job": "o"}, wait_s=SOON_S)
    for number in range(2_500):
        sink.write(entry(number))
    sink.close()

    assert [line["n"] for _, _, line in loki.lines] == list(range(2_500))
    assert 3 <= len(loki.pushes) <= 10
    assert all(push.headers.get("content-encoding") == "gzip" for push in loki.pushes if len(push.body) >= 1_000)


def test_the_user_part_is_sent_as_credentials_and_a_path_is_kept(loki: Loki) -> None:
    """Behind a gateway, with the whole address of the push written out as well."""
    seen: list[fault.Request] = []

    def answer(request: fault.Request) -> fault.Answer:
        seen.append(request)
        return fault.status(204)

    with FaultyServer(answer) as server:
        for address in ("/tenant", "/tenant/loki/api/v1/push", "/tenant/"):
            sink = LokiSink(base(server, "me:p%40ss@") + address, {"job": "o"}, wait_s=SOON_S)
            sink.write(entry(0))
            sink.close()

    assert [request.path for request in seen] == ["/tenant/loki/api/v1/push"] * 3
    assert base64.b64decode(seen[0].headers["authorization"].removeprefix("Basic ")) == b"me:p@ss"


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(fault.status(503), id="unavailable"),
        pytest.param(fault.status(429), id="too many"),
        pytest.param(fault.status(429, **{"Retry-After": "0"}), id="too many, at once"),
        pytest.param(fault.reset(), id="reset"),
    ],
)
def test_what_may_pass_is_tried_again(first: fault.Answer) -> None:
    """Nothing is lost, nothing is told."""
    loki = Loki(first, first)
    told: list[tuple[int, int, str]] = []
    with FaultyServer(loki) as server:
        sink = LokiSink(
            base(server), {"job": "o"}, told=lambda *news: told.append(news), wait_s=SOON_S, retry_s=SOON_S, flush_s=20
        )
        for number in range(5):
            sink.write(entry(number))
        loki.wait(lambda one: len(one.lines) >= 5)
        sink.close()

    assert [line["n"] for _, _, line in loki.lines] == list(range(5))
    assert (sink.figures().sent, sink.figures().dropped, told) == (5, 0, [])


def test_what_it_refuses_is_dropped_and_told(loki: Loki) -> None:
    """It would refuse it again, and keep what comes later from going out."""
    loki = Loki(fault.status(400), fault.status(204))
    told: list[tuple[int, int, str]] = []
    with FaultyServer(loki) as server:
        sink = LokiSink(base(server), {"job": "o"}, told=lambda *news: told.append(news), wait_s=SOON_S)
        sink.write(entry(0))
        loki.wait(lambda one: len(one.pushes) == 1)
        sink.write(entry(1))
        loki.wait(lambda one: len(one.lines) == 1)
        sink.close()

    assert [line["n"] for _, _, line in loki.lines] == [1]
    assert told == [(1, 1, "status 400")]


def test_a_server_that_hangs_keeps_nobody_waiting(loki: Loki) -> None:
    """The queue is bounded, the oldest go, the newest stay; `close` comes back within its bound and tells the rest."""
    told: list[tuple[int, int, str]] = []
    loki = Loki(fault.hang())
    with FaultyServer(loki) as server:
        sink = LokiSink(
            base(server), {"job": "o"}, told=lambda *news: told.append(news), most=10, wait_s=0.0, flush_s=SOON_S
        )
        sink.write(entry(0))
        loki.wait(lambda one: len(one.pushes) == 1)
        for number in range(1, 1_000):
            sink.write(entry(number))
        with sink._changed:
            waiting = [json.loads(line[3])["n"] for line in sink._waiting]
        sink.close()

    assert waiting == [0, *range(991, 1_000)]  # the first is on its way
    assert sink.figures().waiting == 0
    assert [(new, total) for new, total, _ in told] == [(1_000, 1_000)]


def test_a_server_that_is_away_costs_the_oldest_lines(loki: Loki) -> None:
    """When it comes back, what is kept arrives; sent and dropped are together what was written."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{place.getsockname()[1]}"
    sink = LokiSink(url, {"job": "o"}, most=10, wait_s=0.0, retry_s=SOON_S, flush_s=SOON_S)
    for number in range(100):
        sink.write(entry(number))
    sink.close()

    figures = sink.figures()
    assert (figures.sent, figures.dropped) == (0, 100)
    assert "refused" in figures.reason
    sink.write(entry(100))
    assert sink.figures().dropped == 100  # after its end it takes nothing


def test_long_lines_wait_within_so_many_bytes(loki: Loki) -> None:
    """Ten thousand lines of a megabyte must not wait in memory; what a request carries stays until it is answered."""
    with FaultyServer(Loki(fault.hang())) as server:
        sink = LokiSink(base(server), {"job": "o"}, most_bytes=5_000, wait_s=0.0, flush_s=SOON_S)
        for number in range(100):
            sink.write(entry(number)._replace(fields={"n": number, "text": "x" * 1_000}))
            assert sum(len(line[3]) for line in list(sink._waiting)) <= 6_500  # one line more than is carried
        sink.write(entry(100)._replace(fields={"n": 100, "text": "x" * 10_000}))
        with sink._changed:
            kept = [json.loads(line[3])["n"] for line in sink._waiting]
            carried = sink._flying
        sink.close()
    assert kept[carried:] == [100]
    assert sink.figures().dropped == 101


def test_the_log_file_tells_what_was_dropped(tmp_path: Path) -> None:
    """Through the logger, whose own lines go on."""
    sink = LokiSink(
        "http://127.0.0.1:1",
        {"job": "o"},
        told=lambda new, total, why: get_logger("loki").warning(
            "loki.dropped", lines=new, since_start=total, reason=why
        ),
        wait_s=0.0,
        flush_s=SOON_S,
    )
    configure("INFO", "off", tmp_path, more=[sink], clock=ManualClock())
    for number in range(3):
        get_logger("x").info("event", n=number)
    close()
    configure("WARNING", "off")

    (line,) = [json.loads(one) for one in (tmp_path / "loki.jsonl").read_text().splitlines()]
    assert (line["event"], line["lines"], line["since_start"]) == ("loki.dropped", 3, 3)
    assert "refused" in line["reason"]
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 3


def test_nothing_secret_goes_to_loki(server: FaultyServer, loki: Loki) -> None:
    """The line is redacted before any sink sees it."""
    sink = LokiSink(base(server), {"job": "o"}, wait_s=SOON_S)
    configure("INFO", "off", secrets=lambda: ["swordfish"], more=[sink])
    get_logger("x").error("swordfish", password="pw", note="has swordfish", exc=ValueError("swordfish"))
    close()
    configure("WARNING", "off")

    assert len(loki.lines) == 1
    assert "swordfish" not in json.dumps(loki.lines)
    assert loki.lines[0][2]["password"] == "***"


def test_a_server_that_takes_a_secret_over_tls_is_verified() -> None:
    """A certificate that nobody vouches for is no Loki of ours: nothing is sent, and the reason is told."""
    with FaultyServer(fault.status(204), tls=TLS) as server:
        sink = LokiSink(f"https://{urlsplit(server.url).netloc}", {"job": "o"}, wait_s=0.0, retry_s=SOON_S, flush_s=2.0)
        sink.write(entry(0))
        sink.close()

    assert sink.figures().sent == 0
    assert "ertificate" in sink.figures().reason
