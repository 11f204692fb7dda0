"""Files of versions that were damaged: never served, told once, an older whole version in their place."""

from collections.abc import Callable
from typing import Any

import pytest

from data_pipeline.errors import StoreError
from data_pipeline.store.views import Version
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.health import health
from operations.maintain import maintain
from operations.run import run
from operations.status import status
from tests.integration.feed import Feed
from tests.integration.installation import Installation
from utils.clock import ManualClock

COLLECT = {"kind": "python", "function": "tests.integration.feed:everything"}
PEOPLE = {"name": "people", "collect": COLLECT, "resilience": {"retry": {"attempts": 1}}}
HOUR = 3600.0


def named(name: str, count: int) -> list[dict[str, Any]]:
    return [{"id": number, "name": f"{name}{number * 7919}"} for number in range(count)]


def names(installation: Installation) -> set[str]:
    return {row["name"].rstrip("0123456789") for row in installation.rows("people")}


def flipped(content: bytes, _: bytes) -> bytes:
    """A bit of the footer, which no page's checksum guards."""
    at = content.rindex(b"name") if b"name" in content else len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


SPOILT: dict[str, Callable[[bytes, bytes], bytes | None]] = {
    "a flipped bit": flipped,
    "cut": lambda content, _: content[:-9],
    "empty": lambda _, __: b"",
    "gone": lambda _, __: None,
    "another version's file": lambda _, other: other,
}


def spoil(system: IntegratedSystem, path: str, change: Callable[[bytes, bytes], bytes | None], other: str) -> bytes:
    """Change a stored file; gives what was there."""
    before = system.storage.read_bytes(path)
    after = change(before, system.storage.read_bytes(other))
    if after is None:
        system.storage.delete(path)
    else:
        system.storage.put_bytes(path, after)
    return before


def two_versions(installation: Installation, feed: Feed, count: int, **more: Any) -> list[Version]:
    """Anna an hour ago, bert now; newest first."""
    installation.configure({**PEOPLE, **more})
    clock = ManualClock()
    for name in ("anna", "bert"):
        feed.rows = named(name, count)
        assert installation.run_one(fresh=True, clock=clock).status == "succeeded"
        clock.advance(HOUR)
    with installation.system() as system:
        return system.views.versions("people")


@pytest.mark.parametrize("change", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("count", [3, 20_000], ids=["small", "a file"])
def test_readers_get_the_version_before(
    installation: Installation, feed: Feed, change: Callable[[bytes, bytes], bytes | None], count: int
) -> None:
    """Never the damaged one; the log, `status`, `health` and `show` say what is read in its place and why."""
    bert, anna = two_versions(installation, feed, count)
    with installation.system() as system:
        spoil(system, bert.path, change, anna.path)

    assert names(installation) == {"anna"}
    assert names(installation) == {"anna"}

    (told,) = installation.events("version.damaged")
    assert (told["version"], told["path"]) == (bert.version, bert.path)
    with installation.system() as system:
        (stands,) = status(system).datasets
        checks = {check.name: check for check in health(system).checks}
    assert (stands.status, stands.origin, stands.collected_at) == ("degraded", "last_good", anna.body["collected_at"])
    assert f"version {bert.version} is damaged; serving the last good copy" in (stands.reason or "")
    assert not checks["versions"].healthy
    assert bert.version in checks["versions"].detail
    shown = installation.cli("show", "people", "--json")
    assert shown.code == 0
    assert f"version {bert.version} is damaged; this is the last good copy" in shown.err


@pytest.mark.parametrize("change", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("count", [3, 20_000], ids=["small", "a file"])
def test_a_provider_that_is_away_costs_the_damaged_copy_only(
    installation: Installation, feed: Feed, change: Callable[[bytes, bytes], bytes | None], count: int
) -> None:
    """The fallback serves the version before, with that one's age and version."""
    bert, anna = two_versions(installation, feed, count)
    with installation.system() as system:
        spoil(system, bert.path, change, anna.path)
    feed.breaks_after = 0

    served = installation.run_one(fresh=True)

    assert (served.status, served.origin, served.version) == ("degraded", "last_good", anna.version)
    assert served.collected_at == anna.body["collected_at"]
    assert f"the newer one ({bert.version}) is damaged" in (served.reason or "")
    assert len(installation.events("version.damaged")) == 1
    feed.breaks_after = None
    assert installation.run_one(fresh=True).status == "succeeded"
    assert names(installation) == {"bert"}
    with installation.system() as system:
        assert all(health(system).checks)


def test_what_the_cache_says_of_a_damaged_version_is_not_taken(installation: Installation, feed: Feed) -> None:
    """Within the TTL the provider is asked again; the same answer is a new version."""
    installation.configure(PEOPLE)
    feed.rows = named("anna", 3)
    first = installation.run_one()
    with installation.system() as system:
        spoil(system, f"datasets/people/{first.version}.parquet", flipped, f"datasets/people/{first.version}.parquet")

    again = installation.run_one()

    assert (again.status, again.origin, again.version != first.version) == ("succeeded", "provider", True)
    assert names(installation) == {"anna"}


def test_without_any_whole_version_the_error_says_what_to_do(installation: Installation, feed: Feed) -> None:
    """And so do `status` and a run that gets nothing."""
    versions = two_versions(installation, feed, 3)
    with installation.system() as system:
        for version in versions:
            spoil(system, version.path, flipped, version.path)
    feed.breaks_after = 0

    with pytest.raises(StoreError, match=f"people: version {versions[0].version} is damaged") as refused:
        names(installation)
    with installation.system() as system:
        (stands,) = status(system).datasets
    ran = installation.run_one(fresh=True)

    assert "run people --fresh" in refused.value.hint
    assert (stands.status, stands.rows) == ("failed", 0)
    assert (ran.status, ran.origin) == ("failed", "none")


def test_a_file_from_the_backup_heals(installation: Installation, feed: Feed) -> None:
    """The log says that it is whole again; readers get it, nothing has to run."""
    bert, anna = two_versions(installation, feed, 20_000)
    with installation.system() as system:
        before = spoil(system, bert.path, flipped, anna.path)
    assert names(installation) == {"anna"}
    with installation.system() as system:
        system.storage.put_bytes(bert.path, before)

    assert names(installation) == {"bert"}

    assert [told["version"] for told in installation.events("version.restored")] == [bert.version]
    with installation.system() as system:
        assert all(health(system).checks)
        assert status(system).datasets[0].status == "succeeded"
        replayed = system.views.versions("people")
        system.events.rebuild()
        assert system.views.versions("people") == replayed


def test_maintenance_reads_what_nobody_does(installation: Installation, feed: Feed) -> None:
    """By hand it compares every version; news is exit 1, what is known is told."""
    _, anna = two_versions(installation, feed, 3)
    with installation.system(ManualClock()) as system:
        spoil(system, anna.path, flipped, anna.path)
        first, second = (
            {step.name: step for step in maintain(system, Actor("test")).steps}["storage"] for _ in range(2)
        )

    assert not first.well
    assert anna.path in first.detail
    assert second.well
    assert "1 are damaged" in second.detail


def test_maintenance_keeps_the_copy_that_readers_get(installation: Installation, feed: Feed) -> None:
    """However old it is: the newest version is damaged."""
    bert, anna = two_versions(installation, feed, 3)
    installation.configure(PEOPLE, retention={"versions": {"count": 1, "age": "1s"}})
    with installation.system() as system:
        spoil(system, bert.path, flipped, anna.path)
        maintain(system, Actor("test"))

    assert names(installation) == {"anna"}


def test_nothing_is_added_to_a_damaged_table(installation: Installation, feed: Feed) -> None:
    """Readers get the table before, the run says what to do, `--full` keeps what is whole."""
    table = {**PEOPLE, "write": "append"}
    installation.configure(table)
    for name in ("anna", "bert"):
        feed.rows = named(name, 3)
        installation.run_one(fresh=True)
    with installation.system() as system:
        newest = system.views.versions("people")[0]
        parts = system.results.manifest(newest).parts
        spoil(system, parts[-1].path, flipped, parts[0].path)
    feed.rows = named("cleo", 3)

    ran = installation.run_one(fresh=True)

    assert (ran.status, ran.origin, ran.rows) == ("degraded", "last_good", 3)
    assert "run people --full" in (ran.error or {})["hint"]
    assert names(installation) == {"anna"}
    assert installation.run_one(full=True).status == "succeeded"
    assert "cleo" in names(installation)


def test_a_damaged_version_does_not_go_to_a_sink(installation: Installation, feed: Feed) -> None:
    """The file that went out before stays as it is; the next version goes out."""
    out = installation.folder / "out.csv"
    published = {**PEOPLE, "publish": [{"kind": "file", "path": str(out)}]}
    installation.configure(PEOPLE)
    feed.rows = named("anna", 3)
    installation.run_one()
    installation.configure(published)
    with installation.system() as system:
        version = system.views.versions("people")[0]
        content = bytearray(system.storage.read_bytes(version.path))
        content[content.rindex(b"anna")] ^= 1  # of the statistics or of the rows
        system.storage.put_bytes(version.path, bytes(content))
        dataset = system.settings.dataset("people")
        told = system.outbox.publish([dataset])

    assert [attempt.error is not None and "is damaged" in attempt.error for attempt in told] == [True]
    assert not out.exists()
    feed.rows = named("bert", 3)
    with installation.system() as system:
        run(system, Actor("test"), fresh=True)
    assert "bert" in out.read_text()
