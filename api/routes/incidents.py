"""`/incidents`: what is wrong, who takes it; `/silences`; `/channels`: trying out who would be told."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.routes.frame import Asked, Moment, Reason, Why, documents, done, router
from api.security import Operator
from api.shapes.incidents import Channels, Explained, Incident, Incidents, Sent, Silence, Silences, Trial
from integrated_system import IntegratedSystem

__all__ = ["routes"]

routes = router("incidents")

Id = Annotated[str, Path(description="The incident, or how its id begins.", examples=["3f2a81c0"])]
AsOf = Annotated[Moment | None, Query(description="As it was at this time.")]
When = "A duration (`2h`), a time of day (`09:00`), or a time (`2026-11-20T08:00:00Z`)."


class Taken(Asked):
    """Who takes an incident may say until when, and what is done about it."""

    until: str | None = Field(None, max_length=64, description=f"Then it comes back if it is still wrong. {When}")
    comment: str = Field("", max_length=2000, examples=["called them"])


class SilenceAsked(Asked):
    """Which incidents nobody is told of, from when (default: now), and until when."""

    matchers: list[str] = Field(
        min_length=1,
        max_length=10,
        description="`dataset=fx_*`, `about=ECB`, `rule=…`, `severity=…`; a word alone: incident, dataset or provider.",
        examples=[["dataset=fx_*"]],
    )
    until: str = Field(max_length=64, description=When, examples=["2h"])
    begin: str | None = Field(None, alias="from", max_length=64, description=f"A maintenance window. {When}")
    reason: Why = ""


@routes.get("/incidents", responses=documents(Incidents), summary="What is wrong")
async def listed(
    request: Request,
    over: Annotated[int, Query(ge=0, le=1000, description="Also so many of the newest that are over.")] = 0,
    as_of: AsOf = None,
) -> Response:
    """Those that are not over, the most urgent first, and what keeps quiet."""
    from operations.alerts import listed as ask

    return await read(request, lambda system: ask(system, over=over, as_of=as_of).to_json())


@routes.get("/incidents/trial", responses=documents(Trial), summary="Who would be told?")
async def trial(
    request: Request,
    event: Annotated[str, Query(max_length=200, description="The type of an event.", examples=["dataset.failed"])],
    dataset: Annotated[str, Query(max_length=200, description="Whose event: a dataset, or a provider.")] = "",
) -> Response:
    """Who would be told of an event, when, in which words; nothing is sent."""
    from operations.alert_trial import would_tell

    return await done(request, lambda system: would_tell(system, event, dataset).to_json())


@routes.get("/incidents/{incident}", responses=documents(Incident), summary="One incident")
async def one(request: Request, incident: Id, as_of: AsOf = None) -> Response:
    """What is wrong, since when, and who takes it."""
    from operations.alerts import find_incident

    return await read(request, lambda system: find_incident(system, incident, as_of=as_of).to_json())


@routes.get("/incidents/{incident}/explain", responses=documents(Explained), summary="Who was told, and why")
async def explain(request: Request, incident: Id, as_of: AsOf = None) -> Response:
    """When and why each notice went out, or did not, to whom, and what is due next."""
    from operations.alert_explain import explain as ask

    return await read(request, lambda system: ask(system, incident, as_of=as_of).to_json())


@routes.post("/incidents/{incident}/acknowledge", responses=documents(Incident), summary="Take an incident")
async def acknowledge(request: Request, who: Operator, incident: Id, body: Taken | None = None) -> Response:
    """It is neither repeated nor escalated."""
    from operations.alert_acts import acknowledge as do

    asked = body or Taken()

    def told(system: IntegratedSystem) -> Any:
        end = None if asked.until is None else _coming(system, "until", asked.until)
        return do(system, who, incident, until=end, comment=asked.comment).to_json()

    return await done(request, told)


@routes.post("/incidents/{incident}/resolve", responses=documents(Incident), summary="Declare it over")
async def resolve(request: Request, who: Operator, incident: Id, body: Reason = None) -> Response:
    """What is still wrong opens a new one when it is seen again."""
    from operations.alert_acts import resolve as do

    reason = body.reason if body else ""
    return await done(request, lambda system: do(system, who, incident, reason=reason).to_json())


@routes.get("/silences", responses=documents(Silences), summary="What keeps quiet")
async def silences(
    request: Request,
    ended: Annotated[bool, Query(description="Also those that are over.")] = False,
    as_of: AsOf = None,
) -> Response:
    """Now, and the maintenance windows that are to come."""
    from operations.alerts import silences as ask

    return await read(
        request, lambda system: {"silences": [one.to_json() for one in ask(system, ended=ended, as_of=as_of)]}
    )


@routes.post("/silences", status_code=201, responses=documents(Silence, status=201), summary="Keep quiet for a while")
async def silence(request: Request, who: Operator, body: SilenceAsked) -> Response:
    """Nobody is told of certain incidents; they are listed all the same."""
    from operations.alert_acts import matcher_of
    from operations.alert_acts import silence as do

    def told(system: IntegratedSystem) -> Any:
        begin = None if body.begin is None else _coming(system, "from", body.begin)
        end = _coming(system, "until", body.until, begin)
        matcher = matcher_of(system, body.matchers)
        return do(system, who, matcher, until=end, since=begin, reason=body.reason).to_json()

    return await done(request, told, status=201)


@routes.delete("/silences/{silence}", responses=documents(Silence), summary="End a silence")
async def unsilence(
    request: Request, who: Operator, silence: Annotated[str, Path(description="The silence.", examples=["s-1a2b3c"])]
) -> Response:
    """What it kept quiet, and is still wrong, is told."""
    from operations.alert_acts import end_silence

    return await done(request, lambda system: end_silence(system, who, silence).to_json())


@routes.get("/channels", responses=documents(Channels), summary="Who is told")
async def channels(request: Request) -> Response:
    """How each channel stands: what waits for it, when it took a message last, since when it takes none."""
    from operations.letters import channels as ask

    return await read(request, lambda system: {"channels": [one.to_json() for one in ask(system)]})


@routes.post("/channels/{channel}/test", responses=documents(Sent), summary="Try a channel")
async def try_channel(
    request: Request, who: Operator, channel: Annotated[str, Path(description="As configured.", examples=["team"])]
) -> Response:
    """Send a test; `state` says what came of it."""
    from operations.alert_trial import try_channel as do

    return await done(request, lambda system: do(system, who, channel).to_json())


def _coming(system: IntegratedSystem, field: str, text: str, after: datetime | None = None) -> datetime:
    from operations.moments import coming

    return coming(field, text, after or system.clock.now(), system.settings.app.zone)
