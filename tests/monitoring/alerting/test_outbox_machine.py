"""The outbox through whatever may happen to it: messages, outages, tries without an answer, kills, clocks."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from monitoring.alerting.channels import Outcome
from monitoring.alerting.delivery import Delivery
from monitoring.alerting.letter import Post
from monitoring.alerting.message.message import Message
from monitoring.alerting.throttle import MOST, WINDOW_S
from tests.counts import few
from tests.monitoring.alerting.posts import SENT, World, message
from utils.clock import ManualClock

ANSWERS = {
    "up": SENT,
    "down": Outcome("failed", "connection refused"),
    "busy": Outcome("failed", "error=429", retry_after=90.0),
    "silent": Outcome("unknown", "no answer"),
}


class PostOffice(RuleBasedStateMachine):
    """One channel; what it received, and what was put into the outbox."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        self.world = World(str(Path(self.folder.name, "log.db")), self.clock)
        self.answer = "up"
        self.received: list[tuple[float, str, Message]] = []
        self.put: list[str] = []
        self.open: list[str] = []
        self.over: list[str] = []
        self.delivery = self.started()

    def started(self) -> Delivery:
        return Delivery(self.world.outbox, {"team": self.receive}, clock=self.clock)

    def receive(self, told: Message, key: str) -> Outcome:
        outcome = ANSWERS[self.answer]
        if outcome.state in ("sent", "unknown"):
            self.received.append((self.clock.time(), key, told))
        return outcome

    @rule(severity=st.sampled_from(["warning", "error", "critical"]))
    def something_begins(self, severity: str) -> None:
        name = f"i{len(self.put)}"
        told = message(f"{name} down", "opened", severity, name)  # type: ignore[arg-type]
        self.post(name, "opened", told)
        self.open.append(name)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def something_ends(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.open))
        self.open.remove(name)
        self.over.append(name)
        self.post(name, "resolved", message(f"{name} over", "resolved", "error", name))

    @rule(answer=st.sampled_from(sorted(ANSWERS)))
    def the_channel_turns(self, answer: str) -> None:
        self.answer = answer

    @rule(seconds=st.sampled_from([1.0, 30.0, 300.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        until = self.clock.time() + seconds
        while self.clock.time() < until:
            wait = self.worked()
            self.clock.advance(min(max(wait, 1.0), until - self.clock.time()))
        self.worked()

    @rule()
    def the_process_is_killed(self) -> None:
        """And another one begins; nothing of the first is left but the table."""
        self.delivery = self.started()

    @invariant()
    def nobody_hears_an_end_before_its_beginning(self) -> None:
        heard: set[str] = set()
        for _, _, told in getattr(self, "received", []):
            words = told.title + told.text
            if told.kind == "resolved":
                assert told.incident in heard or f"It began: {told.incident} down" in words, words
            if told.kind == "summary" and re.search(r"^and \d+ more$", told.text, re.MULTILINE):
                heard |= set(self.put)  # it counts more than it names
            heard |= {name for name in self.put if f"{name} down" in words}

    @invariant()
    def no_ten_minutes_have_more_than_three_messages(self) -> None:
        first: dict[str, float] = {}
        for moment, key, _ in getattr(self, "received", []):
            first.setdefault(key, moment)
        times = sorted(first.values())
        assert all(sum(1 for other in times if one <= other < one + WINDOW_S) <= MOST for one in times)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.answer = "up"
            self.time_passes(WINDOW_S * 4)
            said = " ".join(told.title + told.text for _, _, told in self.received)
            assert not self.world.outbox.anything()
            counted = {one.thread for one in self.world.outbox.recent(1000) if one.state == "summarised"}
            assert [name for name in self.put if f"{name} down" not in said and name not in counted] == []
            assert [name for name in self.over if f"{name} over" not in said and name not in counted] == []
        finally:
            self.delivery.close()
            self.world.close()
            self.folder.cleanup()

    def post(self, name: str, kind: str, told: Message) -> None:
        if kind == "opened":
            self.put.append(name)
        self.world.put(Post(f"{name}-{kind}", "team", name, len(self.put) * 2 + (kind == "resolved"), told))

    def worked(self) -> float:
        """Everything that is due now is done; gives the seconds until something is."""
        while True:
            seen = self.delivery.ended
            wait = self.delivery.step()
            if any(one.state == "sending" for one in self.world.outbox.undelivered()):
                self.delivery.wait(5.0, seen)
            elif wait > 0.0 and self.delivery.ended == seen:
                return wait


TestOutbox = PostOffice.TestCase
TestOutbox.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)


@pytest.mark.prove
class TestManyOutboxes(PostOffice.TestCase):  # type: ignore[misc,name-defined]  # hypothesis makes it
    """The same, for much longer."""

    settings = settings(max_examples=few(300), stateful_step_count=30, deadline=None)
