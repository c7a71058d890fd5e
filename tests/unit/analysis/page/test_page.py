"""The page shows an analysis, whatever a report says, and asks for nothing else."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import botocore.session
import pytest

from findings_analysis.page import PAGE_LANGUAGES, consoles, render
from findings_analysis.page.localization import TEXTS, page_localization
from findings_analysis.page.rendering import (
    GROUPS,
    LISTED_IN_GROUP,
    PAGE_TEXT_CHARACTERS,
    SHOWN_AT_FIRST,
    DueSection,
    answer,
    score,
)
from findings_analysis.page.summary_page import NUMBERS_OF_OWNERS_SHOWN, NUMBERS_OF_REPORTS
from findings_analysis.page.trend import FEWEST_PLACES, HEIGHT, PLACE_WIDTH, RUNS, strips
from findings_exporter.model.run import Outcome
from findings_exporter.model.taxonomy import KINDS, LISTED_KINDS, SCAN_TYPES, SEVERITIES
from findings_exporter.model.text import clean
from findings_exporter.notification import links
from tests.builders import page_samples
from tests.builders.daily_runs import arn

FOLDER = Path("layers/analytics/findings_analysis/page")
ALL_SAMPLES = pytest.mark.parametrize("sample", page_samples.SAMPLES)


class Page(HTMLParser):
    """A page's elements, the text that people read, and what is in its scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inline: dict[str, list[str]] = {"script": [], "style": [], "data": []}
        self.words: list[str] = []
        self._inside: str | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in {"script", "style"}:
            self._inside = "data" if ("type", "application/json") in attrs else tag
            self.inline[self._inside].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.inline[self._inside][-1] += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def policy(self) -> str:
        (policy,) = [attributes["content"] for tag, attributes in self.elements if attributes.get("http-equiv")]
        assert policy
        return policy

    @property
    def data(self) -> dict[str, Any]:
        (data,) = self.inline["data"]
        return dict(json.loads(data))


def page_of(sample: str | page_samples.Sample, language: str = "en") -> Page:
    return Page((page_samples.SAMPLES[sample]() if isinstance(sample, str) else sample).html(language))


def page(analysis: dict[str, Any], runs: int = 30, language: str = "en", **facts: Any) -> Page:
    return Page(render(analysis, page_samples.trend(analysis, runs), page_samples.facts(**facts), language))


class TestTheAnswer:
    def test_a_run_says_first_what_is_new_no_longer_open_open_and_critical(self) -> None:
        daily_run = page_samples.ordinary()
        result = answer(daily_run, page_localization("en", "UTC"))
        assert result["headline"] == "40 new, 50 no longer open; 540 open (15 critical)."
        assert (result["new"], result["no_longer_open"]) == (
            daily_run["changes"]["counts"]["appeared"],
            daily_run["changes"]["counts"]["no_longer_open"],
        )
        assert result["open"] == daily_run["statistics"]["by_status"]["ACTIVE"]

    def test_where_only_open_findings_are_reported_the_criticals_are_of_them(self) -> None:
        assert answer(page_samples.deactivated(), page_localization("en", "UTC"))["critical"] == 0
        assert answer(page_samples.unknown(), page_localization("en", "UTC"))["status_unknown"] == 60

    def test_a_first_run_has_nothing_to_compare_with_and_says_why(self) -> None:
        daily_run = page_samples.first()
        shown = page(daily_run, runs=1).text
        assert f"180 open ({daily_run['statistics']['by_severity']['CRITICAL']} critical)." in shown
        assert "No earlier report with this name is on record." in shown
        assert "not compared" in shown

    def test_without_open_findings_it_says_that_scanning_is_active(self) -> None:
        shown = page(page_samples.no_changes()).text
        assert "No open findings. Scanning is active." in shown
        assert "No changes since the baseline." in shown
        assert "Inspector found no findings and wrote no file" in shown

    def test_lost_coverage_cannot_be_taken_for_good_news(self) -> None:
        deactivated = page(page_samples.deactivated())
        assert deactivated.text.startswith("SCAN COVERAGE LOST: nightly")
        assert "Inspector does not scan everything." in deactivated.text
        assert "Account 444455556666: all scan types" in deactivated.text
        assert ("body", {"class": "state-lost"}) in deactivated.elements
        assert "coverage lost" not in page(page_samples.ordinary()).text.lower()

    def test_unknown_coverage_is_said_with_its_reasons_and_is_no_good_news(self) -> None:
        daily_run = page_samples.unknown()
        shown = page(daily_run).text
        assert shown.startswith("COVERAGE UNKNOWN: nightly")
        assert "No open findings in this report, but scan coverage is unknown." in shown
        assert "Coverage unknown · Unusual drop" in shown
        assert "This report has no open findings to rank." in shown
        assert "There are no open findings." not in shown
        before_the_sections = shown[: shown.index("This report has no open findings to rank.")]
        for reason in daily_run["coverage_status"]["reasons"]:
            assert before_the_sections.count(reason) == 1


class TestOneFile:
    @ALL_SAMPLES
    def test_the_policy_allows_exactly_the_own_style_and_script(self, sample: str) -> None:
        shown = page_of(sample)
        for kind in ("script", "style"):
            (text,) = shown.inline[kind]
            allowed = f"{kind}-src 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
            assert allowed in shown.policy.split("; ")
        assert "default-src 'none'" in shown.policy
        assert "unsafe" not in shown.policy

    @ALL_SAMPLES
    def test_nothing_is_loaded_from_anywhere(self, sample: str) -> None:
        shown = page_of(sample)
        for tag, attributes in shown.elements:
            assert not {"src", "srcset", "style", "action", "background", "poster", "ping"} & attributes.keys()
            assert not [name for name in attributes if name.startswith("on")]
            address = attributes.get("href")
            if tag == "a":
                assert address
                assert address.startswith(("https://", "#"))
            elif tag == "link":
                assert address
                assert address.startswith("data:image/svg+xml,")
            else:
                assert address is None
        (style,) = shown.inline["style"]
        assert not re.search(r"url\(|@import", style)

    def test_a_link_that_is_no_https_address_is_text(self) -> None:
        links = {"report": "javascript:alert(1)", "analysis": "http://x", "parquet": None, "execution": "data:text/html,x"}
        shown = page(page_samples.no_changes(), links=links)
        assert [attributes["href"] for tag, attributes in shown.elements if tag == "a" and attributes["href"][:1] != "#"] == []  # type: ignore[index]
        assert "analysis.json" in shown.text


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"])
def test_a_time_that_a_zone_does_not_have_is_shown_in_utc(zone: str, at: str) -> None:
    result = page_localization("en", zone).time(at)
    assert ("UTC" in result) == ((zone, at[:4]) in {("America/New_York", "0001"), ("Asia/Tokyo", "9999")})


class TestHostileTexts:
    def test_markup_in_a_finding_is_text(self) -> None:
        hostile, tame = page(page_samples.hostile()), page(page_samples.ordinary())
        assert {tag for tag, _ in hostile.elements} <= {tag for tag, _ in tame.elements}
        assert len(hostile.inline["script"]) == 1
        for text in page_samples.HOSTILE[:4]:
            assert text in hostile.text

    def test_the_rows_reach_the_script_cleaned_and_otherwise_as_they_were_reported(self) -> None:
        daily_run = page_samples.hostile()
        data = page(daily_run).data
        result = [
            (row["title"], row["vulnerability_id"], row["packages"][0][0], data["resources"][row["resource"]]["name"])
            for row in data["rows"]
        ]
        assert result == [(text,) * 4 for text in (clean(each, PAGE_TEXT_CHARACTERS) for each in page_samples.HOSTILE)]

    def test_no_row_can_end_the_script_that_holds_it(self) -> None:
        html = render(page_samples.hostile(), [], page_samples.facts())
        data = html[html.index('<script type="application/json"') :].split(">", 1)[1].split("</script>")[0]
        assert not set("<>&\u2028\u2029") & set(data)

    def test_a_long_word_is_folded_and_can_be_opened(self) -> None:
        html = render(page_samples.hostile(), [], page_samples.facts())
        shown = html[: html.index('<script type="application/json"')]
        assert f"<summary><bdi>{'W' * 160}…</bdi>" in shown

    def test_nothing_of_a_text_changes_the_direction_or_is_invisible(self) -> None:
        html = render(page_samples.hostile(), [], page_samples.facts())
        assert "gnp.exe" in html
        assert [each for each in html if each != "\n" and not each.isprintable()] == []

    def test_texts_are_set_apart_since_some_scripts_turn_the_direction_by_themselves(self) -> None:
        html = render(page_samples.hostile(), [], page_samples.facts())
        shown = html[: html.index('<script type="application/json"')]
        turned = re.findall(r"(.{5})gnp\.exe", shown)
        assert turned
        assert set(turned) <= {"<bdi>", "ges: "}

    def test_only_a_well_known_id_becomes_a_link(self) -> None:
        daily_run = page_samples.first()
        daily_run["fix_first"] = [
            daily_run["fix_first"][0] | {"vulnerability_id": each}
            for each in ("CVE-2026-1234", "GHSA-abcd-1234-wxyz", "CVE-2026-1234/../x", "CVE-2026-١٢٣٤", None)
        ]
        links = [attributes["href"] or "" for tag, attributes in page(daily_run).elements if tag == "a" and attributes.get("rel")]
        assert [each for each in links if ".console.aws.amazon.com/" not in each] == [
            "https://nvd.nist.gov/vuln/detail/CVE-2026-1234",
            "https://github.com/advisories/GHSA-abcd-1234-wxyz",
        ]


class TestOrder:
    SECTIONS = (
        "fix", "due", "new", "no_longer_open", "owners", "changes", "findings", "coverage", "trend", "age", "where", "facts",
    )  # fmt: skip
    LEFT_OUT: Mapping[str, frozenset[str]] = {
        "owners": frozenset(),
        "hostile-owners": frozenset(),
        "owner": frozenset({"owners", "coverage", "trend"}),
        "hostile-owner": frozenset({"owners", "coverage", "trend"}),
        "first": frozenset({"due", "owners", "findings"}),
        "no-changes": frozenset({"due", "owners", "findings"}),
    }
    """Sections without data; the other samples have neither owners nor due dates."""

    @ALL_SAMPLES
    def test_every_page_has_its_sections_in_the_order_of_what_to_do_first(self, sample: str) -> None:
        html = page_samples.SAMPLES[sample]().html()
        shown = Page(html)
        left_out = self.LEFT_OUT.get(sample, frozenset({"due", "owners"}))
        expected = [section for section in self.SECTIONS if section not in left_out]
        assert [attributes["aria-labelledby"] for tag, attributes in shown.elements if tag == "section"] == expected
        assert re.findall(r'href="#(\w+)"', html[html.index("<nav") : html.index("</nav>")]) == expected
        ids = [attributes["id"] for _, attributes in shown.elements if attributes.get("id")]
        assert len(ids) == len(set(ids))

    @pytest.mark.parametrize("language", PAGE_LANGUAGES)
    @ALL_SAMPLES
    def test_no_two_headings_of_a_page_are_the_same(self, sample: str, language: str) -> None:
        html = page_samples.SAMPLES[sample]().html(language)
        headings = re.findall(r"<h[1-6][^>]*>(.*?)</h[1-6]>", html)
        assert len(headings) > 6
        assert len(headings) == len(set(headings))

    def test_the_most_severe_findings_of_all_kinds_come_first_in_new_and_in_no_longer_open(self) -> None:
        lists = {
            "new": [page_samples.listed(1, severity="LOW"), page_samples.listed(2, severity="CRITICAL", exploit_available=False)],
            "reopened": [
                page_samples.listed(3, severity="CRITICAL", exploit_available=True),
                page_samples.listed(4, severity="HIGH"),
            ],
            "closed": [page_samples.listed(5, severity="MEDIUM")],
        }
        shown = page(page_samples.with_listed(page_samples.ordinary(), lists)).text
        new = shown[shown.index("Critical 2 High 1 Low 1") : shown.index("Search and filter the 4 new findings listed")]
        assert "new 2 reopened 2" in new
        assert re.findall(r"CVE-2026-1000\d", new) == [f"CVE-2026-1000{number}" for number in (3, 2, 4, 1)]
        no_longer_open = shown[shown.index("Search and filter the 4") : shown.index("Search and filter the 1 finding listed")]
        assert re.findall(r"CVE-2026-1000\d", no_longer_open) == ["CVE-2026-10005"]

    def test_long_lists_show_a_few_entries_and_open_for_more(self) -> None:
        made = page_samples.busy(1_000)
        html = render(made, page_samples.trend(made), page_samples.facts())
        new = html[html.index('<h2 id="new">') : html.index('<h2 id="no_longer_open">')]
        first, rest = new.split('<details class="more">')
        assert first.count('<span class="severity') - len(SEVERITIES[:4]) - 1 == SHOWN_AT_FIRST
        assert rest.count('<span class="severity') == LISTED_IN_GROUP - SHOWN_AT_FIRST
        assert "Search and filter the 500 new findings listed" in new
        fix = html[html.index('<h2 id="fix">') : html.index('<h2 id="new">')]
        assert fix.split('<details class="more">')[0].count('<div class="what">') == SHOWN_AT_FIRST
        assert fix.count('<div class="what">') == len(made["fix_first"])
        assert re.findall(r'<ol class="fixes" start="(\d+)">', fix) == ["1", str(SHOWN_AT_FIRST + 1)]

    def test_many_accounts_open_by_a_click(self) -> None:
        daily_run = page_samples.first()
        daily_run["statistics"] = daily_run["statistics"] | {"by_account": {f"{number:012}": 1 for number in range(40)}}
        html = render(daily_run, [], page_samples.facts())
        where = html[html.index('id="where"') :]
        assert (
            where.index("000000000009") < where.index('<details class="more"><summary>Show 30 more') < where.index("000000000010")
        )


CODES = re.compile(
    r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b|\b(?:SUCCEEDED|FAILED|CRITICAL|HIGH|MEDIUM|LOW|UNTRIAGED|DISABLED|ACTIVE|CLOSED)\b"
)


class TestWords:
    @pytest.mark.parametrize("language", PAGE_LANGUAGES)
    @pytest.mark.parametrize("sample", sorted(page_samples.SAMPLES.keys() - page_samples.HOSTILE_SAMPLES))
    def test_codes_of_the_analysis_and_of_aws_are_words(self, sample: str, language: str) -> None:
        shown = page_of(sample, language)
        assert CODES.findall(shown.text) == []
        assert not re.search(r"\b(lambdaCode|codeRepository|status_unknown|appeared)\b", shown.text)

    def test_the_details_of_the_list_name_types_in_words(self) -> None:
        assert (
            page(page_samples.ordinary(), language="ja").data["texts"]["type.AWS_ECR_CONTAINER_IMAGE"] == "ECR コンテナイメージ"
        )

    @pytest.mark.parametrize("language", PAGE_LANGUAGES)
    def test_every_code_that_aws_and_the_analysis_have_today_has_a_word(self, language: str) -> None:
        model = botocore.session.get_session().get_service_model("inspector2")

        def codes(*shapes: str) -> set[str]:
            return {code for shape in shapes for code in model.shape_for(shape).enum}  # type: ignore[attr-defined]

        expected = {
            "reason": codes("ScanStatusReason"),
            "type": codes("CoverageResourceType", "ResourceType") | {"UNKNOWN"},
            "code": codes("Status", "ErrorCode"),
            "severity": codes("Severity") | {"OTHER"},
            "status": codes("FindingStatus"),
            "outcome": set(get_args(Outcome.__value__)),
            "scan_type": set(SCAN_TYPES),
        }
        for group, names in expected.items():
            assert {key.removeprefix(f"{group}.") for key in TEXTS[language] if key.startswith(f"{group}.")} == names

    def test_a_code_that_is_newer_than_the_page_is_shown_as_it_is_and_stays_text(self) -> None:
        daily_run = page_samples.deactivated()
        coverage = daily_run["coverage"]
        strange = "NEW_CODE<b>\u202e"
        daily_run["coverage"] = coverage | {
            "resource_types": {strange: {"scanned": 1, "not_scanned": 2, "why_not": {strange: 2}}},
            "accounts": {"111122223333": coverage["accounts"]["444455556666"] | {"why": strange}},
        }
        daily_run["coverage_status"] = daily_run["coverage_status"] | {"deactivated": {"444455556666": [strange]}}
        daily_run["statistics"] = daily_run["statistics"] | {"by_resource_type": {strange: 3}}
        runs = [page_samples.trend(daily_run, 1)[0] | {"outcome": strange}]
        html = render(daily_run, runs, page_samples.facts())
        shown = Page(html)
        assert "Account 444455556666: NEW_CODE<b>" in shown.text
        assert "NEW_CODE<b>: 2" in shown.text
        assert shown.text.count("NEW_CODE<b>") == 6  # beside these the type twice, the account's reason and the outcome
        assert "<b>" not in html
        assert "\u202e" not in html

    def test_a_reason_of_inspector_begins_with_a_word_and_its_sentence_is_marked_as_english(self) -> None:
        html = render(page_samples.deactivated(), [], page_samples.facts(), "ja")
        assert '<bdi>無効</bdi>: <span lang="en"><bdi>Inspector was disabled by the account.</bdi></span>' in " ".join(
            html.split()
        )

    def test_a_priority_score_adds_up_in_words(self) -> None:
        for entry in page_samples.ordinary()["fix_first"]:
            result = score(entry, page_localization("en", "UTC"))
            terms, total = result.split(" = ")
            assert sum(int(term.split()[-1]) for term in terms.split(" + ")) == int(total) == entry["priority_score"]
        top = page_samples.ordinary()["fix_first"][0]
        result = score(top, page_localization("en", "UTC"))
        assert result == "Critical 40 + exploit available 25 + EPSS 6.58% 1 + fix available 10 + 1 resource 0 = 76"
        assert score(top, page_localization("ja", "UTC")).startswith("重大 40 + 悪用コードあり 25 + ")
        assert score(
            top | {"severity": "NEW", "exploit_available": "NO", "priority_score": 11}, page_localization("en", "UTC")
        ).startswith("NEW 0 + EPSS")


class TestSections:
    def test_all_changes_are_counted_by_kind_and_the_listed_ones_travel_with_the_page(self) -> None:
        daily_run = page_samples.ordinary()
        shown = page(daily_run)
        assert len(shown.data["rows"]) == sum(map(len, daily_run["changes"]["lists"].values()))
        assert "no longer reported missing; this report still has other findings of its resource" in shown.text
        assert "On average, the closed findings were open for" in shown.text

    def test_a_finding_whose_names_are_not_known_has_what_is_known(self) -> None:
        row = page_samples.listed(1, title=None, vulnerability_id=None, packages=[], account_id=None, region=None, resource=None)
        (result,) = page(page_samples.with_listed(page_samples.ordinary(), {"closed": [row]})).data["rows"]
        assert result["kind"] == "closed"
        assert "title" not in result

    def test_coverage_says_what_is_not_scanned_and_why(self) -> None:
        shown = page(page_samples.deactivated()).text
        assert (
            "Inspector scans 319 of the 336 resources that it knows. Scanning is active in 1 account. Scanning is deactivated in 1"
            " account."
        ) in shown
        assert "EC2 instance not managed by SSM: 5" in shown
        assert "Deactivated : Inspector was disabled by the account." in shown

    def test_coverage_that_could_not_be_read_says_so(self) -> None:
        assert "The number of scanned resources is unknown" in page(page_samples.unknown()).text

    def test_many_accounts_are_cut_and_the_rest_counted(self) -> None:
        daily_run = page_samples.first()
        daily_run["statistics"] = daily_run["statistics"] | {"by_account": {f"{number:012}": 1 for number in range(1_070)}}
        assert "and 1,020 more, in analysis.json" in page(daily_run).text

    def test_counts_without_top_lists_make_a_page_too(self) -> None:
        daily_run = page_samples.first()
        daily_run["statistics"] = {name: value for name, value in daily_run["statistics"].items() if name != "top"}
        shown = page(daily_run).text
        assert "By repository" not in shown
        assert "By resource type" in shown

    def test_an_image_is_named_without_its_whole_arn(self) -> None:
        shown = page(page_samples.first())
        (full, *_) = [
            attributes["title"] for _, attributes in shown.elements if attributes.get("class") == "name" and "title" in attributes
        ]
        assert full is not None
        assert full.startswith("arn:aws:ecr:eu-central-1:111122223333:repository/")
        assert "sha256:000000000000… 111122223333 · eu-central-1" in shown.text

    def test_the_facts_of_the_run_stand_at_the_end(self) -> None:
        shown = page(page_samples.ordinary(), versions={"exporter": "1.2.3"}).text
        for fact in (
            "23 Nov 2026 04:00 CET",
            "12 minutes",
            "0123456789abcdef",
            "s3://findings/reports/r.json",
            "exporter 1.2.3",
        ):
            assert " ".join(fact.split()) in shown

    def test_times_are_shown_in_the_time_zone_and_in_utc_without_a_known_one(self) -> None:
        assert "12:00 JST" in page(page_samples.no_changes(), time_zone="Asia/Tokyo").text
        unknown = page(page_samples.no_changes(), time_zone="Europe/Pariss", duration_seconds=None).text
        assert "UTC (Europe/Pariss is not a known time zone)" in unknown
        assert "03:00 UTC" in unknown
        assert "Duration unknown" in unknown


class TestTrend:
    def test_each_severity_has_its_own_scale_and_a_run_without_numbers_leaves_a_gap(self) -> None:
        runs = [
            {"started_at": f"2026-11-2{day}T03:00:00+00:00", "outcome": "SUCCEEDED", "by_severity": counts, "is_uncertain": False}
            for day, counts in enumerate([{"LOW": 100, "CRITICAL": 2}, None, {"LOW": 50}])
        ]
        critical, low = strips(runs, SEVERITIES)
        assert [bar.count for bar in critical.bars] == [2, None, 0]
        assert critical.bars[0].height == low.bars[0].height == HEIGHT - 4
        assert (low.change, low.least, low.most, low.first.count, low.last.count) == (-50, 50, 100, 100, 50)
        assert low.width == FEWEST_PLACES * PLACE_WIDTH

    def test_the_smallest_number_that_is_not_zero_is_visible(self) -> None:
        runs = [
            {
                "started_at": "2026-11-20T03:00:00+00:00",
                "outcome": "SUCCEEDED",
                "by_severity": {"LOW": each},
                "is_uncertain": False,
            }
            for each in (9_999, 1, 0)
        ]
        (low,) = strips(runs, SEVERITIES)
        assert low.bars[1].height > low.bars[2].height

    def test_a_run_with_unknown_coverage_is_marked_and_explained(self) -> None:
        runs = page_samples.trend(page_samples.deactivated())
        runs[-3]["is_uncertain"] = True
        shown = Page(render(page_samples.deactivated(), runs, page_samples.facts())).text
        assert "(scan coverage lost or unknown)" in shown
        assert "Hatched: scan coverage was lost or unknown in that run" in shown
        assert "succeeded (scan coverage lost or unknown)" in shown
        assert "Hatched" not in page(page_samples.ordinary()).text

    @pytest.mark.parametrize(
        ("lost_coverage", "uncertain"),
        [
            ((False, False, False), False),
            ((False, True, False), True),
            ((False, False, True), True),
            ((True, False, False), False),
        ],
    )
    def test_a_change_that_may_come_from_scanning_is_not_shown_as_one_of_findings(
        self, lost_coverage: tuple[bool, ...], uncertain: bool
    ) -> None:
        runs = page_samples.trend(page_samples.ordinary(), 3)
        for run, is_uncertain, count in zip(runs, lost_coverage, (100, 90, 33), strict=True):
            run |= {"is_uncertain": is_uncertain, "by_severity": {"LOW": count}}
        (strip,) = strips(runs, SEVERITIES)
        assert strip.is_uncertain == uncertain
        shown = Page(render(page_samples.ordinary(), runs, page_samples.facts())).text
        assert ("57 fewer than before" in shown) != uncertain
        assert ("not comparable (scan coverage)" in shown) == uncertain

    def test_runs_of_one_day_are_distinguished_by_their_time(self) -> None:
        runs = page_samples.trend(page_samples.ordinary(), 2)
        runs[0]["started_at"] = runs[1]["started_at"].replace("T03:00", "T01:30")
        shown = Page(render(page_samples.ordinary(), runs, page_samples.facts())).text
        assert "02:30 CET" in shown
        assert "04:00 CET" in shown

    def test_the_last_thirty_runs_are_shown(self) -> None:
        runs = page_samples.trend(page_samples.ordinary(), 45)
        assert [bar.started_at for bar in strips(runs, SEVERITIES)[0].bars] == [run["started_at"] for run in runs[-RUNS:]]

    def test_every_drawing_says_the_same_in_words_and_as_a_table(self) -> None:
        shown = page(page_samples.ordinary())
        drawings = [attributes for tag, attributes in shown.elements if tag == "svg" and attributes.get("role") == "img"]
        assert len(drawings) == 5
        assert re.search(r"Critical: 15 in the last run, \d+ in the run of 25 Oct 2026; lowest \d+, highest \d+\.", str(drawings))
        assert "17 Nov 2026 04:00 CET failed no numbers" in shown.text

    def test_runs_without_any_number_say_so(self) -> None:
        html = render(page_samples.first(), [], page_samples.facts())
        assert "No run of this report has recorded its numbers yet." in html

    def test_runs_without_open_findings_are_not_taken_for_runs_without_numbers(self) -> None:
        # Two of the thirty have failed.
        assert "The last 28 runs that recorded their numbers had no open findings." in page(page_samples.no_changes()).text
        runs = page_samples.trend(page_samples.no_changes(), 3)
        failed = [run | {"by_severity": None, "outcome": "FAILED"} for run in runs[:2]]
        shown = Page(render(page_samples.no_changes(), [*failed, runs[2]], page_samples.facts())).text
        assert "The last run that recorded its numbers had no open findings." in shown
        assert "findings can be missing" not in Page(render(page_samples.no_changes(), runs, page_samples.facts())).text
        runs[1]["is_uncertain"] = True
        assert "findings can be missing" in Page(render(page_samples.no_changes(), runs, page_samples.facts())).text


class TestLanguages:
    def test_every_language_has_every_text(self) -> None:
        # English alone has a form for one.
        expected = {key for key in TEXTS["en"] if not key.endswith(".one")}
        for language in PAGE_LANGUAGES:
            assert {key for key in TEXTS[language] if not key.endswith(".one")} == expected
            assert all(text.strip() for text in TEXTS[language].values())

    def test_a_text_takes_the_same_values_in_every_language(self) -> None:
        for key, text in TEXTS["ja"].items():
            assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", TEXTS["en"][key]))

    def test_every_kind_and_severity_of_the_analysis_has_a_name_and_a_place(self) -> None:
        for texts in TEXTS.values():
            assert {f"kind.{kind}" for kind in KINDS} | {f"meaning.{kind}" for kind in KINDS} <= texts.keys()
            assert {f"severity.{severity}" for severity in SEVERITIES} <= texts.keys()
        assert sorted(kind for kinds in GROUPS.values() for kind in kinds) == sorted({*LISTED_KINDS, "moved", "moved_away"})

    def test_every_text_is_used(self) -> None:
        by_name = (
            "kind.",
            "meaning.",
            "severity.",
            "status.",
            "group.",
            "age.",
            "state.",
            "alone.",
            "fix.",
            "coverage.state.",
            "where.",
            "type.",
            "reason.",
            "code.",
            "outcome.",
            "scan_type.",
            "account.",
            "title.",
            "runs.",
            "exploit.",
            "due.later",
            "due.none",
            "owner.unowned",
            "list.open",
            "list.changed",
            "list.name_",
        )
        of_tables = tuple(f"summary.{name}" for name in (*NUMBERS_OF_REPORTS, *NUMBERS_OF_OWNERS_SHOWN))
        of_summary = ("summary.html.j2", "summary_page.py")
        files = ("page.html.j2", "page.js", "rendering.py", "localization.py", *of_summary)
        source = (
            "".join((FOLDER / name).read_text(encoding="utf-8") for name in files).replace("say('", 'say("').replace("')", '")')
        )
        for key in TEXTS["en"]:
            name = re.sub(r"\.(one|other)$", "", key)
            assert f'"{name}"' in source or key.startswith((*by_name, *of_tables, "headline.none_")), f"{key} is not used"

    @ALL_SAMPLES
    def test_every_run_can_be_shown_in_japanese(self, sample: str) -> None:
        shown = page_of(sample, "ja")
        assert ("html", {"lang": "ja"}) in shown.elements
        assert "優先して修正" in shown.text

    def test_numbers_and_dates_are_written_as_the_language_writes_them(self) -> None:
        shown = page(page_samples.ordinary(), language="ja").text
        assert "新規 40 件、未解決でなくなったもの 50 件、未解決 540 件" in shown
        assert "2026年11月23日 04:00 CET" in shown
        assert set(page(page_samples.ordinary(), language="ja").data["days"].values()) & {"2026年11月23日", "2026/11/20"}

    def test_what_the_analysis_says_in_english_is_marked_as_english(self) -> None:
        daily_run = page_samples.ordinary()
        daily_run["sentences"] = ["Said in English."]
        assert '<li lang="en"><bdi>Said in English.</bdi>' in render(daily_run, [], page_samples.facts(), "ja")

    def test_another_language_is_refused_with_those_that_there_are(self) -> None:
        with pytest.raises(ValueError, match=r"no language 'fr'. Use one of en, ja"):
            render(page_samples.no_changes(), [], page_samples.facts(), "fr")


def part(html: str, section: str) -> str:
    """What people read in a section of a page."""
    return Page(html[html.index(f'<h2 id="{section}">') :].split("</section>", maxsplit=1)[0]).text


class TestFixFirst:
    def test_an_entry_says_what_to_update_where_whose_it_is_and_until_when(self) -> None:
        sample = page_samples.owners_run()
        sample.analysis["fix_first"] = [
            {
                "rank": 1,
                "priority_score": 103,
                "vulnerability_id": "CVE-2026-1",
                "title": "CVE-2026-1 - openssl: buffer overflow",
                "packages": [
                    {"name": "openssl", "installed_version": "3.0.1", "fixed_version": "3.0.7"},
                    {"name": "libssl", "installed_version": "3.0.1", "fixed_version": None},
                ],
                "severity": "CRITICAL",
                "exploit_available": "YES",
                "epss_score": 0.5,
                "fix_available": "YES",
                "runtime_reachability": "REACHABLE",
                "in_use_count": 2,
                "resource_count": 7,
                "resources": [place("shop/api", "shop", "2026-11-11"), place("i-0ab", "platform", "2026-11-30")],
                "due_on": "2026-11-11",
                "kev": {"added_on": "2026-11-10", "due_on": "2026-12-01", "action": None},
                "finding_arn": arn("a"),
                "why": "",
            }
        ]
        shown = part(sample.html(), "fix")
        for said in (
            "Critical CVE-2026-1 12 days overdue (due 11 Nov 2026) openssl: buffer overflow",
            "openssl 3.0.1 → 3.0.7, libssl 3.0.1",
            "exploited (KEV), due 1 Dec 2026 exploit available EPSS 50% reachable at runtime and in use fix available",
            "shop/api · shop · 111122223333 · 12 days overdue i-0ab · platform · 111122223333 · due 30 Nov 2026",
            "and 5 more",
            "Priority score 103 Critical 40 + exploit available 25 + EPSS 50% 10 + reachable at runtime and in use 10",
            "+ fix available 10 + 7 resources 8 = 103",
        ):
            assert said in shown

    def test_a_new_finding_that_is_known_to_be_exploited_says_so(self) -> None:
        sample = page_samples.owners_run()
        rows = {"new": [page_samples.listed(1), page_samples.listed(2)]}
        sample.analysis = page_samples.with_listed(sample.analysis, rows)
        sample.analysis["known_exploited"] = {"CVE-2026-10002": {"added_on": "2026-11-10", "due_on": None, "action": None}}
        assert part(sample.html(), "new").count("exploited (KEV)") == 1

    def test_without_owners_and_due_dates_none_are_said(self) -> None:
        shown = page_of("ordinary").text
        assert "overdue" not in shown.lower()
        assert "owner" not in shown.lower()


def place(name: str, owner: str, due_on: str) -> dict[str, Any]:
    return {
        "name": name,
        "resource_type": None,
        "resource_id": None,
        "account_id": "111122223333",
        "region": "eu-central-1",
        "owner": owner,
        "first_seen": "2026-10-01",
        "due_on": due_on,
        "finding_arn": None,
    }


class TestDueDates:
    def test_overdue_and_due_soon_are_counted_by_severity_and_the_most_overdue_listed(self) -> None:
        sample = page_samples.owners_run()
        due = sample.analysis["due_dates"]
        html = sample.html()
        shown = part(html, "due")
        for severity, word in (("CRITICAL", "Critical"), ("HIGH", "High"), ("MEDIUM", "Medium")):
            assert f"{word} {due['overdue'][severity]} {due['due_soon'][severity]}" in shown
        overdue, due_soon = (sum(due[name].values()) for name in ("overdue", "due_soon"))
        assert f"All {overdue} {due_soon}" in shown
        assert f"Overdue {overdue} {due['newly_overdue']} since the baseline Due within 7 days {due_soon}" in Page(html).text
        assert shown.index("Most overdue") < shown.index(due["most_overdue"][0]["vulnerability_id"])
        assert "Critical 15, High 30, Medium 90" in shown

    def test_what_is_unknown_is_said_and_counted_apart(self) -> None:
        assert "The due dates of 3 findings are unknown" in part(page_samples.owners_run().html(), "due")

    def test_where_nothing_is_late_it_says_so_of_known_due_dates_and_there_are_no_tiles(self) -> None:
        sample = page_samples.owners_run()
        sample.analysis["due_dates"] |= {"overdue": {}, "due_soon": {}, "newly_overdue": 0, "most_overdue": []}
        html = sample.html()
        assert "No finding with a known due date is overdue or due within 7 days." in part(html, "due")
        assert "Overdue" not in Page(html[: html.index("<nav")]).text

    @pytest.mark.parametrize(
        ("due_on", "severity", "state"),
        [
            ("2026-11-22", "HIGH", "overdue"),
            ("2026-11-23", "HIGH", "soon"),
            ("2026-11-30", "HIGH", "soon"),
            ("2026-12-01", "HIGH", "later"),
            (None, "HIGH", "unknown"),
            (None, "LOW", "none"),
        ],
    )
    def test_a_finding_is_overdue_after_its_day(self, due_on: str | None, severity: str, state: str) -> None:
        assert DueSection(date(2026, 11, 23), {"HIGH": 30}).state(due_on, severity) == state

    def test_what_is_no_longer_open_is_not_overdue(self) -> None:
        sample = page_samples.owners_run()
        late = {"due_on": "2026-01-01", "severity": "HIGH"}
        rows = {"new": [page_samples.listed(1, **late)], "closed": [page_samples.listed(2, **late)]}
        sample.analysis = page_samples.with_listed(sample.analysis, rows)
        html = sample.html()
        changed = [row for row in Page(html).data["rows"] if row["list"] == "changed"]
        assert [row.get("due") for row in changed] == ["overdue", None]
        assert "overdue" in part(html, "new")
        assert "overdue" not in part(html, "no_longer_open")


class TestOwners:
    def test_the_sums_of_the_owners_are_those_of_the_report(self) -> None:
        html = page_samples.owners_run().html()
        table = html[html.index('<h2 id="owners">') :].split("</table>")[0]
        rows = [[int(each) for each in re.findall(r">(\d+)<", row)] for row in table.split("<tr")[2:]]
        *owners, everything = rows
        assert len(owners) == 4
        assert [sum(column) for column in zip(*owners, strict=True)] == everything
        assert everything[0] == page_samples.owners_run().analysis["statistics"]["open"]

    def test_owners_beyond_those_that_are_listed_are_in_the_sum(self) -> None:
        sample = page_samples.owners_run()
        beyond = sample.analysis["owners"].pop("payments")
        sample.analysis["owners_left_out"] = {"owners": 12, **{each: beyond[each] for each in ("counts", "changes", "due_dates")}}
        assert f"12 other owners {beyond['counts']['open']} " in part(sample.html(), "owners")

    def test_an_owner_is_linked_to_its_page_or_without_one_to_its_findings_in_the_list(self) -> None:
        sample = page_samples.owners_run()
        del sample.facts["owner_links"]["shop"]
        links = [attributes["href"] for tag, attributes in page_of(sample).elements if tag == "a"]
        assert "https://eu-central-1.console.aws.amazon.com/s3/object/findings?prefix=owners/platform.html" in links
        assert "#list=open&owner=shop" in links

    def test_a_finding_that_changed_its_owner_is_listed_with_the_previous_one(self) -> None:
        shown = page_of("owners")
        moved = [row for row in shown.data["rows"] if row.get("kind") == "moved"]
        assert [(row["owner"], row["previous_owner"], row["group"]) for row in moved] == [
            ("platform", "shop", "owner_changed")
        ] * 4
        assert "owner changed still open, and its owner is another one than before" in shown.text

    def test_the_page_of_an_owner_says_whose_it_is_and_leads_to_the_whole_report(self) -> None:
        sample = page_samples.owner_page()
        html = sample.html()
        assert Page(html).text.startswith("shop: findings of 23 Nov 2026 (nightly)")
        heading = Page(html[html.index("<h1>") : html.index("</h1>")]).text
        assert (
            heading == f"Findings of shop 9 new, 17 no longer open; {sample.analysis['statistics']['open']} open (29 critical)."
        )
        assert f'href="{sample.facts["links"]["report_page"]}"' in html
        assert "4 findings went to other owners." in Page(html).text
        assert "By repository" not in Page(html).text
        assert "went to another owner" in part(html, "changes")

    def test_the_page_of_an_owner_without_a_baseline_has_no_changes(self) -> None:
        sample = page_samples.owner_page()
        sample.analysis |= {"changes": None, "baseline": None, "no_baseline": "first_run"}
        assert "No longer open" not in re.findall(r"<h2[^>]*>(.*?)</h2>", sample.html())

    @pytest.mark.parametrize("language", PAGE_LANGUAGES)
    def test_what_has_no_owner_is_named_in_words(self, language: str) -> None:
        shown = page_of(page_samples.owner_page("unowned"), language)
        assert TEXTS[language]["owner.unowned"] in shown.text


class TestOpenFindings:
    def test_it_says_how_many_more_there_are_and_what_lists_all_of_them(self) -> None:
        sample = page_samples.owners_run()
        shown = part(sample.html(), "findings")
        assert "The list has the 405 open findings with the highest priority scores, of 540." in shown
        assert "135 more: the saved Athena query “Open findings by owner” lists all of them." in shown
        sample.facts["athena_query"] = None
        assert "135 more are in the Parquet file." in part(sample.html(), "findings")
        assert "The list has all 146 open findings." in part(page_samples.owner_page().html(), "findings")

    def test_they_travel_with_the_page_the_worst_first(self) -> None:
        rows = [row for row in page_of("owners").data["rows"] if row["list"] == "open"]
        scores = [row["priority_score"] for row in rows]
        assert len(rows) == 405
        assert scores == sorted(scores, reverse=True)
        assert {row.get("due") for row in rows} >= {"overdue", "soon", "later", "none"}

    def test_what_is_zero_is_kept_and_what_is_unknown_is_left_out(self) -> None:
        sample = page_samples.owners_run()
        assert sample.open_findings
        sample.open_findings["rows"] = [
            sample.open_findings["rows"][0] | {"days_open": days, "first_seen": None, "priority_score": 0, "epss_score": None}
            for days in (0, None)
        ]
        zero, unknown = (row for row in page_of(sample).data["rows"] if row["list"] == "open")
        assert (zero["days_open"], zero["priority_score"]) == (0, 0)
        assert not {"days_open", "first_seen", "epss_score"} & unknown.keys()


class TestConsoles:
    FINDING = "arn:{}:inspector2:{}:111122223333:finding/0abc"
    IMAGE = "arn:aws-cn:ecr:cn-north-1:111122223333:repository/shop/api/sha256:" + "0" * 64

    def test_the_consoles_are_those_of_the_messages(self) -> None:
        assert consoles.CONSOLE_HOSTS == links.CONSOLES

    @pytest.mark.parametrize(
        ("arn", "address"),
        [
            (
                FINDING.format("aws", "eu-central-1"),
                "https://eu-central-1.console.aws.amazon.com/inspector/v2/home?region=eu-central-1",
            ),
            (
                FINDING.format("aws-us-gov", "us-gov-west-1"),
                "https://us-gov-west-1.console.amazonaws-us-gov.com/inspector/v2/home",
            ),
            (
                FINDING.format("aws-cn", "cn-north-1"),
                "https://cn-north-1.console.amazonaws.cn/inspector/v2/home?region=cn-north-1",
            ),
            (FINDING.format("aws-iso", "us-iso-east-1"), None),
            (FINDING.format("aws", "evil.example/"), None),
            (FINDING.format("aws", "eu-central-1") + "/../x", None),
            ("javascript:alert(1)", None),
            (None, None),
        ],
    )
    def test_a_finding_is_opened_in_the_console_of_its_partition_and_region(self, arn: str | None, address: str | None) -> None:
        found = consoles.findings_url(arn)
        assert found is None if address is None else found and found.startswith(address)

    @pytest.mark.parametrize(
        ("resource_type", "resource_id", "address"),
        [
            (
                "AWS_EC2_INSTANCE",
                "i-0abc",
                "https://us-gov-west-1.console.amazonaws-us-gov.com/ec2/home?region=us-gov-west-1#InstanceDetails:instanceId=i-0abc",
            ),
            (
                "AWS_ECR_CONTAINER_IMAGE",
                IMAGE,
                "https://cn-north-1.console.amazonaws.cn/ecr/repositories/private/111122223333/shop/api/_/image/sha256:"
                + "0" * 64
                + "/details?region=cn-north-1",
            ),
            (
                "AWS_ECR_REPOSITORY",
                "arn:aws:ecr:eu-west-1:111122223333:repository/shop/api",
                "https://eu-west-1.console.aws.amazon.com/ecr/repositories/private/111122223333/shop/api?region=eu-west-1",
            ),
            (
                "AWS_LAMBDA_FUNCTION",
                "arn:aws:lambda:eu-west-1:111122223333:function:resize:$LATEST",
                "https://eu-west-1.console.aws.amazon.com/lambda/home?region=eu-west-1#/functions/resize",
            ),
            ("AWS_LAMBDA_FUNCTION", "arn:aws:lambda:eu-west-1:111122223333:function:a/../b", None),
            ("AWS_EC2_INSTANCE", "i-0abc&x=1", None),
            ("AWS_ECR_CONTAINER_IMAGE", "https://evil.example/", None),
            ("CODE_REPOSITORY", IMAGE, None),
            (None, None, None),
        ],
    )
    def test_a_resource_is_opened_where_the_console_has_a_page_of_it(
        self, resource_type: str | None, resource_id: str | None, address: str | None
    ) -> None:
        resource = {"resource_type": resource_type, "resource_id": resource_id}
        assert consoles.resource_url(resource | {"finding_arn": self.FINDING.format("aws-us-gov", "us-gov-west-1")}) == address
