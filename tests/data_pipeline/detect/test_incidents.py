"""Which anomalies are one incident, and what stands first in it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.detect.detector import Anomaly
from data_pipeline.detect.incidents import Incident, incidents

MINUTE = 60.0
PROVIDERS = {"fx": "ecb", "rates": "ecb", "quakes": "usgs"}


def anomaly(
    subject: str = "fx", metric: str = "rows", *, time: float = 0.0, since: float | None = None, score: float = 0.75
) -> Anomaly:
    begun = time if since is None else since
    severity: Any = "critical" if score > 2 / 3 else "warning"
    return Anomaly(metric, subject, time, 1.0, score, severity, "down", 2.0, 3.0, f"{metric} 1", begun)


def grouped(*anomalies: Anomaly) -> list[Incident]:
    return incidents(anomalies, lambda subject: PROVIDERS.get(subject, subject))


def names(incident: Incident) -> list[str]:
    return [f"{part.anomaly.subject}.{part.anomaly.metric}" for part in incident.parts]


def test_figures_of_one_dataset_are_one_incident_ranked() -> None:
    """Three times as far out as its limit weighs three times as much as once."""
    (one,) = grouped(anomaly(metric="bytes", score=0.5), anomaly(metric="rows", score=0.75))

    assert (one.of, one.datasets, one.severity) == ("fx", ("fx",), "critical")
    assert [(part.anomaly.metric, part.share) for part in one.parts] == [("rows", 0.75), ("bytes", 0.25)]


def test_datasets_of_one_provider_are_one_incident_of_it() -> None:
    """Within a run they come one after the other; another provider's stays its own."""
    found = grouped(anomaly("fx"), anomaly("rates", time=10 * MINUTE, score=0.8), anomaly("quakes", score=0.6))

    assert [(one.of, names(one)) for one in found] == [("ecb", ["rates.rows", "fx.rows"]), ("quakes", ["quakes.rows"])]
    assert (found[0].since, found[0].until) == (0.0, 10 * MINUTE)


@pytest.mark.parametrize(
    ("later", "together"),
    [
        (anomaly(time=15 * MINUTE), True),
        (anomaly(time=16 * MINUTE), False),
        (anomaly(time=300 * MINUTE, since=10 * MINUTE), True),
    ],
    ids=["soon after", "later", "an episode that began then"],
)
def test_time_divides_incidents(later: Anomaly, together: bool) -> None:
    assert (len(grouped(anomaly(metric="bytes"), later)) == 1) is together


def test_what_is_infinitely_far_out_leaves_room_for_the_others() -> None:
    (one,) = grouped(anomaly(metric="nulls", score=1.0), anomaly(metric="rows", score=0.99))

    assert one.parts[0].anomaly.metric == "nulls"
    assert one.parts[1].share > 0.4


@given(
    st.lists(
        st.builds(
            anomaly,
            st.sampled_from(sorted(PROVIDERS)),
            st.sampled_from(["rows", "bytes"]),
            time=st.floats(0, 1e5),
            score=st.floats(0.5, 1.0),
        ),
        max_size=12,
    )
)
def test_every_anomaly_is_in_one_incident(found: list[Anomaly]) -> None:
    """Whatever comes: none is lost or doubled, shares add up to 1, the order of what comes in does not matter."""
    grouping = grouped(*found)

    assert sorted(map(repr, found)) == sorted(repr(part.anomaly) for one in grouping for part in one.parts)
    assert all(sum(part.share for part in one.parts) == pytest.approx(1.0) for one in grouping)
    assert {frozenset(map(repr, one.parts)) for one in grouping} == {
        frozenset(map(repr, one.parts)) for one in grouped(*reversed(found))
    }
