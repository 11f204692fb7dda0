"""The `format` rule: text in one of a few well-known forms.

What a form is, and where that is written down, stands beside each. The whole text must be of the form: blanks around
it, a line break behind it or another case of a code are no part of it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from data_pipeline.validate.kernels.code_lists import COUNTRIES, CURRENCIES, IBAN_LENGTHS
from data_pipeline.validate.kernels.columns import CannotJudge, Check, Chunk
from data_pipeline.validate.kernels.days import DAY, no_day
from utils.arrow import compute, pa

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = ["format_", "misformed"]

Misformed = Callable[[Any], "pa.BooleanArray | None"]
"""From an array of text to where it is not of a form; null where there is no text, None: it is everywhere."""

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_GROUP = "[0-9A-Fa-f]{1,4}"
_PORT = r"(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"


def _ipv6() -> str:
    """Eight groups, of which `::` may stand for one or more; the last two may be an IPv4 address (RFC 4291, 2.2)."""
    last_two = f"(?:{_GROUP}:{_GROUP}|{_IPV4})"
    forms = [f"(?:{_GROUP}:){{6}}{last_two}"]
    for before in range(8):  # groups before `::`
        front = f"{_GROUP}(?::{_GROUP}){{{before - 1}}}" if before else ""
        most = 7 - before  # groups behind it
        backs = [] if most < 1 else [f"(?:{_GROUP}:){{0,{most - 1}}}{_GROUP}"]
        if most >= 2:
            backs.append(f"(?:{_GROUP}:){{0,{most - 2}}}{_IPV4}")
        forms.append(f"{front}::(?:{'|'.join(backs)})?" if backs else f"{front}::")
    return "|".join(forms)


_IPV6 = _ipv6()
_PATTERNS = {
    # Dot-atoms and host names of RFC 5321 with a top-level domain; quoted names and bare addresses are not mail.
    "email": rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?:[A-Za-z]{{2,63}}|[Xx][Nn]--[A-Za-z0-9-]{{1,59}})",
    # RFC 3986 with `//` and a host; what is not ASCII must be percent-encoded, as it is on the wire.
    "url": (
        r"[A-Za-z][A-Za-z0-9+.-]*://"
        r"(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?"
        rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|\[(?:{_IPV6})\])(?::{_PORT})?"
        r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?"
        r"(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
        r"(?:#(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
    ),
    # RFC 9562: 32 hexadecimal digits with hyphens, of any version.
    "uuid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    # RFC 6943, 3.1.1, strict: four decimal numbers without leading zeros.
    "ipv4": _IPV4,
    "ipv6": _IPV6,
    # E.164 with its plus: 7 to 15 digits, in groups if you like.
    "phone": r"\+[1-9](?:[ .-]?[0-9]){6,14}",
    # ISO 8601, extended form, of days that were.
    "date": DAY,
    # As it is stored, or as it is printed: in groups of four with one blank between them (ISO 13616).
    "iban": r"[A-Z]{2}[0-9]{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?)",
}
_LISTS = {"country": COUNTRIES, "currency": CURRENCIES}
_MOST_MAIL, _MOST_LOCAL = 254, 64  # RFC 5321, 4.5.3.1, as RFC 3696 (errata 1690) reads it

_call = {
    name: compute.get_function(name) for name in ("match_substring_regex", "is_in", "invert", "and_kleene", "or_kleene")
}


def format_(rule: "Rule", at: int, type_: "pa.DataType") -> Check:
    """Fails where the text is not of the form that `is` names. A column of dates holds dates."""
    wanted = rule.params["is"]
    types = pa.types
    if wanted == "date" and types.is_date(type_):
        return lambda chunk: (chunk.rows - chunk.arrays[at].null_count, None)
    if not (types.is_string(type_) or types.is_large_string(type_)):
        raise CannotJudge("it is not text")
    fails = misformed(wanted)

    def check(chunk: Chunk) -> tuple[int, Any]:
        array = chunk.arrays[at]
        return chunk.rows - array.null_count, fails(array)

    return check


def misformed(form: str) -> Misformed:
    """What tells where text is not of a form; see `arguments.FORMATS` for their names."""
    if form in _LISTS:
        return _not_in(pa.array(sorted(_LISTS[form])))
    shaped = _not_shaped(_PATTERNS[form])
    further = {"email": _too_long, "date": no_day, "iban": _bad_digits}.get(form)
    if further is None:
        return shaped

    def fails(array: Any) -> Any:
        mask = shaped(array)
        left = array if mask is None else compute.if_else(mask, pa.scalar(None, array.type), array)
        more = further(left)
        if more is None:
            return mask
        more = compute.fill_null(more, False)
        return more if mask is None else _call["or_kleene"].call([mask, more])

    return fails


def _not_in(values: "pa.Array") -> Misformed:
    def fails(array: Any) -> Any:
        found = _call["is_in"].call([array], compute.SetLookupOptions(values.cast(array.type), skip_nulls=True))
        if found.true_count == len(array) - array.null_count:
            return None
        return _call["and_kleene"].call([_call["invert"].call([found]), compute.is_valid(array)])

    return fails


def _not_shaped(pattern: str) -> Misformed:
    options = compute.MatchSubstringOptions(rf"\A(?:{pattern})\z")

    def fails(array: Any) -> Any:
        found = _call["match_substring_regex"].call([array], options)
        return _call["invert"].call([found]) if found.false_count else None

    return fails


def _too_long(array: Any) -> Any:
    """Where an address has more than 254 characters, or more than 64 before its `@`. All are ASCII by now."""
    longest = compute.greater(compute.binary_length(array), _MOST_MAIL)
    local = compute.greater(compute.find_substring(array, pattern="@"), _MOST_LOCAL)
    mask = compute.or_(longest, local)
    return mask if mask.true_count else None


def _bad_digits(array: Any) -> Any:
    """Where an IBAN has not the length of its country, or its check digits are wrong (ISO 7064, mod 97-10)."""
    import numpy as np

    bare = compute.replace_substring(array, pattern=" ", replacement="")
    country = compute.utf8_slice_codeunits(bare, 0, 2)
    known, lengths = list(IBAN_LENGTHS), pa.array(list(IBAN_LENGTHS.values()))
    wanted = lengths.take(compute.index_in(country, value_set=pa.array(known, array.type), skip_nulls=True))
    length = compute.binary_length(bare)
    right_length = compute.fill_null(compute.equal(length, wanted), False)
    checked = right_length.to_numpy(zero_copy_only=False)
    failing = np.zeros(len(array), bool)
    failing[compute.is_valid(array).to_numpy(zero_copy_only=False)] = True
    if checked.any():
        failing[checked] = _remainders(bare.filter(right_length).cast(pa.string())) != 1
    return pa.array(failing) if failing.any() else None


def _remainders(texts: "pa.Array") -> Any:
    """Each text read from its fifth character on, the first four last, `A` as 10: what is left of it modulo 97."""
    import numpy as np

    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    signs = np.frombuffer(data, np.uint8)
    starts, lengths = bounds[:-1], np.diff(bounds)
    rest = np.zeros(len(texts), np.int32)
    for place in (*range(4, int(lengths.max())), 0, 1, 2, 3):
        inside = lengths > place
        sign = signs[np.where(inside, starts + place, 0)].astype(np.int32)
        letter = sign >= ord("A")
        following = np.where(letter, rest * 100 + sign - 55, rest * 10 + sign - 48) % 97
        rest = np.where(inside, following, rest)
    return rest
