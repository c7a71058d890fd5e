"""Takes a picture of a page with headless Chromium: `python -m tests.tools.screenshot page.html picture.png`.

It runs in a process of its own, so that the caller can stop it and the browser at any time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

SIZE = {"width": 1280, "height": 2000}
"""A desktop screen's width in CSS pixels, and a height that shows the summary and the changes; the whole page is too long."""
SECONDS = 40
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def chromium() -> Path:
    """Return the path of Chromium: what CHROMIUM names, or where Debian installs it."""
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
        # Ctrl-C reaches the caller, which then ends this process group.
        start_new_session=True,
    )
    try:
        said = child.communicate(timeout=SECONDS)[1]
    except subprocess.TimeoutExpired:
        return f"Chromium was not done within {SECONDS} s"
    finally:
        # The browser ends by itself when this process has ended.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.returncode or not picture.exists():
        why = next((line.partition("Error: ")[2] for line in said.splitlines() if "Error: " in line), "it did not say why")
        return f"Chromium could not take it: {why}"
    return ""


def main(page: Path, picture: Path) -> None:
    """Open the page as on a desktop screen, and take a picture of its top."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        tab = browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        tab.goto(page.resolve().as_uri())
        tab.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
