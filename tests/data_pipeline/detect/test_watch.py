"""The ensemble looks at series in turn: what it finds, where it stands, and what it may cost."""

from contextlib import closing

import numpy as np
import pytest

from config.datasets import DatasetSettings
from data_pipeline.detect import feedback_views, watch_table
from data_pipeline.detect.datasets import detect_datasets
from data_pipeline.detect.feedback_views import Said, Told
from data_pipeline.detect.watch import Watch
from data_pipeline.detect.watch_table import Looks
from tests.utils.history.tables import add
from utils import events, history
from utils.clock import ManualClock
from utils.history import History
from utils.sqlite import SqliteDatabase

HOUR = 3600.0
KNOWN = 360


@pytest.fixture
def database(tmp_path):
    scripts = (
        f"{events.SCHEMA};{history.SCHEMA}",
        history.LEVELS_SCHEMA,
        feedback_views.SCHEMA,
        watch_table.SCHEMA,
    )
    with closing(SqliteDatabase(tmp_path / "state.db", migrations=scripts)) as database:
        yield database


def daily(n=KNOWN + 40, seed=1):
    """A season of a day, an hour a point; from the 360th on it is gone, every value being a usual one."""
    season = 10.0 * np.sin(2 * np.pi * np.arange(n) / 24)
    season[KNOWN:] = 0.0
    return 100.0 + season + np.random.default_rng(seed).normal(size=n) / 2


def keep(database, values, subject="orders", metric="rows", start=0):
    add(database, subject, [(HOUR * (start + i), {metric: float(v)}) for i, v in enumerate(values)])


def settings(*names, **detect):
    return [DatasetSettings(name=name, collect={"kind": "file", "path": "a.csv"}, detect=detect) for name in names]


def forget(database):
    with database.transaction() as connection:
        connection.execute("DELETE FROM looks")


class Runs:
    """One process: a watch, whose rows are committed as a run does."""

    def __init__(self, database, **more):
        self.clock = ManualClock()
        self.database = database
        self.watch = Watch(database, self.clock, **more)

    def look(self, since, *names, feedback=(), **detect):
        found = detect_datasets(
            History(self.database),
            settings(*(names or ("orders",)), **detect),
            new_since=HOUR * since,
            feedback=feedback,
            watch=self.watch,
        )
        with self.database.transaction() as connection:
            for sql, parameters in found.looks:
                connection.execute(sql, parameters)
        return found


def test_a_vanished_season_is_found_and_told_once(database):
    """No value is strange by itself: the median says nothing. Hour by hour, each hour a run of its own."""
    values, runs, told = daily(), Runs(database), []
    keep(database, values[: KNOWN - 10])
    for hour in range(KNOWN - 10, KNOWN + 30):
        keep(database, [values[hour]], start=hour)
        told += runs.look(hour).anomalies

    (anomaly,) = told
    assert KNOWN < anomaly.time / HOUR <= KNOWN + 8
    assert anomaly.since == anomaly.time
    assert anomaly.reason.startswith("rows 100, expected 102.5 to 111.7 at 03:00 UTC")
    assert "elliptic_envelope" in anomaly.agree


def test_a_course_that_is_strange_says_so_in_words(database):
    """Each value lies within its band; what went up and down every seventeen hours stands still."""
    values = 100.0 + np.random.default_rng(1).normal(size=400) / 2
    values[:370] += 10.0 * np.sin(2 * np.pi * np.arange(370) / 17)
    keep(database, values)

    (anomaly,) = Runs(database).look(365).anomalies

    assert 370 <= anomaly.time / HOUR < 400
    assert " alone nothing strange (" in anomaly.reason
    assert anomaly.expected_low < anomaly.value < anomaly.expected_high


def test_what_came_since_the_last_look_is_looked_at_by_whichever_process(database):
    """Thirty points between two looks, the second by a new process: the episode among them is told, with its time."""
    values = daily()
    keep(database, values[: KNOWN - 5])
    assert Runs(database).look(KNOWN - 6).anomalies == []
    keep(database, values[KNOWN - 5 : KNOWN + 25], start=KNOWN - 5)

    (anomaly,) = Runs(database).look(KNOWN + 24).anomalies

    assert KNOWN < anomaly.time / HOUR <= KNOWN + 8
    assert Runs(database).look(KNOWN + 24).anomalies == []


def test_run_by_run_and_at_once_agree(database):
    """While one model holds, where the watch stands carries an episode over from look to look."""
    values = daily()
    keep(database, values[: KNOWN - 2])
    one, stands = Runs(database), []
    one.look(KNOWN - 3)
    for hour in range(KNOWN - 2, KNOWN + 10):
        keep(database, [values[hour]], start=hour)
        one.look(hour)
    stands.append(Looks(database).of("orders")["rows"])
    forget(database)

    Runs(database).look(KNOWN - 2)

    stands.append(Looks(database).of("orders")["rows"])
    assert stands[0][2:] == stands[1][2:]
    assert stands[0].before == pytest.approx(stands[1].before, abs=0.05)


def test_ordinary_points_raise_nothing_and_move_the_watch_on(database):
    """Up to the newest point; without new points nothing is looked at."""
    runs = Runs(database)
    keep(database, daily()[:KNOWN])

    assert runs.look(KNOWN - 1).anomalies == []
    assert Looks(database).of("orders")["rows"].until == HOUR * (KNOWN - 1)
    assert runs.look(KNOWN).looks == ()


def test_a_short_history_is_not_looked_at(database):
    """No model, no row, and the modules of the ensemble are not needed."""
    runs = Runs(database)
    keep(database, daily()[:30])

    assert runs.look(29).looks == ()


def test_the_time_of_a_run_is_bounded_and_those_who_waited_come_first(database):
    """Where a look takes longer than it may, one dataset is looked at a run; after four runs all four were."""
    names = [f"d{i}" for i in range(4)]
    runs, seen = Runs(database, seconds=0.1), []
    for name in names:
        keep(database, daily()[:KNOWN], name)
    models = runs.watch.models

    def slow(*about):
        runs.clock.advance(1.0)
        return models.fitted(*about)

    runs.watch.models = type("Slow", (), {"fitted": staticmethod(slow)})
    for hour in range(4):
        for name in names:
            keep(database, [100.0], name, start=KNOWN + hour)
        before = Looks(database).oldest(names)
        runs.look(KNOWN + hour, *names)
        seen += [name for name, until in Looks(database).oldest(names).items() if before.get(name) != until]

    assert sorted(seen) == names


def test_who_has_nothing_to_look_at_has_had_a_turn_all_the_same(database):
    """A figure that never had a value, and one that has none any more, do not hold up the others."""
    runs = Runs(database)
    values = [(HOUR * i, {"rows": 100.0 + i % 3, "never": None, "once": 1.0 if i < 50 else None}) for i in range(60)]
    add(database, "orders", values)
    for hour in range(60, 63):
        add(database, "orders", [(HOUR * hour, {"rows": 100.0, "never": None, "once": None})])
        runs.look(hour)

        assert Looks(database).oldest(["orders"])["orders"] >= HOUR * hour


def test_what_sticks_out_is_looked_at_first_and_told_once(database):
    """A drop in one of many: told by the median, confirmed, and no second time by the watch."""
    names = [f"d{i}" for i in range(5)]
    runs = Runs(database)
    for name in names:
        keep(database, daily()[: KNOWN - 1], name)
        keep(database, [0.0 if name == "d3" else 100.0], name, start=KNOWN - 1)

    found = runs.look(KNOWN - 1, *names)

    assert [one.subject for one in found.anomalies] == ["d3"]
    assert found.looks[0][1][0] == "d3"
    assert Looks(database).of("d3")["rows"].passed == 0


@pytest.mark.parametrize(
    "detect",
    [{"exclude": ["rows"]}, {"enabled": False}, {"ignore_below": 0.5}, {"rate": 0.001, "direction": "up"}],
    ids=["excluded", "switched off", "too small to matter", "the other way"],
)
def test_settings_are_heeded(database, detect):
    """What a dataset says about its figures holds for the watch, too."""
    values = daily()
    values[KNOWN:] -= 8.0
    keep(database, values)

    heeded = Runs(database).look(KNOWN, **detect).anomalies
    forget(database)

    assert heeded == []
    assert Runs(database).look(KNOWN).anomalies != []


def test_feedback_is_heeded(database):
    """What was fine is told no more, and a new normal makes a model of the old one useless."""
    values = daily()
    keep(database, values)
    (told,) = Runs(database).look(KNOWN - 5).anomalies
    forget(database)
    fine = Said(
        1, "", "orders", "rows", "fine", told.time, told.time,
        (Told(told.time, told.direction, told.score),), "orders.rows", "me", "",
    )  # fmt: skip

    assert Runs(database).look(KNOWN - 5, feedback=[fine]).anomalies == []
