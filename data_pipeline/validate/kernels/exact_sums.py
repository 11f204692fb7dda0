"""Sums that are exact, so that no order and no split of the rows changes them: numbers cut into slices of 32 bits.

A number is `sum(slice[k] * 2**(32 * k)) / 10**scale`, and slices add up as 64-bit integers without any rounding, for up
to 2^30 rows. That is the long accumulator of Kulisch ("Computer Arithmetic and Validity", 2nd ed. 2013) with the bins
of Demmel and Nguyen ("Parallel Reproducible Summation", 2015), in as many bins as the values need: one or two for
integers, two or three for amounts in floats.
"""

import math
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline.validate.kernels.columns import CannotJudge
from utils.arrow import compute, pa

if TYPE_CHECKING:
    import numpy as np

    Whole = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["FLOAT", "Slices", "sliced", "total"]

FLOAT = -1
"""The scale of floats: their bins go below zero instead."""

_BITS = 32
_MASK = 2**_BITS - 1
_WORDS = 256 // _BITS
_MOST_DIGITS = 76


class Slices(NamedTuple):
    """Numbers cut up: bin -> one slice a row, zero where there is no value.

    Attributes:
        scale: Digits after the point of decimals; `FLOAT`.
        infinite: Where a row is infinite, 1 or -1; None: no row is.
    """

    scale: int
    bins: "dict[int, Whole]"
    infinite: "Whole | None" = None


def sliced(values: "pa.Array | list[Any]") -> list[Slices]:
    """Cut integers, floats (NaN made null) or decimals; of Python's numbers (None is no value) all kinds there are.

    Raises:
        CannotJudge: these are no numbers.
    """
    if isinstance(values, list):
        return _of_python(values)
    kind = values.type
    if pa.types.is_floating(kind):
        return [_of_floats(_dense(values.cast(pa.float64())))]
    if pa.types.is_decimal(kind):
        return [Slices(kind.scale, _of_words(values, kind.bit_width))]
    if kind == pa.uint64():
        return sliced(values.cast(pa.decimal128(20, 0)))
    if pa.types.is_integer(kind):
        return [Slices(0, _of_integers(_dense(values.cast(pa.int64()))))]
    raise CannotJudge(f"{kind} has no sum")


def total(scale: int, bins: "dict[int, Whole]", count: "Whole") -> "pa.Array":
    """The sums: int64 or a decimal of as many digits as they need, digit for digit; of floats the nearest floats.

    Args:
        count: Values that went into each sum; that of none is null.

    Raises:
        CannotJudge: a sum has more than 76 digits.
    """
    import numpy as np

    none = count == 0
    if scale == FLOAT:
        found = np.zeros(len(count))
        with np.errstate(over="ignore", invalid="ignore"):
            for k in sorted(bins):
                found = found + np.ldexp(bins[k].astype(np.float64), _BITS * k)
        return pa.array(found, mask=none)
    words, sign = _carried(bins, len(count))
    if len(words) <= 2:
        low, high = (*words, sign, sign)[:2]
        whole = low | (high << np.int64(_BITS))
        if bool(((whole >> np.int64(63)) == sign).all()):
            return pa.array(whole, mask=none) if scale == 0 else _decimals([whole, sign], scale, none, pa.decimal128)
    if len(words) > _WORDS:
        raise CannotJudge(f"a sum has more than {_MOST_DIGITS} digits")
    words += [sign] * (_WORDS - len(words))
    pairs = [(words[k] & _MASK) | (words[k + 1] << np.int64(_BITS)) for k in range(0, _WORDS, 2)]
    return _decimals(pairs, scale, none, pa.decimal256)


def _of_integers(whole: "Whole") -> "dict[int, Whole]":
    import numpy as np

    if not whole.size or -(2**_BITS) < whole.min() <= whole.max() < 2**_BITS:
        return {0: whole}
    return {0: whole & np.int64(_MASK), 1: whole >> np.int64(_BITS)}


def _of_words(values: "pa.Array", width: int) -> "dict[int, Whole]":
    """Of decimals, which are whole numbers of 64-bit words, the sign in the highest."""
    import numpy as np

    size = width // 64
    buffer = values.buffers()[1]
    if buffer is None or not len(values):
        return {}
    words = np.frombuffer(buffer, np.dtype("<i8"))[values.offset * size :][: len(values) * size].reshape(-1, size)
    if values.null_count:
        words = np.where(values.is_valid().to_numpy(zero_copy_only=False)[:, None], words, 0)
    low = np.ascontiguousarray(words[:, 0])
    if bool((words[:, 1:] == (low >> np.int64(63))[:, None]).all()):
        return _of_integers(low)
    bins = {}
    for at in range(size):
        bins[2 * at] = words[:, at] & np.int64(_MASK)
        high = words[:, at] >> np.int64(_BITS)
        bins[2 * at + 1] = high if at == size - 1 else high & np.int64(_MASK)
    return bins


def _of_floats(values: Any) -> Slices:
    import numpy as np

    finite = np.isfinite(values)
    infinite = None
    if not finite.all():
        infinite = np.where(finite, 0, np.sign(values)).astype(np.int64)
        values = np.where(finite, values, 0.0)
    bins: dict[int, Whole] = {}
    rest = values
    while (largest := float(np.abs(rest).max(initial=0.0))) > 0.0:
        k = (math.frexp(largest)[1] - 1) // _BITS
        # What is cut off has the higher bits of a float, what stays its lower ones: both are exact, whatever stands
        # beside it, so that the slices of a float are always the same.
        part = np.trunc(np.ldexp(rest, -_BITS * k))
        bins[k] = part.astype(np.int64)
        rest = rest - np.ldexp(part, _BITS * k)
    return Slices(FLOAT, bins or {0: np.zeros(len(values), np.int64)}, infinite)


def _of_python(values: list[Any]) -> list[Slices]:
    import numpy as np

    floats = [value if isinstance(value, float) else 0.0 for value in values]
    exact = [Decimal(value) if isinstance(value, int | Decimal) else Decimal(0) for value in values]
    scale = max((max(0, -int(value.as_tuple().exponent)) for value in exact), default=0)
    with localcontext(Context(prec=1000)):
        whole = [int(value.scaleb(scale)) for value in exact]
    bins: dict[int, Whole] = {}
    while any(whole):
        low = [value if abs(value) <= _MASK else value & _MASK for value in whole]
        bins[len(bins)] = np.array(low, np.int64)
        whole = [(value - part) >> _BITS for value, part in zip(whole, low, strict=True)]
    found = [Slices(scale, bins)]
    return [*found, _of_floats(np.array(floats))] if any(floats) else found


def _dense(values: "pa.Array") -> Any:
    return compute.fill_null(values, 0).to_numpy(zero_copy_only=False)


def _carried(bins: "dict[int, Whole]", rows: int) -> "tuple[list[Whole], Whole]":
    """The sums as words of 32 bits, lowest first, and what goes on above them: 0, or -1 of a negative one."""
    import numpy as np

    words: list[Whole] = []
    carry = np.zeros(rows, np.int64)
    while len(words) <= max(bins, default=-1) or not bool(((carry == 0) | (carry == -1)).all()):
        mine = carry + bins[len(words)] if len(words) in bins else carry
        words.append(mine & np.int64(_MASK))
        carry = mine >> np.int64(_BITS)
    return words, carry


def _decimals(pairs: "list[Whole]", scale: int, none: Any, kind: Any) -> "pa.Array":
    """Decimals of as many digits as the largest has, from words of 64 bits."""
    import numpy as np

    most = 38 if kind is pa.decimal128 else _MOST_DIGITS
    buffer = pa.py_buffer(np.ascontiguousarray(np.stack(pairs, axis=1)).astype("<i8").tobytes())
    valid = pa.array(~none).buffers()[1] if none.any() else None
    found = pa.Array.from_buffers(kind(most, 0), len(none), [valid, buffer])
    bounds = compute.min_max(found).as_py()
    digits = max((len(str(abs(int(bound)))) for bound in bounds.values() if bound is not None), default=1)
    if max(digits, scale) > _MOST_DIGITS:
        raise CannotJudge(f"a sum has more than {_MOST_DIGITS} digits")
    return pa.Array.from_buffers(kind(max(digits, scale), scale), len(none), [valid, buffer])
