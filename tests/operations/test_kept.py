"""The views that the main database keeps: each says which events change it."""

import pytest

from operations.kept import projections
from utils.events import Projection
from utils.events.event import Fact

TYPES = sorted({kind for view in projections() for kind in view.types or ()})


@pytest.mark.parametrize("view", projections(), ids=lambda view: view.name)
def test_an_event_that_a_view_does_not_name_changes_nothing_of_it(view: Projection) -> None:
    """It is not shown to the view, so the view must not need it."""
    named = view.types
    assert named

    others = [kind for kind in TYPES if kind not in named]

    assert [list(view.apply(Fact(1, "2026-01-01T00:00:00.000000Z", kind, "one", {}))) for kind in others] == [
        [] for _ in others
    ]
