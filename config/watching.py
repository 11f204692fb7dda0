"""How this host is watched, protected and healed: `monitor`, `protector`, `healing`."""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from config.database_url import database_url
from config.durations import Duration, SomeTime
from config.errors import Fault, shown
from config.model import Names, Section, listed
from config.sections import host_and_port
from config.temporary_roots import why_not_a_root

__all__ = [
    "HEALING_ACTIONS",
    "HealingActionSettings",
    "HealingSettings",
    "HealthCheckSettings",
    "Limits",
    "MonitorSettings",
    "ProtectorSettings",
    "ScopeSettings",
    "ThresholdSettings",
]

LEVELS = ("IDLE", "NORMAL", "INTENSIVE", "CRITICAL")
CHECKS = ("http", "tcp", "function", "database", "disk", "heartbeat")


def _limits(value: object) -> object:
    """Two percentages: from the first on it is a warning, from the second on critical."""
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(_is_percent(one) for one in value):
        raise Fault(f"expected two percentages, got {shown(value)}", hint="Write for example `[70, 85]`.")
    if value[0] > value[1]:
        raise Fault(f"the warning at {value[0]} % lies above the critical at {value[1]} %", hint="Swap the two.")
    return (float(value[0]), float(value[1]))


def _is_percent(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


Limits = Annotated[tuple[float, float], BeforeValidator(_limits)]
"""Percent from which on it is a warning, and critical."""


class ThresholdSettings(Section):
    """Percent, per resource: warning, critical."""

    cpu: Limits = (70.0, 85.0)
    memory: Limits = (75.0, 90.0)
    disk: Limits = (80.0, 95.0)


def _web_address(value: str) -> str:
    hint = "Write for example `https://shop.example.org/health`."
    try:
        parts = urlsplit(value)
        well = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        well = False
    if not well or any(sign.isspace() for sign in value):
        raise Fault("expected an address that begins with `http://` or `https://`", hint=hint)  # it may hold a password
    return value


def _host_and_port(value: str) -> str:
    host_and_port(value)
    return value


def _function(value: str) -> str:
    module, colon, name = value.partition(":")
    if not colon or not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise Fault(
            f"expected `module:function`, got {shown(value)}",
            hint="Write for example `my_checks:shop_is_open`; the folder of the module stands under `code`.",
        )
    return value


def _database(value: str) -> str:
    if value.startswith("sqlite:///") and len(value) > len("sqlite:///"):
        return value
    if not value.startswith(("postgresql://", "postgresql+psycopg://")):
        raise Fault(
            "expected the address of a database, PostgreSQL or SQLite",  # it may hold a password: not shown
            hint="Write `postgresql://user:${PASSWORD}@host:5432/database`, or `sqlite:////folder/file.db`.",
        )
    return database_url(value)


def _series_name(value: str) -> str:
    if re.fullmatch(r"(?!__)[A-Za-z_][A-Za-z0-9_]{0,63}", value) is None:
        raise Fault(
            f"{shown(value)} is no name of a heartbeat",
            hint="Letters, digits and `_`, as in `record-metric backup_done 1`.",
        )
    return value


class HealthCheckSettings(Section):
    """A named check; exactly one of `http tcp function database disk heartbeat` says what is looked at.

    `every`, `timeout` in seconds; `parent`: the check that explains this one when it fails too.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
    http: Annotated[str, AfterValidator(_web_address)] | None = None
    tcp: Annotated[str, AfterValidator(_host_and_port)] | None = None
    function: Annotated[str, AfterValidator(_function)] | None = None
    database: Annotated[str, AfterValidator(_database)] | None = None
    disk: Annotated[str, Field(min_length=1)] | None = None
    heartbeat: Annotated[str, AfterValidator(_series_name)] | None = None
    every: SomeTime = 30.0
    timeout: SomeTime = 5.0
    parent: str | None = None

    @model_validator(mode="after")
    def _looks_at_one_thing(self) -> "HealthCheckSettings":
        given = [kind for kind in CHECKS if getattr(self, kind) is not None]
        if len(given) != 1:
            told = f"names {' and '.join(given)}" if given else "names nothing to look at"
            raise Fault(f"check {shown(self.name)} {told}", hint=f"Give exactly one of {', '.join(CHECKS)}.")
        return self

    @property
    def kind(self) -> str:
        """Which of them."""
        return next(kind for kind in CHECKS if getattr(self, kind) is not None)


class MonitorSettings(Section):
    """The watch on this host. `level`: where it begins, and comes back to."""

    enabled: bool = True
    level: Literal["IDLE", "NORMAL", "INTENSIVE", "CRITICAL"] = "NORMAL"
    thresholds: ThresholdSettings = ThresholdSettings()
    health: tuple[HealthCheckSettings, ...] = ()


def _program(value: str) -> str:
    if not value or "/" in value:
        hint = "Write it as `ps -o comm` shows it, without its folder: `worker`."
        raise Fault(f"expected the name of a program, got {shown(value)}", hint=hint)
    return value


def _cgroup(value: str) -> str:
    if value and (not value.startswith("/") or not value.removeprefix("/sys/fs/cgroup").strip("/")):
        hint = "Write its path below /sys/fs/cgroup, as /proc/PID/cgroup shows it: `/user.slice/jobs.scope`."
        raise Fault(f"expected the path of one cgroup, got {shown(value)}", hint=hint)
    return value


Program = Annotated[str, AfterValidator(_program)]
"""A program's name, as the kernel tells it."""


class ScopeSettings(Section):
    """Which processes the protector may touch at all; empty: our own children only. Of several parts all must hold."""

    names: Annotated[tuple[Program, ...], BeforeValidator(listed)] = ()
    users: Names = ()
    cgroup: Annotated[str, AfterValidator(_cgroup)] = ""


class ProtectorSettings(Section):
    """What is done when the host suffocates. Off, and only told (`dry_run`), unless asked for."""

    enabled: bool = False
    mode: Literal["dev", "test", "prod"] = "dev"
    dry_run: bool = True
    scope: ScopeSettings = ScopeSettings()
    protected: Annotated[tuple[Program, ...], BeforeValidator(listed)] = ()


def _root(value: Path) -> Path:
    if why := why_not_a_root(value):
        raise Fault(f"{shown(str(value))} cannot be swept: {why}", hint="Name a folder of temporary files alone.")
    return value


class HealingActionSettings(Section):
    """One kind of treatment. `cooldown` in seconds; `paths`: what `clean_temporary` may look into.

    `enabled`, `dry_run`: what is not given is true and false; of `reapply_network` false and true.
    """

    enabled: bool = True
    dry_run: bool = False
    cooldown: Duration = 600.0
    max_per_hour: Annotated[int, Field(ge=0)] = 3
    paths: tuple[Annotated[Path, AfterValidator(_root)], ...] = ()


HEALING_ACTIONS = (
    *("collect_garbage", "clean_caches", "clean_temporary"),
    *("reap_zombies", "reapply_network", "restart_component"),
)
"""The treatments that are built in; a handler of the user's may have any other name."""


def _action(value: str) -> str:
    near = get_close_matches(value, HEALING_ACTIONS, n=1, cutoff=0.75)
    if value not in HEALING_ACTIONS and near:
        hint = f"There are {', '.join(HEALING_ACTIONS)}; and treatments of your own, with names that look like none."
        raise Fault(f"no treatment is called {shown(value)}; did you mean `{near[0]}`?", hint=hint)
    return value


class HealingSettings(Section):
    """Treatments by name; one that is not named has the defaults of the program."""

    enabled: bool = True
    actions: dict[Annotated[str, AfterValidator(_action)], HealingActionSettings] = Field(default_factory=dict)

    def action(self, name: str) -> HealingActionSettings:
        """How an action is taken, named or not: the network is only touched where somebody says so, and twice."""
        asked = self.actions.get(name, HealingActionSettings())
        if name != "reapply_network":
            return asked
        careful = {"enabled": False, "dry_run": True}
        return asked.model_copy(update={key: careful[key] for key in careful.keys() - asked.model_fields_set})

    @model_validator(mode="after")
    def _only_one_has_paths(self) -> "HealingSettings":
        for name, action in self.actions.items():
            if action.paths and name != "clean_temporary":
                hint = "Move them to `clean_temporary`."
                raise Fault(f"`paths` of {shown(name)}: only `clean_temporary` looks into folders", hint=hint)
        return self


def health_faults(settings: MonitorSettings) -> list[tuple[tuple[Any, ...], ValueError, type | None]]:
    """Names given twice, and parents that are none or go in circles."""
    found: list[tuple[tuple[Any, ...], ValueError, type | None]] = []
    parents: dict[str, str | None] = {}
    for position, check in enumerate(settings.health):
        if check.name in parents:
            fault = Fault(f"{shown(check.name)} is named twice", hint="Rename one of the two.")
            found.append((("monitor", "health", position, "name"), fault, None))
        parents[check.name] = check.parent
    for position, check in enumerate(settings.health):
        if check.parent is None:
            continue
        here = ("monitor", "health", position, "parent")
        if check.parent not in parents:
            hint = f"Named are: {', '.join(parents)}."
            found.append((here, Fault(f"{shown(check.parent)} is no check", hint=hint), None))
        elif _is_its_own_ancestor(check.name, parents):
            hint = "A parent explains its children; it cannot be one of them."
            found.append((here, Fault(f"{shown(check.name)} is its own ancestor", hint=hint), None))
    return found


def _is_its_own_ancestor(name: str, parents: dict[str, str | None]) -> bool:
    seen, at = set[str](), parents.get(name)
    while at is not None and at not in seen:
        if at == name:
            return True
        seen.add(at)
        at = parents.get(at)
    return False
