"""A stream that is lent to foreign threads, and comes back from them."""

import io
import threading

import pytest

from data_pipeline.parse.stoppable import Stoppable


def test_what_is_lent_reads_the_stream_until_it_is_stopped() -> None:
    """Then it is at its end: an error would be kept by whoever reads."""
    stream = Stoppable(io.BytesIO(b"abcdef"))
    lent = stream.lent()
    before = lent.read_buffer(4).to_pybytes()  # type: ignore[attr-defined]  # what Arrow asks for
    stopping = threading.Thread(target=stream.stop, kwargs={"whole": False})
    stopping.start()
    while not stream._stopped:
        threading.Event().wait(0.001)
    after = lent.read_buffer(4).to_pybytes()  # type: ignore[attr-defined]  # as above
    del lent
    stopping.join(120)

    assert (before, after) == (b"abcd", b"")


@pytest.mark.parametrize("what", ["the stream", "a function"])
def test_stopping_waits_until_all_that_was_lent_is_back(what: str) -> None:
    """Whoever drops the last of it lets the one who waits go on."""
    stream = Stoppable(io.BytesIO(b""))
    held: list[object] = [stream.lent() if what == "the stream" else stream.lend(lambda: None)]
    stopped = threading.Event()

    def stop() -> None:
        stream.stop(whole=True)
        stopped.set()

    waiting = threading.Thread(target=stop)
    waiting.start()

    assert not stopped.wait(0.05)
    held.clear()
    assert stopped.wait(120)
    waiting.join()
