"""Pictures of every page, light and dark, on a laptop and a phone: `make screenshots [SCREENSHOTS=folder]`.

python -m tests.browser.screenshots FOLDER [VIEW...]
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.browser.chromium import ADVICE, executable
from tests.browser.installation import made
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
                tall(page, most)
                page.wait_for_timeout(250)  # charts grow into their place
                page.screenshot(path=folder / f"{view}-{width}-{scheme}.png", animations="disabled")
            page.context.close()


def main() -> None:
    if executable() is None:
        sys.exit(ADVICE)
    folder, views = Path(sys.argv[1]), sys.argv[2:] or list(VIEWS)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, FaultyServer(ok(b"")) as mail:
        installation = made(Path(scratch), mail, tame=True)
        with served(installation) as server, chromium() as browser:
            take(browser, server, folder, views)
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()
