"""Any graph, any outcomes: nobody is made before what it needs, and everybody is accounted for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.dataset import DatasetRun
from tests.integration import nodes
from tests.integration.installation import Installation

RULE = {"range": {"column": "value", "min": 0, "severity": "critical"}}
SOURCE = {"name": "source", "collect": {"kind": "python", "function": "tests.integration.nodes:source"}}

graphs = st.lists(st.sets(st.integers(0, nodes.MOST - 2)), min_size=2, max_size=nodes.MOST)
outcomes = st.lists(st.sampled_from(["good", "good", "held", "fails"]), min_size=nodes.MOST, max_size=nodes.MOST)


@dataclass
class Stands:
    """What is expected of a dataset. `doubted`: its rows are not as they should be."""

    version: bool = False
    held: bool = False
    blocked: bool = False
    doubted: bool = False

    @property
    def stops(self) -> bool:
        return self.held or self.blocked or not self.version


def expected(needs: Mapping[str, set[str]], came: Mapping[str, str], before: dict[str, Stands]) -> dict[str, str]:
    """The status of each dataset, in the order of the graph; `before` becomes how they stand then."""
    found = {}
    for name, above in needs.items():
        stands, others = before[name], [before[other] for other in above]
        stands.blocked = any(other.stops for other in others)
        if stands.blocked:
            found[name] = "skipped"
            continue
        if came[name] == "good":
            stands.version, stands.held = True, False
            stands.doubted = any(other.doubted for other in others)
            found[name] = "degraded" if stands.doubted else "succeeded"
            continue
        stands.held = stands.held or came[name] == "held"
        stands.doubted = True
        # A broken critical rule fails whatever is served; a function that fails is a provider that does not deliver.
        found[name] = "degraded" if stands.version and came[name] == "fails" else "failed"
    return found


@settings(max_examples=6, deadline=None)
@given(graphs, st.lists(outcomes, min_size=2, max_size=2), st.randoms(use_true_random=False))
def test_whatever_comes_of_whom(wanted: list[set[int]], rounds: list[list[str]], chance: Any) -> None:
    """Twice, so that some have a last good version by then; in the file they stand in any order."""
    needs = {f"d{at}": {f"d{one}" for one in found if one < at} or {"source"} for at, found in enumerate(wanted)}
    datasets: list[dict[str, Any]] = [SOURCE]
    for name, above in needs.items():
        transform = f"tests.integration.nodes:{name}"
        datasets.append({"name": name, "transform": transform, "depends_on": sorted(above), "rules": [RULE]})
    chance.shuffle(datasets)
    before = {"source": Stands(version=True), **{name: Stands() for name in needs}}
    with TemporaryDirectory() as folder:
        installation = Installation(Path(folder))
        installation.configure(*datasets)
        for came in rounds:
            nodes.OUTCOMES.update({f"d{at}": one for at, one in enumerate(came)})
            nodes.CALLED.clear()
            ran: tuple[DatasetRun, ...] = installation.run(fresh=True).datasets

            assert sorted(one.dataset for one in ran) == sorted(["source", *needs])
            told = {one.dataset: one for one in ran if one.dataset != "source"}
            wanted_status = expected(needs, nodes.OUTCOMES, before)
            assert {name: told[name].status for name in needs} == wanted_status
            assert {name for name, _ in nodes.CALLED} == {
                n for n, status in wanted_status.items() if status != "skipped"
            }
            made: set[str] = set()
            for name, tables in nodes.CALLED:
                assert set(tables) == needs[name]
                assert needs[name] & {other for other, _ in nodes.CALLED} <= made
                made.add(name)
            for name, one in told.items():
                assert (one.status == "skipped") == str(one.reason).startswith("blocked: ")
                assert one.status == "succeeded" or one.reason, name
