"""Takes a picture of a page with headless Chromium: `python -m tests.tools.screenshot page.html picture.png`.

A process of its own, since whoever waits for it can then stop it, the browser included, whatever the browser is doing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

SIZE = {"width": 1280, "height": 2000}
"""Of a desk's screen in CSS pixels, and so high that the numbers of what changed are on it; all of a page is too long to look at."""
SECONDS = 40
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def chromium() -> Path:
    """Return where Chromium is, if it is there: what CHROMIUM names, or where Debian puts it."""
    return Path(os.environ.get("CHROMIUM") or "/usr/bin/chromium")


def take(page: Path, picture: Path) -> str:
    """Take a picture of a page; return why there is none, or nothing. Never fails."""
    if not os.access(chromium(), os.X_OK):
        return f"there is no Chromium at {chromium()}; CHROMIUM=/path/to/chromium names another"
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.tools.screenshot", str(page), str(picture)],
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C reaches whoever waits, who then ends this group.
        start_new_session=True,
    )
    try:
        said = child.communicate(timeout=SECONDS)[1]
    except subprocess.TimeoutExpired:
        return f"Chromium was not done within {SECONDS} s"
    finally:
        # With its helper gone, the browser ends by itself.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.returncode or not picture.exists():
        why = next((line.partition("Error: ")[2] for line in said.splitlines() if "Error: " in line), "it did not say why")
        return f"Chromium could not take it: {why}"
    return ""


def main(page: Path, picture: Path) -> None:
    """Open the page as people see it at a desk, and take the picture of its beginning."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        tab = browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        tab.goto(page.resolve().as_uri())
        tab.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
