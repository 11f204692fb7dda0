"""How much of an error budget is left, as a bar."""

import xml.etree.ElementTree as ET

import pytest

from dashboard.charts.budget import WIDTH, budget_bar


@pytest.mark.parametrize("left", [0.0, 0.4, 1.0], ids=["spent", "some", "all"])
def test_the_share_that_is_left_is_filled(left: float) -> None:
    """The whole bar is outlined, so that an empty one is seen."""
    outline, filled = ET.fromstring(budget_bar(left, "good"))

    assert float(filled.get("width", "")) == pytest.approx(left * WIDTH)
    assert float(outline.get("width", "")) == WIDTH - 1
