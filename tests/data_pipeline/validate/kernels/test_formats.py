"""Each form of text against what the standard library knows of it, and against examples of its own page."""

import ipaddress
import uuid
from datetime import date
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.validate.arguments import FORMATS
from data_pipeline.validate.kernels.code_lists import COUNTRIES, CURRENCIES, IBAN_LENGTHS
from data_pipeline.validate.kernels.formats import misformed
from tests.counts import few
from tests.data_pipeline.validate.kernels.judged import judged
from utils.arrow import pa

GOOD = {
    "email": ["a@b.de", "first.last+tag@sub.example.museum", "x" * 64 + "@a.de", "o'neil@a-b.xn--p1ai"],
    "url": [
        "https://a.de",
        "http://localhost:8080/x?y=%C3%A4#z",
        "http://[::1]:80/",
        "ftp://me:secret@10.0.0.1/a;b",
        "s3://bucket.name/key",
        "https://a.de:65535",
    ],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"],
    "iban": [
        "DE89370400440532013000",
        "GB82 WEST 1234 5698 7654 32",
        "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S",
    ],
    "ipv4": ["0.0.0.0", "255.255.255.255", "10.1.20.3"],
    "ipv6": ["::", "1::", "::1", "1:2:3:4:5:6:7::", "::ffff:1.2.3.4", "FE80::1", "1:2:3:4:5:6:1.2.3.4"],
    "country": ["DE", "TUR", "AX"],
    "currency": ["EUR", "XXX", "ZWG"],
    "phone": ["+493012345678", "+1 212-555-1234", "+90.532.123.45.67"],
    "date": ["2024-02-29", "0001-01-01", "9999-12-31"],
}
BAD = {
    "email": [
        "a@b",
        "a..b@c.de",
        ".a@b.de",
        "a@-b.de",
        "a b@c.de",
        "ü@b.de",
        "a@b.de\n",
        "",
        "x" * 65 + "@a.de",
        "@a.de",
    ],
    "url": [
        "//a.de",
        "mailto:a@b.de",
        "https://",
        "http://a b.de",
        "https://a.de/ü",
        "https://a.de:65536",
        " https://a.de",
    ],
    "uuid": [
        "123e4567e89b12d3a456426614174000",
        "{123e4567-e89b-12d3-a456-426614174000}",
        "g23e4567-e89b-12d3-a456-426614174000",
    ],
    "iban": [
        "DE88370400440532013000",
        "DE8937040044053201300",
        "XX12ABCDEFGHIJKLM",
        "de89370400440532013000",
        "DE893 704 0044 0532 0130 00",
        "",
    ],
    "ipv4": ["256.1.1.1", "1.2.3", "01.2.3.4", "1.2.3.4.5", "1.2.3.4/8"],
    "ipv6": [
        "1::2::3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "fe80::1%eth0",
        "12345::",
        ":::",
        "1:2:3:4:5:6:7:1.2.3.4",
    ],
    "country": ["de", "XK", "UK", "Germany", ""],
    "currency": ["eur", "DEM", "€"],
    "phone": ["030 1234567", "+49  301234567", "+123456", "+1234567890123456", "+0123456789", "+49-"],
    "date": ["2023-02-29", "2024-02-30", "2024-2-3", "2024-13-01", "1900-02-29", "01.02.2024", "2024-01-01T00:00"],
}


def test_every_form_has_examples():
    """And no other."""
    assert set(GOOD) == set(BAD) == set(FORMATS)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_each_form_takes_its_own_and_nothing_else(form, kind):
    """Null is not judged; the same of text, long text and categories, in one chunk and in many."""
    values = [None, *GOOD[form], None, *BAD[form]]
    column = pa.array(values, pa.string()).cast(kind)

    for cuts in ((), range(1, len(values))):
        found = judged({"format": {"column": "a", "is": form}}, {"a": column}, list(cuts))

        assert [values[row] for row in found.rows] == BAD[form]
        assert found.counts == (len(BAD[form]), len(values) - 2)


@pytest.mark.parametrize("form", FORMATS)
def test_columns_of_good_values_null_or_nothing_pass(form):
    """Nothing fails where there is nothing wrong."""
    rule = {"format": {"column": "a", "is": form}}

    assert judged(rule, {"a": GOOD[form]}).counts == (0, len(GOOD[form]))
    assert judged(rule, {"a": pa.array([None, None], pa.string())}).counts == (0, 0)
    assert judged(rule, {"a": pa.nulls(2)}).counts == (0, 0)
    assert judged(rule, {"a": pa.array([], pa.string())}).counts == (0, 0)


def test_other_columns_cannot_be_judged_but_dates_are_dates():
    """A number is no text; a column of dates has only days that are."""
    told = judged({"format": {"column": "a", "is": "email"}}, {"a": [1, 2]}).outcome

    assert (told.failed, told.of, told.detail) == (2, 2, "column `a` is int64: it is not text")
    assert judged({"format": {"column": "a", "is": "date"}}, {"a": [date(2024, 2, 29), None]}).counts == (0, 1)


def fails(form: str, text: str) -> bool:
    mask = misformed(form)(pa.array([text]))
    return mask is not None and mask[0].as_py() is True


_ALMOST = st.text("0123456789abcdefABCDEF:.", max_size=24)


@given(
    _ALMOST
    | st.ip_addresses(v=6).map(str)
    | st.ip_addresses(v=6).map(lambda a: a.exploded)
    | st.ip_addresses(v=4).map(str)
)
@settings(max_examples=few(100), deadline=None)
def test_addresses_are_those_of_the_standard_library(text):
    """IPv4 and IPv6, compressed in any way."""

    def known(kind: type) -> bool:
        try:
            kind(text)
        except ValueError:
            return False
        return True

    assert fails("ipv4", text) is not known(ipaddress.IPv4Address)
    assert fails("ipv6", text) is not known(ipaddress.IPv6Address)


@given(st.integers(0, 11).flatmap(lambda at: st.text("0:", min_size=at, max_size=at)))
@settings(max_examples=few(100), deadline=None)
def test_every_place_of_the_double_colon_is_known(text):
    """Short forms are where such patterns go wrong."""
    try:
        ipaddress.IPv6Address(text)
        known = True
    except ValueError:
        known = False

    assert fails("ipv6", text) is not known


@given(st.dates() | st.tuples(st.integers(1, 9999), st.integers(0, 13), st.integers(0, 32)))
@settings(max_examples=few(100), deadline=None)
def test_dates_are_the_days_that_were(day):
    """29 February in leap years only."""
    text = day.isoformat() if isinstance(day, date) else "{:04}-{:02}-{:02}".format(*day)
    try:
        date.fromisoformat(text)
        known = True
    except ValueError:
        known = False

    assert fails("date", text) is not known


@given(
    st.uuids().map(str) | st.uuids().map(lambda found: str(found).upper()) | st.text("0123456789abcdef-", max_size=40)
)
@settings(max_examples=few(100), deadline=None)
def test_uuids_are_those_with_hyphens(text):
    """Of any version."""
    try:
        known = str(uuid.UUID(text)) == text.lower()
    except ValueError:
        known = False

    assert fails("uuid", text) is not known


def _checked(country: str, account: str) -> str:
    """An IBAN with right digits, by the book: letters as numbers, one long number modulo 97."""
    rest = int("".join(str(int(sign, 36)) for sign in f"{account}{country}00")) % 97
    return f"{country}{98 - rest:02}{account}"


@given(st.sampled_from(sorted(IBAN_LENGTHS)), st.data())
@settings(max_examples=few(100), deadline=None)
def test_check_digits_of_an_iban_are_those_of_the_long_number(country, data):
    """In groups or not; any other digits are wrong, and so is any other length."""
    size = IBAN_LENGTHS[country] - 4
    account = data.draw(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=size, max_size=size))
    iban = _checked(country, account)
    other = f"{country}{(int(iban[2:4]) + data.draw(st.integers(1, 96))) % 97:02}{account}"

    assert not fails("iban", iban)
    assert not fails("iban", " ".join(iban[at : at + 4] for at in range(0, len(iban), 4)))
    assert fails("iban", _checked(country, account + "0"))
    if int(other[2:4]) % 97 != int(iban[2:4]) % 97:
        assert fails("iban", other)


def test_countries_are_those_of_the_zone_database():
    """The two-letter codes are the official ones; of three letters there are as many."""
    lines = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text().splitlines()
    official = {line.split("\t")[0] for line in lines if line and not line.startswith("#")}

    assert {code for code in COUNTRIES if len(code) == 2} == official
    assert len([code for code in COUNTRIES if len(code) == 3]) == len(official)
    assert all(len(code) == 3 and code.isupper() for code in CURRENCIES)
