"""Rows that were set aside come back under a mended rule: once, and each at its place."""

import pytest

from operations.quarantine import drop, listed, rows
from operations.replay import replay
from operations.status import status_of
from tests.integration.feed import Feed
from tests.integration.installation import Installation
from tests.integration.log_histories import views
from tests.integration.mending import ACTOR, ANY, GOOD, again, counts, mend, prices, shelf, stock


def test_rows_take_their_places_once_the_rule_is_mended(installation: Installation, feed: Feed) -> None:
    """A new version in the order that the provider sent, with its own report; told with actor and figures."""
    feed.rows = prices(-1, *GOOD[:4], -2, *GOOD[4:])
    installation.configure(stock())
    first = installation.run_one()
    assert (first.status, first.quarantined) == ("succeeded", 2)
    installation.configure(stock(ANY))

    found = again(installation, reason="rebates are fine")

    assert counts(found) == [(2, 2, 0)]
    assert shelf(installation) == [(row["id"], row["price"]) for row in feed.rows]
    (told,) = installation.events("quarantine.replayed")
    names = ("run_id", "actor", "reason", "replayed", "accepted", "failing", "left", "reasons")
    assert [told[name] for name in names] == [first.version, "ada", "rebates are fine", 2, 2, 0, 0, {}]
    with installation.system() as system:
        (entry,) = listed(system, "stock")
        version = system.views.version("stock", told["version"])
    assert (entry.state, entry.rows, entry.replayed) == ("replayed", 0, 2)
    assert version is not None
    assert version.body["quality"]["score"] == 100.0
    assert (version.rows, version.body["report"]["quarantined"]) == (10, 0)


def test_status_shows_what_readers_get_since(installation: Installation, feed: Feed) -> None:
    """Rows, those that wait, and the score are those of the version with the mended rows."""
    feed.rows = prices(-1, *GOOD, -200)
    installation.configure(stock())
    installation.run_one()
    installation.configure(stock(ANY))

    with installation.system() as system:
        before = status_of(system, "stock")
        replay(system, ACTOR, "stock")
        after = status_of(system, "stock")
        drop(system, ACTOR, "stock")
        last = status_of(system, "stock")

    assert [(one.rows, one.quarantined) for one in (before, after, last)] == [(8, 2), (9, 1), (9, 0)]
    assert (before.score, after.score) == (80.0, 85.0)


def test_status_shows_the_mended_rows_also_when_the_same_batch_came_again_before(
    installation: Installation, feed: Feed
) -> None:
    """The last run brought nothing new: it delivered the batch that rows joined since."""
    feed.rows = prices(-1, *GOOD)
    installation.configure(stock())
    installation.run_one()
    assert installation.run_one(fresh=True).unchanged
    installation.configure(stock(ANY))

    again(installation)

    with installation.system() as system:
        now = status_of(system, "stock")
    assert (now.rows, now.score) == (9, 100.0)


def test_a_replay_done_twice_adds_nothing(installation: Installation, feed: Feed) -> None:
    """What joined waits no more; what fails still waits, with the same reasons, and no version is made for it."""
    feed.rows = prices(-1, *GOOD, -200)
    installation.configure(stock())
    installation.run_one()
    installation.configure(stock(ANY))
    again(installation)
    before = shelf(installation)

    found = again(installation)

    assert counts(found) == [(1, 0, 1)]
    assert found.replays[0].reasons == {"range(price)": 1}
    assert shelf(installation) == before
    assert len(before) == 9
    assert len(installation.events("batch.accepted")) == 2


def test_rows_that_still_fail_stay_with_their_new_reasons(installation: Installation, feed: Feed) -> None:
    """The score of the new version counts them: part of a batch that waits is no proof that all is well."""
    feed.rows = prices(-1, *GOOD, -200)
    installation.configure(stock())
    installation.run_one()
    other = {"range": {"column": "price", "min": -100}, "id": "floor"}
    installation.configure(stock({"range": other["range"] | {"id": "floor"}}))

    found = again(installation)

    assert found.replays[0].reasons == {"floor": 1}
    with installation.system() as system:
        shown = rows(system, "stock").table.to_pylist()
        version = system.results.newest(system.views.current_of("stock"))
    assert [(row["price"], row["_rules"], row["_row"]) for row in shown] == [(-200, ["floor"], 10)]
    assert version is not None
    assert (version.body["report"]["quarantined"], version.body["quality"]["cap"]["by"]) == (1, "floor")


@pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
def test_the_log_makes_the_same_views_again(
    kind: str, installation: Installation, feed: Feed, request: pytest.FixtureRequest
) -> None:
    """Of rows that came back, that still fail, and that were given up; and readers see the same version."""
    sections = {} if kind == "SQLite" else {"database": {"url": str(request.getfixturevalue("postgres"))}}
    feed.rows = prices(-1, *GOOD, -200, *GOOD)
    installation.configure(stock(), **sections)
    installation.run_one()
    installation.configure(stock(ANY), **sections)
    with installation.system() as system:
        replay(system, ACTOR, "stock")
        drop(system, ACTOR, "stock")
        live, seen = views(system), system.views.current_of("stock")

        system.events.rebuild()

        assert views(system) == live
        assert system.views.current_of("stock") == seen
        (entry,) = listed(system)
    assert (entry.state, entry.replayed, entry.dropped) == ("dropped", 1, 1)


def test_a_copy_within_its_ttl_is_the_one_with_the_mended_rows(installation: Installation, feed: Feed) -> None:
    """The provider is not asked sooner because somebody mended rows."""
    feed.rows = prices(*GOOD, -1)
    installation.configure(stock())
    installation.run_one()
    path = mend(installation, "csv", lambda text: text.replace("9,-1", "9,1"))
    again(installation, file=path)

    served = installation.run_one()

    assert (served.origin, served.rows, len(feed.asked)) == ("cache", 9, 1)
    assert shelf(installation)[-1] == (9, 1)


def test_the_next_collection_of_the_same_content_keeps_the_mended_rows(installation: Installation, feed: Feed) -> None:
    """It is no news; with other content the next batch takes the place of all, as ever."""
    feed.rows = prices(*GOOD, -1)
    installation.configure(stock())
    installation.run_one()
    again(installation, file=mend(installation, "csv", lambda text: text.replace("9,-1", "9,1")))

    same = installation.run_one(fresh=True)
    kept = shelf(installation)
    feed.rows = prices(*GOOD, -1, 12)
    installation.run_one(fresh=True)

    assert (same.unchanged, same.status, kept[-1]) == (True, "succeeded", (9, 1))
    assert shelf(installation) == [*kept[:-1], (10, 12)]


def test_rows_join_once_what_they_refer_to_has_come(installation: Installation) -> None:
    """Rules that look at other datasets see them as they are now."""
    (installation.folder / "items.csv").write_text("id\n" + "".join(f"{n}\n" for n in range(1, 10)))
    (installation.folder / "stock.csv").write_text("id,price\n" + "".join(f"{n},{n}\n" for n in range(1, 11)))
    items = {"name": "items", "collect": {"kind": "file", "path": "items.csv"}}
    rule = {"references": {"column": "id", "dataset": "items", "key": "id"}}
    installation.configure(items, stock(rule, collect={"kind": "file", "path": "stock.csv"}))
    installation.run()
    too_early = again(installation)
    (installation.folder / "items.csv").write_text("id\n" + "".join(f"{n}\n" for n in range(1, 11)))
    installation.run("items", fresh=True)

    found = again(installation)

    assert (counts(too_early), counts(found)) == ([(1, 0, 1)], [(1, 1, 0)])
    assert [number for number, _ in shelf(installation)] == list(range(1, 11))


def test_rows_in_order_are_judged_at_their_places(installation: Installation, feed: Feed) -> None:
    """A row that was too much for another rule fits between its neighbours; at the end it would not."""
    feed.rows = prices(1, 2, 3, 40, 5, 6, 7, 8, 9, 10)
    ordered = {"monotonic": {"column": "id", "strict": True}}
    installation.configure(stock({"range": {"column": "price", "max": 20}}, ordered))
    installation.run_one()
    installation.configure(stock({"range": {"column": "price", "max": 50}}, ordered))

    found = again(installation)

    assert counts(found) == [(1, 1, 0)]
    assert [number for number, _ in shelf(installation)] == list(range(1, 11))
