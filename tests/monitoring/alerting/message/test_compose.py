"""What a message says: what is wrong, what it means, and above all whether to get up."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerting.incident import Cause, Incident, NoticeKind
from monitoring.alerting.message import KINDS, Format, Kind, Message, compose
from monitoring.alerting.message.message import LONGEST_TITLE
from monitoring.alerting.situation import ProviderStanding
from tests.monitoring.alerting.message.night import (
    AGAIN,
    NINE,
    NOW,
    SINCE,
    House,
    at,
    cause,
    down,
    incident,
    outage,
)

FOUR = ("fx_daily", "fx_monthly", "hicp", "yields")


def said(message: Message) -> str:
    """The opening paragraph."""
    return message.parts[0].text


def part(message: Message, label: str) -> str:
    return next((one.text for one in message.parts if one.label == label), "")


def test_an_outage_reads_as_promised() -> None:
    """The example of the documentation, to the letter; and a title that stands alone."""
    message = compose(down(*FOUR), "opened", outage(), NOW)

    assert said(message) == (
        "ECB down since 02:12 (503, 41 tries, next 03:05). 4 datasets on last good, data of 19 Nov 16:00; "
        "fx_daily breaks its promise at 09:00. Nothing to do before."
    )
    assert message.title == "ECB down since 02:12: nothing to do before 09:00"
    assert part(message, "Datasets") == "fx_daily (breaks at 09:00), fx_monthly, hicp, yields"
    assert part(message, "Paste") == ""
    assert message.footer == "i7f3 · error · rates · times in Europe/Berlin"


def test_of_several_promises_the_first_says_until_when_there_is_time() -> None:
    """Three by name, in the order in which they break."""
    house = outage()
    for hour, name in enumerate(FOUR):
        house.put(name, breaks_at=NINE + timedelta(hours=hour))

    message = compose(down(*FOUR), "opened", house, NOW)

    assert said(message).endswith(
        "fx_daily breaks its promise at 09:00, fx_monthly at 10:00, hicp at 11:00, 1 more later. "
        "Nothing to do before 09:00."
    )


def test_an_outage_that_breaks_no_promise_can_wait() -> None:
    """Nobody has to get up for what nobody promised."""
    house = outage()
    house.put("fx_daily", breaks_at=None)

    message = compose(down("fx_daily"), "opened", house, NOW)

    assert message.title == "ECB down since 02:12: it can wait"
    assert said(message).endswith("Nothing breaks by it: it can wait.")


@pytest.mark.parametrize(
    "worse",
    [pytest.param({"broken": True, "breaks_at": at("2026-11-20T01:30:00Z")}, id="its promise is broken"),
     pytest.param({"origin": "none", "status": "failed"}, id="there is no copy")],
)  # fmt: skip
def test_who_has_nothing_any_more_needs_somebody_now(worse: dict[str, Any]) -> None:
    """And there is one command to paste."""
    house = outage()
    house.put("fx_daily", **worse)

    message = compose(down(*FOUR), "changed", house, NOW)

    assert message.title == "Now: ECB down since 02:12: fx_daily needs somebody now"
    assert "fx_daily needs somebody now: tell the readers. Only ECB can mend it; it is tried again at 03:05" in said(
        message
    )
    assert part(message, "Paste") == "python integrated_system.py why i7f3"


@pytest.mark.parametrize(
    ("kind", "words", "command"),
    [
        pytest.param("ProviderRefused", "ECB refuses us", "why fx_daily", id="it says no"),
        pytest.param(
            "PayloadUnreadable", "ECB sends what cannot be read", "try fx_daily", id="it sends something else"
        ),
    ],
)
def test_what_no_waiting_mends_is_said_so(kind: str, words: str, command: str) -> None:
    """A provider that says no will say no at nine, too: the promise is the time by which somebody has to act."""
    house = outage()
    hint = "check `auth` of the provider"
    house.providers["ECB"] = ProviderStanding("ECB", "closed", 3, "fx: answered 401: who?", kind, hint)
    error = {"type": kind, "message": "…"}

    wrong = incident("provider", "ECB", cause("dataset.degraded", "fx_daily", error=error), datasets=("fx_daily",))
    message = compose(wrong, "opened", house, NOW)

    what, by = message.title.removeprefix(f"{words} since 02:12: ").split(" before ")
    assert by == "09:00"
    assert f"Waiting mends nothing. Before 09:00: {what}: {hint}." in said(message)
    assert part(message, "Paste") == f"python integrated_system.py {command}"


@pytest.mark.parametrize(
    ("standing", "brief"),
    [
        pytest.param({"breaks_at": NINE}, "decide before 09:00", id="before the promise breaks"),
        pytest.param({}, "it can wait", id="when nothing is promised"),
        pytest.param({"broken": True}, "decide now", id="when the promise is broken"),
    ],
)
def test_a_held_batch_is_decided_about_in_time(standing: dict[str, Any], brief: str) -> None:
    """With the columns that changed, and the command that shows the batch."""
    house = House()
    house.put("fx_daily", held="schema changed: rate", **standing)
    drift = cause("schema.drifted", "fx_daily", column="rate", change="changed", old="double", new="string")
    gone = replace(drift, seq=8, data={"column": "date", "change": "missing", "old": "date", "new": None})
    held = cause("batch.held", "fx_daily", reason="schema changed")

    wrong = incident("dataset", "fx_daily", drift, gone, held, datasets=("fx_daily",))
    message = compose(wrong, "opened", house, NOW)

    assert message.title == f"New batch of fx_daily held since 02:12: {brief}"
    assert "(rate: double became string, date is missing)" in said(message)
    assert "fx_daily on last good, data of 19 Nov 16:00" in said(message)
    assert "`accept fx_daily` or `reject fx_daily`" in said(message)
    assert part(message, "Paste") == "python integrated_system.py show fx_daily --batch"


def test_yesterdays_file_again_asks_the_provider() -> None:
    """It answers, so waiting is no help: the message says how often the same came, and what is due when."""
    house = House()
    house.put(
        "fx_daily",
        status="succeeded",
        origin="provider",
        at_risk=True,
        breaks_at=NINE,
        same=3,
        same_since=at("2026-11-19T15:10:00Z"),
    )

    late = incident("dataset", "fx_daily", cause("promise.at_risk", "fx_daily"), datasets=("fx_daily",))
    message = compose(late, "opened", house, NOW)

    assert message.title == "fx_daily: the same data again since 19 Nov 16:10: ask ECB for new data before 09:00"
    assert said(message) == (
        "fx_daily: the same data again since 19 Nov 16:10 (3 times, data of 19 Nov 16:00). Its promise breaks "
        "at 09:00. ECB answers, but with old data: ask for the new one before 09:00, then collect it."
    )
    assert part(message, "Paste") == "python integrated_system.py run fx_daily --fresh"


def test_our_own_network_is_one_message_about_us() -> None:
    """It names those that cannot be reached, and blames none of them."""
    house = House(explained={"i1": ("fx_daily",), "i2": ("fed_rates",)})
    house.put("fx_daily", breaks_at=NINE)
    house.put("fed_rates", provider="FED")
    away = incident("network", "our network", cause("network.away", "network"), explains=("i1", "i2"))

    message = compose(away, "opened", house, NOW)

    assert message.title == "Our own network away since 02:12: nothing to do before 09:00"
    assert said(message) == (
        "Our own network away since 02:12 (ECB and FED cannot be reached). fed_rates and fx_daily on last good, data "
        "of 19 Nov 16:00; it explains 2 other incidents, of which nobody is told; fx_daily breaks its promise at "
        "09:00. Nothing to do before."
    )


def test_the_digest_names_each_anomaly() -> None:
    """What was unlikely, in the words of the detectors."""
    rows = cause("anomaly.detected", "fx", metric="rows", reason="12 rows, 200 to 240 expected")
    late = cause("anomaly.detected", "hicp", metric="latency_s", reason="9 s, below 2 s expected")
    day = incident("digest", "20 Nov", rows, late, state="resolved", resolved_at=SINCE)

    message = compose(day, "digest", House(), NOW)

    assert message.title == "2 anomalies in fx and hicp since 02:12: it can wait"
    assert part(message, "fx.rows") == "12 rows, 200 to 240 expected"
    assert part(message, "hicp.latency_s") == "9 s, below 2 s expected"


def test_a_disk_that_was_shed_names_what_takes_most_and_the_time_left() -> None:
    """What was made free, until when that lasts, and the three biggest consumers."""
    consumers = [{"name": name, "bytes": size} for name, size in (("raw answers of fx", 3e9), ("the cache", 1e9))]
    data = {"before": {"percent": 97.4}, "freed_bytes": 2e6, "hours_left": 0.5, "consumers": consumers}
    message = compose(incident("host", "host", cause("disk.shed", "disk", **data)), "opened", House(), NOW)
    assert "2.0 MB made free, full in 30 min at this pace" in said(message)
    assert "most of it: raw answers of fx 3.0 GB, the cache 1.0 GB" in said(message)


@pytest.mark.parametrize(
    ("wrong", "title"),
    [
        pytest.param(
            incident("several", "3 providers", cause("breaker.opened", "ECB"), cause("breaker.opened", "FED")),
            "ECB and FED down since 02:12: it can wait", id="several providers at once"),
        pytest.param(
            incident("host", "host", cause("host.disk_filling", "disk", hours_left=3.0, free_bytes=2.1e9)),
            "Disk full at 05:12, filling since 02:12: make room by then", id="the disk fills"),
        pytest.param(
            incident("host", "host", cause("disk.shed", "disk", before={"percent": 97.4}, freed_bytes=2e9)),
            "Disk 97 % full since 02:12: make room now", id="the disk was shed"),
        pytest.param(
            incident("host", "host", cause("host.overloaded", "cpu", percent=97.2, limit=90.0)),
            "CPU at 97 % since 02:12: look what weighs on it", id="the processor"),
        pytest.param(
            incident("host", "host", cause("host.overloaded", "disk", percent=97.2, limit=95.0)),
            "Disk at 97 % since 02:12: make room now", id="the disk is full"),
        pytest.param(
            incident("clock", "our clock", cause("clock.jumped", "clock", by_s=7200.0)),
            "The clock of this host was set forward by 2 h at 02:12: see that it is right", id="our clock was set"),
        pytest.param(
            incident("dataset", "fx", cause("dataset.overdue", "fx", tries=12), datasets=("fx",)),
            "fx overdue since 02:12: collect it", id="a window that closed"),
        pytest.param(
            incident("dataset", "fx", cause("rows.quarantined", "fx", share=0.34), datasets=("fx",)),
            "fx: 34% of its rows quarantined since 02:12: it can wait", id="rows set aside"),
        pytest.param(
            incident("dataset", "fx", cause("objective.burning", "fx"), datasets=("fx",)),
            "fx: error budget burns since 02:12: it can wait", id="an error budget"),
        pytest.param(
            incident("service", "warehouse", cause("service.unavailable", "warehouse", reason="no answer in 5 s")),
            "warehouse unavailable since 02:12: see what does not answer", id="a service"),
        pytest.param(
            incident("channel", "team", cause("alert.failed", "team", error="410 gone")),
            "Channel team takes no messages since 02:12: mend it", id="a channel"),
        pytest.param(
            incident("digest", "20 Nov", cause("anomaly.detected", "fx"), cause("anomaly.detected", "hicp")),
            "2 anomalies in fx and hicp since 02:12: it can wait", id="the anomalies of a day"),
        pytest.param(
            incident("rule", "late orders", cause("orders.late_again", "shop-7", reason="9 orders wait")),
            "shop-7: orders late again since 02:12: see what it is", id="an event of a plug-in"),
    ],
)  # fmt: skip
def test_every_kind_of_trouble_has_a_title_that_stands_alone(wrong: Incident, title: str) -> None:
    """What, since when, and whether to get up."""
    assert compose(wrong, "opened", House(), NOW).title == title


def test_of_a_service_that_is_away_it_says_why() -> None:
    """In the words of the event."""
    away = cause("service.unavailable", "warehouse", kind="http", reason="no answer within 5 s")
    told = compose(incident("service", "warehouse", away), "opened", House(), NOW)

    assert told.parts[0].text.startswith("warehouse unavailable since 02:12 (no answer within 5 s). ")


def test_of_a_channel_that_takes_nothing_it_says_what_the_service_answered() -> None:
    """And not the key of the message that it did not take."""
    failed = cause("alert.failed", "team", message="01a200de-e89c-7000-8000-045968fd1444:team", error="410 gone.")
    told = compose(incident("channel", "team", failed), "opened", House(), NOW)

    assert told.parts[0].text.startswith("Channel team takes no messages since 02:12 (410 gone). ")


def test_the_end_says_how_long_what_was_missed_and_that_nothing_is_left() -> None:
    """It stands alone: who was not told the beginning understands it."""
    house = House()
    house.put("fx_daily", status="succeeded", origin="provider", promised=True)
    house.providers["ECB"] = ProviderStanding("ECB", tries=122)
    over = replace(down("fx_daily"), state="resolved", resolved_at="2026-11-20T07:14:00.000000Z")
    late = Cause("promise", "promise.broken", "fx_daily", 9, "2026-11-20T06:30:00Z", SINCE, over="2026-11-20T07:14:00Z")

    message = compose(replace(over, causes=(*over.causes, late)), "resolved", house, at("2026-11-20T07:14:05Z"))

    assert message.title == "Over: ECB answers again since 08:14: nothing is left to do"
    assert said(message) == (
        "ECB answers again since 08:14. It lasted 6 h, from 02:12. Promises that broke: fx_daily 07:30 to 08:14. "
        "Meanwhile fx_daily was served from a copy. It was tried 122 times. Nothing is left to do."
    )
    assert "No promise broke." in said(compose(over, "resolved", house, NOW))


@pytest.mark.parametrize(
    ("standing", "title", "command"),
    [
        pytest.param({"held": "score 12"}, "decide about fx_daily", "show fx_daily --batch", id="a batch is held"),
        pytest.param({"status": "failed"}, "fx_daily is not well yet", "why fx_daily", id="another trouble"),
    ],
)
def test_the_end_says_what_is_left(standing: dict[str, Any], title: str, command: str) -> None:
    """Over is not well: the provider is back, and something else is not."""
    house = House()
    house.put("fx_daily", **standing)
    over = replace(down("fx_daily"), state="resolved", resolved_at="2026-11-20T01:40:00.000000Z")

    message = compose(over, "resolved", house, NOW)

    assert message.title == f"Over: ECB answers again since 02:40: {title}"
    assert part(message, "Paste") == f"python integrated_system.py {command}"


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("opened", "ECB down"),
        ("changed", "Now: ECB down"),
        ("reminded", "Still: ECB down"),
        ("escalated", "Nobody took it: ECB down"),
        ("flapping", "ECB down since 02:12: it comes and goes"),
    ],
)
def test_each_kind_of_message_says_which_it_is(kind: Kind, title: str) -> None:
    """Who gets the second one sees that it is the second."""
    message = compose(down(*FOUR), kind, outage(), NOW)

    assert message.title.startswith(title)
    assert message.kind == kind
    takes = {"reminded", "escalated"}
    assert (part(message, "Take it") == "python integrated_system.py alerts ack i7f3") == (kind in takes)


def test_a_notice_of_each_kind_has_its_message() -> None:
    """The engine says why somebody is told; each of its words is known here."""
    assert set(KINDS) == set(get_args(NoticeKind))


def test_owner_runbook_and_page_are_named() -> None:
    """Of the provider first: it is its outage."""
    house = outage()
    house.page = "https://house.test/incidents/{id}"
    house.providers["ECB"] = replace(house.providers["ECB"], owner="anna", runbook="https://wiki.test/ecb")
    house.put("fx_daily", owner="bert", runbook="see the folder in room 7", readers=("report",))

    message = compose(down("fx_daily", "hicp"), "opened", house, NOW)

    assert part(message, "Owner") == "anna, bert"
    assert [one for one in message.parts if one.label == "Runbook"] == [
        ("Runbook", "https://wiki.test/ecb", "link"),
        ("Runbook", "see the folder in room 7", "text"),
    ]
    assert part(message, "Link") == "https://house.test/incidents/i7f3"
    assert part(message, "Made of them") == "report"


def test_many_datasets_are_counted_and_the_first_named() -> None:
    """Sixty datasets of a provider are one message that can be read."""
    names = tuple(f"d{number:02}" for number in range(60))

    message = compose(down(*names), "opened", outage(), NOW)

    assert "60 datasets on last good" in said(message)
    assert part(message, "Datasets").endswith("d11, 48 more")


def test_a_title_that_is_too_long_still_says_whether_to_get_up() -> None:
    """What is cut are the names, not the verdict."""
    house, names = House(), tuple(letter * 64 for letter in "abc")
    for name in names:
        house.put(name, held="score 12", breaks_at=NINE)
    held = incident("provider", "ECB", *(cause("batch.held", name) for name in names), datasets=names)

    message = compose(held, "opened", house, NOW)

    assert len(message.title) <= LONGEST_TITLE
    assert message.title.endswith("…: decide before 09:00")


def test_an_hour_that_comes_twice_says_which_it_is() -> None:
    """In the night of a clock change 02:30 alone says nothing."""
    night = at("2026-10-25T01:40:00Z")
    wrong = replace(down("fx"), causes=(replace(down("fx").causes[0], since="2026-10-25T00:30:00Z"),))

    message = compose(wrong, "opened", House(providers={"ECB": ProviderStanding("ECB")}), night)

    assert message.title == "ECB down since 02:30 CEST: it can wait"


def test_only_what_is_wrong_by_now_is_told() -> None:
    """The provider is back, and one batch of it is held."""
    house = House()
    house.put("hicp", held="score 12", origin="last_good")
    well = replace(down("fx_daily").causes[0], over="2026-11-20T01:30:00Z")
    wrong = incident("provider", "ECB", well, cause("batch.held", "hicp"), datasets=("hicp",))

    assert compose(wrong, "changed", house, NOW).title == "Now: New batch of hicp held since 02:12: it can wait"


nasty = st.text(max_size=60) | st.sampled_from(["<b>", "*x*", "@everyone", "`rm -rf`", "a\nb", "token=hunter2secret"])


@given(error=nasty, owner=nasty, about=nasty, held=nasty, kind=st.sampled_from([*KINDS.values()]))
def test_any_words_from_outside_leave_one_line_without_secrets(
    error: str, owner: str, about: str, held: str, kind: Kind
) -> None:
    """Titles fit on a lock screen, a known secret is found nowhere, and a message survives being kept."""
    secret = "s3cr3t-w0rd"
    house = House(secrets=(secret,))
    house.put("fx", owner=f"{owner} {secret}", held=f"{held}{secret}", error=f"{error} {secret}", reason=secret)
    house.providers[about] = ProviderStanding(about, "open", 2, f"{secret} {error}", "ProviderUnavailable", secret)
    wrong = incident("provider", about, *down("fx").causes, cause("x.y", f"{about}{secret}", reason=secret))

    message = compose(replace(wrong, datasets=("fx",)), kind, house, NOW)

    assert 0 < len(message.title) <= LONGEST_TITLE
    assert message.title.isprintable()
    for text in (message.title, *(message.body(one) for one in get_args(Format))):
        assert secret not in text
    assert Message.from_json(message.to_json()) == message


def test_a_message_of_a_later_release_is_read() -> None:
    """What is not known yet is passed over; the outbox outlives an update that is taken back."""
    message = compose(down("fx"), "opened", outage(), NOW)

    assert Message.from_json({**message.to_json(), "colour": "red"}) == message


def test_the_next_try_is_never_in_the_past() -> None:
    """A circuit whose time is over is tried by the next run, whenever that is."""
    house = outage()

    message = compose(down(*FOUR), "opened", house, AGAIN + timedelta(minutes=1))

    assert "(503, 41 tries)" in said(message)
