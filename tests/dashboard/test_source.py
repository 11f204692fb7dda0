"""Reading the state for everybody who looks, and following it when it is replaced."""

import shutil
import threading
from pathlib import Path

from dashboard.source import Source
from integrated_system import IntegratedSystem
from operations.run import run
from operations.status import Status
from tests.dashboard.conftest import ACTOR


def test_a_reading_holds_activity_configuration_and_who_acts(ran: IntegratedSystem, source: Source) -> None:
    """All that the page needs comes at once."""
    reading = source.reading()

    assert reading.trouble is None
    assert reading.activity is not None
    assert reading.actor.startswith("local:")
    assert ("app.name", "page") in {row[:2] for row in reading.configuration}


def test_a_broken_configuration_is_told_and_its_mending_is_seen(config: Path, source: Source) -> None:
    """No restart is needed: the next look reads the file again."""
    good = config.read_text()
    config.write_text(good.replace('"datasets"', '"datasetz"'))
    broken = source.reading()
    config.write_text(good)

    mended = source.reading()

    assert broken.activity is None
    assert broken.trouble is not None
    assert "datasetz" in broken.trouble.message
    assert mended.trouble is None
    assert mended.activity is not None


def test_a_configuration_that_breaks_later_leaves_the_last_state_on_the_page(
    config: Path, ran: IntegratedSystem, source: Source
) -> None:
    """Old facts stay, with what is wrong now."""
    before = source.reading()
    config.write_text("{")

    after = source.reading()

    assert after.activity is before.activity
    assert after.trouble is not None


def test_a_changed_configuration_is_followed(config: Path, ran: IntegratedSystem, source: Source) -> None:
    """A renamed dataset shows without a restart."""
    source.reading()
    config.write_text(config.read_text().replace('"orders"', '"invoices"'))

    seen = source.reading().activity

    assert seen is not None
    assert isinstance(seen.status, Status)
    assert "invoices" in {dataset.dataset for dataset in seen.status.datasets}


def test_a_replaced_state_directory_is_noticed(config: Path, state_dir: Path, source: Source) -> None:
    """Somebody removed the state and ran again: the page shows the new state, not the removed file."""
    with IntegratedSystem(config, state_dir=state_dir, environ={}) as first:
        run(first, ACTOR)
    old = source.reading().activity
    shutil.rmtree(state_dir)
    with IntegratedSystem(config, state_dir=state_dir, environ={}) as second:
        ran = run(second, ACTOR)

    new = source.reading().activity

    assert old is not None
    assert new is not None
    assert isinstance(new.runs, tuple)
    assert [seen.run_id for seen in new.runs] == [ran.run_id]


def test_a_state_that_cannot_be_used_is_told(tmp_path: Path, config: Path) -> None:
    """A file where the directory should be."""
    (tmp_path / "taken").write_text("")
    source = Source(lambda: IntegratedSystem(config, state_dir=tmp_path / "taken", environ={}))

    reading = source.reading()

    assert reading.trouble is not None
    assert "is not a directory" in reading.trouble.message
    source.close()


def test_many_threads_share_one_connection(ran: IntegratedSystem, source: Source) -> None:
    """Streamlit draws in ever new threads; a connection for each would use up the files a process may open."""
    open_files = Path("/proc/self/fd")
    source.reading()
    before = len(list(open_files.iterdir()))

    for _ in range(40):
        thread = threading.Thread(target=source.reading)
        thread.start()
        thread.join()

    assert len(list(open_files.iterdir())) <= before + 2


def test_looks_within_a_moment_share_one_reading(config: Path, state_dir: Path) -> None:
    """Ten windows cost what one costs."""
    source = Source(lambda: IntegratedSystem(config, state_dir=state_dir, environ={}), share_for=60.0)

    assert source.reading() is source.reading()
    source.close()
