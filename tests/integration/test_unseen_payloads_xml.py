"""XML of well-known public providers that the project never saw, over real HTTP, by configuration alone."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tests.integration.delivering import deliver
from tests.integration.installation import Installation

ECB_HISTORY = b"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" \
xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
  <gesmes:subject>Reference rates</gesmes:subject>
  <gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
  <Cube>
    <Cube time="2026-02-13"><Cube currency="USD" rate="1.1866"/><Cube currency="JPY" rate="181.83"/></Cube>
    <Cube time="2026-02-12"><Cube currency="USD" rate="1.1874"/><Cube currency="JPY" rate="182.01"/></Cube>
  </Cube>
</gesmes:Envelope>"""

ECB_DAILY = ECB_HISTORY.replace(b'<Cube time="2026-02-12">', b"<!--").replace(b'rate="182.01"/></Cube>', b"-->")

SDMX_GENERIC = b"""<?xml version="1.0" encoding="UTF-8"?>
<message:GenericData xmlns:message="http://www.sdmx.org/resources/sdmxml/schemas/v2_1/message"
  xmlns:generic="http://www.sdmx.org/resources/sdmxml/schemas/v2_1/data/generic">
  <message:Header><message:ID>a1</message:ID><message:Prepared>2026-02-13T15:00:00Z</message:Prepared></message:Header>
  <message:DataSet action="Replace" validFromDate="2026-02-13T15:00:00Z">
    <generic:Series>
      <generic:SeriesKey>
        <generic:Value id="FREQ" value="D"/><generic:Value id="CURRENCY" value="USD"/>
      </generic:SeriesKey>
      <generic:Attributes><generic:Value id="DECIMALS" value="4"/></generic:Attributes>
      <generic:Obs>
        <generic:ObsDimension value="2026-02-12"/><generic:ObsValue value="1.1874"/>
        <generic:Attributes><generic:Value id="OBS_STATUS" value="A"/></generic:Attributes>
      </generic:Obs>
      <generic:Obs>
        <generic:ObsDimension value="2026-02-13"/><generic:ObsValue value="NaN"/>
        <generic:Attributes>
          <generic:Value id="OBS_STATUS" value="H"/><generic:Value id="OBS_CONF" value="F"/>
        </generic:Attributes>
      </generic:Obs>
    </generic:Series>
    <generic:Series>
      <generic:SeriesKey>
        <generic:Value id="FREQ" value="D"/><generic:Value id="CURRENCY" value="JPY"/>
      </generic:SeriesKey>
      <generic:Obs><generic:ObsDimension value="2026-02-12"/><generic:ObsValue value="182.01"/></generic:Obs>
    </generic:Series>
  </message:DataSet>
</message:GenericData>"""

TREASURY = b"""<?xml version="1.0" encoding="utf-8" standalone="yes"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices"
  xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">
  <title type="text">DailyTreasuryYieldCurveRateData</title>
  <id>http://data.treasury.gov/Feed.svc/DailyTreasuryYieldCurveRateData</id>
  <updated>2026-02-13T21:02:11Z</updated>
  <entry>
    <id>http://data.treasury.gov/Feed.svc/DailyTreasuryYieldCurveRateData(9032)</id>
    <title type="text"></title><updated>2026-02-13T21:02:11Z</updated><author><name/></author>
    <category term="TreasuryDataWarehouseModel" scheme="http://schemas.microsoft.com/ado/2007/08/dataservices/scheme"/>
    <content type="application/xml"><m:properties>
      <d:NEW_DATE m:type="Edm.DateTime">2026-02-12T00:00:00</d:NEW_DATE>
      <d:BC_1MONTH m:type="Edm.Double">3.72</d:BC_1MONTH><d:BC_2YEAR m:type="Edm.Double">3.47</d:BC_2YEAR>
    </m:properties></content>
  </entry>
  <entry>
    <id>http://data.treasury.gov/Feed.svc/DailyTreasuryYieldCurveRateData(9033)</id>
    <title type="text"></title><updated>2026-02-13T21:02:11Z</updated><author><name/></author>
    <category term="TreasuryDataWarehouseModel" scheme="http://schemas.microsoft.com/ado/2007/08/dataservices/scheme"/>
    <content type="application/xml"><m:properties>
      <d:NEW_DATE m:type="Edm.DateTime">2026-02-13T00:00:00</d:NEW_DATE>
      <d:BC_1MONTH m:type="Edm.Double" m:null="true"/><d:BC_2YEAR m:type="Edm.Double">3.40</d:BC_2YEAR>
    </m:properties></content>
  </entry>
</feed>"""

RSS = b"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:georss="http://www.georss.org/georss">
  <channel><title>Alerts</title><link>https://alerts.example</link>
    <lastBuildDate>Fri, 13 Feb 2026 16:00:00 GMT</lastBuildDate>
    <item><title><![CDATA[Flood <orange> in A & B]]></title><pubDate>Fri, 13 Feb 2026 15:30:00 GMT</pubDate>
      <guid isPermaLink="false">FL1</guid><category>flood</category><category>orange</category>
      <georss:point>41.0 29.1</georss:point></item>
    <item><title>Quake</title><pubDate>Fri, 13 Feb 2026 18:30:00 +0300</pubDate>
      <guid isPermaLink="false">EQ2</guid><category>quake</category></item>
  </channel>
</rss>"""


@pytest.mark.parametrize("records", ["//*[@rate]", "/Envelope/Cube/Cube/Cube"], ids=["an XPath", "a plain path"])
def test_reference_rates_of_the_central_bank(installation: Installation, records: str) -> None:
    """The date is an attribute of the element around the rates."""
    rows = deliver(
        installation,
        ECB_HISTORY,
        "text/xml",
        parse={"records": records},
        columns={"date": {"from": "../@time", "type": "date"}, "rate": "decimal"},
        key=["date", "currency"],
        data_time="date",
        rules=[{"unique": ["date", "currency"]}],
    )
    assert [tuple(row.values()) for row in rows] == [
        (date(2026, 2, 13), "USD", Decimal("1.1866")),
        (date(2026, 2, 13), "JPY", Decimal("181.83")),
        (date(2026, 2, 12), "USD", Decimal("1.1874")),
        (date(2026, 2, 12), "JPY", Decimal("182.01")),
    ]


def test_reference_rates_of_one_day(installation: Installation) -> None:
    """What stands once in the document belongs to each row: the day, the sender."""
    rows = deliver(
        installation,
        ECB_DAILY,
        "text/xml",
        parse={"records": "/Envelope/Cube/Cube/Cube"},
        columns={"date": {"from": "../@time", "type": "date"}, "sender": {"from": "/Envelope/Sender/name"}},
    )
    day = {"date": date(2026, 2, 13), "sender": "European Central Bank"}
    assert rows == [{**day, "currency": "USD", "rate": 1.1866}, {**day, "currency": "JPY", "rate": 181.83}]


def test_series_in_generic_sdmx(installation: Installation) -> None:
    """The key of a series stands beside its observations, as pairs of name and value; NaN is no value."""
    key = "../generic:SeriesKey/generic:Value[@id='CURRENCY']/@value"
    rows = deliver(
        installation,
        SDMX_GENERIC,
        "application/vnd.sdmx.genericdata+xml;version=2.1",
        parse={"records": "//generic:Obs"},
        columns={
            "currency": {"from": key},
            "status": {"from": ".//generic:Value[@id='OBS_STATUS']/@value"},
            "date": {"from": "ObsDimension.value", "type": "date"},
            "rate": {"from": "ObsValue.value", "type": "decimal"},
        },
        key=["currency", "date"],
    )
    assert [(row["currency"], row["date"], row["rate"], row["status"]) for row in rows] == [
        ("USD", date(2026, 2, 12), Decimal("1.1874"), "A"),
        ("USD", date(2026, 2, 13), None, "H"),
        ("JPY", date(2026, 2, 12), Decimal("182.01"), None),
    ]


def test_yields_of_the_treasury(installation: Installation) -> None:
    """Atom around OData around the figures; a null is an attribute."""
    rows = deliver(
        installation,
        TREASURY,
        "application/atom+xml",
        parse={"records": "//m:properties", "attributes": False},
        columns={
            "day": {"from": "NEW_DATE", "type": "timestamp"},
            "entry": {"from": "../../id"},
            "month": {"from": "BC_1MONTH", "type": "decimal"},
        },
        zone="America/New_York",
        data_time="day",
    )
    base = "http://data.treasury.gov/Feed.svc/DailyTreasuryYieldCurveRateData"
    assert rows == [
        {
            "entry": f"{base}(9032)",
            "day": datetime(2026, 2, 12, 5, tzinfo=UTC),
            "month": Decimal("3.72"),
            "BC_2YEAR": 3.47,
        },
        {"entry": f"{base}(9033)", "day": datetime(2026, 2, 13, 5, tzinfo=UTC), "month": None, "BC_2YEAR": 3.40},
    ]


def test_a_feed_of_alerts(installation: Installation) -> None:
    """CDATA, dates as in mail with two offsets, what repeats in one item only."""
    rows = deliver(
        installation,
        RSS,
        "application/rss+xml",
        parse={"records": "/rss/channel/item"},
        columns={
            "at": {"from": "pubDate", "type": "timestamp", "format": "%a, %d %b %Y %H:%M:%S %z"},
            "built": {"from": "../lastBuildDate"},
        },
        key=["guid"],
    )
    assert [row["title"] for row in rows] == ["Flood <orange> in A & B", "Quake"]
    assert [row["category"] for row in rows] == ['["flood","orange"]', '["quake"]']
    assert [row["point"] for row in rows] == ["41.0 29.1", None]
    assert [row["at"] for row in rows] == [datetime(2026, 2, 13, 15, 30, tzinfo=UTC)] * 2
