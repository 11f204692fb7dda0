"""The dashboard in a real browser: every page, every button, and what people do with it over a day."""

import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from dashboard.shell import PAGES
from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import Actor, owner
from operations.run import run
from tests.browser.clicks import CLICKS, DAILY
from tests.browser.reading import CUT, MARKED_UP, PUT_IN, WIDE, serious
from tests.browser.served import DRAWN, PATIENCE, Served, go, window
from tests.browser.views import VIEWS, short_of
from tests.dashboard.configuration import HARM
from tests.faulty_server import FaultyServer, as_json


def _run(who: str) -> Callable[[IntegratedSystem], object]:
    return lambda system: run(system, Actor(who), ["later"], fresh=True)


@pytest.fixture(scope="module")
def phone(browser: Any) -> Any:
    return window(browser, viewport={"width": 390, "height": 844}, color_scheme="dark", locale="en")


def _button(page: Any, key: str) -> Any:
    """The last one, for those of all things together come first; one with a help has a second that is not seen."""
    return page.locator(f'[class*="st-key-{key}"] button:visible').last


def _pick(page: Any, key: str) -> None:
    """Choose the first entry of a list; it is opened again where the page was drawn anew meanwhile, which closes it."""
    from playwright.sync_api import TimeoutError as Late

    for _ in range(10):
        page.locator(f'[class*="st-key-{key}"] input').click()
        with suppress(Late):
            page.get_by_role("option").first.click(timeout=PATIENCE / 10)
            return
    raise AssertionError(f"the list {key} does not open")


def _told(page: Any) -> str:
    """What the page says of the last click, once it is done."""
    report = page.locator(".st-key-report")
    report.wait_for()
    report.get_by_text("It is being done").wait_for(state="detached")
    return str(report.inner_text())


def _tests(mail: FaultyServer) -> int:
    """Messages that say that they are a test."""
    return sum(b"A test of" in request.body for request in mail.requests)


@pytest.mark.parametrize("name", short_of(CLICKS, DAILY))
def test_two_quick_clicks_have_one_effect_which_is_told(
    open_page: Callable[[str], Any], server: Served, mail: FaultyServer, name: str
) -> None:
    """Impatience costs nothing; what was done stands in the log, once."""
    click = CLICKS[name]
    mail.answer = lambda _: as_json({"ok": True})
    made = server.look(click.prepare) if click.prepare is not None else ""
    before, tests = server.look(lambda system: system.events.head()[0]), _tests(mail)
    page = open_page(click.page.format(made=made))
    if click.picks:
        _pick(page, click.picks)
    if click.opens:
        _button(page, click.opens).click()
    button = _button(page, click.key)
    if click.asks:
        button.click()
        dialog = page.get_by_role("dialog")
        for choice in click.without:
            dialog.get_by_test_id("stButtonGroup").get_by_text(choice, exact=True).click()
        button = dialog.get_by_role("button", name="Yes, do it")
    button.dblclick()

    assert "Not done" not in _told(page)
    if click.effect:
        after = server.look(lambda system: system.events.read(type=click.effect, after=before))
        assert len(after) == 1, [event.subject for event in after]
    else:
        assert _tests(mail) == tests + 1


@pytest.mark.parametrize("view", short_of(VIEWS, (*PAGES, "dataset-table", "dataset-texts", "run", "quarantine")))
def test_a_page_is_whole_harmless_and_for_everybody(open_page: Callable[[str], Any], server: Served, view: str) -> None:
    """No exception; nothing of a provider is markup or runs; axe-core finds nothing serious."""
    page = open_page(server.view(view))

    assert page.title() != "taken"
    assert page.get_by_test_id("stException").count() == 0
    assert page.locator(".st-key-face-page").all_inner_texts() == []
    assert page.evaluate(PUT_IN) == []
    assert page.evaluate(MARKED_UP) == []
    assert page.locator("[data-testid=stMain] strong").count() == 0
    assert serious(page) == []


@pytest.mark.parametrize("view", short_of(VIEWS, ("overview", "dataset-table", "quality")))
def test_a_phone_in_the_dark_shows_all_of_it(phone: Any, server: Served, view: str) -> None:
    """At 390 px nothing sticks out to the side, no text is cut, and what is written can be read."""
    page = go(phone, server.view(view))

    assert page.evaluate(CUT) == []
    assert page.evaluate(WIDE) == 0
    assert serious(page) == []


def test_what_means_harm_is_shown_as_it_was_written(open_page: Callable[[str], Any], server: Served) -> None:
    """The reader is told what came, sign by sign."""
    page = open_page(server.view("dataset-broken"))

    assert HARM.split(" **")[0] in page.get_by_test_id("stMain").inner_text()


def test_nothing_is_fetched_from_anywhere_else(browser: Any, server: Served) -> None:
    """The page works where there is no internet, and tells nobody that it is open."""
    page = window(browser)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    go(page, server.view("quality"))
    page.context.close()

    assert asked
    assert [url for url in asked if not url.startswith((server.url, "data:", "blob:"))] == []


def test_no_page_of_another_origin_may_frame_it(server: Served) -> None:
    """As the command serves it: nobody is led to click our buttons through a page of theirs."""
    with urllib.request.urlopen(server.url, timeout=PATIENCE / 1000) as answer:
        assert answer.headers.get_all("Content-Security-Policy") == ["frame-ancestors 'self'"]


def test_the_sentence_and_every_dataset_are_there(open_page: Callable[..., Any], server: Served) -> None:
    """Whoever opens it knows within five seconds."""
    page = open_page()

    assert "keep their promise" in page.locator(".st-key-sentence").inner_text()
    shown = page.get_by_test_id("stMain").inner_text()
    for name in ("orders", "later", "fx_daily", "gone", "texts", "empty", "pieces"):
        assert name in shown


def test_a_run_of_another_process_appears_and_the_page_keeps_its_place(
    open_page: Callable[..., Any], server: Served
) -> None:
    """The page follows the state by itself; paused it stays still, until it is live again."""
    page = open_page("runs")
    main = page.get_by_test_id("stMain")
    page.set_viewport_size({"width": 1440, "height": 400})
    main.evaluate("element => element.scrollTo(0, 100)")
    server.look(_run("somebody-else"))
    page.get_by_text("by somebody-else").first.wait_for()
    assert main.evaluate("element => element.scrollTop") == 100
    page.set_viewport_size({"width": 1440, "height": 1000})

    page.locator(".st-key-live label").click()
    page.get_by_text("paused at").wait_for()
    server.look(_run("late-comer"))
    page.evaluate("() => new Promise(done => setTimeout(done, 2500))")  # longer than a live page takes to look
    assert page.get_by_text("by late-comer").count() == 0
    page.locator(".st-key-live label").click()
    page.get_by_text("by late-comer").first.wait_for()


def test_a_link_shows_the_same_to_somebody_else(browser: Any, open_page: Callable[..., Any]) -> None:
    """What was chosen stands in the address: page, dataset, section, period, language."""
    page = open_page("dataset?dataset=orders")
    page.get_by_role("button", name="Versions").or_(page.get_by_role("radio", name="Versions")).first.click()
    page.wait_for_url("**part=versions*")

    other = go(window(browser, locale="en"), f"{page.url}&lang=pt&span=7d")
    shown = other.get_by_test_id("stMain").inner_text()
    sidebar = other.get_by_test_id("stSidebar").inner_text()
    period = other.locator(".st-key-span").inner_html()
    other.context.close()

    assert "orders" in shown
    assert "Versões" in shown
    assert "Ao vivo" in sidebar
    assert "7 dias" in period


def test_a_table_is_downloaded(open_page: Callable[..., Any]) -> None:
    """As CSV, in which nothing is a formula."""
    page = open_page("runs")
    with page.expect_download() as download:
        page.locator('[class*="st-key-csv-runs"] button:visible').click()

    content = download.value.path().read_text()
    assert download.value.suggested_filename == "runs.csv"
    assert "tester" in content
    assert len(content.splitlines()) > 3


def test_all_can_be_done_with_the_keyboard_alone(open_page: Callable[..., Any], server: Served) -> None:
    """To the button, into the question, the reason, yes; Escape closes a question, and nothing was done."""
    page = open_page("settings")
    before = server.look(lambda system: len(system.events.read(type="schedule.paused")))
    button = page.locator('[class*="st-key-pause-"] button:visible').last
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    assert server.look(lambda system: len(system.events.read(type="schedule.paused"))) == before

    button.focus()
    page.keyboard.press("Enter")
    reason = page.get_by_role("dialog").get_by_label("Reason")
    reason.focus()
    page.keyboard.type("by hand")
    page.keyboard.press("Tab")
    page.get_by_role("dialog").get_by_role("button", name="Yes, do it").focus()
    page.keyboard.press("Enter")
    _told(page)

    (event, *_) = server.look(lambda system: system.events.read(type="schedule.paused", newest_first=True))
    assert event.data["reason"] == "by hand"


def test_the_page_comes_back_with_the_server(open_page: Callable[..., Any], server: Served) -> None:
    """Left open over an upgrade, it goes on without being reloaded."""
    page = open_page("runs?status=degraded")
    page.evaluate("window.notReloaded = true")
    server.stop()
    server.start()
    server.look(_run("after-restart"))
    page.get_by_text("updated 0 s ago").or_(page.get_by_text("updated 1 s ago")).first.wait_for()

    assert page.evaluate("window.notReloaded")
    assert "status=degraded" in page.url


def test_a_viewer_sees_all_and_changes_nothing(browser: Any, server: Served) -> None:
    """With a token; the last test, for where a token was ever made nobody comes in without one."""
    made = server.look(lambda system: tokens.create(system, owner(), "viewer", "guest"))
    page = window(browser, locale="en")
    page.goto(server.url)
    page.get_by_label("Token").fill(made.secret)
    page.get_by_role("button", name="Log in").click()
    found = []
    for path in dict.fromkeys(click.page for click in CLICKS.values() if "{" not in click.page):
        name = path.partition("?")[0] or "overview"
        page.get_by_test_id("stSidebarNav").locator(f'a[href$="/{path and name}"]').click()
        page.wait_for_url(f"**/{path and name}*")
        page.wait_for_function(DRAWN)
        found += [click.key for click in CLICKS.values() if click.page == path and _button(page, click.key).count()]
    page.context.close()

    assert found == []
