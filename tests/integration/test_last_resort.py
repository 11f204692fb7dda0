"""Never all mirrors of a dataset blocked at once: when every circuit is open, one address is asked all the same."""

from collections.abc import Iterator
from typing import Any

import pytest

from data_pipeline.dataset import DatasetRun
from operations.actor import Actor
from operations.breakers import force_open
from tests.faulty_server import FaultyServer, status
from tests.integration.installation import PATIENT, Installation
from tests.integration.people import GOOD, people
from utils.clock import ManualClock
from utils.resilience.shared_state import Verdict

DEAD = status(503)


@pytest.fixture
def home() -> Iterator[FaultyServer]:
    with FaultyServer(GOOD) as server:
        yield server


@pytest.fixture
def mirror() -> Iterator[FaultyServer]:
    with FaultyServer(GOOD) as server:
        yield server


class House:
    """Datasets with a mirror, whose circuits open at the first failure; the mirror's rests are the shorter ones."""

    def __init__(self, installation: Installation, home: FaultyServer, mirror: FaultyServer) -> None:
        self.installation, self.home, self.mirror = installation, home, mirror
        self.clock = ManualClock()

    def configure(self, *, mirrored: bool = True, datasets: int = 1) -> None:
        def rests(seconds: str) -> dict[str, Any]:
            return {"resilience": {"breaker": {"open_for": seconds}}}

        # Each address says whose it is: the provider's name is the host and its port.
        collect = {"mirrors": [self.mirror.url]} if mirrored else {}
        self.installation.configure(
            *({**people(self.home.url, collect=collect), "name": f"people_{n}"} for n in range(datasets)),
            providers={self.home.host: rests("10m"), self.mirror.host: rests("5m")},
            defaults={
                "dataset": PATIENT,
                "resilience": {"breaker": {"failure_threshold": 1, "half_open_calls": 1}, "rate_limit": None},
            },
            executor={"workers": 1},
        )

    def run(self) -> tuple[DatasetRun, ...]:
        return self.installation.run(fresh=True, clock=self.clock).datasets

    def die(self) -> None:
        """Good once, then both dead and their circuits open; a minute later."""
        self.run()
        self.home.answer = self.mirror.answer = DEAD
        self.run()
        self.clock.advance(60.0)
        assert {verdict.state for verdict in self.verdicts().values()} == {"open"}

    def verdicts(self) -> dict[str, Verdict]:
        with self.installation.system(self.clock) as system:
            return system.verdicts.all()

    def asked(self) -> tuple[int, int]:
        return self.home.count, self.mirror.count

    def since(self, before: tuple[int, int]) -> tuple[int, int]:
        return self.home.count - before[0], self.mirror.count - before[1]


@pytest.fixture
def house(installation: Installation, home: FaultyServer, mirror: FaultyServer) -> House:
    return House(installation, home, mirror)


def test_the_address_that_rests_shortest_is_asked_and_its_rest_ends(house: House, mirror: FaultyServer) -> None:
    """It works again, so the data arrives long before a circuit would have let anybody pass."""
    house.configure()
    house.die()
    mirror.answer = GOOD
    before = house.asked()

    (found,) = house.run()

    assert house.since(before) == (0, 1)
    assert (found.status, found.origin) == ("succeeded", "provider")
    assert house.verdicts()[mirror.host].state == "closed"
    (accepted, again) = house.installation.events("dataset.collected")
    assert accepted["origin"] == again["origin"] == "provider"


def test_one_that_fails_changes_nothing(house: House) -> None:
    """One request, no second try; both rests go on as they were, and last good is served."""
    house.configure()
    house.die()
    before, verdicts = house.asked(), house.verdicts()

    (found,) = house.run()

    assert house.since(before) == (0, 1)
    assert (found.status, found.origin) == ("degraded", "last_good")
    assert house.verdicts() == verdicts


def test_ten_datasets_of_dead_mirrors_cost_one_request(house: House) -> None:
    """They share the last resort as they share the circuits."""
    house.configure(datasets=10)
    house.die()
    before = house.asked()

    found = house.run()

    assert sum(house.since(before)) == 1
    assert {each.origin for each in found} == {"last_good"}


def test_a_dataset_without_mirrors_has_no_last_resort(house: House) -> None:
    """Its provider rests in peace."""
    house.configure(mirrored=False)
    house.run()
    house.home.answer = DEAD
    house.run()
    before = house.asked()

    (found,) = house.run()

    assert house.since(before) == (0, 0)
    assert found.origin == "last_good"


def test_a_closed_circuit_needs_no_last_resort(house: House, mirror: FaultyServer) -> None:
    """The mirror works: it is asked as always, and nobody asks the dead one."""
    house.configure()
    house.run()
    house.home.answer = DEAD
    house.run()
    before = house.asked()

    (found,) = house.run()

    assert house.since(before) == (0, 1)
    assert found.origin == "provider"
    assert mirror.host not in house.verdicts()


@pytest.mark.parametrize("both", [True, False], ids=["all of them", "the one that rests shortest"])
def test_what_a_person_holds_open_is_asked_by_nobody(house: House, both: bool) -> None:
    """A last resort is for what our breaker decided, not for what somebody did."""
    house.configure()
    house.die()
    with house.installation.system(house.clock) as system:
        force_open(system, Actor("anna"), house.mirror.host)
        if both:
            force_open(system, Actor("anna"), house.home.host)
    before = house.asked()

    house.run()

    assert house.since(before) == ((0, 0) if both else (1, 0))
