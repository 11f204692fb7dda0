"""The outbox: what is put there once is sent, in order, however often it fails; and who is told that it does."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from monitoring.alerting.channels import Outcome
from monitoring.alerting.delivery import Delivery
from monitoring.alerting.outbox import DEAD_AFTER_S, DOWN_AFTER_S, LONGEST_PAUSE_S
from monitoring.alerting.throttle import WINDOW_S
from tests.monitoring.alerting.posts import DOWN, GONE, Hanging, Receiver, World, begun, over
from utils.clock import ManualClock
from utils.database import StateError
from utils.events.event import stamp


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def world(address: str, clock: ManualClock) -> Iterator[World]:
    made = World(address, clock)
    yield made
    made.close()


def test_a_message_reaches_each_of_its_channels_once(world: World) -> None:
    """However often it is put, and however often somebody sends."""
    team, ops = Receiver(), Receiver()
    for _ in range(2):
        world.put(begun("i1"), begun("i1", "ops"))
        world.drain(team=team, ops=ops)

    assert (team.got, ops.got) == (["i1 down"], ["i1 down"])
    assert [event["message"] for event in world.told("alert.sent")] == ["i1-opened:ops", "i1-opened:team"] or [
        event["message"] for event in world.told("alert.sent")
    ] == ["i1-opened:team", "i1-opened:ops"]


def test_a_failed_message_is_tried_after_a_second_and_then_ever_later(world: World, clock: ManualClock) -> None:
    """Up to five minutes, with the same key each time."""
    team = Receiver(DOWN)
    world.put(begun("i1"))
    world.drain(3600.0, team=team)

    assert clock.slept[0] == pytest.approx(1.0, rel=0.21)
    assert clock.slept[1] == pytest.approx(2.0, rel=0.21)
    assert LONGEST_PAUSE_S <= max(clock.slept) <= 1.2 * LONGEST_PAUSE_S
    assert [one.state for one in world.outbox.undelivered()] == ["waiting"]


def test_a_service_that_asks_us_to_wait_is_asked_again_only_then(world: World, clock: ManualClock) -> None:
    """Also by the next command, which tries everything else at once."""
    team = Receiver(Outcome("failed", "error=429", retry_after=120.0), Outcome("sent"))
    world.put(begun("i1"))
    world.drain(team=team)
    world.outbox.hasten()
    world.drain(team=team)
    assert team.tries == 1

    clock.advance(115.0)
    world.drain(team=team)
    assert team.got == ["i1 down"]


def test_what_waits_is_hastened_by_a_command(world: World, clock: ManualClock) -> None:
    """A pause is for who stays."""
    team = Receiver(*[DOWN] * 6, Outcome("sent"))
    world.put(begun("i1"))
    world.drain(40.0, team=team)
    assert team.got == []

    world.outbox.hasten()
    world.drain(0.0, team=team)
    assert team.got == ["i1 down"]


def test_the_end_comes_after_the_beginning(world: World) -> None:
    """One message each, when the beginning was told."""
    team = Receiver()
    world.put(begun("i1"))
    world.drain(team=team)
    world.put(over("i1"))
    world.drain(team=team)

    assert team.got == ["i1 down", "i1 over"]


def test_beginning_and_end_that_go_out_together_are_one_message(world: World) -> None:
    """Nobody is told an end to what he never heard of."""
    team = Receiver()
    world.put(begun("i1"))
    world.drain(1.0, team=Receiver(DOWN))
    world.put(over("i1"))
    world.drain(60.0, team=team)

    assert team.got == ["i1 over"]
    (told,) = [one for one in world.outbox.of_thread("i1") if one.state == "sent"]
    assert "It began: i1 down" in told.message.text
    (merged,) = [one for one in world.outbox.of_thread("i1") if one.key != told.key]
    assert (merged.state, merged.into) == ("merged", told.key)


def test_nobody_hears_the_end_who_was_to_hear_no_beginning(world: World) -> None:
    """A channel that was added meanwhile, for example."""
    team, late = Receiver(), Receiver()
    world.put(begun("i1"))
    world.drain(team=team, late=late)
    world.put(over("i1"), over("i1", "late"))
    world.drain(team=team, late=late)

    assert late.got == []
    assert team.got == ["i1 down", "i1 over"]


def test_a_try_without_an_answer_is_repeated_with_the_same_key(world: World) -> None:
    """So that a receiver who heeds it sees one message; and the end is no beginning's."""
    team = Receiver(Outcome("unknown", "no answer"), Outcome("sent"))
    world.put(begun("i1"))
    world.drain(0.0, team=team)
    world.put(over("i1"))
    world.drain(60.0, team=team)

    assert team.keys == ["i1-opened:team", "i1-opened:team", "i1-resolved:team"]


def test_a_service_that_never_answers_tells_people_three_times_in_ten_minutes_at_most(
    world: World, clock: ManualClock
) -> None:
    """It may well take each try; and no command that ends hastens it."""
    team = Receiver(Outcome("unknown", "no answer"))
    world.put(begun("i1"))
    tries = []
    for _ in range(2):
        until = clock.time() + 600.0
        while clock.time() < until:
            world.outbox.hasten()
            world.drain(0.0, team=team)
            clock.advance(10.0)
        tries.append(team.tries)
    assert tries == [3, 5]


def test_what_is_refused_for_good_is_a_dead_letter_at_once(world: World) -> None:
    """Kept and shown; sent again when somebody asks for it."""
    team = Receiver(GONE, Outcome("sent"))
    world.put(begun("i1"))
    world.drain(team=team)
    (dead,) = world.outbox.dead()
    assert (dead.state, dead.error, team.tries) == ("dead", "error=404", 1)
    assert [event["dead"] for event in world.told("alert.failed")] == [True]

    assert world.outbox.resend([dead.key]) == 1
    world.drain(team=team)
    assert team.got == ["i1 down"]
    assert world.outbox.dead() == []


def test_what_nobody_takes_for_three_days_is_a_dead_letter(world: World, clock: ManualClock) -> None:
    """And it is told."""
    world.put(begun("i1"))
    for _ in range(12):
        world.drain(0.0, team=Receiver(DOWN))
        clock.advance(DEAD_AFTER_S / 10)

    assert [one.key for one in world.outbox.dead()] == ["i1-opened:team"]
    assert [event["dead"] for event in world.told("alert.failed")] == [False, True]


def test_a_clock_that_jumps_ahead_kills_no_letter(world: World, clock: ManualClock) -> None:
    """Three days that were none: it was hardly tried."""
    world.put(begun("i1"))
    clock.set_forward(2 * DEAD_AFTER_S)
    world.drain(0.0, team=Receiver(DOWN))

    assert world.outbox.dead() == []


def test_a_clock_that_is_set_back_holds_up_no_letter(world: World, clock: ManualClock) -> None:
    """Its next try lies a day ahead then."""
    team = Receiver(DOWN, Outcome("sent"))
    world.put(begun("i1"))
    world.drain(0.0, team=team)
    clock.set_back(86_400.0)
    world.drain(0.0, team=team)

    assert team.got == ["i1 down"]


def test_a_channel_that_is_down_is_told_once(world: World, clock: ManualClock) -> None:
    """After a minute, for a blip is none; and when it is back, how long it was."""
    team = Receiver(*[DOWN] * 20, Outcome("sent"))
    world.put(begun("i1"), begun("i2", place=2))
    world.drain(50.0, team=team)
    assert world.told("alert.failed") == []

    world.drain(3600.0, team=team)
    (failed,) = world.told("alert.failed")
    assert (failed["dead"], failed["error"]) == (False, "connection refused")
    assert failed["failing_s"] >= DOWN_AFTER_S
    assert sum("down_s" in event for event in world.told("alert.sent")) == 1


def test_a_channel_that_is_down_holds_up_no_other(world: World) -> None:
    """And is left alone: the second message is not tried before the first is due again."""
    team, ops = Receiver(DOWN), Receiver()
    world.put(*(begun(f"i{number}", name, place=number) for number in (1, 2) for name in ("team", "ops")))
    world.drain(0.5, team=team, ops=ops)

    assert sorted(ops.got) == ["i1 down", "i2 down"]
    assert team.tries == 1


def test_a_channel_that_hangs_holds_up_no_other_and_is_tried_again(world: World, clock: ManualClock) -> None:
    """Nobody knows whether it was sent; what comes back late counts."""
    hanging, ops = Hanging(), Receiver()
    delivery = Delivery(world.outbox, {"team": hanging, "ops": ops}, clock=clock, deadline_s=30.0)
    world.put(begun("i1"), begun("i1", "ops"))
    delivery.step()
    assert hanging.entered.acquire(timeout=120)
    clock.advance(31.0)
    delivery.step()
    (waits,) = [one for one in world.outbox.of_thread("i1") if one.channel == "team"]
    assert (waits.state, waits.told_at is not None, "no answer" in waits.error) == ("waiting", True, True)

    hanging.let_go.set()
    clock.advance(5.0)
    while delivery.step() == 0.0 or world.outbox.anything():
        delivery.wait(5.0)
        clock.advance(1.0)
    delivery.close()
    assert ops.got == ["i1 down"]
    assert [one.state for one in world.outbox.of_thread("i1")] == ["sent", "sent"]


def test_a_channel_that_is_no_more_is_told_with_those_that_are(world: World) -> None:
    """Whoever renamed it sees why nothing comes."""
    world.put(begun("i1", "gone"))
    world.drain(team=Receiver())

    (dead,) = world.outbox.dead()
    assert "`gone`" in dead.error
    assert "team" in dead.error


def test_a_storm_is_two_messages_and_a_summary(world: World, clock: ManualClock) -> None:
    """The summary counts and names what it stands for; it is told once."""
    team = Receiver()
    delivery = Delivery(world.outbox, {"team": team}, clock=clock)
    for number in range(40):
        world.put(begun(f"p{number:02}", place=number))
        _work(delivery, world)
    clock.advance(30.0)
    _work(delivery, world)

    assert team.got[:2] == ["p00 down", "p01 down"]
    assert team.got[2].startswith("38 more messages (38 began), the most urgent: p02 down")
    assert len(team.got) == 3

    world.put(*(over(f"p{number:02}", place=100 + number) for number in range(40)))
    clock.advance(WINDOW_S)
    _work(delivery, world)
    clock.advance(WINDOW_S)
    _work(delivery, world)
    delivery.close()
    assert team.got[3:5] == ["p00 over", "p01 over"]
    assert team.got[5].startswith("38 more messages (38 over)")
    assert not world.outbox.anything()


def test_what_follows_a_summary_waits_for_it(world: World, clock: ManualClock) -> None:
    """The end of something whose beginning is in a summary that was not taken yet."""
    team = Receiver(Outcome("sent"), Outcome("sent"), DOWN, Outcome("sent"))
    world.put(*(begun(f"i{number}", place=number) for number in range(4)))
    world.drain(0.5, team=team)
    world.put(over("i3", place=9))
    clock.advance(WINDOW_S)
    world.drain(team=team)

    assert team.got[2].startswith("2 more messages (2 began)")
    assert team.got[3] == "i3 over"


def test_a_summary_that_is_refused_leaves_what_is_in_it(world: World) -> None:
    """Each of them is a dead letter by itself."""
    team = Receiver(Outcome("sent"), Outcome("sent"), GONE)
    world.put(*(begun(f"i{number}", place=number) for number in range(4)))
    world.drain(team=team)

    assert [one.thread for one in world.outbox.dead()] == ["i2", "i3"]


def test_how_channels_stand_that_do_not_take_everything(world: World) -> None:
    """What waits and since when, what died, and what was said last; of those that take all there is nothing to say."""
    world.put(begun("i1"), begun("i2", "ops"), begun("i2", "gone"), begun("i1", "gone"), begun("i1", "fine"))
    began = world.clock.time()
    world.drain(0.0, team=Receiver(DOWN), ops=Receiver(GONE), fine=Receiver())

    assert [(one.channel, one.waiting, one.dead, one.failing_since) for one in world.outbox.standing()] == [
        ("gone", 0, 2, None),
        ("ops", 0, 1, None),
        ("team", 1, 0, began),
    ]
    assert [one.error for one in world.outbox.standing()][1:] == ["error=404", "connection refused"]


def test_a_letter_says_how_far_it_is(world: World) -> None:
    """As the commands show it: no message's whole text, no address."""
    world.put(begun("i1"))
    world.drain(0.0, team=Receiver(DOWN))
    (shown,) = [one.to_json() for one in world.outbox.of_thread("i1")]

    assert (shown["channel"], shown["state"], shown["attempts"], shown["title"]) == ("team", "waiting", 1, "i1 down")
    assert shown["created"] == stamp(world.clock.time())
    assert shown["next_try"] > stamp(world.clock.time())
    assert shown["told_at"] is None


def test_what_was_sent_long_ago_is_forgotten(world: World, clock: ManualClock) -> None:
    """Dead letters are not."""
    world.put(begun("i1"), begun("i2", "gone"))
    world.drain(team=Receiver())
    clock.advance(timedelta(days=91).total_seconds())

    assert world.outbox.forget() == 1
    assert [one.thread for one in world.outbox.recent()] == ["i2"]


def _work(delivery: Delivery, world: World) -> None:
    """Until there is nothing to do now."""
    while True:
        seen = delivery.ended
        wait = delivery.step()
        busy = any(one.state == "sending" for one in world.outbox.undelivered())
        if wait >= 1.0 and not busy and delivery.ended == seen:
            return
        delivery.wait(0.01, seen)


def test_who_cannot_note_what_came_of_a_message_gives_its_turn_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: the next one finds the message as it was left, and sends it."""
    monkeypatch.setattr(Turn, "held", False)
    full = StateError("the disk is full")
    world.put(begun("i1"))
    delivery = Delivery(world.outbox, {"team": Receiver(DOWN)}, turn=Turn(), clock=world.clock, gather_s=0.0)
    with monkeypatch.context() as disk:
        disk.setattr(world.outbox, "settle", raises(full))
        with suppress(StateError):
            delivery.drain(10.0)
        with pytest.raises(StateError, match="the disk is full"):
            delivery.close()

    team = Receiver()
    later = Delivery(world.outbox, {"team": team}, turn=Turn(), clock=world.clock, gather_s=0.0)
    later.drain(600.0)
    later.close()

    assert team.got == ["i1 down"]
    assert not world.outbox.anything()


class Turn:
    """One at a time of those in this process, too."""

    held = False

    def __init__(self) -> None:
        self.mine = False

    def take(self) -> bool:
        if not self.mine and not Turn.held:
            self.mine = Turn.held = True
        return self.mine

    def give(self) -> None:
        if self.mine:
            self.mine = Turn.held = False


def raises(error: Exception) -> Callable[..., None]:
    def call(*_: object) -> None:
        raise error

    return call
