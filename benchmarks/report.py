"""All benchmarks, one after the other, as one report: a table of everything, what is behind a peer and why, a plot.

Written into a folder: `figures.md` for people, `figures.json` for programs, `ahead.html` and, where there is a browser,
`ahead.png`: how many times ahead of the best peer each figure is.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.comparison import Comparison, shown
from benchmarks.measure import ROOT
from benchmarks.reasons import REASONS

LARGER_IS_BETTER = re.compile(r"_per_s$")
SMALLER_IS_BETTER = re.compile(r"(^|_)(s|ms|us|ns|mb|kb|percent)(_a_\w+)?$")
INK, AHEAD, BEHIND = "#33414a", "#3f9c78", "#c98a2b"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one figure stands beside the peer that is best at it. `times`: above 1 ours is ahead."""

    benchmark: str
    figure: str
    ours: float
    peer: str
    theirs: float
    times: float

    @property
    def name(self) -> str:
        return f"{self.benchmark}: {self.figure}"


def report(names: Sequence[str], folder: Path, *, short: bool, runs: int | None) -> list[str]:
    """Measure all of these and write the report; gives the names of those that could not be measured."""
    results, failed = [], {}
    for number, name in enumerate(names, start=1):
        print(f"{number} of {len(names)}: {name}", file=sys.stderr, flush=True)
        result = _measured(name, short=short, runs=runs)
        if isinstance(result, Comparison):
            results.append(result)
            print(f"{result.to_markdown()}\n", flush=True)
        else:
            failed[name] = result
            print(f"{name} could not be measured: {result}", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "figures.json").write_text(json.dumps([one.to_json() for one in results], indent=2))
    (folder / "figures.md").write_text(to_markdown(results, failed, short=short))
    _plot(standings(results), folder)
    print(f"written: {folder}/figures.md, figures.json, ahead.html", file=sys.stderr)
    return list(failed)


def standings(results: Sequence[Comparison]) -> list[Standing]:
    """Each figure that a peer has as well, beside the best of them. A figure whose unit tells no better has none."""
    found = []
    for result in results:
        for figure, ours in result.figures.items():
            theirs = {peer: figures.get(figure) for peer, figures in result.peers.items()}
            known = {peer: value for peer, value in theirs.items() if value}
            if ours and known and (sign := _better(figure)):
                peer = (max if sign > 0 else min)(known, key=lambda peer: known[peer])
                times = ours / known[peer] if sign > 0 else known[peer] / ours
                found.append(Standing(result.name, figure, ours, peer, known[peer], times))
    return found


def to_markdown(results: Sequence[Comparison], failed: Mapping[str, str], *, short: bool) -> str:
    """The whole report."""
    lines = ["# Figures", "", "Short mode: a tenth of the work, figures are noisy." if short else "", "## In short", ""]
    beside = standings(results)
    behind = [one for one in beside if one.times < 1.0]
    lines += [
        f"{len(beside) - len(behind)} of {len(beside)} figures that a peer has as well are ahead of the best peer."
    ]
    if behind:
        lines += ["", "| behind | ours | best peer | ours is | why |", "| --- | ---: | --- | ---: | --- |"]
        lines += [
            f"| {one.name} | {shown(one.ours)} | {one.peer} {shown(one.theirs)} | {one.times:.2f} times as good | "
            f"{REASONS.get((one.benchmark, one.figure), '**no reason is known**')} |"
            for one in behind
        ]
    missed = [(result.name, name) for result in results for name, met in result.met.items() if met is False]
    if missed:
        lines += ["", "| missed | ours | asked | why |", "| --- | ---: | --- | --- |"]
        by_name = {result.name: result for result in results}
        for benchmark, name in missed:
            result, figure = by_name[benchmark], name.partition(" / ")[0]
            why = REASONS.get((benchmark, figure), "**no reason is known**")
            lines.append(f"| {benchmark}: {name} | {shown(result.figures[figure])} | {result.targets[name]} | {why} |")
    lines += ["", *(f"{name} could not be measured: {why}" for name, why in failed.items()), ""]
    return "\n".join([*lines, *(f"{result.to_markdown()}\n" for result in results)])


def _measured(name: str, *, short: bool, runs: int | None) -> Comparison | str:
    """The result, in a process of its own so that none has another's imports; or why there is none."""
    command = [sys.executable, "-m", "benchmarks", name, "--json", *(["--short"] if short else [])]
    if short or runs is not None:
        command += ["--runs", str(1 if runs is None else runs)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
    told: dict[str, Any] = json.loads(done.stdout)
    return Comparison(**{**told, "load": tuple(told["load"])})


def _better(figure: str) -> int:
    """1: the larger the better; -1: the smaller; 0: its unit does not tell."""
    if LARGER_IS_BETTER.search(figure):
        return 1
    return -1 if SMALLER_IS_BETTER.search(figure) else 0


def _plot(found: Sequence[Standing], folder: Path) -> None:
    import plotly.graph_objects as go

    rows = sorted(found, key=lambda one: one.times)
    figure = go.Figure(
        go.Bar(
            x=[one.times for one in rows],
            y=[one.name for one in rows],
            base=0.0,
            orientation="h",
            marker_color=[AHEAD if one.times >= 1 else BEHIND for one in rows],
            text=[f"{one.times:.3g} x {one.peer}" for one in rows],
            textposition="outside",
            cliponaxis=False,
        )
    )
    figure.add_vline(x=1.0, line_color=INK, line_width=1)
    figure.update_layout(
        title="Times ahead of the best peer (1: as good as it)",
        xaxis={"type": "log", "title": ""},
        yaxis={"automargin": True},
        height=120 + 24 * len(rows),
        width=1100,
        margin={"r": 160},
        template="simple_white",
        font={"color": INK},
    )
    page = folder / "ahead.html"
    figure.write_html(page, include_plotlyjs=True, config={"displayModeBar": False})
    _picture(page, folder / "ahead.png", 160 + 24 * len(rows))


def _picture(page: Path, picture: Path, height: int) -> None:
    """The same as an image, where there is a browser to draw it."""
    from playwright.sync_api import sync_playwright

    from tests.browser.chromium import executable

    if (path := executable()) is None:
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 1120, "height": height})
        tab.goto(page.resolve().as_uri())
        tab.locator(".barlayer .point").first.wait_for()
        tab.screenshot(path=picture)
        browser.close()
