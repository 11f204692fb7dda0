"""A dataset whose figures no float holds: whoever shows it must show every digit."""

from decimal import Decimal

EXACT_CSV = """id,amount,at,note
9007199254740993,0.10,2026-01-01T00:00:00Z,"a ""quoted"", one"
9223372036854775807,12345678901234567890.123456789,2026-06-30T23:59:59Z,Zoë
-1,-0.000000001,1999-12-31T12:00:00Z,
"""
EXACT = {
    "name": "exact",
    "collect": {"kind": "file", "path": "exact.csv"},
    "columns": {"id": "integer", "amount": "decimal", "at": "timestamp", "note": "string"},
    "rules": [{"not_null": "id"}, {"range": {"column": "id", "max": 10, "severity": "warning"}}],
}
DECIMALS = [Decimal("0.10"), Decimal("12345678901234567890.123456789"), Decimal("-0.000000001")]
IDS = [9007199254740993, 9223372036854775807, -1]
