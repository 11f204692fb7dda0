"""Which browser the tests drive: the system's, else Playwright's own inside the environment, else none.

`python -m tests.browser.chromium` looks, tries the download, and says what to do when there is none.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOWNLOADS = ROOT / ".venv" / "browsers"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ADVICE = "no browser: the browser tests are skipped; install one with `apt-get install chromium`, then `make test`"


def executable() -> str | None:
    """The path of a Chromium, or None."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    downloaded = sorted(DOWNLOADS.glob("chromium-*/chrome-linux*/chrome"))
    return str(downloaded[-1]) if downloaded else None


def main() -> None:
    if executable() is not None:
        return
    environment = {**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(DOWNLOADS)}
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    try:
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    except (subprocess.SubprocessError, OSError):
        print(ADVICE)


if __name__ == "__main__":
    main()
