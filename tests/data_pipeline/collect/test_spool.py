"""A spool gives back what was written, from memory or from its file, and leaves nothing behind."""

import gc
import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_pipeline.collect.spool import Spool
from tests.counts import few


@given(chunks=st.lists(st.binary(max_size=40), max_size=8), memory=st.integers(0, 100))
@settings(max_examples=few(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_written_comes_back_again_and_again(tmp_path: Path, chunks: list[bytes], memory: int) -> None:
    """Same bytes, size and hash, whether they fit into memory or not."""
    spool = Spool(tmp_path, memory=memory)
    for chunk in chunks:
        spool.write(chunk)
    spool.finish()
    whole = b"".join(chunks)
    for _ in range(2):
        with spool.open() as stream:
            assert stream.read() == whole
    assert (spool.size, spool.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert (spool.path is not None) == (len(whole) > memory)
    spool.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("finished", [True, False])
def test_a_forgotten_spool_takes_its_file_along(tmp_path: Path, finished: bool) -> None:
    """No reference, no file, also when the answer broke off in the middle."""
    spool = Spool(tmp_path / "new" / "folder", memory=1)
    spool.write(b"much more than one byte")
    if finished:
        spool.finish()
    assert len(list((tmp_path / "new" / "folder").iterdir())) == 1
    del spool
    gc.collect()
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_a_reader_keeps_its_file_readable_after_close(tmp_path: Path) -> None:
    """Who has it open reads to the end."""
    spool = Spool(tmp_path, memory=0)
    spool.write(b"data")
    with spool.finish().open() as stream:
        spool.close()
        assert stream.read() == b"data"
