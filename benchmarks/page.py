"""How soon a person sees a run's page with 5,000 changed findings in headless Chromium, beside an empty page."""

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from benchmarks.results import Row, at_most, show
from findings_analysis.page import render
from tests.builders import page_samples
from tests.tools.screenshot import ARGUMENTS, chromium

CHANGED = 5_000
ROUNDS = 7
MOST_MS = 1_000
EMPTY = "<!doctype html><title>empty</title><p>nothing</p>"
PAINTED = """() => new Promise(done => {
  const found = performance.getEntriesByName('first-contentful-paint')[0];
  if (found) done(found.startTime);
  else new PerformanceObserver(list => done(list.getEntries()[0].startTime)).observe({type: 'paint', buffered: true});
})"""


def main() -> list[Row]:
    """Print the table and return its rows."""
    if not chromium().exists():
        print(f"The page: left out, since there is no Chromium at {chromium()}")
        return []
    print(f"The page with {CHANGED:,} changed findings: medians of {ROUNDS} times")
    made = page_samples.busy(CHANGED)
    text = render(made, page_samples.trend(made), page_samples.facts())
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        full, empty = Path(folder, "full.html"), Path(folder, "empty.html")
        full.write_text(text, encoding="utf-8")
        empty.write_text(EMPTY, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        times = [(first_paint(browser, full), first_paint(browser, empty)) for _ in range(ROUNDS)]
        browser.close()
    ours, baseline = (statistics.median(each) for each in zip(*times, strict=True))
    rows = [
        at_most("page: first paint", "ms", ours, MOST_MS, baseline),
        Row("page: size of the file", "kB", None, len(text.encode()) / 1000),
    ]
    show(rows)
    return rows


def first_paint(browser: Browser, page: Path) -> float:
    """Return after how many milliseconds something is seen; the list of findings stands by then, or this fails."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.goto(page.as_uri())
    painted = float(tab.evaluate(PAINTED))
    if "full" in page.name:
        assert tab.locator(".list tbody tr").count() > 0
    tab.close()
    return painted
