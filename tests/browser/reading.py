"""What a page must never do: keep somebody from reading it, take text for markup, or stick out to the side."""

from typing import Any

__all__ = ["CUT", "MARKED_UP", "PUT_IN", "WIDE", "serious"]

AXE = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "resultTypes": ["violations"],
}
PUT_IN = """() => [...document.querySelectorAll(
        '[data-testid=stApp] :is(script[src], iframe, object, embed, form[action], img[src=x], [onerror])')]
    .map(one => one.outerHTML.slice(0, 200))"""
"""What only text from elsewhere that was taken for HTML could have put on a page."""
MARKED_UP = """() => [...document.querySelectorAll(
        '[data-testid=stMain] :is(.katex, a[href="b"], a[href^="javascript"])')]
    .map(one => one.outerHTML.slice(0, 200))"""
"""Likewise for Markdown and LaTeX."""
CUT = """() => [...document.querySelectorAll('[data-testid=stMain] [data-testid=stText] > span')]
    .filter(text => text.scrollWidth > text.clientWidth + 1 || text.getBoundingClientRect().right > innerWidth + 1)
    .map(text => text.textContent.slice(0, 200))"""
"""Text that does not fit into its place, or into the window."""
WIDE = "document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth"


def serious(page: Any) -> list[str]:
    """What would keep somebody from reading or using it, and where."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=AXE).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node.get('failureSummary', '')[:200]} {node['html'][:200]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]
