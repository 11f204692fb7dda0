"""An installation whose storage is a place in a bucket (the real S3 protocol): the same results, outages, copies."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.store import bucket as bucket_module
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.backup import backup, verify_backup
from operations.health import health
from operations.maintain import maintain
from operations.restore import restore
from operations.step import Step
from tests.integration.feed import Feed
from tests.integration.installation import Installation
from tests.servers.s3 import Bucket, OwnServer

ROOT = Actor("root", "admin")
ONCE = {"retry": {"attempts": 1}}
PEOPLE = {
    "name": "people",
    "collect": {"kind": "python", "function": "tests.integration.feed:everything"},
    "resilience": ONCE,
    "keep_raw": "7d",
}
TABLE = {
    "name": "grows",
    "collect": {"kind": "python", "function": "tests.integration.feed:everything"},
    "write": "append",
    "resilience": ONCE,
    "rules": [{"not_null": "id"}],
}


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"id": number, "name": f"n{number * 7919}"} for number in range(first, first + count)]


def configure(installation: Installation, bucket: Bucket, *datasets: dict[str, Any], **sections: Any) -> None:
    place = {"url": f"s3://{bucket.name}/state", "options": bucket.options}
    installation.configure(*datasets, storage=place, **sections)


def keys(bucket: Bucket) -> list[str]:
    found = bucket.client.list_objects_v2(Bucket=bucket.name).get("Contents", [])
    names = [entry["Key"].removeprefix("state/") for entry in found]
    return [name for name in names if name != ".installation"]


def step(system: IntegratedSystem, name: str) -> Step:
    (found,) = [one for one in maintain(system, ROOT).steps if one.name == name]
    return found


def test_all_that_is_kept_in_files_lies_in_the_bucket_and_is_read_from_there(
    installation: Installation, bucket: Bucket, feed: Feed
) -> None:
    """Versions small and large, parts of tables, raw answers, quarantined rows: with no copy left, all is read."""
    configure(installation, bucket, PEOPLE, TABLE)
    feed.rows = [*rows(30_000), {"id": None, "name": "nobody"}]
    assert installation.run().status == "succeeded"
    feed.rows = rows(5, 50_000)
    assert installation.run(fresh=True).status == "succeeded"
    before = {name: installation.rows(name) for name in ("people", "grows")}
    assert [len(found) for found in before.values()] == [5, 30_005]
    assert {key.partition("/")[0] for key in keys(bucket)} == {"datasets", "tables", "raw", "quarantine"}

    shutil.rmtree(installation.state / "storage")

    assert {name: installation.rows(name) for name in ("people", "grows")} == before
    with installation.system() as system:
        assert len(system.raw.captures("people")) == 2
        assert health(system).healthy
    (people,) = [one for one in installation.run(fresh=True).datasets if one.dataset == "people"]
    assert people.unchanged


def test_while_the_store_is_away_readers_are_served_and_all_recovers(
    installation: Installation,
    own_bucket: Bucket,
    own_s3: OwnServer,
    feed: Feed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was acknowledged is read from its copy; what comes cannot be kept, and the run says so; then it goes on."""
    monkeypatch.setattr(bucket_module, "TRIES", 0)
    configure(installation, own_bucket, PEOPLE)
    feed.rows = rows(20_000)
    assert installation.run_one().status == "succeeded"
    own_s3.stop()
    feed.rows = rows(7)

    served = installation.run_one(fresh=True)

    assert (served.status, served.origin, served.rows) == ("degraded", "last_good", 20_000)
    assert "the connection failed" in (served.reason or "")
    assert "the-secret" not in (served.reason or "")
    assert len(installation.rows("people")) == 20_000
    with installation.system() as system:
        assert [check.name for check in health(system).failed] == ["storage"]
        done = {one.name: one for one in maintain(system, ROOT).steps}
    assert not done["copies"].well
    assert "given up" in done["copies"].detail
    assert done["log"].well

    own_s3.start()

    assert installation.run_one(fresh=True).status == "succeeded"
    assert len(installation.rows("people")) == 7
    assert installation.events("version.damaged") == []
    with installation.system() as system:
        assert health(system).healthy
        assert system.events.verify().fault is None


def test_a_folder_becomes_a_place_in_a_bucket_by_its_configuration(
    installation: Installation, bucket: Bucket, feed: Feed
) -> None:
    """Nothing is asked anew: what lies on disk is read from there, and sent with the next maintenance."""
    installation.configure(PEOPLE, TABLE)
    feed.rows = rows(20_000)
    installation.run()
    configure(installation, bucket, PEOPLE, TABLE)
    feed.rows = rows(3, 20_000)
    assert installation.run(fresh=True).status == "succeeded"
    before = installation.rows("grows")

    with installation.system() as system:
        told = step(system, "copies")
        assert step(system, "copies").detail.startswith("copies removed; 0 blobs sent")

    assert told.well
    assert "blobs sent that the store lacked" in told.detail
    shutil.rmtree(installation.state / "storage")
    assert installation.rows("grows") == before
    with installation.system() as system:
        (storage,) = [one for one in maintain(system, ROOT).steps if one.name == "storage"]
    assert (storage.well, storage.detail) == (True, "versions are as they were written")


def test_copies_beyond_the_limit_go_but_not_those_that_readers_see(
    installation: Installation, bucket: Bucket, feed: Feed
) -> None:
    """`cache.size_limit` bounds them; an older version comes from the store when somebody asks for it."""
    configure(installation, bucket, PEOPLE, cache={"size_limit": "1MB"})
    for first in (0, 100_000, 200_000):
        feed.rows = rows(60_000, first)
        installation.run(fresh=True)
    with installation.system() as system:
        newest, *older = system.views.versions("people")
        assert step(system, "copies").count >= 2
        assert {path.name for path in (installation.state / "storage/datasets/people").iterdir()} == {
            newest.path.rpartition("/")[2]
        }
        assert [system.results.table(version.path).num_rows for version in older] == [60_000, 60_000]


def test_an_object_that_is_lost_is_told_and_an_older_version_served(
    installation: Installation, bucket: Bucket, feed: Feed
) -> None:
    """When there is no copy either; with one, maintenance puts it back."""
    configure(installation, bucket, PEOPLE)
    for count in (5, 20_000):
        feed.rows = rows(count)
        installation.run(fresh=True)
    with installation.system() as system:
        newest = system.views.versions("people")[0]
    bucket.delete(f"state/{newest.path}")
    assert len(installation.rows("people")) == 20_000
    with installation.system() as system:
        assert "1 blobs sent" in step(system, "copies").detail
    assert newest.path in keys(bucket)

    bucket.delete(f"state/{newest.path}")
    shutil.rmtree(installation.state / "storage")
    assert len(installation.rows("people")) == 5
    (told,) = installation.events("version.damaged")
    assert (told["path"], told["reason"]) == (newest.path, "it is gone")


def test_a_damaged_copy_is_no_damaged_version(installation: Installation, bucket: Bucket, feed: Feed) -> None:
    """It is fetched anew."""
    configure(installation, bucket, PEOPLE)
    feed.rows = rows(20_000)
    installation.run()
    with installation.system() as system:
        copy = system.storage.local_path(system.views.versions("people")[0].path)
    copy.write_bytes(b"x" * copy.stat().st_size)

    assert installation.rows("people") == rows(20_000)
    assert installation.events("version.damaged") == []


@pytest.mark.parametrize("copies", [True, False], ids=["with copies", "without"])
def test_a_backup_holds_the_blobs_and_is_restored_beside_the_bucket(
    installation: Installation, bucket: Bucket, feed: Feed, tmp_path: Path, copies: bool
) -> None:
    """Self-contained: it needs the bucket no more; it fills no disk with copies; restored, it goes on in the bucket."""
    configure(installation, bucket, PEOPLE, TABLE)
    feed.rows = rows(20_000)
    installation.run()
    if not copies:
        shutil.rmtree(installation.state / "storage")
    with installation.system() as system:
        made = backup(system, ROOT, tmp_path)
        assert (made.found.versions, made.found.damaged) == (2, ())
    large = [path for path in (installation.state / "storage").rglob("*.parquet") if path.stat().st_size > 16_384]
    assert bool(large) is copies
    for key in (".installation", *keys(bucket)):
        bucket.delete(f"state/{key}")

    elsewhere = Installation(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    elsewhere.config = installation.config
    with elsewhere.system() as lends:
        verify_backup(lends, made.path)
    elsewhere.state = tmp_path / "new"
    with installation.system() as lends:
        restore(lends, ROOT, made.path, elsewhere.state)

    assert elsewhere.rows("people") == rows(20_000)
    assert elsewhere.run("people", fresh=True).status == "succeeded"
    with elsewhere.system() as system:
        assert step(system, "copies").well
    shutil.rmtree(elsewhere.state / "storage")
    assert elsewhere.rows("grows") == rows(20_000)
