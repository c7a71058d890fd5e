"""The page in a real browser: what people see, do by hand and by keyboard, and what it must never do."""

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

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
SAMPLES: Mapping[str, Callable[[], page_samples.Sample]] = {
    **page_samples.SAMPLES,
    # What checks accessibility takes a second for some hundred rows, and a row is like another.
    "ordinary": lambda: page_samples.Sample(page_samples.ordinary(70)),
    "deactivated": lambda: page_samples.Sample(page_samples.deactivated(40)),
    "unknown": lambda: page_samples.Sample(page_samples.unknown(20)),
    "owners": lambda: page_samples.owners_run(30),
    "owner": lambda: page_samples.owner_page(findings=30),
    "busy": lambda: page_samples.Sample(page_samples.busy(1_000)),
    "workplace": lambda: page_samples.workplace(1_000, 200),
}
SHOWN = ("ordinary", "deactivated", "first", "hostile", "unknown", "owners", "owner", "hostile-owners")

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

    def search(self, text: str, box: str = "Search") -> None:
        """Type a text into a box, and wait until the list has followed."""
        self.page.get_by_role("searchbox", name=box).fill(text)
        expect(self.page).to_have_url(re.compile(re.escape(urlencode({"": text}))))

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
            sample = SAMPLES[daily_run]()
            if daily_run == "first":
                sample.trend = page_samples.trend(sample.analysis, 1)
            made[daily_run, language] = folder / f"{daily_run}-{language}.html"
            made[daily_run, language].write_text(sample.html(language), encoding="utf-8")
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
        chosen: str = "",
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
        opened.page.goto(address + chosen)
        assert opened.requests.pop(0) == address
        if scripts and list_is_open and not chosen and opened.page.locator("#search").count():
            opened.page.locator("#search > summary").click()
        return opened

    yield open_it
    for opened in seen:
        assert opened.console == []
        # The icon is a part of the page, and a download is made by it.
        assert [each for each in opened.requests if not each.startswith(("data:", "blob:"))] == []
    for context in contexts:
        context.close()


@pytest.mark.parametrize("daily_run", SHOWN)
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


def choice(shown: Opened, name: str) -> Locator:
    """A choice above the list."""
    return shown.page.locator(".controls").get_by_role("combobox", name=name, exact=True)


def test_it_is_accessible_on_a_phone_and_in_japanese_with_details_opened(open_page: Open) -> None:
    phone = open_page("ordinary", PHONE, "dark", "ja")
    phone.page.evaluate("for (const each of [...document.querySelectorAll('details')].slice(0, 6)) each.open = true")
    assert phone.axe() == []
    assert "優先して修正" in phone.page.locator("main").inner_text()


@pytest.mark.parametrize("daily_run", ["ordinary", "busy", "owners", "owner"])
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
    assert list(tops.values()) == sorted(tops.values())
    assert tops["fix"] < PHONE[1]
    heights = [below - above for above, below in pairwise(tops.values())]
    assert max(heights) < 2.25 * PHONE[1]


def test_lost_coverage_leaves_what_to_do_first_within_two_screens(open_page: Open) -> None:
    for daily_run in ("deactivated", "unknown"):
        box = open_page(daily_run, PHONE, list_is_open=False).page.locator("#fix").bounding_box()
        assert box
        assert box["y"] < 2 * PHONE[1]


def test_a_section_leads_to_its_findings_in_the_list(open_page: Open) -> None:
    shown = open_page("ordinary", PHONE, list_is_open=False)
    assert not shown.page.locator(".list").is_visible()
    # The list follows the address, which the browser says a moment after the click.
    shown.page.locator("#no_longer_open ~ p a").last.click()
    expect(shown.page.locator(".list")).to_be_visible()
    assert set(shown.column("kind")) <= {"closed", "no longer reported"}
    assert len(shown.rows()) > 1
    choice(shown, "Exploit").select_option(label="available")
    shown.page.locator("#new ~ p a").last.click()
    expect(choice(shown, "Exploit")).to_have_value("")
    assert set(shown.column("kind")) == {"new"}


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
    shown.search("openssl SHOP/cart")
    assert all("openssl" in row and "shop/cart" in row for row in shown.rows())
    choice(shown, "Change").select_option(label="No longer open")
    assert set(shown.column("kind")) == {"resource removed"}
    choice(shown, "Severity").select_option(label="High")
    assert set(shown.column("severity")) == {"High"}
    choice(shown, "Fix").select_option(label="fix available")
    assert all("fix available" in each for each in shown.column("help"))
    shown.page.get_by_role("searchbox", name="Search").fill("no such thing")
    shown.page.get_by_text("None of the listed findings match.").wait_for()
    shown.page.get_by_role("button", name="Reset").click()
    assert shown.status == "100 of 1,000 findings shown"


def test_the_numbers_of_a_filter_are_those_of_the_analysis(open_page: Open, pages: Callable[..., Path]) -> None:
    shown = open_page("busy")
    html = pages("busy").read_text(encoding="utf-8")
    data = json.loads(html.split('<script type="application/json" id="data">')[1].split("</script>")[0])
    accounts = [data["resources"][row["resource"]]["account_id"] for row in data["rows"] if row.get("exploit_available")]
    exploits = accounts.count("111122223333")
    choice(shown, "Exploit").select_option(label="available")
    choice(shown, "Account").select_option("111122223333")
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
    expect(shown.page).to_have_url(re.compile("text=curl"))
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
    expect(shown.page.locator(".list details[open]")).to_contain_text("First seen")


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


def test_a_print_is_light_whatever_the_theme_and_the_sections_keep_their_findings(open_page: Open) -> None:
    shown = open_page("owners", theme="dark")
    shown.page.emulate_media(media="print", color_scheme="dark")
    colours = "each => [getComputedStyle(each).color, getComputedStyle(document.body).backgroundColor]"
    ink, paper = shown.page.locator(".severity.s-critical").first.evaluate(colours)
    assert ink == "rgb(163, 13, 37)"
    assert paper == "rgb(255, 255, 255)"
    assert shown.page.locator("html").evaluate("each => getComputedStyle(each).colorScheme") == "light"
    assert shown.page.locator(".places-more .places").first.is_visible()
    assert not shown.page.get_by_role("button", name="Download").is_visible()


class TestWorkplace:
    """The list of open findings, beside the one of changed findings."""

    def test_open_findings_come_first_and_the_others_by_a_choice(self, open_page: Open) -> None:
        shown = open_page("workplace")
        assert shown.status == "100 of 1,000 findings shown"
        assert shown.page.get_by_role("table", name="Open findings").is_visible()
        scores = [int(each) for each in shown.column("priority")]
        assert scores == sorted(scores, reverse=True)
        shown.page.get_by_role("radio", name="Changed findings (200)").check()
        assert shown.status == "100 of 200 findings shown"
        assert shown.page.get_by_role("table", name="Changed findings").is_visible()
        assert set(shown.column("kind")) == {"new"}

    @pytest.mark.parametrize(
        ("name", "value", "column", "expected"),
        [
            ("Owner", "platform", "resource", "platform"),
            ("Severity", "Critical", "severity", "Critical"),
            ("Due", "Overdue", "due", "Overdue"),
            ("Due", "Due within 7 days", "due", "Due within 7 days"),
            ("Due", "Due date unknown", "due", "Due date unknown"),
            ("Exploit", "available", "help", "exploit available"),
            ("Runtime", "not reachable", "help", "not reachable"),
            ("Fix", "fix partially available", "help", "fix partially available"),
            ("Account", "111122223333", "resource", "111122223333"),
        ],
    )
    def test_a_choice_leaves_those_findings(self, open_page: Open, name: str, value: str, column: str, expected: str) -> None:
        shown = open_page("workplace")
        choice(shown, name).select_option(label=value)
        found = shown.page.locator(f".list td.c-{column}").all_text_contents()
        assert found
        assert all(expected in each for each in found)
        assert choice(shown, "Change").count() == 0

    def test_what_has_no_due_date_and_a_resource_are_found(self, open_page: Open) -> None:
        shown = open_page("workplace")
        choice(shown, "Due").select_option(label="No due date")
        assert set(shown.column("severity")) <= {"Low", "Untriaged"}
        shown.page.get_by_role("button", name="Reset").click()
        shown.search("i-0", "Resource")
        assert all("platform/i-0" in each for each in shown.column("resource"))

    def test_the_address_has_what_was_chosen_and_shows_it_again(self, open_page: Open) -> None:
        shown = open_page("workplace")
        choice(shown, "Owner").select_option("platform")
        choice(shown, "Due").select_option("overdue")
        shown.search("a & b=ü")
        shown.search("openssl")
        shown.page.get_by_label("Sort by").select_option("severity")
        shown.page.get_by_role("button", name="Reverse the order").click()
        chosen = shown.page.evaluate("location.hash")
        assert chosen == "#list=open&text=openssl&owner=platform&due=overdue&sort=-severity"
        again = open_page("workplace", chosen=chosen)
        assert again.rows() == shown.rows()
        assert again.status == shown.status
        assert len(again.rows()) > 1
        assert again.page.get_by_role("searchbox", name="Search").input_value() == "openssl"

    def test_an_address_of_something_that_is_not_there_shows_nothing_and_does_nothing(self, open_page: Open) -> None:
        shown = open_page("workplace", chosen="#list=open&owner=<img%20src=x>&sort=__proto__&change=new")
        assert shown.page.get_by_text("None of the listed findings match.").is_visible()
        assert choice(shown, "Owner").input_value() == "<img src=x>"
        shown.page.evaluate("location.hash = '#list=nothing&severity=__proto__'")
        shown.page.get_by_text("None of the listed findings match.").wait_for()
        shown.page.evaluate("location.hash = '#list=changed'")
        expect(shown.page.locator(".list tbody tr")).to_have_count(100)

    def test_numbers_of_the_sections_lead_to_their_findings_again_and_again(self, open_page: Open) -> None:
        shown = open_page("owners", list_is_open=False)
        overdue = shown.page.locator("#due ~ .wide a").first
        count = overdue.inner_text()
        for _ in range(2):
            overdue.click()
            shown.page.locator(".list").wait_for()
            expect(shown.page.locator("#findings")).to_be_in_viewport()
        assert f"of {count} matching" in shown.status
        assert set(shown.column("severity")) == {"Critical"}

    def test_the_filtered_rows_are_downloaded_as_csv_in_which_nothing_is_a_formula(self, open_page: Open) -> None:
        shown = open_page("hostile-owners")
        with shown.page.expect_download() as expected:
            shown.page.get_by_role("button", name="Download as CSV (10)").click()
        assert expected.value.suggested_filename == "nightly-2026-11-23-open.csv"
        text = expected.value.path().read_text(encoding="utf-8-sig")
        head, *rows = csv.reader(io.StringIO(text, newline=""))
        assert len(rows) == 10
        made = [dict(zip(head, row, strict=True)) for row in rows]
        texts = [each["title"] for each in made]
        assert texts[3] == "'" + page_samples.HOSTILE[3]
        assert texts[0] == page_samples.HOSTILE[0]
        assert {each["packages"][:2] for each in made} == {"'="}
        assert not [cell for row in rows for cell in row if cell[:1] in tuple("=+-@\t\r")]

    def test_the_rows_of_the_csv_are_those_of_the_filter(self, open_page: Open) -> None:
        shown = open_page("workplace", chosen="#list=open&owner=platform&severity=CRITICAL")
        with shown.page.expect_download() as expected:
            shown.page.get_by_role("button", name="Download as CSV").click()
        rows = list(csv.DictReader(io.StringIO(expected.value.path().read_text(encoding="utf-8-sig"))))
        assert f" of {len(rows)} matching" in shown.status
        assert {(row["owner"], row["severity"], row["list"]) for row in rows} == {("platform", "CRITICAL", "open")}
        assert {row["exploit_available"] for row in rows} == {"true", "false"}

    def test_a_finding_opens_in_the_consoles_and_its_arn_is_copied(self, open_page: Open) -> None:
        shown = open_page("workplace", chosen="#list=open&text=i-0&severity=CRITICAL")
        shown.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        row = shown.page.locator(".list tbody tr").first
        row.get_by_text("Details").click()
        arn = row.locator("dd", has_text="arn:aws:inspector2").first
        console = "https://eu-central-1.console.aws.amazon.com/"
        inspector = row.get_by_role("link", name="Open in Amazon Inspector").get_attribute("href")
        assert inspector
        assert inspector.startswith(f"{console}inspector/v2/home?region=eu-central-1#/findings/arn%3Aaws%3Ainspector2")
        instance = row.locator(".c-resource a").get_attribute("href")
        assert instance
        assert instance.startswith(f"{console}ec2/home?region=eu-central-1#InstanceDetails:instanceId=i-0")
        assert str(row.locator(".c-finding a").first.get_attribute("href")).startswith("https://nvd.nist.gov/vuln/detail/CVE-")
        arn.get_by_role("button", name="Copy").click()
        arn.get_by_role("button", name="Copied").wait_for()
        assert shown.page.evaluate("navigator.clipboard.readText()") == arn.locator("bdi").inner_text()
        assert shown.axe() == []

    def test_where_copying_is_not_allowed_the_arn_is_selected(self, open_page: Open) -> None:
        shown = open_page("workplace", chosen="#list=open")
        shown.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed')); }")
        row = shown.page.locator(".list tbody tr").first
        row.get_by_text("Details").click()
        row.get_by_role("button", name="Copy").last.click()
        row.get_by_role("button", name="Selected").wait_for()
        assert shown.page.evaluate("getSelection().toString()").startswith("arn:aws:inspector2:")

    def test_a_link_past_the_list_leads_to_the_next_section(self, open_page: Open) -> None:
        shown = open_page("owners", chosen="#list=open")
        skip = shown.page.get_by_role("link", name="Skip the list")
        skip.focus()
        assert skip.bounding_box()["x"] >= 0  # type: ignore[index]
        shown.page.keyboard.press("Enter")
        expect(shown.page.locator("#coverage")).to_be_in_viewport()
        shown.page.keyboard.press("Tab")
        place = "document.querySelector('#findings').compareDocumentPosition(document.activeElement)"
        assert shown.page.evaluate(place) & 4
        assert not shown.page.evaluate("document.activeElement.closest('#list')")

    def test_the_page_of_an_owner_has_the_same_list_and_names_the_owner_once(self, open_page: Open) -> None:
        shown = open_page("owner")
        assert shown.page.locator("h1").inner_text().startswith("Findings of shop")
        assert choice(shown, "Severity").is_visible()
        assert "shop" not in [each.split("\n")[-1] for each in shown.column("resource")]
