"""Asking the API for everybody who looks, and following the state when it is replaced."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.caller import Caller
from dashboard.source import Source
from integrated_system import IntegratedSystem
from operations.run import run
from tests.dashboard.conftest import ACTOR

WHO = Caller(ACTOR)


def test_an_answer_is_what_the_api_gives_with_its_moment(ran: IntegratedSystem, source: Source) -> None:
    """And nothing is wrong."""
    answer = source.ask(WHO, "status")

    assert answer.trouble is None
    assert answer.at is not None
    assert {one["dataset"] for one in answer.document["datasets"]} == {"orders", "partner", "nothing"}


def test_what_comes_page_by_page_is_a_list(ran: IntegratedSystem, source: Source) -> None:
    """Whoever asks need not know."""
    (one,) = source.ask(WHO, "runs", limit=5).document

    assert one["status"] == "failed"


def test_lists_may_be_among_what_is_asked(ran: IntegratedSystem, source: Source) -> None:
    """Questions are told from each other by what they say."""
    answer = source.ask(WHO, "rows", "orders", columns=["id"], limit=1)

    assert (answer.trouble, len(answer.document), set(answer.document[0])) == (None, 1, {"id"})


def test_what_the_api_refuses_is_told_in_words(ran: IntegratedSystem, source: Source) -> None:
    """Never raised: a page has a face for it."""
    answer = source.ask(WHO, "dataset", "order")

    assert answer.document is None
    assert answer.trouble is not None
    assert "order" in answer.trouble.message


def test_a_broken_configuration_is_told_and_its_mending_is_seen(config: Path, source: Source) -> None:
    """No restart is needed: the next look reads the file again."""
    good = config.read_text()
    config.write_text(good.replace('"datasets"', '"datasetz"'))
    broken = source.ask(WHO, "status")
    config.write_text(good)

    mended = source.ask(WHO, "status")

    assert broken.document is None
    assert broken.trouble is not None
    assert "datasetz" in broken.trouble.message
    assert mended.trouble is None
    assert mended.document


def test_a_configuration_that_breaks_later_leaves_the_last_answer(
    config: Path, ran: IntegratedSystem, source: Source
) -> None:
    """Old facts stay, with what is wrong now."""
    before = source.ask(WHO, "status")
    config.write_text("{")

    after = source.ask(WHO, "status")

    assert (after.document, after.at) == (before.document, before.at)
    assert after.trouble is not None


def test_a_changed_configuration_is_followed(config: Path, ran: IntegratedSystem, source: Source) -> None:
    """A renamed dataset shows without a restart."""
    source.ask(WHO, "status")
    config.write_text(config.read_text().replace('"orders"', '"invoices"'))

    seen = source.ask(WHO, "status").document

    assert "invoices" in {one["dataset"] for one in seen["datasets"]}


def test_a_replaced_state_directory_is_noticed(
    state_dir: Path, source: Source, build: Callable[[], IntegratedSystem]
) -> None:
    """Somebody removed the state and ran again: the page shows the new state, not the removed file."""
    with build() as first:
        run(first, ACTOR)
    (old,) = source.ask(WHO, "runs").document
    shutil.rmtree(state_dir)
    with build() as second:
        ran = run(second, ACTOR)

    (new,) = source.ask(WHO, "runs").document

    assert old["run_id"] != new["run_id"] == ran.run_id


def test_a_state_that_cannot_be_used_is_told(tmp_path: Path, config: Path) -> None:
    """A file where the directory should be."""
    (tmp_path / "taken").write_text("")
    source = Source(lambda: IntegratedSystem(config, state_dir=tmp_path / "taken", environ={}))

    answer = source.ask(WHO, "status")

    assert answer.trouble is not None
    assert "is not a directory" in answer.trouble.message
    source.close()


def test_many_threads_share_one_connection(ran: IntegratedSystem, source: Source) -> None:
    """Streamlit draws in ever new threads; a connection for each would use up the files a process may open."""
    open_files = Path("/proc/self/fd")
    source.ask(WHO, "status")
    before = len(list(open_files.iterdir()))

    for _ in range(20):
        thread = threading.Thread(target=source.ask, args=(WHO, "status"))
        thread.start()
        thread.join()

    assert len(list(open_files.iterdir())) <= before + 2


@pytest.mark.parametrize(("share_for", "same"), [(60.0, True), (0.0, False)], ids=["shared", "asked anew"])
def test_looks_within_a_moment_share_one_answer(
    build: Callable[[], IntegratedSystem], share_for: float, same: bool
) -> None:
    """Ten windows cost what one costs."""
    source = Source(build, share_for=share_for)

    assert (source.ask(WHO, "status") is source.ask(WHO, "status")) == same
    source.close()


def test_after_a_change_nobody_gets_the_answer_of_before(build: Callable[[], IntegratedSystem]) -> None:
    """Whoever clicked sees what it did."""
    source = Source(build, share_for=60.0)
    before = source.ask(WHO, "status")

    source.forget()

    assert source.ask(WHO, "status") is not before
    source.close()


def test_what_is_dear_is_computed_once_in_some_seconds_and_goes_when_nobody_asks(
    ran: IntegratedSystem, build: Callable[[], IntegratedSystem]
) -> None:
    """A curve is asked for with another period every few seconds: old ones would fill the memory."""
    source = Source(build)
    name = f"{ran.settings.datasets[0].name}.rows"
    moment = source.monotonic()
    source.monotonic = lambda: moment  # type: ignore[method-assign]

    first = source.ask(WHO, "history", name)
    moment += 3.0
    assert source.ask(WHO, "history", name) is first
    moment += 3.0
    assert source.ask(WHO, "history", name) is not first
    assert any("history" in str(key) for key in source._kept)

    moment += 100.0
    source.ask(WHO, "status")
    assert not any("history" in str(key) for key in source._kept)
    source.close()


def test_what_does_not_answer_in_time_is_told_and_the_page_goes_on(build: Callable[[], IntegratedSystem]) -> None:
    """There is no server here that could be started; the machine is busy."""
    source = Source(build, patience=0.0)

    answer = source.ask(WHO, "status")

    assert answer.trouble is not None
    assert answer.trouble.message == "no answer within 0 s"
    assert "busy" in answer.trouble.hint
    source.close()


def test_the_past_may_take_longer(ran: IntegratedSystem, build: Callable[[], IntegratedSystem]) -> None:
    """The log is read up to it."""
    source = Source(build, patience=0.0)

    answer = source.ask(WHO, "status", as_of=ran.clock.now().isoformat())

    assert answer.trouble is None
    assert len(answer.document["datasets"]) == 3
    source.close()
