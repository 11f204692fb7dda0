"""Seven blocks of daily life, by configuration alone, each against the real thing."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests import faulty_server as fault
from tests.data_pipeline.collect.token_server import CLIENT, SECRET, TokenServer
from tests.faulty_server import Answer, FaultyServer, Request
from tests.integration.installation import Installation
from tests.postgres import execute
from tests.servers.s3 import Bucket, bucket, s3_endpoint  # noqa: F401 - fixtures
from tests.servers.sftp import SftpServer, sftp_server  # noqa: F401 - a fixture
from utils.clock import ManualClock

# 1. An OAuth partner API with POST paging and a cursor


class Partner:
    """Orders behind a token; pages of two by POST; only what changed since, when told so."""

    def __init__(self) -> None:
        self.orders = [{"id": n, "total": f"{n}.50", "updated_at": f"2026-03-0{n}T10:00:00Z"} for n in range(1, 6)]
        self.bodies: list[dict[str, Any]] = []

    def answer(self, request: Request) -> Answer:
        asked = json.loads(request.body)
        self.bodies.append(asked)
        since = asked["filter"].get("updated_since") or ""
        wanted = [order for order in self.orders if order["updated_at"] >= since]
        start = int(asked.get("page", {}).get("after") or 0)
        following = start + 2 if start + 2 < len(wanted) else None
        return fault.as_json({"data": {"orders": wanted[start : start + 2]}, "meta": {"next": following}})


def test_an_oauth_partner_with_post_paging_and_a_cursor(installation: Installation) -> None:
    """All pages the first time; the second time only what changed, merged by key."""
    partner = Partner()
    with TokenServer() as tokens, FaultyServer() as server:
        server.answer = tokens.protecting(partner.answer)
        installation.configure(
            {
                "name": "orders",
                "provider": "partner",
                "collect": {
                    "kind": "http",
                    "url": "/v2/orders/search",
                    "method": "POST",
                    "body": {"filter": {"updated_since": "{cursor}"}, "limit": 2},
                    "paginate": {"kind": "cursor", "from": "meta.next", "into": "body.page.after"},
                },
                "parse": {"records": "data.orders"},
                "columns": {"total": "decimal", "updated_at": "timestamp"},
                "key": ["id"],
                "incremental": {"cursor": "updated_at", "lag": "1h"},
                "rules": [{"unique": "id"}],
            },
            providers={
                "partner": {
                    "base_url": f"http://{server.host}",
                    "auth": {
                        "kind": "oauth2",
                        "token_url": tokens.url,
                        "client_id": CLIENT,
                        "client_secret": SECRET,
                    },
                }
            },
        )

        first = installation.run_one(fresh=True)
        assert (first.status, first.rows) == ("succeeded", 5), first.reason
        assert len(partner.bodies) == 3

        partner.orders[0] |= {"total": "99.99", "updated_at": "2026-03-06T10:00:00Z"}
        partner.orders.append({"id": 6, "total": "6.50", "updated_at": "2026-03-07T10:00:00Z"})
        second = installation.run_one(fresh=True)

    assert (second.status, second.rows) == ("succeeded", 3), second.reason  # 5 again (it equals the cursor), 1, 6
    assert partner.bodies[3]["filter"]["updated_since"] == "2026-03-05T09:00:00Z"
    assert tokens.count == 1
    table = {row["id"]: str(row["total"]) for row in installation.rows("orders")}
    assert table == {1: "99.99", 2: "2.50", 3: "3.50", 4: "4.50", 5: "5.50", 6: "6.50"}


# 2. A nightly zipped CSV by SFTP with a ready marker


def zipped(**members: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"{name}.csv", text)
    return file.getvalue()


def test_a_nightly_zip_by_sftp_with_a_ready_marker(
    installation: Installation,
    sftp_server: SftpServer,  # noqa: F811 - a fixture
) -> None:
    """Not before its marker is there; each night's file once; what was read is not read again."""
    installation.configure(
        {
            "name": "stock",
            "collect": {
                "kind": "object_store",
                "url": sftp_server.url("nightly/stock_*.zip!stock.csv"),
                "options": sftp_server.options,
                "ready": "*.done",
            },
            "write": "append",
            "rules": [{"not_null": ["sku"]}],
        }
    )
    folder = sftp_server.root / "nightly"
    folder.mkdir()
    (folder / "stock_20260301.zip").write_bytes(zipped(stock="sku,count\na,1\nb,2\n", notes="x\n1\n"))
    waiting = installation.run_one(fresh=True)
    assert (waiting.status, waiting.origin) == ("failed", "none")
    assert "done" in (waiting.reason or "")

    (folder / "stock_20260301.done").touch()
    first = installation.run_one(fresh=True)
    assert (first.status, first.rows) == ("succeeded", 2), first.reason

    (folder / "stock_20260302.zip").write_bytes(zipped(stock="sku,count\na,5\n"))
    nothing_new = installation.run_one(fresh=True)
    assert (nothing_new.status, nothing_new.unchanged) == ("succeeded", True), nothing_new.reason

    (folder / "stock_20260302.done").touch()
    second = installation.run_one(fresh=True)
    assert (second.status, second.rows) == ("succeeded", 1), second.reason
    assert [(row["sku"], row["count"]) for row in installation.rows("stock")] == [("a", 1), ("b", 2), ("a", 5)]


# 3. A sheet's CSV export whose headings change, and which sometimes is a login page with status 200


def test_a_sheet_whose_headings_change_and_that_sometimes_is_a_login_page(installation: Installation) -> None:
    """New headings are found by their aliases; the login page never replaces the rows, and says what it is."""
    with FaultyServer(fault.ok(b'Produkt,Preis (EUR),Stand\nA,"1,50",01.03.2026\n', "text/csv")) as server:
        installation.configure(
            {
                "name": "prices",
                "collect": {"kind": "http", "url": server.url, "success": "^(?i)(produkt|product|artikel)"},
                "parse": {"format": "csv", "decimal": ","},
                "columns": {
                    "product": {"from": "Produkt", "aliases": ["Product", "Artikel"], "type": "string"},
                    "price": {"from": "Preis (EUR)", "aliases": ["Price", "Preis"], "type": "decimal"},
                    "as_of": {"from": "Stand", "aliases": ["As of"], "type": "date", "format": "%d.%m.%Y"},
                },
                "rules": [{"not_null": ["product", "price"]}],
            }
        )
        assert installation.run_one(fresh=True).rows == 1

        server.answer = fault.ok(b'Artikel,Preis,Stand\nA,"1,60",02.03.2026\nB,2,02.03.2026\n', "text/csv")
        renamed = installation.run_one(fresh=True)
        assert (renamed.status, renamed.rows) == ("succeeded", 2), renamed.reason

        server.answer = fault.html()
        login = installation.run_one(fresh=True)

    assert (login.status, login.origin, login.rows) == ("degraded", "last_good", 2)
    assert "Sign in" in (login.reason or "") or "HTML" in (login.reason or "")
    found = [(row["product"], row["price"]) for row in installation.rows("prices")]
    assert found == [("A", Decimal("1.60")), ("B", Decimal(2))]


# 4. A PostgreSQL replica table with cursor and tie-breaker


def test_a_postgresql_replica_with_cursor_and_tie_breaker(installation: Installation, postgres: str) -> None:
    """Rows of one and the same moment that come between two runs are neither lost nor doubled."""
    execute(
        postgres,
        "CREATE TABLE orders (id bigint PRIMARY KEY, amount numeric(20, 4), updated_at timestamptz)",
        "INSERT INTO orders VALUES (1, 1.0001, '2026-03-01T10:00:00Z'), (2, 2, '2026-03-01T10:00:00Z')",
    )
    installation.configure(
        {
            "name": "orders",
            "collect": {
                "kind": "sql",
                "url": postgres,
                "query": "SELECT * FROM orders WHERE updated_at >= {cursor} ORDER BY updated_at, id",
            },
            "key": ["id"],
            "incremental": {"cursor": "updated_at", "initial": "2000-01-01T00:00:00Z", "tie_breaker": "id"},
            "rules": [{"unique": "id"}],
        }
    )
    assert installation.run_one(fresh=True).rows == 2

    execute(
        postgres,
        "INSERT INTO orders VALUES (3, 9007199254740993.0001, '2026-03-01T10:00:00Z')",  # the very same moment
        "UPDATE orders SET amount = 20, updated_at = '2026-03-02T10:00:00Z' WHERE id = 2",
    )
    second = installation.run_one(fresh=True)

    assert second.status == "succeeded", second.reason
    assert {row["id"]: str(row["amount"]) for row in installation.rows("orders")} == {
        1: "1.0001",
        2: "20.0000",
        3: "9007199254740993.0001",
    }
    nothing = installation.run_one(fresh=True)
    assert nothing.status == "succeeded"
    assert len(installation.rows("orders")) == 3


# 5. A daily S3 prefix `dt=…` with `_SUCCESS`


def test_a_daily_s3_prefix_with_success_marker(installation: Installation, bucket: Bucket) -> None:  # noqa: F811
    """A day's folder is read when its marker is there; collected again, it replaces that day's rows only."""
    installation.configure(
        {
            "name": "events",
            "collect": {
                "kind": "object_store",
                "url": f"s3://{bucket.name}/events/dt={{partition.key}}/*.csv",
                "options": bucket.options,
                "ready": "_SUCCESS",
            },
            "partition": {"by": "day"},
            "rules": [{"not_null": ["id"]}],
        }
    )
    clock = ManualClock(datetime(2026, 3, 2, 3, 0, tzinfo=UTC))
    bucket.put("events/dt=2026-03-01/part-0.csv", b"id,n\n1,1\n2,2\n")
    early = installation.run_one(fresh=True, clock=clock)
    assert early.status == "failed"

    bucket.put("events/dt=2026-03-01/_SUCCESS", b"")
    first = installation.run_one(fresh=True, clock=clock)
    assert (first.status, first.rows) == ("succeeded", 2), first.reason

    clock.advance(timedelta(days=1).total_seconds())
    bucket.put("events/dt=2026-03-02/part-0.csv", b"id,n\n3,3\n")
    bucket.put("events/dt=2026-03-02/part-1.csv", b"id,n\n4,4\n")
    bucket.put("events/dt=2026-03-02/_SUCCESS", b"")
    second = installation.run_one(fresh=True, clock=clock)
    assert (second.status, second.rows) == ("succeeded", 2), second.reason
    assert sorted(row["id"] for row in installation.rows("events")) == [1, 2, 3, 4]

    bucket.put("events/dt=2026-03-02/part-1.csv", b"id,n\n4,40\n5,5\n")
    again = installation.run_one(fresh=True, clock=clock)
    assert again.status == "succeeded", again.reason
    assert sorted((row["id"], row["n"]) for row in installation.rows("events")) == [
        (1, 1), (2, 2), (3, 3), (4, 40), (5, 5),
    ]  # fmt: skip


# 6. A SOAP service with namespaces and faults

SOAP = """<?xml version="1.0" encoding="utf-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>{body}</soap:Body></soap:Envelope>"""
RATES = SOAP.format(
    body="""<GetRatesResponse xmlns="http://rates.example.org/"><Rates><Rate code="USD"><Value>1.0812</Value></Rate>
<Rate code="TRY"><Value>46.10</Value></Rate></Rates></GetRatesResponse>"""
)
BUSY = SOAP.format(
    body="<soap:Fault><faultcode>soap:Server</faultcode><faultstring>Busy &amp; tired</faultstring></soap:Fault>"
)


def test_a_soap_service_with_namespaces_and_faults(installation: Installation) -> None:
    """A fault with status 500 or 200 is tried again, never parsed as rows; the request holds the day."""
    faults = [
        fault.status(500, BUSY.encode()),
        fault.ok(BUSY.encode(), "text/xml"),
        fault.ok(RATES.encode(), "text/xml; charset=utf-8"),
    ]
    with FaultyServer(faults) as server:
        installation.configure(
            {
                "name": "rates",
                "collect": {
                    "kind": "http",
                    "url": server.url,
                    "method": "POST",
                    "headers": {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": "GetRates"},
                    "body": SOAP.format(
                        body='<GetRates xmlns="http://rates.example.org/"><Day>{run_date}</Day></GetRates>'
                    ),
                    "transient_when": "//*[local-name() = 'Fault']",
                    "success": "//*[local-name() = 'GetRatesResponse']",
                },
                "parse": {"records": "//r:Rate", "namespaces": {"r": "http://rates.example.org/"}},
                "columns": {"code": "string", "rate": {"from": "Value", "type": "decimal"}},
                "key": ["code"],
                "resilience": {"retry": {"attempts": 4, "initial": "10ms", "max": "20ms"}},
            }
        )
        result = installation.run_one(fresh=True, clock=ManualClock(datetime(2026, 3, 2, 12, 0, tzinfo=UTC)))
        sent = server.requests[-1]

    assert (result.status, result.rows, result.attempts) == ("succeeded", 2, 3), result.reason
    assert b"<Day>2026-03-02</Day>" in sent.body
    assert sent.headers["soapaction"] == "GetRates"
    rows = [(row["code"], row["rate"]) for row in installation.rows("rates")]
    assert rows == [("USD", Decimal("1.0812")), ("TRY", Decimal("46.10"))]


# 7. A page that exists only after 16:00 on business days


@pytest.mark.parametrize(
    ("moment", "promise", "status", "day"),
    [
        ("2026-03-06T15:00", "92h", "degraded", "2026-03-05"),  # Friday, not there yet
        ("2026-03-06T16:05", "92h", "succeeded", "2026-03-06"),
        ("2026-03-07T16:05", "92h", "degraded", "2026-03-06"),  # Saturday
        ("2026-03-09T15:00", "92h", "degraded", "2026-03-06"),  # Monday, not there yet
        ("2026-03-09T16:05", "92h", "succeeded", "2026-03-09"),
        ("2026-03-10T20:00", "30h", "failed", "2026-03-09"),  # Tuesday: the provider forgot it, and the promise breaks
    ],
)
def test_a_page_that_exists_only_after_four_on_business_days(
    installation: Installation, moment: str, promise: str, status: str, day: str
) -> None:
    """Until it is there the last one is served and says so; a 404 opens no circuit; the promise is what is judged."""
    clock = ManualClock(datetime(2026, 3, 5, 16, 30, tzinfo=UTC))

    def page(request: Request) -> Answer:
        asked = datetime.strptime(request.path.rpartition("_")[2], "%Y%m%d.csv").replace(hour=16, tzinfo=UTC)
        there = asked.weekday() < 5 and clock.now() >= asked and asked.day != 10
        return fault.ok(f"date,rate\n{asked:%Y-%m-%d},1.08\n".encode(), "text/csv") if there else fault.status(404)

    with FaultyServer(page) as server:
        installation.configure(
            {
                "name": "fixing",
                "collect": {"kind": "http", "url": f"http://{server.host}/fixing_{{now:%Y%m%d}}.csv"},
                "columns": {"date": "date", "rate": "decimal"},
                "data_time": "date",
                "promise": {"max_age": promise},
                "rules": [{"not_null": ["rate"]}],
            }
        )
        for delivered in ("2026-03-05T16:30", "2026-03-06T16:05", "2026-03-09T16:05"):
            if delivered < moment:
                assert installation.run_one(fresh=True, clock=_at(clock, delivered)).origin == "provider"
        clock = _at(clock, moment)
        result = installation.run_one(fresh=True, clock=clock)

    assert (result.status, result.data_time) == (status, f"{day}T00:00:00.000000Z"), result.reason
    assert installation.events("breaker.opened") == []


def _at(clock: ManualClock, moment: str) -> ManualClock:
    clock.advance((datetime.fromisoformat(moment).replace(tzinfo=UTC) - clock.now()).total_seconds())
    return clock
