"""What a failing provider does to the HTTP collector: a clear error of the right kind, in time, within bounds."""

import gc
import gzip
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import httpcore
import httpx
import pytest

from data_pipeline.collect.http import exchange
from data_pipeline.dataset import Collected
from data_pipeline.errors import CollectError, PayloadUnreadable, ProviderRefused, ProviderUnavailable
from tests import faulty_server as fault
from tests.data_pipeline.collect.conftest import body_of
from tests.data_pipeline.collect.requests import NOW, Calls
from tests.faulty_server import Answer, FaultyServer
from utils.clock import ManualClock
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable
from utils.resilience.deadline import deadline

CSV = b"id,value\n1,2.5\n2,3.5\n"
Fetch = Callable[..., Collected]
QUICK = {"read_timeout": 0.2}
"""For a provider that never answers, and only for that one."""


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(fault.status(503), "answered 503", id="503"),
        pytest.param(fault.status(500), "answered 500", id="500"),
        pytest.param(fault.status(408), "answered 408", id="408"),
        pytest.param(fault.status(425), "answered 425", id="425"),
        pytest.param(fault.hang(), "no answer in time", id="hang"),
        pytest.param(fault.hang_in_body(CSV), "no answer in time", id="hang in the body"),
        pytest.param(fault.reset(), "the connection broke", id="reset"),
        pytest.param(fault.half(CSV), "cut off", id="half a body"),
        pytest.param(
            fault.ok(gzip.compress(CSV)[:-10], content_encoding="gzip"),
            "ends in the middle",
            id="half a gzip",
        ),
    ],
)
def test_what_may_pass_is_unavailable(fetch: Fetch, answer: Answer, words: str) -> None:
    """Time-outs, resets, cut answers, 408, 425 and 5xx are worth another try."""
    with FaultyServer(answer) as server:
        with pytest.raises(ProviderUnavailable, match=words) as caught:
            fetch(server.url, request=QUICK if answer.fault.startswith("hang") else {})
        assert (caught.value.transient, caught.value.provider) == (True, server.host)


def test_a_reset_in_the_middle_of_a_body_is_unavailable(fetch: Fetch) -> None:
    """What came before a reset is not taken for the whole."""
    with FaultyServer(fault.reset_in_body(CSV)) as server, pytest.raises(ProviderUnavailable, match=r"broke|cut off"):
        fetch(server.url)


@pytest.mark.parametrize(
    ("code", "words", "hint"),
    [
        (401, "credentials", "auth"),
        (403, "forbidden", "auth"),
        (404, "nothing is at this address", "url"),
        (410, "gone", "new address"),
        (418, "not accepted", "documentation"),
        (206, "only a part", "documentation"),
    ],
)
def test_other_refusals_say_what_to_do(fetch: Fetch, code: int, words: str, hint: str) -> None:
    """A 4xx that would come again is no reason for another try, and its hint names the key to look at."""
    words = f"{code}: .*{words}.*key expired"
    answer = fault.status(code, b"key expired")
    with FaultyServer(answer) as server, pytest.raises(ProviderRefused, match=words) as caught:
        fetch(server.url)
    assert hint in caught.value.hint
    assert (caught.value.transient, caught.value.status) == (False, code)


def test_a_used_up_rate_limit_is_named(fetch: Fetch) -> None:
    """GitHub says 403 when the hour's requests are used up; the hint says so."""
    answer = fault.status(403, x_ratelimit_remaining="0")
    with FaultyServer(answer) as server, pytest.raises(ProviderRefused) as caught:
        fetch(server.url)
    assert "rate limit" in caught.value.hint


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("Sun, 01 Mar 2026 07:06:30 GMT", 60.0),
        ("0", None),
        ("-3", None),
        ("Sun, 01 Mar 2026 07:00:00 GMT", None),
        ("soon", None),
        ("²", None),
        ("99999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 -2300", None),
    ],
)
def test_retry_after_is_read_in_both_forms(fetch: Fetch, header: str, seconds: float | None) -> None:
    """Seconds or a date; what is gone by or nonsense is no hint."""
    with FaultyServer(fault.too_many(header)) as server, pytest.raises(ProviderUnavailable) as caught:
        fetch(server.url, request={"clock": ManualClock(NOW)})
    assert (caught.value.retry_after, caught.value.status) == (seconds, 429)


def test_a_date_to_come_back_at_is_held_against_the_provider_s_own_clock(fetch: Fetch) -> None:
    """It is an hour ahead of ours and asks for half a minute."""
    answer = fault.status(429, retry_after="Sun, 01 Mar 2026 08:06:00 GMT", date="Sun, 01 Mar 2026 08:05:30 GMT")
    with FaultyServer(answer) as server, pytest.raises(ProviderUnavailable) as caught:
        fetch(server.url, request={"clock": ManualClock(NOW)})
    assert caught.value.retry_after == 30.0


NOWHERE = {
    "no IPv6": "http://[bad/",
    "no port": "http://127.0.0.1:999999/",
    "no host": "http://@/",
    "a file": "file:///etc/passwd",
    "no punycode": "http://xn--zzz-.zz/",
}
"""Addresses that some provider may send us to, and nobody can ask."""


@pytest.mark.parametrize("target", NOWHERE.values(), ids=NOWHERE)
def test_a_redirect_to_nowhere_is_refused(fetch: Fetch, target: str) -> None:
    """In words, with a hint."""
    with FaultyServer(fault.redirect(target)) as server, pytest.raises(ProviderRefused, match="cannot be") as caught:
        fetch(server.url)
    assert "`url`" in caught.value.hint


def test_a_long_address_of_a_stranger_does_not_fill_the_message(fetch: Fetch) -> None:
    """Nor do its control characters reach a terminal."""
    answers = [fault.redirect("/\x1b[2J" + "a" * 50_000), fault.status(404)]
    with FaultyServer(answers) as server, pytest.raises(ProviderRefused) as caught:
        fetch(server.url)
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()


def test_a_last_modified_beyond_all_calendars_is_none(fetch: Fetch) -> None:
    """The rows count, not the header."""
    with FaultyServer(fault.ok(CSV, last_modified="Fri, 31 Dec 9999 23:59:59 -2300")) as server:
        collected = fetch(server.url)
    assert collected.provenance.last_modified is None


def test_nobody_listening_is_unavailable(fetch: Fetch) -> None:
    """A port without a server is a provider that may come back."""
    with FaultyServer() as server:
        url = server.url
    with pytest.raises(ProviderUnavailable, match="no connection"):
        fetch(url)


def test_an_unknown_name_is_unavailable(fetch: Fetch) -> None:
    """A name that does not resolve may do so again when the network is back."""
    with pytest.raises(ProviderUnavailable, match="resolved"):
        fetch("http://no-such-host.invalid/x")


def test_a_server_that_does_not_speak_tls_is_refused_with_a_hint(fetch: Fetch) -> None:
    """TLS that cannot work is a matter of configuration, not of waiting."""
    with FaultyServer(fault.ok(CSV)) as server, pytest.raises(ProviderRefused, match="TLS") as caught:
        fetch(server.url.replace("http:", "https:"))
    assert "http://" in caught.value.hint


@pytest.mark.parametrize("announce", [True, False], ids=["announced", "unannounced"])
def test_a_five_gigabyte_body_is_refused_early(fetch: Fetch, announce: bool, tmp_path: Path) -> None:
    """More than `max_size` is not read to its end, whether the length is announced or not, and leaves no file."""
    endless = fault.endless(announce=announce)
    with FaultyServer(endless) as server, pytest.raises(PayloadUnreadable, match="max_size"):
        fetch(server.url, max_size="20MB")
    gc.collect()
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_a_gzip_bomb_is_stopped_while_it_unfolds(fetch: Fetch) -> None:
    """A megabyte that becomes a gigabyte is stopped at `max_size`, and memory stays far below it."""
    with FaultyServer(fault.gzip_bomb(2**30)) as server:
        tracemalloc.start()
        try:
            with pytest.raises(PayloadUnreadable, match="max_size"):
                fetch(server.url, max_size="50MB")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 40 * 2**20


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (fault.ok(CSV, content_encoding="gzip"), "not compressed as its headers say"),
        (fault.ok(CSV, content_encoding="br"), "br, which was not asked for"),
        (Answer(304), "304"),
    ],
    ids=["no gzip at all", "an encoding that was not offered", "304 to an unconditional request"],
)
def test_an_answer_that_cannot_be_read_is_told_apart(fetch: Fetch, answer: Answer, words: str) -> None:
    """The provider answered, but not with what HTTP promises: another try would bring the same."""
    with FaultyServer(answer) as server, pytest.raises(PayloadUnreadable, match=words):
        fetch(server.url)


@pytest.mark.parametrize("answer", [fault.html(), fault.invalid_utf8()], ids=["html", "invalid UTF-8"])
def test_bytes_are_brought_as_sent_for_the_parser_to_judge(fetch: Fetch, answer: Answer) -> None:
    """What the bytes mean is not the collector's business."""
    with FaultyServer(answer) as server:
        assert body_of(fetch(server.url)) == answer.body


@pytest.mark.parametrize("answer", [fault.drip(CSV * 100), fault.drip_headers()], ids=["body", "headers"])
def test_a_dripping_provider_is_cut_at_the_deadline(fetch: Fetch, answer: Answer) -> None:
    """Each byte is in time, the whole is not: the deadline around the collection ends it."""
    with FaultyServer(answer) as server, deadline(2.0), pytest.raises(ProviderUnavailable, match="in time"):
        fetch(server.url)


def test_a_cancelled_run_does_not_wait_for_a_silent_provider(fetch: Fetch) -> None:
    """Ctrl-C is seen while a read is blocked."""
    token = CancelToken()

    def hang_and_cancel(_request: fault.Request) -> Answer:
        token.cancel("Ctrl-C")
        return fault.hang()

    with FaultyServer(hang_and_cancel) as server, cancellable(token), pytest.raises(Cancelled):
        fetch(server.url, request={"read_timeout": 60.0})


def test_a_retry_starts_from_nothing(fetch: Fetch) -> None:
    """The bytes of a try that broke are not in the answer of the one that worked; both are counted."""
    with FaultyServer([fault.reset_in_body(b"id,value\n"), fault.status(503), fault.ok(CSV)]) as server:
        collected = fetch(server.url, request={"call": Calls(tries=4)})
    assert body_of(collected) == CSV
    assert collected.provenance.attempts == 3


def test_a_failure_tells_how_often_it_was_tried(fetch: Fetch) -> None:
    """`attempts` of the error is the number of requests made."""
    with FaultyServer(fault.status(503)) as server, pytest.raises(ProviderUnavailable) as caught:
        fetch(server.url, request={"call": Calls(tries=3)})
    assert (caught.value.attempts, server.count) == (3, 3)


def test_a_full_disk_is_no_provider_failure(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the answer cannot be kept, the message names the folder, and nobody blames the provider."""

    class FullDisk(exchange.Spool):
        def write(self, chunk: bytes) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(exchange, "Spool", FullDisk)
    with FaultyServer(fault.ok(CSV)) as server, pytest.raises(CollectError, match="No space left") as caught:
        fetch(server.url)
    assert (caught.value.transient, "disk space" in caught.value.hint) == (False, True)


def test_the_server_leaves_no_thread_behind(fetch: Fetch) -> None:
    """Hanging handlers end with the server."""
    before = threading.active_count()
    with FaultyServer(fault.hang()) as server, pytest.raises(ProviderUnavailable):
        fetch(server.url, request=QUICK)
    assert threading.active_count() == before


def test_the_private_name_that_deadlines_hang_on_is_still_there() -> None:
    """A release of httpx or httpcore that renames it would let dripping providers run late; this says so first."""
    with httpx.HTTPTransport() as transport:
        assert isinstance(transport._pool._network_backend, httpcore.NetworkBackend)
