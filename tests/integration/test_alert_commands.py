"""The commands of alerts on a real installation: what is wrong, who takes it, what keeps quiet, who was told."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from operations.actor import Actor
from operations.alert_acts import matcher_of, resend
from operations.alert_trial import would_tell
from operations.alerting import deliver
from operations.alerts import find_incident, listed
from operations.run import run
from operations.status import status as ask_status
from tests.faulty_server import Answer, FaultyServer, Request, as_json, ok, status
from tests.integration.installation import Installation
from utils.clock import ManualClock

GOOD = ok(b"id,rate\n1,1.08\n")


class Town:
    """An installation whose provider `ECB` fails, and a chat that may be away, both on one server."""

    def __init__(self, installation: Installation, server: FaultyServer, **sections: Any) -> None:
        self.installation = installation
        self.server = server
        self.ecb = GOOD
        self.chat = as_json({"ok": True})
        self.said: list[dict[str, Any]] = []
        server.answer = self.answer
        place = server.url.removeprefix("http://").split("/")[0]
        breaker = {"failure_threshold": 2}
        collect = {"kind": "http", "url": f"http://{place}/fx.csv"}
        installation.configure(
            {"name": "fx", "provider": "ECB", "collect": collect, "promise": {"max_age": "2h"}},
            providers={"ECB": {"runbook": "https://wiki.example.org/ecb", "resilience": {"breaker": breaker}}},
            alerts={
                "channels": {"chat": f"json://{place}/chat", "other": f"json://{place}/other"},
                "rules": [{"when": "breaker.opened", "to": ["chat"], "escalate": {"after": "30m", "to": ["other"]}}],
            },
            **sections,
        )

    def answer(self, request: Request) -> Answer:
        if request.path == "/chat":
            self.said.append(json.loads(request.body))
            return self.chat
        return self.ecb if request.path == "/fx.csv" else as_json({"ok": True})

    def goes_down(self) -> str:
        """The provider fails until its circuit opens; the id of the incident."""
        self.installation.run()
        self.ecb = status(503)
        self.installation.run(fresh=True)
        with self.installation.system() as system:
            deliver(system)
            (incident,) = listed(system).incidents
            return incident.incident.id

    def type(self, *words: str) -> int:
        return self.installation.typed(*words)


@pytest.fixture
def town(installation: Installation) -> Iterator[Town]:
    with FaultyServer(GOOD) as server:
        yield Town(installation, server)


def test_what_is_wrong_is_listed_as_a_message_puts_it(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each; `status` counts them, and `why` tells all of one by its id."""
    incident = town.goes_down()

    assert town.type("alerts", "list") == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith(f"{incident}  error     open ")
    assert "ECB down since" in line
    assert "nothing to do before" in line

    town.type("status")
    assert f"1 incident is open: {incident} (ECB, error); see `alerts list`" in capsys.readouterr().out

    assert town.type("why", incident[:5]) == 0
    told = capsys.readouterr().out
    assert "(503, " in told
    assert "ECB: breaker.opened since" in told
    assert "https://wiki.example.org/ecb" in told


def test_nothing_wrong_is_said(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything ran, too."""
    assert [town.type("alerts", *words) for words in (["list"], ["silences"], ["dead"], ["resend"])] == [0, 0, 0, 0]

    assert capsys.readouterr().out.splitlines() == [
        "Nothing is wrong: no incident is open.",
        "Nothing is kept quiet.",
        "No message was given up.",
        "No message was given up.",
    ]


def test_who_takes_an_incident_is_seen_and_stops_the_escalation(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """`explain` tells who was told why, by which channel, and what is due next: before, and after."""
    incident = town.goes_down()
    town.type("alerts", "explain", incident)
    before = capsys.readouterr().out
    assert "told (begun) to chat" in before
    assert "chat  opened  sent" in before
    assert "escalated, if nobody acknowledges it (other)" in before

    assert town.type("alerts", "ack", incident, "--until", "2h", "--comment", "calling them") == 0
    assert f"{incident} (ECB) is yours until " in capsys.readouterr().out

    town.type("alerts", "explain", incident)
    after = capsys.readouterr().out
    assert "escalated, if" not in after
    assert "the acknowledgement runs out; told again if it lasts (chat)" in after
    assert "acknowledged by local:" in after
    assert ": calling them" in after
    town.type("alerts", "list")
    assert "taken by local:" in capsys.readouterr().out


def test_what_is_declared_over_is_over(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """It leaves the list, and stands among those that are over."""
    incident = town.goes_down()

    assert town.type("alerts", "resolve", incident, "--reason", "moved to a mirror") == 0
    assert town.type("alerts", "ack", incident) == 2
    error = capsys.readouterr().err
    assert "there is no incident that lasts" in error

    town.type("alerts", "list", "--all")
    out = capsys.readouterr().out
    assert out.startswith("Nothing is wrong now.\n")
    assert f"{incident}  error     over " in out
    town.type("why", incident)
    assert capsys.readouterr().out.startswith("Over: ECB answers again since ")


def test_a_silence_keeps_quiet_until_it_is_taken_back(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """What matches is listed all the same; when it ends, what is still wrong is told."""
    assert town.type("alerts", "silence", "about=EC*", "--for", "2h", "--reason", "they move house") == 0
    told = capsys.readouterr().out
    identity = told.split(":")[0]
    assert "nobody is told of about EC* from " in told
    incident = town.goes_down()
    assert town.said == []

    town.type("alerts", "explain", incident)
    assert f"quiet: kept quiet by silence {identity}" in capsys.readouterr().out
    town.type("alerts", "list")
    assert "they move house" in capsys.readouterr().out

    assert town.type("alerts", "unsilence", identity) == 0
    with town.installation.system() as system:
        deliver(system)
    assert [one["title"].split(" since ")[0] for one in town.said] == ["ECB down"]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        pytest.param(["ack", "ffffffff"], "there is no incident that lasts `ffffffff`", id="no such incident"),
        pytest.param(["explain", "zz"], "there is no incident 'zz'", id="no id at all"),
        pytest.param(["silence", "fx"], "until when?", id="a silence without an end"),
        pytest.param(["silence", "fx", "--for", "soon"], "expected a duration", id="not a duration"),
        pytest.param(["silence", "fx", "--until", "yesterday"], "'yesterday' is no time", id="not a time"),
        pytest.param(["silence", "fx", "--until", "2020-01-01"], "is not ahead", id="a time that is past"),
        pytest.param(["silence", "colour=red", "--for", "1h"], "does not say which incidents", id="an unknown field"),
        pytest.param(["silence", "fx", "dataset=y", "--for", "1h"], "given twice", id="a field twice"),
        pytest.param(["unsilence", "ab"], "there is no silence `ab`", id="no such silence"),
        pytest.param(["test"], "try what?", id="nothing to try"),
        pytest.param(["test", "chta"], "there is no channel 'chta'", id="no such channel"),
        pytest.param(["test", "--event", "dataset.faild", "--dataset", "fx"], "did you mean `dataset.fai", id="a type"),
        pytest.param(["test", "--event", "dataset.failed"], "of which dataset", id="no dataset"),
        pytest.param(["test", "--event", "dataset.*", "--dataset", "fx"], "is a pattern", id="a pattern"),
        pytest.param(["test", "--event", "dataset.failed", "--dataset", "xf"], "unknown dataset `xf`", id="a dataset"),
        pytest.param(["resend", "abc"], "there is no dead letter 'abc'", id="no such letter"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_and_why(
    town: Town, capsys: pytest.CaptureFixture[str], words: list[str], fault: str
) -> None:
    """Exit code 2, one line, and a line that helps."""
    assert town.type("alerts", *words) == 2

    error = capsys.readouterr().err
    assert fault in error
    assert error.count("\n") >= 1
    assert "Traceback" not in error


def test_a_channel_is_tried(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """What arrives says that nothing is wrong; what does not arrive is an error."""
    assert town.type("alerts", "test", "chat") == 0
    assert town.said[0]["title"].endswith("nothing is wrong")

    town.chat = status(410)
    assert town.type("alerts", "test", "chat") == 1
    assert "chat: refused for good: " in capsys.readouterr().out


def test_who_would_be_told_is_said_and_nobody_is(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """With the rule, the time and the words, escalation included; neither the log nor a channel hears of it."""
    town.installation.run()
    with town.installation.system() as system:
        head = system.events.head()

    assert town.type("alerts", "test", "--event", "breaker.opened", "--dataset", "fx") == 0

    out = capsys.readouterr().out
    assert "If breaker.opened of ECB came now" in out
    assert "rule breaker.opened, error: calls" in out
    assert "after 5 s, to chat:" in out
    assert "after 30 min, to other:" in out
    assert "Nobody took it: ECB down since" in out
    assert town.said == []
    with town.installation.system() as system:
        assert system.events.head() == head


def test_a_rule_that_asks_more_than_the_event_has_says_so(town: Town) -> None:
    """The share of quarantined rows is not known of an event that never came."""
    with town.installation.system() as system:
        trial = would_tell(system, "rows.quarantined", "fx")

    assert [(one.rule, one.calls, one.words) for one in trial.reactions] == [
        ("many_quarantined", False, "the event has no share")
    ]
    assert trial.told == ()


def test_dead_letters_are_shown_and_sent_again(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """A chat that was gone for good, and is there again."""
    town.chat = status(404)
    incident = town.goes_down()
    town.said.clear()
    town.type("alerts", "dead")
    assert "to chat, 1 try: ECB down since" in capsys.readouterr().out

    town.chat = as_json({"ok": True})
    assert town.type("alerts", "resend", incident) == 0

    told = capsys.readouterr().out
    assert told.startswith("1 put back; ")
    assert told.endswith(" 0 waiting\n")
    assert len(town.said) == 1
    town.type("alerts", "dead")
    assert capsys.readouterr().out == "No message was given up.\n"


def test_words_alone_mean_what_is_known_by_them(town: Town) -> None:
    """A dataset, an incident, else what incidents are about; `fed` is a provider, though an id could begin so."""
    incident = town.goes_down()
    with town.installation.system() as system:
        assert matcher_of(system, ["fx"]).words == "dataset fx"
        assert matcher_of(system, [incident[:6]]).words == f"incident {incident}"
        assert matcher_of(system, ["fed"]).words == "about fed"
        assert matcher_of(system, ["severity=warning", "rule=dataset_*"]).words == "rule dataset_*, severity warning"
        assert find_incident(system, incident[:6]).id == incident
        assert resend(system, Actor("test")) == []


def test_status_of_a_past_moment_has_the_incidents_of_then(installation: Installation) -> None:
    """Open at three, over at nine: asked at noon, each hour says what was so."""
    clock = ManualClock(datetime(2026, 11, 20, 2, tzinfo=UTC))
    with FaultyServer(GOOD) as server:
        town = Town(installation, server)
        with installation.system(clock) as system:
            run(system, Actor("test"), fresh=True)
            town.ecb = status(503)
            clock.advance(3600.0)
            run(system, Actor("test"), fresh=True)
            deliver(system)
            clock.advance(6 * 3600.0)
            town.ecb = GOOD
            run(system, Actor("test"), fresh=True)
            deliver(system)
            clock.advance(3 * 3600.0)
            then = [ask_status(system, as_of=f"2026-11-20T{hour}:30:00Z").incidents for hour in ("02", "03", "09")]

    assert [[one.about for one in incidents] for incidents in then] == [[], ["ECB"], []]


def test_all_of_it_works_over_postgresql(
    installation: Installation, postgres: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong, who takes it, what was told of it; the tries of the provider are counted there, too."""
    with FaultyServer(GOOD) as server:
        town = Town(installation, server, database={"url": postgres})
        incident = town.goes_down()

        assert town.type("alerts", "ack", incident) == 0
        assert town.type("alerts", "silence", "fx", "--for", "1h") == 0
        assert town.type("alerts", "explain", incident) == 0
        assert town.type("why", incident) == 0
        assert town.type("status") == 0

    out = capsys.readouterr().out
    assert "chat  opened  sent" in out
    assert "(503, 2 tries" in out
    assert f"1 incident is open: {incident}" in out
