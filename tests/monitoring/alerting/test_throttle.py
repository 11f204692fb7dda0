"""At most three messages in ten minutes, the most urgent first, what is beyond them in one."""

from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerting.throttle import GATHER_S, MOST, WINDOW_S, Send, Summarise, Wait, Waiting, choose


def waiting(key: str, *, severity: str = "error", created: float = 0.0, **more: object) -> Waiting:
    return Waiting(key, more.pop("thread", key), more.pop("place", 1), severity, created, **more)  # type: ignore[arg-type]


def test_the_most_urgent_goes_first() -> None:
    """Whatever came before it."""
    found = [waiting("a", severity="warning"), waiting("b", severity="critical", created=5.0), waiting("c")]

    assert choose(found, [], 10.0) == Send("b")


def test_messages_of_one_thread_keep_their_order() -> None:
    """Though the later one is the more urgent."""
    found = [waiting("over", thread="i1", place=7, severity="critical"), waiting("begun", thread="i1", place=3)]

    assert choose(found, [], 10.0) == Send("begun")


def test_the_last_message_of_a_window_waits_for_company() -> None:
    """Alone it goes as it is."""
    told = [0.0, 1.0]

    assert choose([waiting("a", created=10.0)], told, 11.0) == Wait(10.0 + GATHER_S)
    assert choose([waiting("a", created=10.0)], told, 10.0 + GATHER_S) == Send("a")


def test_what_came_meanwhile_goes_with_it() -> None:
    """In order, in one summary."""
    found = [waiting("b", created=12.0, place=2), waiting("a", created=10.0, place=1)]

    assert choose(found, [0.0, 1.0], 10.0 + GATHER_S) == Summarise(("a", "b"))


def test_nobody_waits_for_company_when_nothing_else_will_come() -> None:
    """As after a run."""
    assert choose([waiting("a", created=10.0)], [0.0, 1.0], 10.0, gather_s=0.0) == Send("a")


def test_after_three_messages_a_channel_has_peace() -> None:
    """Until the first of them is ten minutes ago; a critical one waits as well, as a storm is made of those."""
    assert choose([waiting("a", severity="critical")], [1.0, 2.0, 3.0], 50.0) == Wait(1.0 + WINDOW_S)


def test_what_may_have_been_told_is_tried_again_at_any_time() -> None:
    """It has its place among the three already."""
    found = [waiting("a", told=True, attempts=1), waiting("b", severity="critical")]

    assert choose(found, [1.0, 2.0, 3.0], 50.0) == Send("a")


def test_a_channel_that_takes_nothing_is_left_alone_until_it_is_due() -> None:
    """Then what was not tried goes first: it may be the other message that it does not take."""
    found = [waiting("a", attempts=3, due=60.0), waiting("b", created=5.0, place=2)]

    assert choose(found, [], 50.0) == Wait(60.0)
    assert choose(found, [], 60.0) == Send("b")


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    """What was told or created in the future says nothing about now."""
    assert choose([waiting("a", created=9e9)], [9e9, 9e9, 9e9], 50.0) == Send("a")
    assert choose([waiting("a", created=9e9)], [1.0, 2.0], 50.0) == Send("a")


@given(st.lists(st.tuples(st.floats(0, 40), st.sampled_from(["info", "warning", "error", "critical"])), max_size=40))
def test_no_ten_minutes_have_more_than_three_messages(news: list[tuple[float, str]]) -> None:
    """Whatever comes when; and everything is told in the end, each thing once."""
    now, told, open_, said = 0.0, [], {}, []
    for number, (pause, severity) in enumerate(news):
        now += pause
        open_[f"m{number}"] = waiting(f"m{number}", severity=severity, created=now, place=number)
        now = _work_off(now, now, told, open_, said)
    _work_off(now, float("inf"), told, open_, said)

    assert sorted(said) == sorted(f"m{number}" for number in range(len(news)))
    assert all(sum(1 for other in told if one <= other < one + WINDOW_S) <= MOST for one in told)


def _work_off(now: float, until: float, told: list[float], open_: dict[str, Waiting], said: list[str]) -> float:
    while (found := choose(list(open_.values()), told, now)) is not None:
        match found:
            case Wait(moment):
                if moment > until:
                    break
                now = moment
            case Send(key):
                open_.pop(key)
                said.append(key)
                told.append(now)
            case Summarise(keys):
                said.extend(keys)
                told.append(now)
                for key in keys:
                    open_.pop(key)
    return now
