"""Pictures of every page, light and dark, on a laptop and a phone: `make screenshots [SCREENSHOTS=folder]`.

python -m tests.browser.screenshots FOLDER [VIEW...]
python -m tests.browser.screenshots --readme FOLDER: `dashboard.png`, the first page on a normal day
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.browser.chromium import ADVICE, executable
from tests.browser.installation import made
from tests.browser.normal_day import normal_day
from tests.browser.served import Served, chromium, go, served, tall, window
from tests.browser.views import VIEWS
from tests.faulty_server import FaultyServer, ok

WIDTHS = {1440: 3500, 390: 6000}
"""How wide, and how high at most, in pixels."""


def take(browser: Any, server: Served, folder: Path, views: list[str]) -> None:
    """`VIEW-WIDTH-SCHEME.png` for each view into the folder."""
    for scheme in ("light", "dark"):
        for width, most in WIDTHS.items():
            size = {"width": width, "height": 900}
            page = window(browser, viewport=size, color_scheme=scheme, locale="en")
            for view in views:
                page.set_viewport_size(size)
                go(page, server.view(view))
                _picture(page, most, folder / f"{view}-{width}-{scheme}.png")
            page.context.close()


def take_for_readme(browser: Any, server: Served, folder: Path) -> None:
    """The first page, whole."""
    page = window(browser, viewport={"width": 1440, "height": 900}, color_scheme="light", locale="en")
    go(page, server.url)
    _picture(page, 3500, folder / "dashboard.png")
    page.context.close()


def _picture(page: Any, most: int, path: Path) -> None:
    tall(page, most)
    page.wait_for_timeout(250)  # charts grow into their place
    page.screenshot(path=path, animations="disabled")


def main() -> None:
    if executable() is None:
        sys.exit(ADVICE)
    for_readme = sys.argv[1] == "--readme"
    folder, *views = sys.argv[2:] if for_readme else sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, FaultyServer(ok(b"")) as other:
        make = normal_day if for_readme else lambda where, mail: made(where, mail, tame=True)
        with served(make(Path(scratch), other)) as server, chromium() as browser:
            if for_readme:
                take_for_readme(browser, server, Path(folder))
            else:
                take(browser, server, Path(folder), views or list(VIEWS))
    print(f"{len(list(Path(folder).glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()
