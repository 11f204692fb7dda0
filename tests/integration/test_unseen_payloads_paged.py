"""Pages of well-known public providers that the project never saw, over real HTTP, by configuration alone."""

import json
from datetime import date
from decimal import Decimal

from tests.faulty_server import Answer, Request, as_json
from tests.integration.delivering import deliver
from tests.integration.installation import Installation


def test_pages_of_odata(installation: Installation) -> None:
    """Names with @ and dots; the next page under a name that JMESPath must quote."""

    def answer(request: Request) -> Answer:
        skip = int(request.query.get("$skip", "0"))
        rows = [
            {"@odata.etag": f'W/"{n}"', "ID": n, "Name@odata.type": "#String", "Address": {"City": f"C{n}"}}
            for n in range(skip, skip + 2)
        ]
        more = {"@odata.nextLink": f"http://{request.headers['host']}/odata?$skip={skip + 2}"} if skip < 4 else {}
        return as_json({"@odata.context": "…/$metadata#People", "value": rows, **more})

    rows = deliver(
        installation,
        answer,
        path="/odata",
        collect={"paginate": {"kind": "json_next", "next": '"@odata.nextLink"'}},
        parse={"records": "value"},
        columns={"etag": {"from": "@odata.etag"}, "city": {"from": "Address.City"}},
        key=["ID"],
    )
    assert [(row["ID"], row["city"]) for row in rows] == [(n, f"C{n}") for n in range(6)]
    assert rows[0] == {"etag": 'W/"0"', "ID": 0, "Name@odata.type": "#String", "city": "C0"}


def test_edges_of_graphql(installation: Installation) -> None:
    """A POST with variables; the cursor goes into the body; errors come with status 200."""
    asked = []

    def answer(request: Request) -> Answer:
        body = json.loads(request.body)
        asked.append(body["variables"])
        start = int(body["variables"].get("after") or 0)
        edges = [
            {"cursor": str(n), "node": {"id": f"N{n}", "owner": {"login": "ada"}}} for n in range(start + 1, start + 3)
        ]
        page = {"hasNextPage": start < 2, "endCursor": str(start + 2) if start < 2 else None}
        return as_json({"data": {"repository": {"issues": {"edges": edges, "pageInfo": page}}}})

    rows = deliver(
        installation,
        answer,
        collect={
            "method": "POST",
            "body": {"query": "query($after: String) {{ … }}", "variables": {"first": 2}},
            "paginate": {
                "kind": "cursor",
                "from": "data.repository.issues.pageInfo.endCursor",
                "into": "body.variables.after",
            },
            "success": "!errors",
        },
        parse={"records": "data.repository.issues.edges[*].node"},
    )
    assert rows == [{"id": f"N{n}", "owner.login": "ada"} for n in range(1, 5)]
    assert asked == [{"first": 2}, {"first": 2, "after": "2"}]


def test_pages_of_a_catalogue(installation: Installation) -> None:
    """CKAN: rows in `result.records`, counted by offset; the last page is empty and ends them."""

    def answer(request: Request) -> Answer:
        start = int(request.query["offset"])
        rows = [
            {"_id": n, "Tarih": f"{n:02d}.02.2026", "Değer": f"{n}.234,5"} for n in range(start + 1, min(start + 3, 6))
        ]
        return as_json(
            {"success": True, "result": {"records": rows, "fields": [{"id": "_id", "type": "int"}], "total": 5}}
        )

    rows = deliver(
        installation,
        answer,
        collect={"paginate": {"kind": "offset", "size": 2, "size_param": "limit"}, "success": "success"},
        parse={"records": "result.records", "decimal": ",", "thousands": "."},
        columns={
            "day": {"from": "Tarih", "type": "date", "format": "%d.%m.%Y"},
            "value": {"from": "Değer", "type": "decimal"},
        },
    )
    assert rows == [{"_id": n, "day": date(2026, 2, n), "value": Decimal(f"{n}234.5")} for n in range(1, 6)]


def test_pages_of_columns_and_of_keys_end_with_an_empty_one(installation: Installation) -> None:
    """An object without values is no row, so the pages are over."""

    def columns(request: Request) -> Answer:
        page = int(request.query["page"])
        days = [page * 10, page * 10 + 1] if page < 3 else []
        return as_json({"page": page, "data": {"day": days, "n": [day * 2 for day in days]}})

    def keys(request: Request) -> Answer:
        page = int(request.query["page"])
        return as_json({"page": page, "data": {f"{page}-{n}": {"n": n} for n in range(2)} if page < 3 else {}})

    paged = {"paginate": {"kind": "page"}}
    rows = deliver(installation, columns, collect=paged, parse={"records": "data"})
    assert rows == [{"day": day, "n": day * 2} for day in (10, 11, 20, 21)]
    rows = deliver(installation, keys, collect=paged, parse={"records": "keyed(data)"})
    assert [row["_key"] for row in rows] == ["1-0", "1-1", "2-0", "2-1"]
