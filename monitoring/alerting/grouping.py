"""What belongs together: to which incident an event goes by its rule, and what the engine asks of the configuration."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from monitoring.alerting.incident import IncidentKind
from monitoring.alerting.known_types import about
from monitoring.alerting.rules import Rule

__all__ = ["Declared", "Home", "home", "is_ours"]


class Declared(Protocol):
    """What the configuration says of datasets and providers."""

    def provider_of(self, dataset: str) -> str | None:
        """None: there is no such dataset."""
        ...

    def is_provider(self, name: str) -> bool:
        """Whether a dataset has this provider."""
        ...

    def needs_network(self, provider: str) -> bool:
        """Whether it is asked over the internet: our own network explains why it is not there."""
        ...

    def upstream(self, dataset: str) -> Sequence[str]:
        """What it is made of, and what that is made of."""
        ...


class Home(NamedTuple):
    """The incident that something belongs to: its `kind`, what it is `about`, the `group` of both.

    `dataset`: the one that is concerned, "": none.
    """

    kind: IncidentKind
    about: str
    group: str
    dataset: str = ""


_ONE: Mapping[str, tuple[IncidentKind, str]] = {
    "host": ("host", "host"),
    "network": ("network", "our network"),
    "clock": ("clock", "our clock"),
}


PROVIDER_ERRORS = frozenset({"ProviderUnavailable", "ProviderRefused", "RequestRefused", "PayloadUnreadable"})
"""Errors of a dataset run that are its provider's."""

_STORAGE = frozenset({"StoreError", "StateError", "VersionNotWrittenError", "DiskFull", "OSError"})


def is_theirs(kind: str, data: Mapping[str, Any]) -> bool:
    """Whether an event of type `kind` says that a provider does not deliver; a batch that is held was delivered."""
    error = data.get("error")
    told = error.get("type") if isinstance(error, Mapping) else data.get("error_type")
    return kind == "breaker.opened" or told in PROVIDER_ERRORS


def is_storage(data: Mapping[str, Any]) -> bool:
    """Whether an event says that something could not be written."""
    error = data.get("error")
    return isinstance(error, Mapping) and error.get("type") in _STORAGE


def is_ours(data: Mapping[str, Any]) -> bool:
    """Whether an event says that our own network was away when the provider was asked."""
    error = data.get("error")
    return isinstance(error, Mapping) and error.get("type") == "NetworkAway"


def home(rule: Rule, kind: str, subject: str, data: Mapping[str, Any], declared: Declared) -> Home:
    """Where an event of type `kind` about `subject` goes."""
    named = about(kind)
    provider: str | None = None
    if named == "dataset":
        provider = declared.provider_of(subject) or data.get("provider")
    elif named == "installation" and (provider := declared.provider_of(subject)) is not None:
        named = "dataset"
    elif named == "installation" and declared.is_provider(subject):
        named = "provider"
    dataset = subject if named == "dataset" else ""
    if rule.group_by == "rule":
        return _home("rule", rule.name, dataset)
    if named == "dataset":
        if rule.group_by == "dataset" or not provider:
            return _home("dataset", subject, dataset)
        if is_ours(data):
            return _home(*_ONE["network"], dataset)
        return _home("provider", provider, dataset)
    if named in _ONE:
        return _home(*_ONE[named])
    return _home(named, subject)


def _home(kind: IncidentKind, about: str, dataset: str = "") -> Home:
    return Home(kind, about, f"{kind}:{about}", dataset)
