"""Whether a workbook is encrypted, told before it is opened: its reader only says that it knows no such format."""

import io
import zipfile

_OLE = b"\xd0\xcf\x11\xe0"
_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_BIFF_START = b"\x09\x08\x10\x00"
_FILE_PASS, _LONGEST_PREAMBLE = 0x2F, 64
"""The record that begins encryption in .xls ([MS-XLS] 2.4.117), and how many records may stand before it."""


def has_password(data: bytes) -> bool:
    """Of .xlsx and .xlsb (a package within an OLE file), .xls (a record) and .ods (said in its manifest)."""
    if data.startswith(_OLE):
        return _PACKAGE in data or _file_pass(data)
    if data.startswith(b"PK"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open("META-INF/manifest.xml") as manifest:
                return b"encryption-data" in manifest.read(2**20)
        except (KeyError, zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError):
            return False
    return False


def _file_pass(data: bytes) -> bool:
    """The workbook's stream begins at a sector of 512 bytes with a record BOF of 16 bytes."""
    at = data.find(_BIFF_START, 512)
    while at >= 0 and at % 512:
        at = data.find(_BIFF_START, at + 1)
    for _ in range(_LONGEST_PREAMBLE):
        if at < 0 or at + 4 > len(data):
            return False
        kind, size = (int.from_bytes(data[at + start : at + start + 2], "little") for start in (0, 2))
        if kind == _FILE_PASS:
            return True
        at += 4 + size
    return False
