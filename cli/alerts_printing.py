"""How incidents, silences, and who was told of them reach the terminal."""

from typing import TYPE_CHECKING

from cli.command import Context
from cli.output import say, table

if TYPE_CHECKING:
    from monitoring.alerting.incident import Incident
    from monitoring.alerting.letter import Letter
    from monitoring.alerting.silence import Silence
    from operations.alert_explain import Explained
    from operations.alert_trial import Trial
    from operations.alerts import Listing

__all__ = ["at", "print_explained", "print_listing", "print_trial", "silence_line", "span"]


def print_listing(context: Context, found: "Listing") -> None:
    if not found.incidents:
        say("Nothing is wrong: no incident is open.")
    else:
        if not found.open:
            say("Nothing is wrong now.")
        table(
            ("id", "severity", "state", "since", "what"),
            [
                (
                    one.incident.id,
                    one.incident.severity,
                    _state(context, one.incident),
                    at(context, one.incident.opened_at),
                    one.title,
                )
                for one in found.incidents
            ],
        )
    for silence in found.silences:
        say(silence_line(context, silence))


def _state(context: Context, one: "Incident") -> str:
    if one.state == "resolved":
        return "over" if one.resolved_at is None else f"over {at(context, one.resolved_at)}"
    if one.state == "acknowledged":
        return f"taken by {one.acknowledged_by}"
    if one.state == "inhibited":
        return f"explained by {one.inhibited_by}"
    return one.state


def silence_line(context: Context, one: "Silence") -> str:
    """All of it in one line."""
    by = f" by {one.by}" if one.by else ""
    reason = f": {one.reason}" if one.reason else ""
    ended = "" if one.ended_at is None else f", ended {at(context, one.ended_at)}"
    return f"silence {one.id}{by}: {one.matcher.words} {span(context, one)}{ended}{reason}"


def span(context: Context, one: "Silence") -> str:
    """From when until when it holds."""
    return f"from {at(context, one.since)} until {at(context, one.until)}"


def print_explained(context: Context, found: "Explained") -> None:
    one = found.incident
    say(f"{one.id}: {one.about} ({one.kind}), {one.severity}, {_state(context, one)}; rules {', '.join(one.rules)}")
    for words in found.quiet:
        say(f"quiet: {words}")
    say()
    for happened in found.happened:
        notice = "" if happened.notice is None else f", told ({happened.notice}) to {_channels(happened.to)}"
        actor = f" by {happened.actor}" if happened.actor else ""
        reason = f": {happened.reason}" if happened.reason else ""
        say(f"{at(context, happened.time)}  {happened.change}{actor}{notice}{reason}")
    if found.letters:
        say()
        for letter in found.letters:
            say(_letter(context, letter))
    for due in found.due:
        say(f"next: {at(context, due.at)}  {due.what}" + (f" ({_channels(due.to)})" if due.to else ""))
    if not found.due and one.state != "resolved":
        say("next: nothing, until something changes")


def _letter(context: Context, one: "Letter") -> str:
    from datetime import UTC, datetime

    def moment(seconds: float) -> str:
        return at(context, datetime.fromtimestamp(seconds, UTC).isoformat())

    tries = f", {one.attempts} {'try' if one.attempts == 1 else 'tries'}" if one.attempts else ""
    told = f" {moment(one.told_at)}" if one.told_at is not None else ""
    again = f", next try {moment(max(one.next_try, one.not_before))}" if one.state == "waiting" and one.attempts else ""
    into = f", told by {one.into}" if one.into else ""
    error = f": {one.error}" if one.error else ""
    return f"{one.channel}  {one.message.kind}  {one.state}{told}{tries}{again}{into}{error}"


def print_trial(context: Context, found: "Trial") -> None:
    data = (
        "with no data, as none came yet" if found.data_of is None else f"with the data of {at(context, found.data_of)}"
    )
    say(f"If {found.event} of {found.subject} came now, {data}, and nothing else were wrong:")
    if not found.reactions:
        say("no rule is for this event: nobody is told")
    for one in found.reactions:
        words = f" ({one.words})" if one.words else ""
        say(f"rule {one.rule}, {one.severity}: {'calls' if one.calls else 'does not call'}{words}")
    if found.reactions and not found.told:
        say("nobody is told")
    from operations.words import duration

    for told in found.told:
        say()
        say(f"after {duration(told.after_s)}, to {_channels(told.to)}:")
        say(told.message.title)
        for line in told.message.text.splitlines():
            say(f"  {line}")


def _channels(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "no channel (kept as a file)"


def at(context: Context, moment: str) -> str:
    """A stored moment, in the zone of the installation."""
    from operations.alerts import said

    return said(context.system, moment)
