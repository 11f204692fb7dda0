"""The quality benchmark: that ours finds what is planted, that other counts are no result, which targets are met."""

from pathlib import Path

import pytest

from benchmarks import quality
from benchmarks.measure import BenchmarkError
from benchmarks.quality_work import RULES, STATUS
from tests.data_pipeline.validate.tables import NOW
from utils.arrow import with_pandas

ROWS = 4_000


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quality.orders(tmp_path_factory.mktemp("orders"), ROWS)


def planted(path: Path) -> list[int]:
    """How many rows break each rule, as pandas counts them."""
    frame = with_pandas().read_parquet(path)
    moment = NOW.replace(tzinfo=None)
    well_formed = frame.email.str.fullmatch(r"[\w.%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}", na=True)
    masks = [
        *[frame[name].isna() for name in ("email", "amount", "created_at")],
        frame.order_id.duplicated(keep=False),
        (frame.amount < 0) | (frame.amount > 10_000),
        (frame.quantity < 1) | (frame.quantity > 100),
        ~frame.status.isin(STATUS),
        ~well_formed.astype(bool),
        frame.country.str.len() != 2,
        frame.created_at > moment,
        frame.created_at > frame.updated_at,
    ]
    return [*[int(mask.sum()) for mask in masks], 0]


@pytest.mark.parametrize("program", ["ours", "ours-file", "ours-file-spilling"])
def test_ours_finds_the_rows_that_are_planted(orders: Path, program: str) -> None:
    """Every rule is broken by some, and by as many as pandas counts; what it took is told."""
    command = quality.command_of(program, orders, 1)
    assert command is not None

    told = quality.run(command)

    assert told["counts"] == planted(orders)
    assert all(count > 0 for count in told["counts"][:-1])
    assert told["cpu_s"] > 0
    assert 0 < told["above_mb"] < told["peak_mb"]


@pytest.mark.parametrize("program", ["ours-profile", "floor"])
def test_what_judges_nothing_tells_no_counts(orders: Path, program: str) -> None:
    command = quality.command_of(program, orders, 1)
    assert command is not None

    assert quality.run(command)["counts"] is None


def test_a_contender_that_finds_something_else_is_no_contender() -> None:
    """Its time would be that of other work; the rule is named."""
    same = [1] * len(RULES)

    quality.check("judge_1m", {"ours": same, "duckdb": same})
    with pytest.raises(BenchmarkError, match="'order_id is unique' is broken by 1 rows for ours, by 7 for duckdb"):
        quality.check("judge_1m", {"ours": same, "duckdb": [1, 1, 1, 7, *same[4:]]})


def test_a_contender_that_fails_is_told_with_its_words(orders: Path) -> None:
    command = quality.command_of("ours", orders.with_name("missing.parquet"), 1)
    assert command is not None

    with pytest.raises(BenchmarkError, match=r"missing\.parquet"):
        quality.run(command)


def test_targets_are_judged_against_each_peer_and_by_bounds() -> None:
    """What was not measured is neither met nor missed."""
    result = quality.compared(
        {
            "ours": {"judge_10m_cpu_s": 1.0, "judge_10m_above_mb": 90.0, "file_60m_peak_mb": 701.0},
            "pandera": {"judge_10m_cpu_s": 6.0},
            "polars": {"judge_10m_cpu_s": 1.2},
        },
        {},
        (0.0, 0.0),
    )

    assert {name: met for name, met in result.met.items() if met is not None} == {
        "judge_10m_cpu_s / pandera": True,
        "judge_10m_cpu_s / polars": False,
        "judge_10m_above_mb": True,
        "file_60m_peak_mb": False,
    }
