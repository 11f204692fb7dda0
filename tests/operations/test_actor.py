"""Who may do what."""

from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor, NotAllowedError
from operations.breakers import reset
from operations.maintain import maintain
from operations.run import queue, run


@pytest.mark.parametrize("change", [run, queue, maintain, reset], ids=lambda change: change.__name__)
def test_a_viewer_changes_nothing(tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]  # four signatures
    """Every operation that changes something asks for a role before it looks at anything."""
    system = IntegratedSystem(tmp_path / "missing.json", state_dir=tmp_path / "state", environ={})

    with system, pytest.raises(NotAllowedError, match="eve is viewer"):
        change(system, Actor("eve", "viewer"))

    assert not (tmp_path / "state").exists()
