"""What a table consists of: its columns, and the Parquet files that hold its rows. One small file a version."""

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["SUFFIX", "Manifest", "Part", "is_manifest", "parts_of"]

SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of a table. `size`: bytes of the file; `nbytes`: about what its rows take in memory."""

    path: str
    rows: int
    size: int
    nbytes: int
    sha256: str
    partition: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A table at one version. A part may have fewer columns or narrower types: what is read is cast to `schema`."""

    schema: "pa.Schema"
    parts: tuple[Part, ...] = ()

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(part.size for part in self.parts)

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self.parts)

    def to_bytes(self) -> bytes:
        """As it is stored: JSON; the schema is Arrow's own form, for names and types in words lose something."""
        return orjson.dumps(
            {
                "format": 1,
                "columns": {field.name: str(field.type) for field in self.schema},
                "schema": base64.b64encode(self.schema.serialize().to_pybytes()).decode(),
                "parts": [
                    {name: getattr(part, name) for name in Part.__slots__ if getattr(part, name) is not None}
                    for part in self.parts
                ],
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> "Manifest":
        """What `to_bytes` wrote.

        Raises:
            ValueError: it is something else.
        """
        from utils.arrow import pa

        try:
            found: dict[str, Any] = orjson.loads(content)
            return cls(pa.ipc.read_schema(pa.py_buffer(base64.b64decode(found["schema"]))), parts_of(content))
        except (KeyError, TypeError, pa.ArrowInvalid) as error:
            raise ValueError(f"not the list of a table's files: {error}") from error


def parts_of(content: bytes) -> tuple[Part, ...]:
    """The files that a list of files names, without its columns, for which Arrow would have to be loaded.

    Raises:
        ValueError: it is no such list.
    """
    try:
        return tuple(Part(**part) for part in orjson.loads(content)["parts"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the list of a table's files: {error}") from error


def is_manifest(path: str) -> bool:
    """Whether a version's path names a table in several files rather than one Parquet file."""
    return path.endswith(SUFFIX)
