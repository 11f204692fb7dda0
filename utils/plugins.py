"""A user's own modules: each is imported by itself and says what it adds; one that is faulty stops nobody.

def register(plugin):
    late = plugin.event_type("orders.late", "An order is later than promised.")
    plugin.on("dataset.failed", tell_the_team)
    plugin.metric("orders_open", count_orders, unit="orders")
"""

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from utils.events.following import Consumer

__all__ = ["Emit", "EventType", "OwnMetric", "Plugin", "PluginFault", "Plugins", "load"]

Emit = Callable[..., None]
"""Appends an event of a plug-in's own type: `emit(subject, data={})`."""

PARK_AFTER = 3
"""So many failures of one event, and a handler goes on without it."""

_EVENT_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


@dataclass(frozen=True, slots=True)
class EventType:
    """A kind of event that a plug-in appends, and what it says."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class OwnMetric:
    """A number that a function gives when it is asked; None: it was not measured."""

    name: str
    function: Callable[[], float | None]
    unit: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PluginFault:
    """A plug-in that could not be loaded: nothing of it is used. `hint`: what to do."""

    plugin: str
    error: str
    hint: str


class Plugin:
    """What one module adds; its `register` is called with it.

    Args:
        name: The module's.
        append: Takes (type, subject, data, plug-in) of an event to be appended.
        reserved: First segments of event types that are not the plug-ins'.
    """

    def __init__(
        self, name: str, append: Callable[[str, str, dict[str, Any], str], None], reserved: frozenset[str] = frozenset()
    ) -> None:
        self.name = name
        self.event_types: list[EventType] = []
        self.consumers: list[Consumer] = []
        self.metrics: list[OwnMetric] = []
        self._append = append
        self._reserved = reserved

    def event_type(self, name: str, description: str) -> Emit:
        """Name a type of events of your own; gives the function that appends one, `emit(subject, data={})`.

        Raises:
            ValueError: it is not dotted (`orders.late`), has no description, or begins like one of the program's own.
        """
        if not _EVENT_TYPE.fullmatch(name):
            raise ValueError(f"event type {name!r}: write small letters, digits and `_` with dots: orders.late")
        if name.partition(".")[0] in self._reserved:
            raise ValueError(f"event type {name!r}: the program has types of its own that begin so")
        if not description:
            raise ValueError(f"event type {name!r}: say in a sentence what it means")
        self.event_types.append(EventType(name, description))

        def emit(subject: str, data: Mapping[str, Any] = {}) -> None:
            self._append(name, subject, dict(data), self.name)

        return emit

    def on(
        self,
        pattern: str,
        handler: Callable[[Any], object],
        *,
        name: str = "",
        start: Literal["head", "beginning"] = "head",
    ) -> None:
        """Have a function called with every event whose type fits (`run.finished`, `run.*`, `run.**`, `**`).

        It follows the log with a cursor of its own: each event at least once, in order, also those of other processes.
        After three failures of one event it goes on without it.

        Args:
            name: Keeps the cursor over restarts; default: the function's. Two handlers need two names.
            start: Where it begins when it is new: at the `head` of the log, or at its `beginning`.

        Raises:
            ValueError: the pattern or the name cannot be used, or the name is taken.
        """
        from utils.events.following import Consumer

        called = f"plugin.{self.name}.{name or getattr(handler, '__name__', '')}".lower()
        if any(consumer.name == called for consumer in self.consumers):
            raise ValueError(f"handler {called}: this name is taken; give another with `name`")
        self.consumers.append(
            Consumer(name=called, handler=handler, pattern=pattern, start=start, park_after=PARK_AFTER)
        )

    def metric(
        self, name: str, function: Callable[[], float | None], *, unit: str = "", tags: Mapping[str, str] = {}
    ) -> None:
        """Have a number sampled after each run and by `maintain`; it is kept and judged like a recorded one.

        Raises:
            ValueError: the name or a tag cannot be kept.
        """
        from utils.history.series import checked

        checked(name, tags)
        self.metrics.append(OwnMetric(name, function, unit, dict(tags)))


@dataclass(frozen=True, slots=True)
class Plugins:
    """All that could be loaded, and what could not."""

    loaded: tuple[Plugin, ...] = ()
    faults: tuple[PluginFault, ...] = ()


def load(
    modules: Sequence[str],
    append: Callable[[str, str, dict[str, Any], str], None],
    *,
    reserved: frozenset[str] = frozenset(),
) -> Plugins:
    """Import the modules and let each register; never raises for what one of them does."""
    loaded: list[Plugin] = []
    faults: list[PluginFault] = []
    for name in modules:
        plugin = Plugin(name, append, reserved)
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever somebody else's module does
            missing = isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}.")
            hint = "Is its folder listed under `code`?" if missing else "It fails while it is imported: mend it."
            faults.append(PluginFault(name, f"cannot be imported ({_told(error)})", hint))
            continue
        register = getattr(module, "register", None)
        if not callable(register):
            # Other modules of that name come before the folders under `code`.
            where = getattr(module, "__file__", None) or "built into Python"
            hint = f"It is {where}: write `def register(plugin):` in it, or rename yours if that is another one."
            faults.append(PluginFault(name, "has no function `register`", hint))
            continue
        try:
            register(plugin)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            faults.append(PluginFault(name, f"`register` failed ({_told(error)})", "Nothing of it is used: mend it."))
        else:
            loaded.append(plugin)
    return Plugins(tuple(loaded), tuple(faults))


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
