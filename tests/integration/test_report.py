"""The quality report of a run: one model and its three faces."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from lxml import html

from operations.actor import local_user
from operations.feedback import not_an_anomaly
from operations.report import RunReport, report
from operations.report_markdown import markdown
from operations.report_page import TEMPLATE, page
from tests.faulty_server import FaultyServer, status
from tests.integration.installation import ROOT, Installation
from tests.integration.people import csv, people
from utils.events import NewEvent

EVIL = "<script>alert('x')</script>"
RULES = [
    {"range": {"column": "id", "min": 0, "severity": "critical"}},
    {"matches": {"column": "name", "pattern": "[a-z]+"}},
    {"not_null": ["day"]},
]
BAD = (
    b"id,name,day\n"
    + f"500,{EVIL},2026-01-02\n".encode()
    + b"".join(b"%d,x,2026-01-02\n" % n for n in range(-400, 600) if n != 500)
)


@pytest.fixture
def bad(installation: Installation, server: FaultyServer) -> Installation:
    """A good run, then one whose batch is held: 400 rows break one rule, one row another."""
    installation.configure(people(server.url, rules=RULES, description=f"People {EVIL}"))
    installation.run_one()
    server.answer = csv(BAD)
    installation.run_one(fresh=True)
    return installation


def ask(installation: Installation, asked: str | None = None) -> RunReport:
    with installation.system() as system:
        return report(system, asked)


def text_of(whole: str) -> str:
    """What a reader of a page sees, without its style."""
    document = html.document_fromstring(whole)
    for style in document.xpath("//style"):
        style.drop_tree()
    return " ".join(document.text_content().split())


def test_the_three_faces_say_the_same(bad: Installation) -> None:
    """Score, cap, rules with their counts, what changed: in the JSON, on the page, in the Markdown."""
    found = ask(bad)
    (people,) = found.to_json()["datasets"]
    seen, written = text_of(page(found)), markdown(found).replace("\\", "")
    assert (people["version"], people["state"]) == (found.run_id, "held")
    assert (people["quality"]["score"], people["quality"]["cap"]) == (60.0, {"at": 60, "by": "range(id)"})
    assert [(rule["rule"], rule["failed"], rule["of"]) for rule in people["rules"][:2]] == [
        ("range(id)", 400, 1000),
        ("matches(name)", 1, 1000),
    ]
    for face in (seen, written):
        assert "the new batch is held: broke critical range(id) (400 of 1,000)" in face
        assert "1,000 rows came, 3 before" in face
        assert "of 401" in face
        for one in people["advice"]:
            assert one["text"].split(". ")[0].replace("`", "") in face.replace("`", "")
    assert 'aria-label="score 60 of 100"' in page(found)
    assert "| `range(id)` | critical | 400 | 1,000 | 40 % |" in written
    assert people["before"]["rows"] == 3


def test_the_page_needs_nothing_else(bad: Installation) -> None:
    """No script, no picture, no style or font from elsewhere; links lead into the page; the browser is told so too."""
    whole = page(ask(bad))
    document = html.document_fromstring(whole)
    assert document.xpath("//script | //link | //img | //iframe | //object | //form | //*[@src]") == []
    assert all(href.startswith("#") for href in document.xpath("//@href"))
    assert document.xpath("//@*[starts-with(name(), 'on')]") == []
    (style,) = document.xpath("//style/text()")
    assert "url(" not in style
    assert "@import" not in style
    (policy,) = document.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_the_page_can_be_read_by_those_who_do_not_see_it(bad: Installation) -> None:
    """A language, one first heading and none left out, names for columns and rows, words beside every colour."""
    document = html.document_fromstring(page(ask(bad)))
    assert document.xpath("/html/@lang") == ["en"]
    levels = [int(element.tag[1]) for element in document.xpath("//h1 | //h2 | //h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert document.xpath("//th[not(@scope)]") == []
    assert document.xpath("//div[@class='scroll'][not(@aria-label)]") == []
    assert document.xpath("//svg[not(@aria-label)]") == []
    ids = document.xpath("//@id")
    assert len(ids) == len(set(ids))


def _luminance(colour: str) -> float:
    """Relative luminance of `#rgb` or `#rrggbb` (WCAG 2.2)."""
    digits = colour.lstrip("#")
    whole = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    linear = []
    for at in (0, 2, 4):
        share = int(whole[at : at + 2], 16) / 255
        linear.append(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4)
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_text_stands_out_in_light_in_dark_and_on_paper() -> None:
    """4.5 to 1 at least, the measure of WCAG AA."""
    style = (ROOT / "operations" / TEMPLATE).read_text()
    schemes = [dict(re.findall(r"--([\w-]+):(#\w+)", block)) for block in re.findall(r":root \{([^}]+)\}", style)]
    assert len(schemes) == 3
    for colours in schemes:
        tones = [(tone, f"{tone}-soft") for tone in ("good", "doubt", "bad")]
        words = [(word, ground) for word in ("text", "muted", "link") for ground in ("page", "card", "soft")]
        for front, back in [*tones, *words, *((tone, "card") for tone, _ in tones), ("text", "bad-soft")]:
            light, dark = sorted((_luminance(colours[front]), _luminance(colours[back])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (front, back, colours)


def test_what_is_in_the_data_is_shown_and_never_obeyed(bad: Installation) -> None:
    """A row's value, or a description, that is a script stays text on the page and in the Markdown."""
    found = ask(bad)
    whole, written = page(found), markdown(found)
    assert EVIL not in whole
    assert f"People {EVIL}" in text_of(whole)
    assert text_of(whole).count(EVIL) >= 2
    assert not re.search(r"<script", re.sub(r"`[^`]*`", "", written))
    assert f"`{EVIL}`" in written


def test_some_rows_of_every_broken_rule_are_shown_the_same_ones_each_time(bad: Installation) -> None:
    """Twenty of 401; the one row that broke the other rule is among them, and they are not the first."""
    first, again = ask(bad).datasets[0].samples, ask(bad).datasets[0].samples
    assert first is not None
    assert first == again
    assert (len(first.rows), first.of) == (20, 401)
    assert [row.number for row in first.rows if "matches(name)" in row.rules] == [1]
    assert [row.number for row in first.rows] != list(range(1, 21))
    assert first.columns == ("id", "name", "day")


def test_a_long_text_is_cut_and_a_missing_cell_said(installation: Installation, server: FaultyServer) -> None:
    server.answer = csv(b"id,name,day\n1," + b"x" * 500 + b",\n2,b,2026-01-02\n")
    rules = [{"length": {"column": "name", "max": 9}}]
    installation.configure(
        people(server.url, rules=rules, parse={"format": "csv", "na_values": [""]}, on_fail="publish")
    )
    installation.run_one()
    samples = ask(installation).datasets[0].samples
    assert samples is not None
    (row,) = samples.rows
    assert row.cells == ("x" * 119 + "…", "1", None)
    assert '<span class="muted">null</span>' in page(ask(installation))


def test_a_dataset_stands_for_its_last_run(bad: Installation, server: FaultyServer) -> None:
    """By its name, or the run by its id; an older run stays what it was."""
    held = ask(bad, "people")
    with bad.system() as system:
        first = system.views.runs()[-1].run_id
    before = ask(bad, first)
    assert before.run_id == first != held.run_id
    assert before.datasets[0].quality is not None
    assert (before.datasets[0].status, before.datasets[0].quality.score) == ("succeeded", 100.0)
    assert before.datasets[0].advice == ()
    assert "people was delivered as it should be" in page(before)


def test_a_run_without_a_batch_says_why(installation: Installation, server: FaultyServer) -> None:
    """The provider was down: no score is made up, and readers' copy is told."""
    installation.configure(people(server.url))
    installation.run_one()
    server.answer = status(503)
    installation.run_one(fresh=True)
    (one,) = ask(installation).datasets
    assert (one.status, one.version, one.quality, one.rules) == ("degraded", None, None, ())
    assert "(the last good copy)" in text_of(page(ask(installation)))
    assert "503" in markdown(ask(installation))


def test_unchanged_data_is_reported_with_the_rules_of_its_version(
    installation: Installation, server: FaultyServer
) -> None:
    installation.configure(people(server.url))
    first = installation.run().run_id
    installation.run_one(fresh=True)
    (one,) = ask(installation).datasets
    assert (one.run["unchanged"], one.version) == (True, first)
    assert [rule.failed for rule in one.rules] == [0] * len(one.rules)
    assert one.rules


def test_the_columns_are_told_beside_those_of_the_version_before(bad: Installation) -> None:
    """What was measured of each, without values of rows."""
    found = ask(bad)
    columns = {one.column: one for one in found.datasets[0].profile}
    assert list(columns) == ["id", "name", "day"]
    assert columns["id"].figures["mean"] == pytest.approx(99.5)
    assert columns["id"].before is not None
    assert columns["id"].before["mean"] == 2.0
    assert "min" not in columns["id"].figures
    seen = text_of(page(found))
    assert "mean 99.5, deviation" in seen
    assert "mean 2, deviation" in seen


def test_what_people_said_is_fine_is_not_in_the_report(installation: Installation, server: FaultyServer) -> None:
    """Of two figures the one that nobody answered is left."""
    installation.configure(people(server.url))
    installation.run_one()
    with installation.system() as system:
        run_id = system.views.runs(limit=1)[0].run_id
        told = {"run_id": run_id, "subject": "people", "time": 1000.0, "direction": "up", "score": 0.6}
        system.events.append(
            [
                NewEvent("anomaly.detected", "people", {**told, "metric": metric, "reason": metric})
                for metric in ("rows", "bytes")
            ]
        )
        not_an_anomaly(system, local_user(), ["people.rows"])

    assert [one["metric"] for one in ask(installation).datasets[0].anomalies] == ["bytes"]


def test_what_is_declared_and_found_beside_the_rules_is_told(installation: Installation, server: FaultyServer) -> None:
    """How the objectives stand, and figures that the detectors find unlikely."""
    installation.configure(people(server.url, objective={"quality": 0.9, "over": "1d"}))
    installation.run_one()
    with installation.system() as system:
        run_id = system.views.runs(limit=1)[0].run_id
        data = {"run_id": run_id, "metric": "rows", "reason": "3 rows, 900 expected"}
        system.events.append([NewEvent("anomaly.detected", "people", data)])
    found = ask(installation)
    assert [one["reason"] for one in found.datasets[0].anomalies] == ["3 rows, 900 expected"]
    assert "3 rows, 900 expected" in markdown(found)
    seen = text_of(page(found))
    assert "3 rows, 900 expected" in seen
    assert "objective: quality 90 %" in seen
    assert "100 % kept" in seen


def test_many_datasets_stand_worst_first(installation: Installation, server: FaultyServer) -> None:
    """With an overview before them."""
    other = {"name": "away", "collect": {"kind": "file", "path": "away.csv"}}
    installation.configure(people(server.url), other)
    installation.run()
    found = ask(installation)
    assert [dataset.dataset for dataset in found.datasets] == ["away", "people"]
    assert "1 of 2 datasets delivered as they should be; 1 failed (away)" in text_of(page(found))


@pytest.mark.parametrize(
    ("name", "begins"),
    [("r.json", "{"), ("r.html", "<!doctype html>"), ("r.md", "## ")],
    ids=["JSON", "a page", "Markdown"],
)
def test_the_suffix_says_how_it_is_written(
    installation: Installation, server: FaultyServer, tmp_path: Path, name: str, begins: str
) -> None:
    installation.configure(people(server.url))
    installation.run_one()
    assert installation.typed("report", "--output", str(tmp_path / name)) == 0
    assert (tmp_path / name).read_text().startswith(begins)


def test_json_is_one_document_with_the_fields_that_are_documented(
    installation: Installation, server: FaultyServer
) -> None:
    """And no other: whoever reads it can rely on the page of the docs."""
    installation.configure(people(server.url))
    installation.run_one()
    found = installation.cli("report", "--json").json
    rows = re.findall(r"^\| (`.+?`) \|", (ROOT / "docs" / "quality.md").read_text(), re.MULTILINE)
    names = [re.findall(r"`([^`]+)`", row) for row in rows]
    of_datasets = {
        name.removeprefix("datasets[]").strip(".").removesuffix("[]")
        for row in names
        if row[0].startswith("datasets[]")
        for name in row
    }
    of_run = {name for row in names if row[0] in {"run_id", "name"} for name in row}
    assert set(found["datasets"][0]) == of_datasets
    assert set(found) == of_run | {"datasets", "format"}
    assert found["format"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        (["people"], 1, "people: it never ran, so there is nothing to report", "run it: `run people`"),
        ([], 1, "nothing has run yet", "run the datasets first"),
        (["pepole"], 2, "did you mean `people`?", "or a run by its whole id"),
        (["people", "--output", "r.pdf"], 2, "in which format?", "add --format json, html or markdown"),
    ],
    ids=["never ran", "nothing ran", "an unknown name", "an unknown suffix"],
)
def test_what_cannot_be_reported_is_said(
    installation: Installation,
    server: FaultyServer,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
    hint: str,
) -> None:
    installation.configure(people(server.url))
    assert installation.typed("report", *arguments) == code
    told = capsys.readouterr().err
    assert message in told
    assert hint in told
