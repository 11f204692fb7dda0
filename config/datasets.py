"""One named table: where it comes from, how it is read, what must hold, what happens when it does not."""

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PlainValidator,
    PrivateAttr,
    model_validator,
)

from config import blocks
from config.durations import Duration
from config.errors import Fault, Faults, KeyPath, shown
from config.model import Section, laid_over
from config.resilience import DatasetResilience
from config.schedule import ScheduleSettings, TimeOfDay
from config.sections import Zone
from config.variables import is_secret_key, without_user_part

NAME = r"^[a-z0-9_-]{1,64}$"


def _data_time(value: object) -> object:
    """`filename` needs the pattern of the file's name behind it."""
    if isinstance(value, str) and value.split(" ")[0] == "filename":
        pattern = value[len("filename") :].strip()
        if len(pattern) < 3 or pattern[0] not in "\"'" or pattern[-1] != pattern[0] or "%" not in pattern:
            raise Fault(
                f"expected `filename` with a quoted pattern, got {shown(value)}",
                hint='Write it like: filename "rates_%Y%m%d.csv".',
            )
    return value


def _scalar(value: object) -> object:
    """A cursor is text, a number, or nothing."""
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return value
    raise Fault(f"expected a text or a number, got {shown(value)}")


def _cursor_format(value: str) -> str:
    if value not in ("iso", "epoch_s", "epoch_ms") and "%" not in value:
        raise Fault(
            f"expected iso, epoch_s, epoch_ms or a strftime format, got {shown(value)}",
            hint="Write it like: format: '%Y%m%d'.",
        )
    return value


def _start(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError as error:
        raise Fault(f"expected a date, got {shown(value)}", hint='Write it like: start: "2024-01-01".') from error
    return value


_ASKED_WITH = {
    "incremental": re.compile(r"(?<!\{)\{ *cursor *[:}]"),
    "partition": re.compile(r"(?<!\{)\{ *partition\.\w+ *[:}]"),
}


def _first_with(placeholder: re.Pattern[str], value: Any) -> str | None:
    """The first text in a block as written that has a placeholder."""
    if isinstance(value, str):
        return value if placeholder.search(value) else None
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return next((found for item in inside if (found := _first_with(placeholder, item)) is not None), None)


class PromiseSettings(Section):
    """How fresh a dataset must be for its readers: at most `max_age` seconds old, or there by `due`. None: no promise.

    Attributes:
        due: A wall time; by then the data of the day must be there, on each day of the calendar.
        zone: Of `due` and the calendar's days; None: `app.zone`.
        calendar: The name of a calendar. Of `max_age`: days off do not make data older.
    """

    max_age: Duration | None = None
    due: TimeOfDay | None = None
    zone: Zone | None = None
    calendar: str | None = None

    @property
    def made(self) -> bool:
        """Whether anything is promised."""
        return self.max_age is not None or self.due is not None

    @model_validator(mode="after")
    def _promises_something(self) -> "PromiseSettings":
        if not self.made and (self.calendar is not None or self.zone is not None):
            raise Fault("promises nothing", hint='Add `max_age: 26h`, or `due: "16:30"`.')
        return self


class IncrementalSettings(Section):
    """Only what is new: rows whose `cursor` column is not below the newest value stored, less `lag`.

    Attributes:
        cursor: The column whose values only grow, by its new name.
        initial: Where the first collection starts; None: from the beginning. 0 and "" are starts.
        format: How `{cursor}` is written: `iso`, `epoch_s`, `epoch_ms`, or strftime codes.
        lag: Seconds that the next collection looks back, for rows that come late. Only for times.
        nulls: Rows without a cursor value: `keep` them, or `hold` the batch.
        tie_breaker: A column that orders rows of the same cursor value.
    """

    cursor: Annotated[str, Field(min_length=1)]
    initial: Annotated[Any, BeforeValidator(_scalar)] = None
    format: Annotated[str, AfterValidator(_cursor_format)] = "iso"
    lag: Duration = 0.0
    nulls: Literal["keep", "hold"] = "keep"
    tie_breaker: str | None = None


class PartitionSettings(Section):
    """One table in pieces: each run collects the newest piece that is complete.

    Attributes:
        by: `hour`, `day`, `month`, or a list of keys.
        start: The first piece (a date).
        zone: Where a day begins.
        lag: Seconds after its end at which a piece is complete.
    """

    by: Literal["hour", "day", "month"] | tuple[Annotated[str, Field(min_length=1)], ...]
    start: Annotated[str, AfterValidator(_start)] | None = None
    zone: Zone = "UTC"
    lag: Duration = 0.0


class DriftSettings(Section):
    """What happens to a batch whose columns differ from the table's: new ones, missing ones, ones of another type.

    A column that is missing has nothing that could be discarded.
    """

    new: Literal["evolve", "hold", "discard_row", "discard_value", "freeze"] = "evolve"
    missing: Literal["evolve", "hold", "freeze"] = "hold"
    changed: Literal["evolve", "hold", "discard_row", "discard_value", "freeze"] = "hold"


class QualitySettings(Section):
    """A batch that scores below `minimum` points (0 to 100) is held."""

    minimum: Annotated[float, Field(ge=0, le=100)] = 0.0


_SHARE = Field(gt=0, lt=1)


class ObjectiveSettings(Section):
    """Which share of the time readers shall have data that is fresh, and good; what is missing is the error budget.

    Attributes:
        fresh: Share of the time within the promise; judged only where there is one. None: not judged.
        quality: Share of the time in which the newest delivery was accepted, whole. None: not judged.
        over: Seconds of the window that the shares are of.
    """

    fresh: Annotated[float, _SHARE] | None = 0.99
    quality: Annotated[float, _SHARE] | None = 0.995
    over: Annotated[Duration, Field(ge=3600)] = 30 * 86400.0


class DetectSettings(Section):
    """Anomalies over the dataset's metrics. `rate`: expected false episodes per 1,000 points."""

    enabled: bool = True
    rate: Annotated[float, Field(gt=0, le=1000)] = 0.5
    direction: Literal["both", "up", "down"] = "both"
    ignore_below: Annotated[float, Field(ge=0)] = 0.0
    exclude: tuple[str, ...] = ()


class ProfileSettings(Section):
    """What is measured of the columns beyond what always is: `true`, or the names of some.

    Attributes:
        distinct: How many different values.
        quantiles: `p05 p50 p95 p99` of numbers.
    """

    distinct: bool | tuple[Annotated[str, Field(min_length=1)], ...] = False
    quantiles: bool | tuple[Annotated[str, Field(min_length=1)], ...] = False


class DatasetSettings(Section):
    """One dataset.

    Attributes:
        collect: The `Options` instance of the collector's kind.
        transform: Of a dataset that is made of others: its function. `collect` is then the same, with `depends_on`.
        parse: A `ParseOptions`; `columns`: new name -> `ColumnOptions`; `rules`: the parsed rules, in order.
        zone: Of naive times; inside `Settings` never None, because `defaults.dataset.zone` fills it.
        resilience: Inside `Settings` laid over `defaults.dataset`, so it is what counts.
        snapshot: Absolute once loaded.
    """

    name: Annotated[str, Field(pattern=NAME)]
    description: str = ""
    owner: str = ""
    runbook: str = ""
    tags: tuple[str, ...] = ()
    priority: int = 0
    provider: Annotated[str, Field(min_length=1)] | None = None
    depends_on: tuple[str, ...] = ()
    transform: Annotated[Any, PlainValidator(blocks.transform)] = None
    collect: Annotated[Any, PlainValidator(blocks.collect)] = Field(default=None, validate_default=True)
    parse: Annotated[Any, PlainValidator(blocks.parse)] = Field(default_factory=blocks.default_parse)
    columns: Annotated[dict[str, Any], PlainValidator(blocks.columns)] = Field(default_factory=dict)
    key: tuple[str, ...] = ()
    zone: Zone | None = None
    ambiguous: Literal["infer", "first", "second", "reject"] = "infer"
    nonexistent: Literal["shift", "reject"] = "shift"
    data_time: Annotated[str, BeforeValidator(_data_time), Field(min_length=1)] | None = None
    write: Literal["replace", "append", "merge"] = "replace"
    deletes: Literal["keep", "flag", "remove"] = "keep"
    incremental: IncrementalSettings | None = None
    partition: PartitionSettings | None = None
    drift: DriftSettings = Field(default=DriftSettings(), alias="schema")
    schedule: ScheduleSettings | None = None
    promise: PromiseSettings = PromiseSettings()
    rules: Annotated[tuple[Any, ...], PlainValidator(blocks.rules)] = ()
    quality: QualitySettings = QualitySettings()
    on_fail: Literal["hold", "publish"] = "hold"
    allow_empty: bool = False
    snapshot: Path | None = None
    publish: Annotated[tuple[Any, ...], PlainValidator(blocks.publish)] = ()
    publish_together: bool = False
    keep_raw: Duration = 0.0
    profile: ProfileSettings = ProfileSettings()
    detect: DetectSettings = DetectSettings()
    objective: ObjectiveSettings | None = None
    resilience: DatasetResilience = DatasetResilience()

    _written: dict[str, Any] = PrivateAttr(default_factory=dict)
    _base: Path | None = PrivateAttr(default=None)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_what_was_written(cls, value: Any, handler: ModelWrapValidatorHandler["DatasetSettings"]) -> Any:
        made = handler(value)
        if made.transform is not None:
            made.__dict__["collect"] = made.transform.model_copy(update={"inputs": made.depends_on})
        if isinstance(value, dict):
            made._written = value
            made._check_table("write" in value)
        return made

    def _check_table(self, write_is_written: bool) -> None:
        """How rows are recognised must be known before rows are merged; what is asked for must be there to ask with."""
        if self.incremental is not None and not write_is_written:
            self.__dict__["write"] = "merge"
        found: list[tuple[KeyPath, ValueError, type | None]] = list(self._not_derived())
        if self.write == "merge" and not self.key:
            hint = "`write: merge` needs `key`: what makes a row one row."
            found.append((("key",), Fault("is missing", hint=hint), None))
        for position, sink in enumerate(self.publish):
            if getattr(sink, "mode", None) == "merge" and not self.key:
                hint = "A sink with `mode: merge` needs `key`: what makes a row one row."
                found.append((("publish", position, "mode"), Fault("needs the dataset's `key`", hint=hint), None))
        if (asked := self.objective) is not None:
            promised = self.promise.made
            if asked.fresh is not None and "fresh" in asked.model_fields_set and not promised:
                hint = "Add `promise: {max_age: 26h}`, or write `fresh: null`."
                found.append((("objective", "fresh"), Fault("needs a `promise`", hint=hint), None))
            elif asked.quality is None and (asked.fresh is None or not promised):
                hint = "Give `quality`, or `fresh` together with a `promise`."
                found.append((("objective",), Fault("has nothing to judge", hint=hint), None))
        if self.deletes != "keep" and self.write != "merge":
            found.append((("deletes",), Fault("belongs to `write: merge`"), None))
        if self.incremental is not None and self.partition is not None:
            found.append((("partition",), Fault("does not go with `incremental`", hint="Take one of them."), None))
        found += self._asked_without()
        if found:
            raise Faults(found)

    def _asked_without(self) -> Iterator[tuple[KeyPath, ValueError, type | None]]:
        """The placeholders that need a block which the dataset does not have."""
        collect = self._written.get("collect")
        text = repr(collect)  # most have no such word: they are not walked through
        asking = (("incremental", "cursor", self.incremental), ("partition", "partition.", self.partition))
        for name, word, given in asking:
            if given is None and word in text and (found := _first_with(_ASKED_WITH[name], collect)) is not None:
                hint = f"Add `{name}` to the dataset, or double the braces if the text is meant."
                yield ("collect",), Fault(f"{shown(found)} needs `{name}`", hint=hint), None

    def _not_derived(self) -> Iterator[tuple[KeyPath, ValueError, type | None]]:
        """The keys that speak of a provider, which a dataset that is made of others does not have."""
        if self.transform is None:
            return
        for name in ("provider", "incremental", "partition", "keep_raw"):
            if getattr(self, name):
                hint = "A derived dataset is made of whole tables of ours; nobody is asked."
                yield (name,), Fault("does not go with `transform`", hint=hint), None

    @property
    def base(self) -> Path:
        """The folder at which relative paths of `collect` start: that of the file which names them."""
        return self._private["_base"] or Path()

    @property
    def kind(self) -> str:
        """The kind of `collect`, as written."""
        return str(getattr(self.collect, "kind", None) or self._written.get("collect", {}).get("kind", ""))

    @property
    def written(self) -> dict[str, Any]:
        """The block as written, variables filled in, defaults absent. Not to be changed."""
        written: dict[str, Any] = self._private["_written"]
        return written

    @property
    def _private(self) -> dict[str, Any]:
        """What is no key. By its name pydantic looks for it in three places first, at every use."""
        return self.__pydantic_private__ or {}

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that change with whatever decides what the rows are and how they are judged.

        A rotated credential (`auth`, secrets of `options`, the user part of an address) is no change.
        """
        parts = self._parts("collect", "parse", "columns", "data_time", "rules", "ambiguous", "nonexistent")
        if self.transform is not None:
            parts |= self._parts("transform", "depends_on")
        parts["zone"] = self.zone or "UTC"
        return hashlib.sha256(_canonical(parts)).hexdigest()[:16]

    @cached_property
    def layout(self) -> str:
        """16 hex digits that change with whatever decides what the columns are: `collect`, `parse`, `columns`."""
        return hashlib.sha256(_canonical(self._parts("collect", "transform", "parse", "columns"))).hexdigest()[:16]

    def _parts(self, *names: str) -> dict[str, Any]:
        """Some keys as they are written, if they are."""
        written = self.written
        parts = {name: written[name] for name in names if name in written}
        if isinstance(parts.get("collect"), dict):
            parts["collect"] = _without_credentials(parts["collect"])
        return parts

    def complete(self, defaults: "DatasetDefaults") -> None:
        """Put the defaults under what this dataset says itself. Called once, while `Settings` is made."""
        own = self.resilience
        if own.model_fields_set:
            complete: DatasetResilience = laid_over(defaults, own)
        else:
            complete = defaults
        # Frozen for everybody else; a copy of each of 10,000 datasets would double the time to load them.
        self.__dict__["resilience"] = complete
        self.__dict__["zone"] = self.zone or defaults.zone

    def place(self, base: Path) -> None:
        """Remember where relative paths start. Called once, by the loader."""
        self._base = base


def _without_credentials(collect: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in collect.items() if key != "auth"}
    if isinstance(kept.get("url"), str):
        kept["url"] = without_user_part(kept["url"])
    if isinstance(kept.get("options"), dict):
        named = {"key", "username", "user", "account_key"}
        kept["options"] = {
            key: value for key, value in kept["options"].items() if not is_secret_key(str(key)) and key not in named
        }
    return kept


class DatasetDefaults(DatasetResilience):
    """What every dataset has unless it says otherwise."""

    zone: Zone = "UTC"


def _canonical(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # integers beyond 64 bit, very deep nesting
        return repr(value).encode()
