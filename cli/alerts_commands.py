"""The group `alerts`: what is wrong, who takes it, what keeps quiet, who was told, and trying it out."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.alerts_printing import at, print_explained, print_listing, print_trial, silence_line, span
from cli.command import FAILED, OK, Context, UsageError, command
from cli.output import print_json, say

if TYPE_CHECKING:
    from monitoring.alerting.incident import Incident

Id = Annotated[str, typer.Argument(metavar="ID", help="The incident, or how its id begins.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it stands in the log.")]
When = "A duration (2h), a time of day (09:00), or a time."
MOST_OVER = 20


def register(app: typer.Typer) -> None:
    alerts = typer.Typer(help="Incidents, and who is told of them.", rich_markup_mode=None)
    command(alerts, "list")(list_all)
    for function in (ack, resolve, silence, silences, unsilence, explain, dead, resend):
        command(alerts)(function)
    command(alerts, "test")(try_out)
    app.add_typer(alerts, name="alerts")


def list_all(
    context: Context,
    everything: Annotated[bool, typer.Option("--all", help=f"Also the last {MOST_OVER} that are over.")] = False,
) -> int:
    """What is wrong now, the most urgent first, and what keeps quiet."""
    from operations.alerts import listed

    found = listed(context.system, over=MOST_OVER if everything else 0)
    if context.json:
        print_json(found.to_json())
    else:
        print_listing(context, found)
    return OK


def ack(
    context: Context,
    incident: Id,
    until: Annotated[str | None, typer.Option(help=f"Then it comes back if it is still wrong. {When}")] = None,
    comment: Annotated[str, typer.Option(help="What you do about it; others see it.")] = "",
) -> int:
    """Take an incident: it is neither repeated nor escalated."""
    from operations.actor import local_user
    from operations.alert_acts import acknowledge
    from operations.moments import coming

    system = context.system
    end = None if until is None else coming("until", until, system.clock.now(), system.settings.app.zone)
    taken = acknowledge(system, local_user(), incident, until=end, comment=comment)
    words = "to its end" if taken.acknowledged_until is None else f"until {at(context, taken.acknowledged_until)}"
    return _told(context, taken, f"{taken.id} ({taken.about}) is yours {words}")


def resolve(context: Context, incident: Id, reason: Reason = "") -> int:
    """Declare an incident over. What is still wrong opens a new one when it is seen again."""
    from operations.actor import local_user
    from operations.alert_acts import resolve as do

    over = do(context.system, local_user(), incident, reason=reason)
    return _told(context, over, f"{over.id} ({over.about}) is over")


def silence(
    context: Context,
    matchers: Annotated[
        list[str],
        typer.Argument(
            metavar="MATCHER...",
            help="dataset=fx_*, about=ECB, rule=…, severity=…; a word alone: incident, dataset or provider.",
        ),
    ],
    until: Annotated[str | None, typer.Option(help=f"Until when. {When}")] = None,
    for_: Annotated[str | None, typer.Option("--for", help="For how long: 2h.")] = None,
    since: Annotated[str | None, typer.Option("--from", help=f"A maintenance window begins then. {When}")] = None,
    reason: Reason = "",
) -> int:
    """Tell nobody of certain incidents for a while. They are listed all the same."""
    from datetime import timedelta

    from operations.actor import local_user
    from operations.alert_acts import matcher_of
    from operations.alert_acts import silence as do
    from operations.moments import coming, seconds_of

    if (until is None) == (for_ is None):
        raise UsageError("until when?", hint="give --until or --for, as in --for 2h")
    system = context.system
    now, zone = system.clock.now(), system.settings.app.zone
    begin = None if since is None else coming("from", since, now, zone)
    if until is not None:
        end = coming("until", until, begin or now, zone)
    else:
        end = (begin or now) + timedelta(seconds=seconds_of("for", for_ or ""))
    made = do(system, local_user(), matcher_of(system, matchers), until=end, since=begin, reason=reason)
    if context.json:
        print_json(made.to_json())
    else:
        say(f"{made.id}: nobody is told of {made.matcher.words} {span(context, made)}")
    return OK


def silences(
    context: Context,
    ended: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
) -> int:
    """What keeps quiet now, and the maintenance windows that are to come."""
    from operations.alerts import silences as ask

    found = ask(context.system, ended=ended)
    if context.json:
        print_json({"silences": [one.to_json() for one in found]})
    elif not found:
        say("Nothing is kept quiet.")
    for one in () if context.json else found:
        say(silence_line(context, one))
    return OK


def unsilence(context: Context, identity: Annotated[str, typer.Argument(metavar="ID", help="The silence.")]) -> int:
    """End a silence: what it kept quiet, and is still wrong, is told."""
    from operations.actor import local_user
    from operations.alert_acts import end_silence

    ended = end_silence(context.system, local_user(), identity)
    if context.json:
        print_json(ended.to_json())
    else:
        say(f"{ended.id}: {ended.matcher.words} is told again")
    return OK


def explain(context: Context, incident: Id) -> int:
    """When and why each notice of an incident went out, or did not, to whom, and what is due next."""
    from operations.alert_explain import explain as ask

    found = ask(context.system, incident)
    if context.json:
        print_json(found.to_json())
    else:
        print_explained(context, found)
    return OK


def try_out(
    context: Context,
    channel: Annotated[str | None, typer.Argument(help="Send a test to this channel.", show_default=False)] = None,
    event: Annotated[str | None, typer.Option(help="Who would be told what if an event of this type came?")] = None,
    dataset: Annotated[str, typer.Option(help="Whose event it would be: a dataset, or a provider.")] = "",
) -> int:
    """Try a channel; or see who would be told of an event, when, in which words (nothing is sent)."""
    if (channel is None) == (event is None):
        raise UsageError(
            "try what?", hint="`alerts test CHANNEL`, or `alerts test --event dataset.failed --dataset NAME`"
        )
    if event is not None:
        from operations.alert_trial import would_tell

        trial = would_tell(context.system, event, dataset)
        if context.json:
            print_json(trial.to_json())
        else:
            print_trial(context, trial)
        return OK
    from operations.actor import local_user
    from operations.alert_trial import try_channel

    sent = try_channel(context.system, local_user(), channel or "")
    if context.json:
        print_json(sent.to_json())
    elif sent.state == "sent":
        say(f"{sent.channel}: sent; look whether it came")
    else:
        say(f"{sent.channel}: {_OUTCOMES[sent.state]}: {sent.error}")
    return OK if sent.state == "sent" else FAILED


_OUTCOMES = {"failed": "not sent", "refused": "refused for good", "unknown": "nobody knows whether it came"}


def dead(context: Context) -> int:
    """Messages that no channel took, for good."""
    found = context.system.alert_outbox.dead()
    if context.json:
        print_json({"letters": [one.to_json() for one in found]})
    elif not found:
        say("No message was given up.")
    else:
        for one in found:
            tries = "1 try" if one.attempts == 1 else f"{one.attempts} tries"
            say(f"{one.key}  to {one.channel}, {tries}: {one.message.title}")
            say(f"  {one.error}")
        say("`alerts resend` tries them once more")
    return OK


def resend(
    context: Context,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Which, by key or incident; default: all.")
    ] = None,
) -> int:
    """Try messages once more that were given up, as if they were new."""
    from operations.actor import local_user
    from operations.letters import resend_now

    found = resend_now(context.system, local_user(), keys or [])
    if context.json:
        print_json(found.to_json())
    elif not found.letters:
        say("No message was given up.")
    else:
        say(f"{len(found.letters):,} put back; {found.sent:,} sent just now, {found.waiting:,} waiting")
    return OK


def _told(context: Context, incident: "Incident", words: str) -> int:
    if context.json:
        print_json(incident.to_json())
    else:
        say(words)
    return OK
