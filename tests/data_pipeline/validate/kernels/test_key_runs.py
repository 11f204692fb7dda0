"""Keys that occur again are found among any number of runs, in memory and in a file, whatever the stretches."""

import random
import resource
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.errors import StoreError
from data_pipeline.row_spool import spooling_in
from data_pipeline.validate.kernels import key_runs
from data_pipeline.validate.kernels.key_runs import Members, Run, SpilledRun, repeated, spilled
from tests.counts import few

EDGES = [0, 1, 255, 256, 65_535, 2**32 - 1, 2**32, 2**53 + 1, 2**63 - 1, -1, -(2**63), -(2**63) + 1]
KEYS = st.sampled_from(EDGES) | st.integers(-20, 20) | st.integers(-(2**63), 2**63 - 1)


def words(keys: list[int]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array(keys, np.int64)


def found(runs: list[Run] | tuple[SpilledRun, ...], at_once: int) -> dict[int, int]:
    groups = list(repeated(runs, at_once))
    keys = [key for group in groups for key in group.keys.tolist()]
    assert keys == sorted(keys)
    return dict(zip(keys, [times for group in groups for times in group.times.tolist()], strict=True))


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few keys take the ways of many."""
    monkeypatch.setattr(key_runs, "_STEP", 2)
    monkeypatch.setattr(key_runs, "KEYS_AT_ONCE", 4)


@pytest.mark.usefixtures("small_steps")
@given(st.lists(st.lists(KEYS, max_size=12), max_size=6), st.integers(1, 12), st.integers(0, 6))
@settings(max_examples=few(100), deadline=None)
def test_keys_that_occur_again_are_found_with_their_number(parts, at_once, in_file):
    """As a counter finds them: one stretch or many, runs in memory beside runs in a file, the ends of 64 bits."""
    runs = [Run.of(words(part)) for part in parts]
    counts = Counter(key for part in parts for key in part)
    kept = [*spilled(runs[:in_file]), *runs[in_file:]]

    assert found(kept, at_once) == {key: times for key, times in counts.items() if times > 1}


def test_a_key_that_occurs_twice_and_alone_fills_a_stretch():
    """More than may be looked at at once, and only one key: it needs no sorting."""
    assert found([Run.of(words([5])), Run.of(words([5])), Run.of(words([7]))], 1) == {5: 2}


@pytest.mark.usefixtures("small_steps")
@given(st.lists(st.lists(KEYS, max_size=12), min_size=1, max_size=6))
@settings(max_examples=few(40))
def test_what_went_to_the_file_comes_back_as_one_run(parts):
    runs = spilled([Run.of(words(part)) for part in parts])

    again = spilled([*runs, Run.of(words([7, 7]))])

    assert runs[0].read().keys(0, 1_000).tolist() == sorted(key for part in parts for key in part)
    assert again[0] is runs[0]
    assert again[1].read().keys(0, 2).tolist() == [7, 7]
    assert again[1].file is runs[0].file


@pytest.mark.parametrize(
    ("keys", "size"),
    [([7, 7 + 255], 1), ([-3, 65_000], 2), ([2**62, 2**62 + 2**32 - 1], 4), ([0, 2**32], 8)],
    ids=["bytes", "two bytes", "four bytes", "eight bytes"],
)
def test_a_run_takes_as_few_bytes_a_key_as_its_distances_need(keys, size):
    run = Run.of(words(keys))

    assert run.nbytes == size * len(keys)
    assert run.keys(0, 2).tolist() == keys


def test_one_key_that_fills_every_chunk_is_counted_and_not_put_together(monkeypatch: pytest.MonkeyPatch):
    """Two million times the same key are never one array."""
    longest = 0
    concatenate = np.concatenate

    def watched(parts, *args, **named):
        nonlocal longest
        whole = concatenate(parts, *args, **named)
        longest = max(longest, whole.size)
        return whole

    monkeypatch.setattr(np, "concatenate", watched)
    runs = [Run.of(np.full(100_000, 5)) for _ in range(20)] + [Run.of(np.arange(100_000))]

    assert found(runs, 2**16) == {5: 2_000_001}
    assert longest < 400_000


def test_the_file_of_keys_has_no_name_so_nothing_can_stay_behind(tmp_path: Path):
    """It lies in the folder for temporary files; a kill at any moment gives its space back."""
    with spooling_in(tmp_path / "tmp"):
        runs = spilled([Run.of(np.arange(1_000_000) * 2**20)])

        assert list((tmp_path / "tmp").iterdir()) == []
        assert runs[0].nbytes < 4_000
        assert found([*runs, Run.of(words([2**20 * 999_999]))], 10_000) == {2**20 * 999_999: 2}


def test_a_full_disk_is_told_in_words(tmp_path: Path):
    """The kernel lets no file grow beyond 1,000 bytes, as it does when no space is left: where, why, what helps."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with (
            spooling_in(tmp_path),
            pytest.raises(StoreError, match=f"to {tmp_path}: File too large") as told,
        ):
            spilled([Run.of(np.arange(100_000))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert told.value.hint == "make room there, or raise app.memory_limit: a quarter of it may be keys"


@given(st.sets(KEYS, min_size=1, max_size=30), st.lists(KEYS, max_size=60))
def test_members_are_found_where_they_lie(wanted, keys):
    keys = [*keys, *random.Random(1).sample(sorted(wanted), len(wanted) // 2)]

    places = Members(words(sorted(wanted))).places(words(keys)).tolist()

    assert places == [at for at, key in enumerate(keys) if key in wanted]
