"""Proving the log whole in the background."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor, NotAllowedError
from operations.verification import Prover, begin
from tests.integration.installation import Installation
from utils.events import NewEvent, proof

ME = Actor("tester")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.configure({"name": "orders", "collect": {"kind": "simulated"}})
    return made


@pytest.fixture
def system(installation: Installation) -> Iterator[IntegratedSystem]:
    with installation.system() as system:
        system.events.append([NewEvent("plugin.ticked", f"s{n}", {}, source="test") for n in range(40)])
        yield system


def _proved(prover: Prover) -> None:
    assert prover._thread is not None
    prover._thread.join(120)


def test_a_log_that_is_whole_is_found_so_and_the_log_says_who_asked(
    system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The position is told on the way; a second proof may follow."""
    monkeypatch.setattr(proof, "TELL_EVERY", 10)
    prover = Prover(system)

    assert begin(system, ME, prover).state == "going on"
    _proved(prover)

    done = prover.proof
    assert (done.state, done.checked, done.total) == ("done", 41, 41)
    assert done.result is not None
    assert done.result.fault is None
    (event,) = system.events.read(type="action.invoked")
    assert event.data == {"action": "events.verify", "actor": "tester"}
    prover.close()


def test_what_was_changed_is_found(installation: Installation, system: IntegratedSystem) -> None:
    """The first event that does not fit is named."""
    with sqlite3.connect(installation.state / "orchestrator.db") as file:
        file.execute("UPDATE log SET data = '{\"n\":1}' WHERE seq = 7")
    file.close()
    prover = Prover(system)
    prover.begin()
    _proved(prover)

    assert prover.proof.result is not None
    assert "event 7" in (prover.proof.result.fault or "")
    prover.close()


def test_nobody_waits_for_a_proof_when_the_process_is_told_to_end(
    system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops at the next look, and says nothing about the log."""
    monkeypatch.setattr(proof, "TELL_EVERY", 1)
    prover = Prover(system)
    prover._closed = True
    prover._prove()

    assert prover.proof.state == "failed"
    assert prover.proof.result is None
    assert prover.begin().state == "failed"


def test_a_viewer_may_not_begin_one(system: IntegratedSystem) -> None:
    """It takes a processor for as long as it lasts."""
    with pytest.raises(NotAllowedError):
        begin(system, Actor("guest", "viewer"), Prover(system))
