"""Rows over the API: in each form, with columns and limit, as a stream, and only when there are others."""

import asyncio
import csv
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.run import run
from operations.show import delivered
from tests.api.conftest import UNBOUND
from tests.api.serving import asked, served
from tests.integration.installation import Installation, environment

ROWS = 300_000

PATH = "/api/v1/datasets/orders/data"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A table of several row groups: numbers, texts with commas and quotes, empty cells."""
    folder = tmp_path_factory.mktemp("large")
    texts = [None if number % 7 == 0 else f'a "{number}", b' for number in range(ROWS)]
    pq.write_table(
        pa.table({"id": range(ROWS), "text": texts, "half": [n / 2 for n in range(ROWS)]}), folder / "t.parquet"
    )
    made = Installation(folder)
    collect = {"kind": "file", "path": str(folder / "t.parquet")}
    made.configure({"name": "orders", "collect": collect, "parse": {"format": "parquet"}}, api=UNBOUND)
    assert made.run_one().rows == ROWS
    return made


def _read(form: str, body: bytes) -> pa.Table:
    if form == "arrow":
        return pa.ipc.open_stream(body).read_all()
    if form == "parquet":
        return pq.read_table(io.BytesIO(body))
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(body.decode())))
        return pa.Table.from_pylist(
            [{"id": int(row["id"]), "text": row["text"] or None, "half": float(row["half"])} for row in rows]
        )
    return pa.Table.from_pylist(
        json.loads(body) if form == "json" else [json.loads(line) for line in body.splitlines()]
    )


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "parquet", "arrow"])
def test_the_rows_are_those_that_readers_get_in_each_form(large: Installation, form: str) -> None:
    """The first rows over the limit of a part, with what forms usually damage."""
    media = {
        "json": "application/json",
        "jsonl": "application/x-ndjson",
        "csv": "text/csv",
        "parquet": "application/vnd.apache.parquet",
        "arrow": "application/vnd.apache.arrow.stream",
    }[form]
    with large.system() as system:
        whole = delivered(system, "orders").table.slice(0, 10_000).to_pylist()

        async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
            named = await client.get(PATH, params={"format": form, "limit": 10_000})
            accepted = await client.get(PATH, params={"limit": 10_000}, headers={"Accept": media})
            return [named, accepted]

        answers = asked(system, talk)

    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] == media
        assert answer.headers["x-rows"] == str(ROWS)
        assert _read(form, answer.content).to_pylist() == whole


def test_a_whole_table_comes_in_its_order_and_only_the_columns_that_were_asked_for(large: Installation) -> None:
    """Over several row groups; in the order of the query."""
    with large.system() as system:

        async def talk(client: httpx.AsyncClient) -> list[bytes]:
            several = {"format": "arrow", "columns": ["half", "id"]}
            listed = {"format": "arrow", "columns": "half,id"}
            return [(await client.get(PATH, params=query)).content for query in (several, listed)]

        first, second = asked(system, talk)

    table = pa.ipc.open_stream(first).read_all()
    assert first == second
    assert table.column_names == ["half", "id"]
    assert table["id"].to_pylist() == list(range(ROWS))


def test_rows_come_again_only_when_there_are_others(tmp_path: Path) -> None:
    """`If-None-Match`: of the version, the form and the query."""
    made = Installation(tmp_path)
    file = tmp_path / "in.csv"
    file.write_text("id\n1\n")
    made.configure({"name": "orders", "collect": {"kind": "file", "path": str(file)}}, api=UNBOUND)
    made.run()
    with made.system() as system:

        async def talk(client: httpx.AsyncClient) -> list[int]:
            query = {"format": "csv", "limit": 5}
            tag = (await client.get(PATH, params=query)).headers["etag"]
            known = {"If-None-Match": tag}
            same = await client.get(PATH, params=query, headers=known)
            other = await client.get(PATH, params={**query, "limit": 2}, headers=known)
            assert (same.content, same.headers["etag"]) == (b"", tag)
            file.write_text("id\n1\n2\n")
            await asyncio.to_thread(run, system, Actor("test"), ["orders"], fresh=True)
            newer = await client.get(PATH, params=query, headers=known)
            assert newer.text == "id\r\n1\r\n2\r\n"
            return [same.status_code, other.status_code, newer.status_code]

        assert asked(system, talk) == [304, 200, 200]


def test_a_form_that_there_is_not_is_refused(large: Installation) -> None:
    """406 with what there is."""
    with large.system() as system:

        async def talk(client: httpx.AsyncClient) -> httpx.Response:
            return await client.get(PATH, headers={"Accept": "application/xml"})

        answer = asked(system, talk)

    assert answer.status_code == 406
    assert "application/vnd.apache.arrow.stream" in answer.json()["hint"]


def test_a_stream_begins_before_it_is_read_to_its_end(large: Installation) -> None:
    """The first part is there while the others are not read yet; who leaves keeps nothing open."""
    with large.system() as system, served(system) as url:
        opened: list[Any] = []
        real = system.results.batches

        def batches(path: str, columns: Any = None) -> Any:
            for batch in real(path, columns):
                opened.append(batch.num_rows)
                yield batch

        system.results.batches = batches  # type: ignore[method-assign]  # counts what is read
        with (
            httpx.Client(base_url=url, timeout=120) as client,
            client.stream("GET", PATH, params={"format": "arrow"}) as answer,
        ):
            first = next(answer.iter_raw(1024))
            assert first
            assert sum(opened) < ROWS
        with httpx.Client(base_url=url, timeout=120) as client:
            assert client.get(PATH, params={"limit": 1}).status_code == 200


def test_a_damaged_part_cuts_the_stream_and_says_so_before_if_it_is_the_first(large: Installation) -> None:
    """What is half is never taken for whole: the connection breaks, or it is a problem."""
    from data_pipeline.errors import StoreError

    def broken_after(parts: int) -> Any:
        def batches(path: str, columns: Any = None) -> Any:
            for place, batch in enumerate(real(path, columns)):
                if place == parts:
                    raise StoreError(f"{path}: it is damaged")
                yield batch

        return batches

    with large.system() as system, served(system) as url, httpx.Client(base_url=url, timeout=120) as client:
        real = system.results.batches
        system.results.batches = broken_after(0)  # type: ignore[method-assign]  # as a disk would
        at_once = client.get(PATH, params={"format": "arrow"})
        system.results.batches = broken_after(2)  # type: ignore[method-assign]
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(PATH, params={"format": "arrow"})

    assert at_once.status_code == 503
    assert at_once.headers["content-type"] == "application/problem+json"


def test_quarantined_rows_come_with_their_reasons(tmp_path: Path) -> None:
    """As `quarantine show` tells them."""
    made = Installation(tmp_path)
    rules = [{"range": {"column": "id", "max": 18}}]
    made.configure({"name": "orders", "collect": {"kind": "simulated", "rows": 20}, "rules": rules}, api=UNBOUND)
    made.run()
    with made.system() as system:

        async def talk(client: httpx.AsyncClient) -> httpx.Response:
            return await client.get("/api/v1/quarantine/orders")

        answer = asked(system, talk)

    rows = answer.json()
    assert rows
    assert all(row["_rules"] for row in rows)
    assert all(row["id"] > 18 for row in rows)


def test_what_was_never_delivered_is_a_problem_with_what_to_do(system: IntegratedSystem) -> None:
    """Not an empty table."""

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(PATH)

    answer = asked(system, talk)

    assert answer.status_code == 409
    assert answer.json()["hint"] == "run it: `run orders`"


@pytest.mark.prove
def test_ten_million_rows_take_no_more_memory_than_a_few(tmp_path: Path) -> None:
    """A server in a process of its own sends them all as an Arrow stream, with at most 100 MB more than before."""
    with pq.ParquetWriter(tmp_path / "t.parquet", pa.schema({"id": pa.int64(), "half": pa.float64()})) as writer:
        for start in range(0, 10_000_000, 1_000_000):
            ids = pa.array(range(start, start + 1_000_000), pa.int64())
            writer.write_table(pa.table({"id": ids, "half": pc.divide(ids.cast(pa.float64()), 2.0)}))
    made = Installation(tmp_path)
    collect = {"kind": "file", "path": str(tmp_path / "t.parquet")}
    made.configure({"name": "orders", "collect": collect, "parse": {"format": "parquet"}}, api=UNBOUND)
    assert made.cli("run", "--json").code == 0
    command = made.command("api", "--port", "0", "--json")
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            with httpx.Client(base_url=json.loads(server.stdout.readline())["url"], timeout=120) as client:
                client.get(PATH, params={"format": "arrow", "limit": 1}).raise_for_status()
                before = _peak(server.pid)
                with client.stream("GET", PATH, params={"format": "arrow"}) as answer:
                    size = sum(len(part) for part in answer.iter_raw())
                after = _peak(server.pid)
        finally:
            server.terminate()

    assert size > 160_000_000
    assert after - before <= 100_000_000


def _peak(pid: int) -> int:
    """The most bytes of memory that a process ever held."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024


@pytest.mark.parametrize(
    "after", [1, 131_072, 200_001, ROWS - 1, ROWS], ids=["one", "a group", "more", "all but one", "all"]
)
def test_rows_behind_the_first_are_those_that_follow(large: Installation, after: int) -> None:
    """Over the bounds of row groups, of all columns and of one."""
    with large.system() as system:
        whole = delivered(system, "orders").table

        async def talk(client: httpx.AsyncClient) -> list[bytes]:
            asked_for = {"format": "arrow", "after": after, "limit": 2}
            return [
                (await client.get(PATH, params={**asked_for, **more})).content for more in ({}, {"columns": "half"})
            ]

        rows, one = (pa.ipc.open_stream(body).read_all() for body in asked(system, talk))

    assert rows.to_pylist() == whole.slice(after, 2).to_pylist()
    assert one.to_pylist() == whole.select(["half"]).slice(after, 2).to_pylist()
