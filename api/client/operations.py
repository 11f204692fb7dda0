"""What the API can be told to do."""

from collections.abc import Mapping, Sequence
from typing import Literal

from .transport import Document, Transport, part

__all__ = ["Operations"]


class Operations:
    """What changes something; needs the role of an operator."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def run(
        self, datasets: Sequence[str] = (), *, fresh: bool = False, from_raw: str = "", priority: int = 0
    ) -> Document:
        """Start a run of these datasets, or of all; `run_id` is for `queries.wait` and `queries.follow`.

        `from_raw`: take what came in this run in place of the providers.
        """
        body = {"datasets": list(datasets), "fresh": fresh, "from_raw": from_raw, "priority": priority}
        return self._transport.post("/runs", **body)

    def cancel(self, run_id: str, *, reason: str = "") -> Document:
        return self._transport.post(f"/runs/{part(run_id)}/cancel", reason=reason)

    def resume_run(self, run_id: str) -> Document:
        """Have somebody go on with one that was broken off."""
        return self._transport.post(f"/runs/{part(run_id)}/resume")

    def retry_parked(self, consumer: str, event: int | None = None) -> Document:
        """Have a consumer try what it parked once more, or one event of it."""
        return self._transport.post(f"/events/consumers/{part(consumer)}/retry", event=event)

    def prove(self) -> Document:
        """Begin to prove the log whole; `queries.proof` tells how that stands."""
        return self._transport.post("/events/verification")

    def accept(self, name: str, version: str | None = None, *, reason: str = "", force: bool = False) -> Document:
        body = {"version": version, "reason": reason, "force": force}
        return self._transport.post(f"/datasets/{part(name)}/accept", **body)

    def reject(self, name: str, version: str | None = None, *, reason: str = "") -> Document:
        return self._transport.post(f"/datasets/{part(name)}/reject", version=version, reason=reason)

    def rollback(self, name: str, version: str | None = None, *, reason: str = "") -> Document:
        return self._transport.post(f"/datasets/{part(name)}/rollback", version=version, reason=reason)

    def replay(self, dataset: str, run: str | None = None, *, reason: str = "", force: bool = False) -> Document:
        body = {"run": run, "reason": reason, "force": force}
        return self._transport.post(f"/quarantine/{part(dataset)}/replay", **body)

    def drop(self, dataset: str, run: str | None = None, *, rules: Sequence[str] = (), reason: str = "") -> Document:
        body = {"run": run, "rules": list(rules), "reason": reason}
        return self._transport.post(f"/quarantine/{part(dataset)}/drop", **body)

    def backfill(
        self,
        dataset: str,
        begin: str | None = None,
        end: str | None = None,
        *,
        partitions: Sequence[str] = (),
        only: Sequence[Literal["missing", "failed", "held"]] = (),
    ) -> Document:
        """Collect the pieces from `begin` up to `end`, which is not among them."""
        body = {"dataset": dataset, "from": begin, "to": end, "partitions": list(partitions), "only": list(only)}
        return self._transport.post("/backfills", **body)

    def cancel_backfill(self, backfill: str, *, reason: str = "") -> Document:
        return self._transport.post(f"/backfills/{part(backfill)}/cancel", reason=reason)

    def resume_backfill(self, backfill: str) -> Document:
        return self._transport.post(f"/backfills/{part(backfill)}/resume")

    def open_breaker(self, provider: str, *, reason: str = "") -> Document:
        return self._transport.post(f"/breakers/{part(provider)}/open", reason=reason)

    def close_breaker(self, provider: str, *, reason: str = "", hold: bool = False) -> Document:
        return self._transport.post(f"/breakers/{part(provider)}/close", reason=reason, hold=hold)

    def reset_breaker(self, provider: str | None = None) -> Document:
        return self._transport.post("/breakers/reset" if provider is None else f"/breakers/{part(provider)}/reset")

    def watch_level(self, level: Literal["IDLE", "NORMAL", "INTENSIVE", "CRITICAL"]) -> Document:
        return self._transport.post("/host/level", level=level)

    def protect_mode(self, mode: Literal["dev", "test", "prod"]) -> Document:
        return self._transport.post("/host/mode", mode=mode)

    def clear_cache(self, *, reason: str = "") -> Document:
        return self._transport.post("/cache/clear", reason=reason)

    def record(self, name: str, value: float, *, unit: str = "", tags: Mapping[str, str] = {}) -> Document:
        return self._transport.post("/metrics", name=name, value=value, unit=unit, tags=dict(tags))

    def say(
        self,
        kind: Literal["fine", "fine_since", "normal_since", "excluded"],
        *metrics: str,
        at: str | None = None,
        until: str | None = None,
        reason: str = "",
    ) -> Document:
        """What is to be known about anomalies; see `/docs`."""
        body = {"kind": kind, "metrics": list(metrics), "at": at, "until": until, "reason": reason}
        return self._transport.post("/anomalies/feedback", **body)

    def take_back(self, number: int) -> Document:
        return self._transport.delete(f"/anomalies/feedback/{number}")

    def acknowledge(self, incident: str, *, until: str | None = None, comment: str = "") -> Document:
        return self._transport.post(f"/incidents/{part(incident)}/acknowledge", until=until, comment=comment)

    def resolve(self, incident: str, *, reason: str = "") -> Document:
        return self._transport.post(f"/incidents/{part(incident)}/resolve", reason=reason)

    def silence(self, *matchers: str, until: str, begin: str | None = None, reason: str = "") -> Document:
        body = {"matchers": list(matchers), "until": until, "from": begin, "reason": reason}
        return self._transport.post("/silences", **body)

    def end_silence(self, silence: str) -> Document:
        return self._transport.delete(f"/silences/{part(silence)}")

    def resend(self, *keys: str) -> Document:
        """Try messages again that nobody took; no keys: all of them."""
        return self._transport.post("/outbox/resend", keys=list(keys))

    def test_channel(self, channel: str) -> Document:
        return self._transport.post(f"/channels/{part(channel)}/test")

    def pause(self, *datasets: str, reason: str = "") -> Document:
        return self._transport.post("/schedules/pause", datasets=list(datasets), reason=reason)

    def resume(self, *datasets: str) -> Document:
        return self._transport.post("/schedules/resume", datasets=list(datasets))

    def maintain(self, *, dry_run: bool = False, seconds: float = 20.0) -> Document:
        return self._transport.post("/maintenance", dry_run=dry_run, seconds=seconds)
