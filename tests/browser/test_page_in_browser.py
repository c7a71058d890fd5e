"""The page in a real browser: what people see, do by hand and by keyboard, and what it must never do."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from findings_analysis.page import render
from findings_exporter.model.text import clean
from tests.builders import page_samples

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = (1280, 900), (390, 844)
DAILY_RUNS: dict[str, Callable[[], dict[str, Any]]] = {
    "ordinary": lambda: page_samples.ordinary(80),
    "deactivated": page_samples.deactivated,
    "first": page_samples.first,
    "hostile": page_samples.hostile,
    "unknown": page_samples.unknown,
}

pytestmark = pytest.mark.xdist_group("browser")


@dataclass
class Opened:
    """A page that is open, with all that it said and asked for."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def rows(self) -> list[str]:
        return self.page.locator(".list tbody tr").all_inner_texts()

    def column(self, name: str) -> list[str]:
        return self.page.locator(f".list td.c-{name}").all_inner_texts()

    @property
    def status(self) -> str:
        return self.page.get_by_role("status").inner_text()

    def axe(self, *rules: str) -> list[str]:
        """What axe finds against; some rules alone, if they are named."""
        found = Axe().run(self.page, options={"runOnly": list(rules)} if rules else None).response["violations"]
        return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
    if not Path(path).exists():
        pytest.skip(f"There is no Chromium at {path}: run make browser, or set CHROMIUM to one.")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Where a run's page lies; each is made once."""
    folder, made = tmp_path_factory.mktemp("pages"), dict[tuple[str, str], Path]()

    def find(daily_run: str, language: str = "en") -> Path:
        if (daily_run, language) not in made:
            analysis = page_samples.busy(1_000) if daily_run == "busy" else DAILY_RUNS[daily_run]()
            trend = page_samples.trend(analysis, 1 if daily_run == "first" else 30)
            made[daily_run, language] = folder / f"{daily_run}-{language}.html"
            made[daily_run, language].write_text(render(analysis, trend, page_samples.facts(), language), encoding="utf-8")
        return made[daily_run, language]

    return find


type Open = Callable[..., Opened]


@pytest.fixture
def open_page(browser: Browser, pages: Callable[..., Path]) -> Iterator[Open]:
    """Open a run's page; when the test ends it must have said nothing on the console and asked for nothing."""
    contexts, seen = [], []

    def open_it(
        daily_run: str,
        size: tuple[int, int] = DESKTOP,
        theme: Any = "light",
        language: str = "en",
        *,
        scripts: bool = True,
        list_is_open: bool = True,
    ) -> Opened:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=theme, locale=language, java_script_enabled=scripts
        )
        contexts.append(context)
        opened = Opened(context.new_page())
        seen.append(opened)
        address = pages(daily_run, language).as_uri()
        opened.page.on("console", lambda message: opened.console.append(message.text))
        opened.page.on("pageerror", lambda error: opened.console.append(str(error)))
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.goto(address)
        assert opened.requests.pop(0) == address
        if scripts and list_is_open and opened.page.locator("#search").count():
            opened.page.locator("#search > summary").click()
        return opened

    yield open_it
    for opened in seen:
        assert opened.console == []
        # The icon is a part of the page.
        assert [each for each in opened.requests if not each.startswith("data:")] == []
    for context in contexts:
        context.close()


@pytest.mark.parametrize("daily_run", DAILY_RUNS)
def test_it_is_accessible_in_both_themes_and_nothing_is_wider_than_the_screen(open_page: Open, daily_run: str) -> None:
    shown = open_page(daily_run)
    assert shown.axe() == []
    shown.page.emulate_media(color_scheme="dark")
    assert shown.axe("color-contrast") == []  # the other theme has other colours and the same structure
    for width, height in (DESKTOP, PHONE):
        shown.page.set_viewport_size({"width": width, "height": height})
        for opened in (False, True):
            shown.page.evaluate(f"for (const each of document.querySelectorAll('details')) each.open = {str(opened).lower()}")
            assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
        assert len(shown.page.screenshot()) > 10_000


def test_it_is_accessible_on_a_phone_and_in_japanese_with_details_opened(open_page: Open) -> None:
    phone = open_page("ordinary", PHONE, "dark", "ja")
    phone.page.evaluate("for (const each of [...document.querySelectorAll('details')].slice(0, 6)) each.open = true")
    assert phone.axe() == []
    assert "優先して修正" in phone.page.locator("main").inner_text()


@pytest.mark.parametrize("daily_run", ["ordinary", "busy"])
def test_what_to_do_first_is_on_the_first_screen_of_a_phone_and_no_list_hides_the_next_section(
    open_page: Open, daily_run: str
) -> None:
    shown = open_page(daily_run, PHONE, list_is_open=False)
    tops = dict[str, float](
        shown.page.evaluate(
            "[...document.querySelectorAll('section')].map("
            "each => [each.getAttribute('aria-labelledby'), each.getBoundingClientRect().top + scrollY])"
        )
    )
    assert list(tops) == ["fix", "new", "no_longer_open", "changes", "coverage", "trend", "age", "where", "facts"]
    assert list(tops.values()) == sorted(tops.values())
    assert tops["fix"] < PHONE[1]
    heights = [below - above for above, below in pairwise(tops.values())]
    assert max(heights) < 2 * PHONE[1]


def test_lost_coverage_leaves_what_to_do_first_within_two_screens(open_page: Open) -> None:
    for daily_run in ("deactivated", "unknown"):
        box = open_page(daily_run, PHONE, list_is_open=False).page.locator("#fix").bounding_box()
        assert box
        assert box["y"] < 2 * PHONE[1]


def test_a_section_leads_to_its_findings_in_the_list(open_page: Open) -> None:
    shown = open_page("ordinary", PHONE, list_is_open=False)
    assert not shown.page.locator(".list").is_visible()
    shown.page.locator("#no_longer_open ~ p a").first.click()
    assert shown.page.locator(".list").is_visible()
    assert set(shown.column("kind")) <= {"closed", "no longer reported"}
    assert len(shown.rows()) > 1
    shown.page.locator(".controls").get_by_label("exploit available").check()
    shown.page.locator("#new ~ p a").first.click()
    assert set(shown.column("kind")) == {"new"}
    assert not shown.page.locator(".controls").get_by_label("exploit available").is_checked()


def test_without_javascript_the_new_findings_are_there_and_open_for_more(open_page: Open) -> None:
    shown = open_page("ordinary", PHONE, scripts=False)
    rows = shown.page.locator("#new ~ .changed > li, #new ~ details .changed > li")
    seen = [row for row in rows.all() if row.is_visible()]
    assert len(seen) == 5
    shown.page.locator("#new ~ details > summary").click()
    assert all(row.is_visible() for row in rows.all())
    shown.page.locator("#search > summary").click()
    assert shown.page.locator("noscript p").is_visible()


def test_hostile_texts_do_nothing_and_are_shown(open_page: Open) -> None:
    shown = open_page("hostile")
    assert "owned" not in shown.page.title().replace(page_samples.HOSTILE[0], "")
    assert shown.page.locator("img, iframe, object, embed, base, form").count() == 0
    texts = shown.page.locator(".list td.c-finding > bdi").all_text_contents()
    for hostile in page_samples.HOSTILE[:5]:
        assert clean(hostile, 2_000) in texts


def test_a_long_text_opens_and_folds(open_page: Open) -> None:
    shown = open_page("hostile")
    cell = shown.page.locator(".list td.c-finding", has_text="WWWW").first
    button = cell.get_by_role("button", name="show all").first
    assert len(cell.locator("> bdi").inner_text()) == 161
    button.click()
    assert len(cell.locator("> bdi").inner_text()) == 2_000
    cell.get_by_role("button", name="show less").click()
    assert len(cell.locator("> bdi").inner_text()) == 161


def test_columns_sort_both_ways(open_page: Open) -> None:
    shown = open_page("busy")
    days = shown.page.get_by_role("columnheader", name="Days open")
    days.get_by_role("button").click()
    assert days.get_attribute("aria-sort") == "descending"
    result = [int(each) for each in shown.column("days")]
    assert result == sorted(result, reverse=True)
    assert result[0] == 300
    days.get_by_role("button").click()
    assert days.get_attribute("aria-sort") == "ascending"
    result = [int(each) for each in shown.column("days")]
    assert result == sorted(result)
    assert result[0] == 0
    assert shown.page.locator("[aria-sort]").count() == 1


def test_the_worst_come_first(open_page: Open) -> None:
    shown = open_page("ordinary")
    order = ["Critical", "High", "Medium", "Low", "Untriaged"]
    result = [order.index(each) for each in shown.column("severity")]
    assert result == sorted(result)
    assert len(result) > 10


def test_the_list_is_searched_and_filtered(open_page: Open) -> None:
    shown = open_page("busy")
    assert shown.status == "100 of 1,000 findings shown"
    shown.page.get_by_role("searchbox", name="Search").fill("openssl SHOP/cart")
    shown.page.wait_for_function("document.querySelector('[role=status]').textContent.includes('matching')")
    assert all("openssl" in row and "shop/cart" in row for row in shown.rows())
    shown.page.get_by_role("combobox", name="Change", exact=True).select_option(label="No longer open")
    assert set(shown.column("kind")) == {"resource removed"}
    shown.page.get_by_role("combobox", name="Severity", exact=True).select_option(label="High")
    assert set(shown.column("severity")) == {"High"}
    shown.page.locator(".controls").get_by_label("fix available").check()
    assert all("fix available" in each for each in shown.column("help"))
    shown.page.get_by_role("searchbox", name="Search").fill("no such thing")
    shown.page.get_by_text("No findings match.").wait_for()
    shown.page.get_by_role("button", name="Reset").click()
    assert shown.status == "100 of 1,000 findings shown"


def test_the_numbers_of_a_filter_are_those_of_the_analysis(open_page: Open, pages: Callable[..., Path]) -> None:
    shown = open_page("busy")
    html = pages("busy").read_text(encoding="utf-8")
    rows = json.loads(html.split('<script type="application/json" id="data">')[1].split("</script>")[0])["rows"]
    exploits = sum(row.get("exploit_available", False) and row["account_id"] == "111122223333" for row in rows)
    shown.page.locator(".controls").get_by_label("exploit available").check()
    shown.page.get_by_role("combobox", name="Account", exact=True).select_option("111122223333")
    assert shown.status == f"{exploits} of {exploits} matching findings shown (1,000 in the list)"


def test_more_rows_come_by_hundreds_or_all_at_once_and_the_focus_goes_to_the_first(open_page: Open) -> None:
    shown = open_page("busy")
    shown.page.get_by_role("button", name="Show 100 more").click()
    assert len(shown.rows()) == 200
    assert (
        shown.page.evaluate("[...document.querySelectorAll('.list tbody tr')].indexOf(document.activeElement.closest('tr'))")
        == 100
    )
    shown.page.get_by_role("button", name="Show all 1,000").click()
    assert shown.page.locator(".list tbody tr").count() == 1_000
    assert not shown.page.get_by_role("button", name="Show all").is_visible()


def test_the_keyboard_is_enough(open_page: Open) -> None:
    shown = open_page("ordinary", list_is_open=False)
    keyboard = shown.page.keyboard
    keyboard.press("Tab")
    assert shown.page.evaluate("document.activeElement.className") == "skip"
    keyboard.press("Enter")
    assert shown.page.evaluate("location.hash") == "#main"
    shown.page.locator("#search > summary").focus()
    keyboard.press("Enter")
    shown.page.get_by_role("searchbox", name="Search").focus()
    keyboard.type("curl")
    shown.page.wait_for_function("document.querySelector('[role=status]').textContent.includes('matching')")
    head = shown.page.locator(".list").get_by_role("columnheader", name="Resource").get_by_role("button")
    for _ in range(30):
        keyboard.press("Tab")
        if head.evaluate("each => each === document.activeElement"):
            break
    keyboard.press("Enter")
    assert shown.page.locator(".list").get_by_role("columnheader", name="Resource").get_attribute("aria-sort") == "ascending"
    result = [each.split("\n")[0] for each in shown.column("resource")]
    assert result == sorted(result)
    summary = shown.page.locator(".list summary").first
    summary.focus()
    keyboard.press("Enter")
    assert "First seen" in shown.page.locator(".list details[open]").inner_text()


def test_a_phone_sorts_by_a_choice_and_shows_rows_as_blocks_that_are_still_a_table(open_page: Open) -> None:
    shown = open_page("ordinary", PHONE)
    shown.page.get_by_role("combobox", name="Sort by").select_option(label="Days open")
    result = [int(each) for each in shown.column("days")]
    assert result == sorted(result, reverse=True)
    shown.page.get_by_role("button", name="Reverse the order").click()
    assert [int(each) for each in shown.column("days")] == sorted(result)
    assert shown.page.get_by_role("table", name="Changed findings").get_by_role("row").count() > 10


def test_lost_coverage_is_shown_first_in_both_themes(open_page: Open) -> None:
    for theme in ("light", "dark"):
        shown = open_page("deactivated", PHONE, theme)
        assert shown.page.title().startswith("SCAN COVERAGE LOST")
        box = shown.page.locator(".alarm").first.bounding_box()
        assert box
        assert box["y"] < PHONE[1]


def test_a_print_has_no_controls(open_page: Open) -> None:
    shown = open_page("ordinary")
    shown.page.emulate_media(media="print")
    assert not shown.page.locator(".controls").is_visible()
    assert shown.page.locator("h1").is_visible()
    assert shown.page.pdf()[:5] == b"%PDF-"
