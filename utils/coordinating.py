"""How the processes of an installation agree: on who works on what, how circuits stand, how far limits are used.

On one machine in a small SQLite of the state directory. With a PostgreSQL, leases, tokens and quotas lie there; with a
Redis besides, circuits and rates lie in that. Then the processes may run on any machine.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

from utils.clock import Clock

if TYPE_CHECKING:
    from utils.cache.redis_line import RedisLine
    from utils.damage import SetAside
    from utils.database import Database
    from utils.leases import Leases
    from utils.quotas import CountedQuotas
    from utils.redis_fields import RedisFields
    from utils.redis_rates import RedisRates
    from utils.redis_verdicts import RedisVerdicts
    from utils.shared_rates import LeasedRates
    from utils.shared_verdicts import SharedVerdicts
    from utils.sqlite import SqliteDatabase
    from utils.state import Kept
    from utils.tokens import StoredTokens

__all__ = ["Coordinating"]


class Coordinating(ABC):
    """The parts that processes share, each made when it is first asked for. Who keeps the rest says where they lie."""

    clock: Clock

    @property
    @abstractmethod
    def _kept(self) -> "Kept": ...

    @abstractmethod
    def _set_aside(self, news: "SetAside") -> None:
        """Tell that a damaged database was replaced."""

    @cached_property
    def coordination(self) -> "SqliteDatabase":
        """A small database of this machine: a permit or a lease must not wait behind the log."""
        from utils import leases, quotas, shared_rates, shared_verdicts, tokens
        from utils.replaceable import ReplaceableDatabase

        first = ";".join((leases.SCHEMA, shared_verdicts.SCHEMA))
        second = ";".join((quotas.SCHEMA, tokens.SCHEMA))
        return ReplaceableDatabase(
            self._kept.directory / "coordination.db",
            migrations=[first, second, shared_verdicts.HELD_AND_TRIALS, leases.BEAT_SCHEMA, shared_rates.SCHEMA],
            on_set_aside=self._set_aside,
            now=self.clock.now,
        )

    @cached_property
    def shared(self) -> "Database":
        """Where all processes of the installation, on whichever machine, keep leases, tokens and quotas."""
        kept = self._kept
        if not kept.database_url:
            return self.coordination
        from utils.postgres import PostgresDatabase
        from utils.shared_tables import MIGRATIONS, PART

        return PostgresDatabase(kept.database_url, migrations=MIGRATIONS, durability=kept.durability, part=PART)

    @cached_property
    def leases(self) -> "Leases":
        from utils.leases import Leases

        return Leases(self.shared, clock=self.clock)

    @cached_property
    def tokens(self) -> "StoredTokens":
        from utils.tokens import StoredTokens

        return StoredTokens(self.shared, self.leases, granted=self._kept.granted)

    @cached_property
    def quotas(self) -> "CountedQuotas":
        from utils.quotas import CountedQuotas

        return CountedQuotas(self.shared)

    @cached_property
    def verdicts(self) -> "SharedVerdicts | RedisVerdicts":
        if self._on_many_machines:
            from utils.redis_verdicts import RedisVerdicts

            return RedisVerdicts(self._fields("verdicts"), clock=self.clock)
        from utils.shared_verdicts import SharedVerdicts

        return SharedVerdicts(self.coordination)

    @cached_property
    def rates(self) -> "LeasedRates | RedisRates":
        if self._on_many_machines:
            from utils.redis_rates import RedisRates

            return RedisRates(self._fields("rates"), clock=self.clock)
        from utils.shared_rates import LeasedRates

        return LeasedRates(self.coordination, clock=self.clock)

    @cached_property
    def secret(self) -> str:
        """Names and signs what is ours in a Redis."""
        from utils.installation_secret import installation_secret, known_secret

        directory = self._kept.directory
        if not self._kept.database_url:
            return installation_secret(directory)
        from utils.shared_tables import shared_secret

        return shared_secret(self.shared, lambda: known_secret(directory))

    @cached_property
    def redis_line(self) -> "RedisLine":
        """To the Redis of circuits and rates; the cache has one of its own."""
        from utils.cache.redis_line import RedisLine
        from utils.logger import get_logger

        def away(reason: str) -> None:
            get_logger("resilience").warning("shared.unavailable", reason=reason)

        return RedisLine(self._kept.cache_url, clock=self.clock, unavailable=away)

    @property
    def _on_many_machines(self) -> bool:
        """Whether servers keep what is shared. A state directory lies on one machine, and is quicker."""
        return bool(self._kept.database_url and self._kept.cache_url)

    def _fields(self, name: str) -> "RedisFields":
        from utils.redis_fields import RedisFields

        return RedisFields(self.redis_line, secret=self.secret, name=name, clock=self.clock)
