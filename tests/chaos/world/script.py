"""What a world is and what happens in it: drawn from a seed before anything runs."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["BY_CHANCE", "MOODS", "Script", "Step", "Table", "draw", "draw_for_processes"]

MOODS = {
    "well": 6,
    "same": 3,
    "bad rows": 3,
    "repeated keys": 1,
    "from the future": 1,
    "mostly bad": 2,
    "wrong types": 1,
    "a column less": 1,
    "empty": 1,
    "flood": 1,
    "down": 4,
    "busy": 1,
    "reset": 1,
    "half": 2,
    "login page": 1,
    "garbage": 1,
    "slow": 1,
    "too slow": 1,
    "every other": 1,
}
"""How a provider behaves, and how often: well, lying, or hardly at all."""

BY_CHANCE = {"mood": 9, "run": 13, "pass": 6, "decide": 3, "restart": 3, "maintain": 2, "disk": 2, "channel": 1}
"""What happens how often in a world of one process."""

MINUTE, HOUR = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class Table:
    """A dataset: who serves it, how its rows enter, how old it may be (seconds; None: nobody was promised anything)."""

    name: str
    provider: str
    format: str = "json"
    write: str = "replace"
    max_age: float | None = None
    tags: bool = False
    """Whether its provider knows ETags."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: to whom, how, and how much (seconds or bytes)."""

    what: str
    about: str = ""
    how: str = ""
    much: float = 0.0

    def __str__(self) -> str:
        much = f"{self.much:+,.0f}" if self.much else ""
        return " ".join(filter(None, (self.what, self.about, self.how, much)))


@dataclass(frozen=True, slots=True)
class Script:
    """A whole world."""

    seed: int
    tables: tuple[Table, ...]
    steps: tuple[Step, ...]
    cache_ttl: str = "15m"

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(table.provider for table in self.tables))


def draw(seed: int, *, steps: int = 18) -> Script:
    """A world of one process, on a clock that is moved."""
    dice = random.Random(seed)
    fragile = dice.random() < 0.4  # the file of small versions is damaged: a table cannot be had again from one batch
    tables = _tables(dice, plain=fragile)
    found: list[Step] = [Step("run")]
    while len(found) < steps:
        found += _by_chance(dice, tables, fragile=fragile)
    return Script(seed, tables, tuple(found), dice.choice(("1s", "15m", "2h")))


def draw_for_processes(seed: int, *, steps: int = 10) -> Script:
    """A world of several processes that are stopped, held up and killed."""
    dice = random.Random(seed)
    fragile = dice.random() < 0.4
    tables = _tables(dice, plain=True)
    found: list[Step] = [Step("serve", how=dice.choice(("", "serve")))]
    kinds = {"mood": 6, "runs": 8, "signal": 4, "damage": 2, "disk": 2, "memory": 1, "serve": 2}
    for what in dice.choices(list(kinds), list(kinds.values()), k=steps):
        if what == "mood":
            found.append(Step("mood", dice.choice(tables).provider, _mood(dice)))
        elif what == "runs":
            how = dice.choice(("to their ends", "SIGKILL", "SIGKILL", "SIGTERM", "SIGSTOP"))
            found.append(Step("runs", str(dice.randint(1, 3)), how, dice.uniform(0.0, 0.4)))
        elif what == "signal":
            found.append(Step("signal", "serve", dice.choice(("SIGKILL", "SIGTERM", "SIGSTOP")), dice.random() * 0.5))
        elif what == "damage":
            found.append(Step("damage", dice.choice(_damages(fragile=fragile))))
        elif what == "disk":
            found += [Step("disk", "full", much=dice.choice((0.0, 65_536.0, 262_144.0))), Step("runs", "1")]
            found.append(Step("disk", "free"))
        elif what == "memory":
            found += [Step("mood", dice.choice(tables).provider, "flood"), Step("runs", "1", "little memory")]
        else:
            found.append(Step("serve", how="serve"))
    return Script(seed, tables, tuple(found), dice.choice(("1s", "15m")))


def _tables(dice: random.Random, *, plain: bool) -> tuple[Table, ...]:
    providers = [f"p{number}" for number in range(dice.randint(1, 3))]
    return tuple(
        Table(
            f"d{number}",
            dice.choice(providers),
            dice.choice(("json", "csv")),
            "replace" if plain else dice.choice(("replace", "replace", "append", "merge")),
            dice.choice((None, 2 * HOUR, 26 * HOUR)),
            dice.random() < 0.4,
        )
        for number in range(dice.randint(2, 4))
    )


def _mood(dice: random.Random) -> str:
    return dice.choices(list(MOODS), list(MOODS.values()))[0]


def _damages(*, fragile: bool) -> Sequence[str]:
    return ("cache", "coordination", *(("versions", "a version") if fragile else ()))


def _by_chance(dice: random.Random, tables: Sequence[Table], *, fragile: bool) -> list[Step]:
    what = dice.choices(list(BY_CHANCE), list(BY_CHANCE.values()))[0]
    some = dice.choice(tables)
    if what == "mood":
        return [Step("mood", some.provider, _mood(dice))]
    if what == "run":
        return [Step("run", "" if dice.random() < 0.7 else some.name, "" if dice.random() < 0.25 else "fresh")]
    if what == "pass":
        if dice.random() < 0.25:
            return [Step("clock", much=dice.choice((-1, 1)) * dice.choice((30.0, 20 * MINUTE, 3 * HOUR, 30 * HOUR)))]
        return [Step("pass", much=dice.choice((30.0, 90.0, 20 * MINUTE, HOUR, 5 * HOUR, 20 * HOUR)))]
    if what == "decide":
        return [Step(dice.choice(("accept", "reject", "rollback")), some.name)]
    if what == "restart":
        how = dice.choice(("", "", "empty cache", *_damages(fragile=fragile)))
        return [Step("restart", how=how)]
    if what == "disk":
        return [
            Step("disk", "full", much=dice.choice((0.0, 65_536.0, 262_144.0))),
            Step("run", how="fresh"),
            Step("disk", "free"),
        ]
    if what == "channel":
        return [Step("channel", dice.choice(("down", "well")))]
    return [Step("maintain")]
