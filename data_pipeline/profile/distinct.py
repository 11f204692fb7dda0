"""How many different values a column has: exactly up to 1,024, beyond that by HyperLogLog, within about 2 %.

Flajolet, Fusy, Gandouet, Meunier, "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm", AofA
2007, with 64-bit hashes and a sparse beginning as Heule, Nunkesser and Hall propose ("HyperLogLog in practice", EDBT
2013), and the estimator of Ertl ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), which needs
no tables and is right for small and large counts alike. With 2^14 registers its standard error is 0.8 %.
"""

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.hashing import HASH

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Distinct"]

_PRECISION = 14
_REGISTERS = 1 << _PRECISION
_MOST_RANK = 64 - _PRECISION + 1
_EXACT = 1024
_AT_ONCE = 16_384
"""Hashes worked on together: what is made of them stays in the processor's cache."""
_LOOK = 4096
"""So many values are looked at first: if they differ too much already, the rest is not sorted."""


@dataclass(frozen=True, slots=True)
class Distinct:
    """The different hashes seen, while they are few; then the greatest rank in each register.

    Which of the two it is depends on the values alone, never on how they were split.

    Attributes:
        few: The different hashes in order, little-endian uint64; empty when there were more than 1,024.
        registers: One byte each; empty while `few` holds them all.
    """

    few: bytes = b""
    registers: bytes = b""

    @classmethod
    def of(cls, hashes: "NDArray[np.uint64]") -> "Distinct":
        """Of one chunk; see `data_pipeline.hashing`."""
        if len(hashes) > _LOOK and len(_different(hashes[:_LOOK])) > _EXACT:
            return cls(registers=_ranked(hashes).tobytes())
        return cls._of_different(_different(hashes))

    @classmethod
    def _of_different(cls, hashes: "NDArray[np.uint64]") -> "Distinct":
        if len(hashes) > _EXACT:
            return cls(registers=_ranked(hashes).tobytes())
        return cls(few=hashes.astype("<u8").tobytes())

    def merge(self, other: "Distinct") -> "Distinct":
        """What the values of both hold; the order does not matter."""
        if not self.registers and not other.registers:
            return self._of_different(_different(np.concatenate([self._hashes(), other._hashes()])))
        return Distinct(registers=np.maximum(self._ranks(), other._ranks()).tobytes())

    @property
    def exact(self) -> bool:
        """Whether the count is the true one."""
        return not self.registers

    def count(self) -> int:
        """How many different values there are: exact up to 1,024, else an estimate."""
        if not self.registers:
            return len(self.few) // 8
        counts = np.bincount(self._ranks(), minlength=_MOST_RANK + 1).tolist()
        size = float(_REGISTERS)
        found = size * _tau(1.0 - counts[_MOST_RANK] / size)
        for rank in range(_MOST_RANK - 1, 0, -1):
            found = 0.5 * (found + counts[rank])
        return round(size * size / (2.0 * math.log(2.0) * (found + size * _sigma(counts[0] / size))))

    def to_json(self) -> dict[str, Any]:
        kind = "registers" if self.registers else "few"
        return {"hash": HASH, "precision": _PRECISION, kind: base64.b64encode(self.registers or self.few).decode()}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Distinct":
        """What `to_json` wrote.

        Raises:
            ValueError: it was made with another hash or another number of registers.
        """
        if (made := (found["hash"], found["precision"])) != (HASH, _PRECISION):
            raise ValueError(f"a sketch made with {made} cannot be merged with those of {(HASH, _PRECISION)}")
        return cls(**{kind: base64.b64decode(found[kind]) for kind in ("few", "registers") if kind in found})

    def _hashes(self) -> "NDArray[np.uint64]":
        return np.frombuffer(self.few, "<u8")

    def _ranks(self) -> "NDArray[np.uint8]":
        return np.frombuffer(self.registers, np.uint8) if self.registers else _ranked(self._hashes())


def _different(hashes: "NDArray[np.uint64]") -> "NDArray[np.uint64]":
    # numpy.unique takes a hundred times as long (its hash table), and a set needs Python's numbers.
    ordered = np.sort(hashes)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def _ranked(hashes: "NDArray[np.uint64]") -> "NDArray[np.uint8]":
    """The registers: of the hashes that begin with its number, the greatest place of the first one among the rest."""
    registers = np.zeros(_REGISTERS, np.uint8)
    for start in range(0, len(hashes), _AT_ONCE):
        some = hashes[start : start + _AT_ONCE]
        rest = (some << np.uint64(_PRECISION)) | np.uint64(1 << (_PRECISION - 1))
        rest &= ~(rest >> np.uint64(1))  # its highest bit stays, and it is not rounded up to the next power of two
        ranks = (1087 - (rest.astype(np.float64).view(np.int64) >> 52)).astype(np.uint8)
        np.maximum.at(registers, (some >> np.uint64(64 - _PRECISION)).astype(np.intp), ranks)
    return registers


def _sigma(share: float) -> float:
    """Ertl's correction for registers that nothing fell into; infinite when that is all of them."""
    if share == 1.0:
        return math.inf
    power, found, factor = share, share, 1.0
    while True:
        power *= power
        before, found = found, found + power * factor
        factor += factor
        if found == before:
            return found


def _tau(share: float) -> float:
    """Ertl's correction for registers that are full."""
    if share in (0.0, 1.0):
        return 0.0
    found, factor = 1.0 - share, 1.0
    while True:
        share = math.sqrt(share)
        before, factor = found, 0.5 * factor
        found -= (1.0 - share) ** 2 * factor
        if found == before:
            return found / 3.0
