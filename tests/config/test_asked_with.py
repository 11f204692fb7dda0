"""What a dataset asks with must be there: `{cursor}` needs `incremental`, `{partition.…}` needs `partition`."""

from typing import Any

import pytest
from pydantic import ValidationError

from config.datasets import DatasetSettings


def dataset(collect: dict[str, Any], **more: Any) -> DatasetSettings:
    return DatasetSettings.model_validate({"name": "a", "collect": {"kind": "http", **collect}, **more})


@pytest.mark.parametrize(
    ("collect", "needs"),
    [
        ({"url": "https://example.org/?since={cursor}"}, "incremental"),
        ({"url": "https://example.org/", "params": {"since": "{cursor:epoch_ms}"}}, "incremental"),
        ({"url": "https://example.org/{partition.start:%Y/%m}"}, "partition"),
    ],
    ids=["in the address", "in a parameter", "a piece"],
)
def test_a_placeholder_without_what_fills_it_is_refused(collect: dict[str, Any], needs: str) -> None:
    """When the configuration is read, with the text that has it."""
    with pytest.raises(ValidationError, match=f"needs `{needs}`"):
        dataset(collect)


@pytest.mark.parametrize(
    ("collect", "more"),
    [
        ({"url": "https://example.org/?since={cursor}"}, {"incremental": {"cursor": "at"}, "write": "append"}),
        ({"url": "https://example.org/{partition.key}"}, {"partition": {"by": "day"}}),
        ({"url": "https://example.org/?q={{cursor}}"}, {}),
    ],
    ids=["a cursor", "a piece", "doubled braces"],
)
def test_a_placeholder_that_is_filled_is_fine(collect: dict[str, Any], more: dict[str, Any]) -> None:
    """And doubled braces are no placeholder."""
    assert dataset(collect, **more).collect.url == collect["url"]


def test_a_cursor_and_pieces_exclude_each_other() -> None:
    """A table grows in one way."""
    with pytest.raises(ValidationError, match="does not go with `incremental`"):
        dataset({"url": "https://example.org/"}, incremental={"cursor": "at"}, partition={"by": "day"}, key=["id"])
