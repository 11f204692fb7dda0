"""Transactions of a system: one that cannot end is unhealthy, and named."""

from pathlib import Path

from integrated_system import IntegratedSystem
from operations.health import health
from utils.transactions import Plan, Step


def _check(system: IntegratedSystem) -> tuple[bool, str]:
    (check,) = [check for check in health(system).checks if check.name == "transactions"]
    return check.healthy, check.detail


def _fail() -> None:
    raise ValueError("the server says no: https://bob:s3cret@example.org/")


def test_a_failing_compensation_is_unhealthy_and_named(tmp_path: Path) -> None:
    """With its error, without who asked; well again once it was given up or went through."""
    config = tmp_path / "orchestrator.json"
    config.write_text("{}")
    with IntegratedSystem(config, state_dir=tmp_path / "state", environ={}) as system:
        before = _check(system)
        steps = [Step(name="book", do=dict, undo=_fail), Step(name="pay", do=_fail, undo=dict)]
        system.transactions.register("journey", lambda _: Plan(steps=steps))
        system.transactions.run("journey", "journey 1")
        stuck = _check(system)
        system.transactions.abandon("journey 1", reason="settled by telephone")
        after = _check(system)

    assert before == after == (True, "none is under way")
    assert stuck[0] is False
    assert stuck[1].startswith("stuck: journey 1: taking back book failed 1 times: ValueError: the server says no")
    assert "s3cret" not in stuck[1]
