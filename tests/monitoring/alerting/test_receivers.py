"""Real receivers: a mail server, webhooks in the shapes of Slack, Discord, PagerDuty and JSON, a syslog over UDP."""

import email
import email.policy
import functools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest
import requests
from aiosmtpd.controller import Controller
from apprise.plugins import pagerduty
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.slack import NotifySlack

from monitoring.alerting.channels import Channel, ChannelFault, Outcome
from monitoring.alerting.letter import Post
from monitoring.alerting.message.message import Message, Part
from tests.faulty_server import Answer, FaultyServer, Request, hang, ok, status, too_many
from tests.monitoring.alerting.posts import World, begun, over
from utils.clock import ManualClock

SLACK_TOKENS = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
DISCORD_TOKENS = f"{'1' * 18}/{'d' * 68}"
TOLD = Message(
    *("opened", "error", "ECB down since 02:12: nothing to do before 09:00"),
    (
        Part("", "4 datasets on last good; fx_daily breaks its promise at 09:00 <soon>."),
        Part("See", "why i1", "command"),
    ),
    *("i1 · error", "i1", ("fx_daily",)),
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """On loopback; services with an address of their own are sent there, so that no test reaches the internet."""
    with FaultyServer(ok(b"ok")) as made:
        base = f"http://{made.host}"
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{base}/services")
        monkeypatch.setattr(NotifyDiscord, "notify_url", f"{base}/api/webhooks")
        monkeypatch.setitem(pagerduty.PAGERDUTY_API_LOOKUP, "us", f"{base}/v2/enqueue")
        yield made


def body(request: Request) -> Any:
    return json.loads(request.body)


def as_slack(request: Request) -> bool:
    """https://api.slack.com/messaging/webhooks: a text or attachments; `<` is escaped."""
    (attachment,) = body(request)["attachments"]
    return (
        request.path == f"/services/{SLACK_TOKENS}"
        and attachment["title"] == TOLD.title
        and "fx_daily breaks its promise at 09:00 &lt;soon&gt;" in attachment["text"]
    )


def as_discord(request: Request) -> bool:
    """https://discord.com/developers/docs/resources/webhook: `content` of at most 2,000 signs."""
    content = body(request)["content"]
    return request.path == f"/api/webhooks/{DISCORD_TOKENS}" and TOLD.title in content and len(content) <= 2000


def as_pagerduty(request: Request) -> bool:
    """Events API v2: an action, the key of the incident, a payload with summary, source and severity."""
    event = body(request)
    return (
        event["event_action"] == "trigger"
        and event["dedup_key"] == "i1"
        and event["routing_key"] == "r" * 32
        and event["payload"]["severity"] == "error"
        and event["payload"]["summary"].startswith(TOLD.title)
        and bool(event["payload"]["source"])
    )


def as_json(request: Request) -> bool:
    """Apprise's own form, with our ids beside it, and the key as a header (draft-ietf-httpapi-idempotency-key)."""
    told = body(request)
    return (
        (told["title"], told["message"].split(".")[0])
        == (TOLD.title, "4 datasets on last good; fx_daily breaks its promise at 09:00 <soon>")
        and (told["incident"], told["severity"], told["kind"]) == ("i1", "error", "opened")
        and told["key"] == request.headers["idempotency-key"]
    )


SERVICES = [
    pytest.param(f"https://hooks.slack.com/services/{SLACK_TOKENS}", as_slack, id="Slack, its webhook's own address"),
    pytest.param(f"slack://{SLACK_TOKENS}", as_slack, id="Slack"),
    pytest.param(f"discord://{DISCORD_TOKENS}", as_discord, id="Discord"),
    pytest.param(f"https://discord.com/api/webhooks/{DISCORD_TOKENS}", as_discord, id="Discord, its own address"),
    pytest.param(f"pagerduty://{'r' * 32}@api-key/our-host", as_pagerduty, id="PagerDuty"),
    pytest.param("json://{host}/alerts", as_json, id="a JSON webhook"),
]


@pytest.mark.parametrize(("url", "fits"), SERVICES)
def test_a_webhook_gets_each_message_once_though_it_fails_before(
    server: FaultyServer, address: str, url: str, fits: Callable[[Request], bool]
) -> None:
    """429 with the time to wait, then 500, then it takes it; each try has the form that the service asks for."""
    clock = ManualClock()
    world, channel = World(address, clock), Channel("team", url.format(host=server.host))
    server.answer = [too_many("7"), status(500), ok(b"ok")]
    world.put(Post("k1:team", "team", "i1", 1, TOLD))
    world.drain(60.0, team=channel.send)
    states = [one.state for one in world.outbox.of_thread("i1")]
    world.close()

    assert states == ["sent"]
    assert [fits(request) for request in server.requests] == [True, True, True]
    assert clock.slept[0] >= 7.0


def test_the_end_closes_the_incident_at_pagerduty(server: FaultyServer) -> None:
    """By the same key; a webhook is told that it is a success."""
    end = Message("resolved", "critical", "Over: ECB is back", (Part("", "After 40 min."),), "i1", "i1")
    channel = Channel("page", f"pagerduty://{'r' * 32}@api-key")
    hook = Channel("hook", f"json://{server.host}/alerts")

    assert channel.send(end, "k").state == "sent"
    assert hook.send(end, "k").state == "sent"
    event, told = map(body, server.requests)
    assert (event["event_action"], event["dedup_key"]) == ("resolve", "i1")
    assert (told["type"], told["kind"]) == ("success", "resolved")


def test_what_an_address_says_is_left_as_it_is(server: FaultyServer) -> None:
    """Somebody's own key or severity for PagerDuty."""
    channel = Channel("page", f"pagerduty://{'r' * 32}@api-key?dedup=ours&severity=info")

    assert channel.send(TOLD, "k").state == "sent"
    event = body(server.requests[0])
    assert (event["dedup_key"], event["payload"]["severity"]) == ("ours", "info")


@pytest.mark.parametrize(
    ("url", "most"),
    [(f"discord://{DISCORD_TOKENS}", 2000), (f"pagerduty://{'r' * 32}@api-key", 1024)],
    ids=["Discord", "PagerDuty"],
)
def test_what_is_too_long_for_a_service_is_cut(server: FaultyServer, url: str, most: int) -> None:
    """In one message: it would refuse the whole."""
    parts = tuple(Part("", f"provider number {number} is down") for number in range(200))
    told = Message("summary", "error", "200 more messages", parts)

    assert Channel("team", url).send(told, "k").state == "sent"
    (request,) = server.requests
    said = body(request)
    text = said["content"] if "content" in said else said["payload"]["summary"]
    assert text.startswith("200 more messages")
    assert "provider number 10 is down" in text
    assert len(text) <= most


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (status(400), "refused"),
        (status(401), "refused"),
        (status(404), "refused"),
        (status(410), "refused"),
        (status(408), "failed"),
        (too_many("120"), "failed"),
        (status(503), "failed"),
        (hang(), "unknown"),
    ],
    ids=["bad request", "no login", "not found", "gone", "too slow", "too many", "down", "no answer"],
)
def test_what_an_answer_means(server: FaultyServer, answer: Answer, state: str) -> None:
    """Whether another try makes sense, and whether it may have arrived."""
    server.answer = answer
    outcome = Channel("hook", f"json://{server.host}/alerts?rto={0.2 if answer == hang() else 60}").send(TOLD, "k")

    assert outcome.state == state
    assert outcome.error
    assert outcome.retry_after == (120.0 if answer.status == 429 else None)


def test_answers_are_noted_though_others_look_at_them_too(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that traces requests wraps the same function; requests of others are left alone."""
    seen: list[int] = []
    traced = requests.Session.send

    @functools.wraps(traced)
    def tracing(*given: Any, **options: Any) -> Any:
        answer = traced(*given, **options)
        seen.append(answer.status_code)
        return answer

    monkeypatch.setattr(requests.Session, "send", tracing)
    server.answer = [status(404), status(500)]

    assert Channel("hook", f"json://{server.host}/alerts").send(TOLD, "k").state == "refused"
    assert requests.get(f"http://{server.host}/", timeout=120).status_code == 500
    assert seen == [404, 500]


def test_a_channel_that_cannot_be_reached_has_told_nobody() -> None:
    """So the next try is the first that may arrive."""
    assert Channel("hook", "json://127.0.0.1:1/alerts").send(TOLD, "k").state == "failed"


@pytest.mark.parametrize("url", ["https://example.org/hook", "carrier-pigeon://loft", "slack://half"])
def test_an_address_without_a_service_is_a_clear_fault(url: str) -> None:
    """It says what to write, and not what was written: that may be a secret."""
    channel = Channel("team", url)
    with pytest.raises(ChannelFault, match="channel team: no service") as fault:
        channel.check()

    outcome = channel.send(TOLD, "k")
    assert outcome.state == "refused"
    assert "jsons://" in fault.value.hint
    assert url.partition("://")[2] not in outcome.error + str(fault.value)


def test_no_secret_of_an_address_is_told(server: FaultyServer, address: str) -> None:
    """Neither by what fails, nor by what is kept of it."""
    server.answer = status(403, body=b"token hunter2hunter2 is revoked")
    world = World(address, ManualClock())
    channel = Channel("team", f"json://me:hunter2hunter2@{server.host}/alerts", redacted=lambda text: text)
    world.put(begun("i1"))
    world.drain(team=channel.send)
    (dead,) = world.outbox.dead()
    told = json.dumps(world.told("alert.failed"))
    world.close()

    assert "hunter2" not in repr(channel) + dead.error + json.dumps(dead.to_json()) + told


def test_nothing_that_apprise_says_goes_to_the_console(capfd: pytest.CaptureFixture[str]) -> None:
    """A command's output stays its own."""
    Channel("team", "slack://half").send(TOLD, "k")
    Channel("hook", "json://127.0.0.1:1/alerts").send(TOLD, "k")

    assert capfd.readouterr() == ("", "")


# --- mail ---------------------------------------------------------------------------------------


class Mailbox:
    """Takes what comes; the first `busy` messages are put off with 451."""

    def __init__(self, busy: int = 0) -> None:
        self.busy = busy
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        if self.busy:
            self.busy -= 1
            return "451 4.3.0 try again later"
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))  # type: ignore[arg-type]
        return "250 OK"


def test_mail_is_told_the_beginning_and_the_end(address: str) -> None:
    """As HTML and as text, with the title as its subject; a server that is busy gets it later, once."""
    mailbox = Mailbox(busy=1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        url = f"mailto://127.0.0.1:{port}/?from=alerts@example.org&to=night@example.org&mode=insecure"
        world, channel = World(address, ManualClock()), Channel("ops", url)
        world.put(Post("k1:ops", "ops", "i1", 1, TOLD))
        world.drain(30.0, ops=channel.send)
        world.put(over("i1", "ops"))
        world.drain(30.0, ops=channel.send)
        world.close()
    finally:
        controller.stop()
    first, last = mailbox.mails
    html, text = first.get_body(("html",)), first.get_body(("plain",))

    assert [mail["Subject"] for mail in mailbox.mails] == [TOLD.title, "i1 over"]
    assert last["To"] == "night@example.org"
    assert html is not None
    assert "&lt;soon&gt;" in html.get_content()
    assert text is not None
    assert "fx_daily breaks its promise at 09:00" in text.get_content()


# --- syslog -------------------------------------------------------------------------------------


def test_a_syslog_server_gets_a_datagram() -> None:
    """With the facility of the address and the severity of the alert (RFC 3164)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(120)
        channel = Channel("log", f"rsyslog://127.0.0.1:{receiver.getsockname()[1]}/local3")
        outcome = channel.send(TOLD, "k")
        datagram = receiver.recv(4096).decode()

    assert outcome == Outcome("sent")
    priority, _, rest = datagram.partition(">")
    assert int(priority[1:]) == (19 << 3) + 2  # local3, critical: Apprise's word for an error
    assert TOLD.title in rest


def test_channels_are_used_side_by_side(server: FaultyServer) -> None:
    """What one service says is not taken for what another said."""
    server.answer = lambda request: status(404) if request.path == "/gone" else ok(b"ok")
    outcomes: dict[str, list[str]] = {"gone": [], "here": []}

    def send(path: str) -> None:
        channel = Channel(path, f"json://{server.host}/{path}")
        outcomes[path] += [channel.send(TOLD, "k").state for _ in range(5)]

    threads = [threading.Thread(target=send, args=(path,)) for path in outcomes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes == {"gone": ["refused"] * 5, "here": ["sent"] * 5}


def test_a_name_in_a_title_calls_nobody_and_sets_nothing_on_discord(server: FaultyServer) -> None:
    """It puts the title before the text, as it is: a name that is a link or calls everybody would be one."""
    title = "@everyone [fx_daily](https://evil.test) down"
    Channel("team", f"discord://{DISCORD_TOKENS}").send(replace(TOLD, title=title), "k")
    (request,) = server.requests
    first = body(request)["content"].splitlines()[0]
    assert first == "@\u200beveryone \\[fx_daily\\](https://evil.test) down"
