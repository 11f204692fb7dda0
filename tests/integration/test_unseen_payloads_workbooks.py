"""Workbooks as offices send them, over real HTTP, by configuration alone."""

import io
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tests.integration.delivering import deliver
from tests.integration.installation import Installation


def workbook() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Kurs", "Tag", "Serie"])
    sheet.append([1.5, "13.02.2026", 46066])
    sheet.append(["1,25", date(2026, 2, 14), 46067.25])
    sheet.append([2, "15.02.2026", None])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def open_document() -> bytes:
    """The parts of an .ods that a reader needs, as LibreOffice writes them."""
    cells = [("string", "", "Ürün"), ("string", "", "Adet")], [("string", "", "kağıt"), ("float", "12.5", "12,5")]
    rows = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="{kind}"{f" office:value={value!r}" if value else ""}>'
            f"<text:p>{text}</text:p></table:table-cell>"
            for kind, value, text in row
        )
        + "</table:table-row>"
        for row in cells
    )
    office = "urn:oasis:names:tc:opendocument:xmlns"
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content xmlns:office="{office}:office:1.0" '
        f'xmlns:table="{office}:table:1.0" xmlns:text="{office}:text:1.0" office:version="1.2"><office:body>'
        f'<office:spreadsheet><table:table table:name="Stok">{rows}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<?xml version="1.0" encoding="UTF-8"?><manifest:manifest '
        f'xmlns:manifest="{office}:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", manifest)
    return stream.getvalue()


def test_dates_in_a_workbook_as_text_as_dates_and_as_numbers(installation: Installation) -> None:
    """All three in one sheet, two of them in one column."""
    rows = deliver(
        installation,
        workbook(),
        path="/kurs",
        parse={"decimal": ","},
        columns={
            "Kurs": "decimal",
            "Tag": {"type": "date", "format": "%d.%m.%Y"},
            "Serie": {"type": "timestamp", "format": "excel"},
        },
    )
    midnight = datetime(2026, 2, 13, tzinfo=UTC)
    assert rows == [
        {"Kurs": Decimal("1.50"), "Tag": date(2026, 2, 13), "Serie": midnight},
        {"Kurs": Decimal("1.25"), "Tag": date(2026, 2, 14), "Serie": midnight + timedelta(days=1.25)},
        {"Kurs": Decimal("2.00"), "Tag": date(2026, 2, 15), "Serie": None},
    ]


def test_an_open_document_sheet(installation: Installation) -> None:
    """By name of the sheet, whatever the address is called."""
    rows = deliver(installation, open_document(), path="/stok?format=ods", parse={"format": "excel", "sheet": "Stok"})
    assert rows == [{"Ürün": "kağıt", "Adet": 12.5}]
