"""The first sentence, in every state, without Streamlit."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.language import Words
from dashboard.view_model.sentence import headline, keeps

NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
ON_TIME = "2026-11-20T09:00:00.000000Z"


def dataset(name: str = "fx", status: str = "succeeded", **other: Any) -> dict[str, Any]:
    """As `status` of the API tells it."""
    return {
        "dataset": name,
        "provider": "bank",
        "status": status,
        "origin": "provider",
        "collected_at": "2026-11-20T08:29:00.000000Z",
        "data_time": None,
        "held": None,
        "promise": None,
        **other,
    }


def promise(state: str = "kept", until: str | None = ON_TIME) -> dict[str, Any]:
    return {"state": state, "until": until}


def status(*datasets: dict[str, Any], down: str = "", **other: Any) -> dict[str, Any]:
    breakers = {down: {"state": "open", "since": "2026-11-20T08:12:00.000000Z"}} if down else {}
    return {"datasets": list(datasets), "breakers": breakers, "network_away_since": None, "incidents": [], **other}


def told(*datasets: dict[str, Any], language: Any = "en", **other: Any) -> str:
    return headline(status(*datasets, **other), Words.of(language), NOW).sentence


FALLEN = {
    "provider": "ECB",
    "origin": "last_good",
    "data_time": "2026-11-19T16:00:00.000000Z",
    "promise": promise("at_risk"),
}


def test_the_sentence_says_who_is_down_since_when_what_is_served_and_until_when_that_does() -> None:
    """All that somebody needs to know at eight in the morning."""
    good = [dataset(f"d{n}", promise=promise()) for n in range(18)]
    fallen = [dataset(name, "degraded", **FALLEN) for name in ("fx", "gold")]

    assert told(*fallen, *good, down="ECB") == (
        "18 of 20 datasets keep their promise; ECB is down since 08:12, serving data of yesterday 16:00, "
        "promise breaks at 09:00."
    )


def test_down_since_is_when_it_began_not_when_the_last_trial_failed() -> None:
    """A circuit opens anew each time."""
    incident = {"kind": "provider", "about": "ECB", "opened_at": "2026-11-20T03:42:00.000000Z"}

    sentence = told(dataset("fx", "degraded", **FALLEN), down="ECB", incidents=[incident])

    assert "; ECB is down since 03:42, " in sentence


def test_it_is_said_in_portuguese_as_well() -> None:
    """The facts are the same."""
    assert told(dataset("fx", "degraded", **FALLEN), dataset("d", promise=promise()), down="ECB", language="pt") == (
        "1 de 2 datasets cumprem a sua promessa; ECB está em baixo desde 08:12, são servidos dados de ontem 16:00, "
        "a promessa quebra às 09:00."
    )


@pytest.mark.parametrize(
    ("datasets", "tone", "verdict", "sentence"),
    [
        ([dataset()], "good", "All is well", "The one dataset is as it should be."),
        (
            [dataset("a", promise=promise()), dataset("b")],
            "good",
            "All is well",
            "All 2 datasets keep their promise.",
        ),
        (
            [dataset("a"), dataset("b", "failed", origin="none")],
            "bad",
            "Somebody should look",
            "1 of 2 datasets are as they should be; b failed, serving nothing.",
        ),
        (
            [dataset("a"), dataset("b", "degraded", origin="snapshot", collected_at=None)],
            "attention",
            "It can be used, with care",
            (
                "1 of 2 datasets are as they should be; b could not be collected, serving the shipped snapshot; "
                "nothing failed, it can wait."
            ),
        ),
        (
            [dataset("a"), dataset("b", "degraded", origin="last_good", held="v2")],
            "attention",
            "It can be used, with care",
            (
                "1 of 2 datasets are as they should be; of b a new version is held until somebody decides, "
                "serving data of 08:29; nothing failed, it can wait."
            ),
        ),
        (
            [dataset("a", promise=promise("at_risk")), dataset("b", promise=promise())],
            "attention",
            "It can be used, with care",
            "1 of 2 datasets keep their promise; the promise of a breaks at 09:00.",
        ),
        (
            [dataset("a", "failed", origin="last_good", promise=promise("broken", "2026-11-20T07:00:00.000000Z"))],
            "bad",
            "Somebody should look",
            "0 of 1 datasets keep their promise; a failed, serving data of 08:29, promise broken since 07:00.",
        ),
        (
            [dataset("a"), dataset("b", "never ran", origin="none")],
            "attention",
            "It can be used, with care",
            "1 of 2 datasets are as they should be; b never ran.",
        ),
        ([dataset("a", "never ran")], "neutral", "Nothing to tell yet", None),
        ([], "neutral", "Nothing to tell yet", None),
    ],
    ids=[
        "one, well",
        "all well",
        "failed",
        "snapshot served",
        "held",
        "at risk",
        "promise broken",
        "one never ran",
        "none ran",
        "none declared",
    ],
)
def test_the_verdict_follows_the_worst_and_the_sentence_says_why(
    datasets: list[dict[str, Any]], tone: str, verdict: str, sentence: str | None
) -> None:
    """Five seconds: colour, icon and words agree."""
    shown = headline(status(*datasets), Words(), NOW)

    assert (shown.tone, shown.verdict) == (tone, verdict)
    assert sentence is None or shown.sentence == sentence


def test_of_many_troubles_the_worst_are_told_and_the_others_counted() -> None:
    """A sentence stays a sentence."""
    failed = [dataset(f"f{n}", "failed", origin="none") for n in range(6)]
    fallen = [dataset(f"s{n}", "degraded", origin="snapshot") for n in range(3)]
    doubted = [dataset("d", "degraded")]

    assert told(*failed, *fallen, *doubted) == (
        "0 of 10 datasets are as they should be; f0, f1 and 4 more failed, serving nothing; "
        "s0, s1, s2 could not be collected, serving the shipped snapshot; 1 more to look at."
    )


def test_a_network_that_is_away_explains_the_rest_and_comes_first() -> None:
    """Nobody need call the providers."""
    away = told(dataset("b", "degraded", origin="snapshot"), network_away_since="2026-11-20T08:00:00.000000Z")

    assert "; this machine has no network since 08:00; " in away


@pytest.mark.parametrize(
    ("one", "kept"),
    [
        (dataset(), True),
        (dataset(status="degraded"), False),
        (dataset(status="degraded", promise=promise()), True),
        (dataset(promise=promise("at_risk")), False),
        (dataset(status="failed", promise=promise("broken")), False),
        (dataset(status="never ran"), False),
        (dataset(status="skipped"), True),
    ],
    ids=["succeeded", "degraded", "degraded within its promise", "at risk", "broken", "never ran", "skipped"],
)
def test_a_fallback_within_its_promise_keeps_it(one: dict[str, Any], kept: bool) -> None:
    """What readers were promised counts, not how it came about."""
    assert keeps(one) == kept


def test_names_from_elsewhere_are_cut_and_harmless() -> None:
    """A provider's name comes from an address, and may be anything."""
    shown = told(dataset("b", "degraded", origin="snapshot", provider="x\n" * 500), down="x\n" * 500)

    assert "\n" not in shown
    assert len(shown) < 300
