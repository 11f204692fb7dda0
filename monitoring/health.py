"""Is it well? What a named check found, with a truth value, and ready for any writer of JSON."""

from typing import Any

__all__ = ["HealthResult", "HealthResults"]


class HealthResult(dict[str, Any]):
    """What one check found. True when it is well.

    It is a dict, so `json.dumps`, orjson, Flask and FastAPI write it as it is, alone or within others; code reads the
    attributes. What is not known is left out of the JSON.

    Args:
        name: Of the check.
        healthy: Whether it is well.
        detail: In words, for a person.
        kind: What was looked at: `function http tcp database disk heartbeat`; "" for a check of the program itself.
        response_s: How long the answer took, seconds.
        checked_at: When; RFC 3339, UTC.
        explained_by: The failed check that this one depends on: it is no trouble of its own.

    >>> disk = HealthResult("disk", False, "3 MB free", kind="disk")
    >>> bool(disk), disk.detail
    (False, '3 MB free')
    >>> import json
    >>> json.dumps(disk)
    '{"name": "disk", "healthy": false, "detail": "3 MB free", "kind": "disk"}'
    """

    __slots__ = ()

    def __init__(
        self,
        name: str,
        healthy: bool,
        detail: str = "",
        *,
        kind: str = "",
        response_s: float | None = None,
        checked_at: str | None = None,
        explained_by: str | None = None,
    ) -> None:
        super().__init__(name=name, healthy=healthy, detail=detail)
        more = {"kind": kind or None, "response_s": response_s, "checked_at": checked_at, "explained_by": explained_by}
        self.update({key: value for key, value in more.items() if value is not None})

    def __bool__(self) -> bool:
        return self.healthy

    @property
    def name(self) -> str:
        return str(self["name"])

    @property
    def healthy(self) -> bool:
        return bool(self["healthy"])

    @property
    def detail(self) -> str:
        return str(self["detail"])

    @property
    def kind(self) -> str:
        return str(self.get("kind", ""))

    @property
    def response_s(self) -> float | None:
        return self.get("response_s")

    @property
    def checked_at(self) -> str | None:
        return self.get("checked_at")

    @property
    def explained_by(self) -> str | None:
        return self.get("explained_by")

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints of it."""
        return dict(self)


class HealthResults(dict[str, HealthResult]):
    """Results by the name of their check. True when all are well, also when there are none."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return self.healthy

    @property
    def healthy(self) -> bool:
        return all(self.values())

    @property
    def failed(self) -> list[HealthResult]:
        """Those that are not well by themselves: what another one explains is left out."""
        return [result for result in self.values() if not result and result.explained_by is None]
