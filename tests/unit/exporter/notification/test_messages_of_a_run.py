"""What is said of a run that was analyzed: at a glance, on one screen, and never better than it is known to be."""
# ruff: noqa: RUF001 - signs of Japanese

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findings_exporter import notification
from findings_exporter.model.notes import in_language
from findings_exporter.model.run import Run
from findings_exporter.model.taxonomy import SEVERITIES
from findings_exporter.model.text import LINE_CHARACTERS, shown_lines, width
from findings_exporter.notification.subject_line import fitted
from findings_exporter.notification.view import view_of
from tests.builders.exporter import (
    config,
    delivery,
    ended_run,
    failed_run,
    finding,
    fix,
    headline,
    instance,
    nothing,
    on,
    package,
    plan,
    resource,
)
from tests.tools import gallery
from tests.unit.exporter.notification.test_messages import BROKEN, SNS_BYTES

OTHER = gallery.OTHER
IMAGE, INSTANCE, FUNCTION = "AWS_ECR_CONTAINER_IMAGE", "AWS_EC2_INSTANCE", "AWS_LAMBDA_FUNCTION"
ALONE: dict[str, Any] = {"baseline": None, "changes": None, "worst_new": [], "worst_no_longer_open": []}
SEVERAL = [
    finding(**on(*["shop/api"] * 4), findings=4),
    finding(
        vulnerability_id="CVE-2026-20311", title="CVE-2026-20311 - libxml2", packages=[gallery.LIBXML2], exploit_available=False,
        **instance(*(f"i-0abc1234def56789{number}" for number in range(5)), count=137), findings=137, resource_count_at_least=True,
        account_id=None,
    ),
    finding(
        severity="HIGH", vulnerability_id=None, title="CWE-798 - Hardcoded credentials", packages=[], fix_available=None,
        exploit_available=False, resource_type=FUNCTION, resource="web-user-manager-api-stage-healthCheck", findings=3,
        **on("web-user-manager-api-stage-healthCheck", resource_type=FUNCTION),
    ),
]  # fmt: skip
DAILY_RUNS = {name: run for name, run in gallery.runs().items() if not run.failure} | {
    "another-report": gallery.daily_run(headline(), plan=plan({"report": {"name": "critical-weekly"}}, gallery.DAILY_RUN)),
    "several-places": gallery.daily_run(headline(worst_new=SEVERAL, worst_no_longer_open=SEVERAL[:1])),
    "without-a-page": gallery.daily_run(headline(page_key=None)),
    "not-compared-no-analysis": gallery.daily_run(headline(**ALONE, no_baseline="no_analysis")),
    "not-compared-unreadable": gallery.daily_run(headline(**ALONE, no_baseline="unreadable")),
    "nothing-scanned": gallery.daily_run(
        gallery.counted(
            {}, {}, 1204, coverage={"scanned": 0, "not_scanned": 412},
            coverage_status=gallery.assessed({}, {gallery.ACCOUNT: gallery.scanning(ec2="on")}, {gallery.ACCOUNT: {"ec2": 1204}}, None, 0, 412),
        ),
        delivery=nothing("no_findings"),
    ),
    "nothing-found-again": gallery.daily_run(gallery.counted({}, {}), delivery=nothing("empty_object")),
    "without-an-analysis": gallery.daily_run(None),
    "nothing-found-without-an-analysis": gallery.daily_run(None, delivery=nothing("no_object")),
}  # fmt: skip
LANGUAGES = pytest.mark.parametrize("language", ["en", "ja"])
HOSTILE = '💥<!channel> "\\\x01\n\u2028\u202e\u2067' * 60
LONG = [
    finding(
        vulnerability_id=HOSTILE, title=HOSTILE, resource=HOSTILE, packages=[package(HOSTILE, HOSTILE, HOSTILE)] * 5, owner=HOSTILE,
        **on(*[HOSTILE] * 5, owner=HOSTILE, due_on="2026-11-01"), due_on="2026-11-01", in_kev=True, kev_due_on="2026-11-01",
    )
    for _ in range(5)
]  # fmt: skip


def deactivated(places: dict[str, list[str]], reasons: Sequence[str] = ()) -> dict[str, Any]:
    """The status of a headline where scanning is off."""
    return {
        "state": "lost",
        "unusual_drop": False,
        "deactivated": places,
        "deactivated_accounts": len(places),
        "reasons": [*reasons],
    }


LARGEST = headline(
    open=2_000_000,
    total=2_000_000,
    worst_new=LONG,
    worst_no_longer_open=LONG[:3],
    most_overdue=LONG[:3],
    fix_first=[LONG[0] | fix(vulnerability_id=HOSTILE, title=HOSTILE, why=HOSTILE, resource_count=100_000) for _ in range(5)],
    due_dates=gallery.due(dict.fromkeys(SEVERITIES, 10**6), dict.fromkeys(SEVERITIES, 10**6), 10**6, 10**6),
    owners={
        "count": 200,
        "unowned": 10**6,
        "listed": [{"owner": HOSTILE, "open": 10**6, "critical": 10**6, "new": 10**6, "overdue": 10**6}] * 10,
    },
    sentences=[f"{number}{HOSTILE}" for number in range(10)],
    coverage_status=deactivated({f"{number:012}": ["ec2", "ecr"] for number in range(100)}, [HOSTILE] * 5),
    by_severity={"CRITICAL": 2_000_000},
    changes=headline()["changes"] | {"appeared": 1_000_000, "appeared_by_severity": {"CRITICAL": 999_999, "LOW": 1}},
)


def screen(run: Run, language: str = "en") -> str:
    """The first screen of a mail: what stands before its details."""
    return notification.email(run, config(LANGUAGE=language)).split("\n\n-- ")[0]


class TestSubject:
    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("changes", "Inspector nightly, eu-central-1: 12 new (2 critical), 30 no longer open, 1,204 open"),
            ("another-report", "Inspector critical-weekly, eu-central-1: 12 new (2 critical), 30 no longer open, 1,204 open"),
            ("no-changes", "Inspector nightly, eu-central-1: no changes, 1,204 open"),
            (
                "scan-coverage-lost",
                "ACTION: nightly, eu-central-1: scanning off in 1 account; 69 new (2 critical), 2,778 open",
            ),
            (
                "nothing-scanned",
                "ACTION: nightly, eu-central-1: nothing is scanned; 1,204 findings missing, 0 new, 0 open",
            ),
            (
                "coverage-unknown",
                "ACTION: nightly, eu-central-1: coverage unknown; 1,204 findings missing, 0 new, 0 open",
            ),
            ("unusual-drop", "ACTION: nightly, eu-central-1: unusual drop; 4 new, 1,005 no longer open, 203 open"),
            ("first-report", "Inspector nightly, eu-central-1: first report, 1,204 open (18 critical)"),
            ("filter-changed", "Inspector nightly, eu-central-1: filter changed, 1,204 open (18 critical)"),
            ("not-compared-unreadable", "Inspector nightly, eu-central-1: not compared, 1,204 open (3 critical)"),
            ("nothing-found", "Inspector nightly, eu-central-1: 0 new, 1 no longer open, 0 open"),
            ("rediscovered", "Inspector nightly, eu-central-1: 0 new, 731 rediscovered, 1,935 open"),
            ("analysis-failed", "ACTION: nightly, eu-central-1: report not analyzed; delivered, 1.2 MB"),
            ("without-an-analysis", "Inspector nightly, eu-central-1: delivered, 1.2 MB"),
            ("nothing-found-without-an-analysis", "Inspector nightly, eu-central-1: delivered, no findings"),
        ],
    )
    def test_it_says_whether_to_act_whose_report_it_is_and_the_numbers(self, kind: str, expected: str) -> None:
        assert notification.subject(DAILY_RUNS[kind], config()) == expected

    @pytest.mark.parametrize(
        ("name", "kind", "expected"),
        [
            (20, "scan-coverage-lost", "ACTION: {name}, eu-central-1: scanning off in 1 account; 69 new (2 critical)"),
            (40, "scan-coverage-lost", "ACTION: {name}, eu-central-1: scanning off in 1 account"),
            (63, "scan-coverage-lost", "ACTION: {name:.47}..., eu-central-1: scanning off in 1 account"),
            (40, "changes", "Inspector {name}, eu-central-1: 12 new (2 critical)"),
            (63, "changes", "Inspector {name:.51}..., eu-central-1: 12 new (2 critical)"),
            (63, "no-changes", "Inspector {name:.48}..., eu-central-1: no changes, 1,204 open"),
        ],
    )
    def test_one_that_is_too_long_loses_the_last_numbers_first_and_then_a_part_of_the_name(
        self, name: int, kind: str, expected: str
    ) -> None:
        run = replace(DAILY_RUNS[kind], plan=plan({"report": {"name": "n" * name}}))
        assert notification.subject(run, config()) == expected.format(name="n" * name)

    @given(
        name=st.text("abc-_19", min_size=1, max_size=63),
        region=st.sampled_from(["eu-central-1", "ap-southeast-7", "us-isob-east-1", "us-gov-west-1", "me-south-1"]),
        kind=st.sampled_from(sorted(DAILY_RUNS)),
        new=st.integers(0, 10**9),
        no_longer_open=st.integers(0, 10**9),
        now_open=st.integers(0, 10**9),
        accounts=st.integers(1, 10**5),
    )
    def test_it_always_fits_and_keeps_urgency_report_region_and_the_first_number(
        self, name: str, region: str, kind: str, new: int, no_longer_open: int, now_open: int, accounts: int
    ) -> None:
        analysis = DAILY_RUNS[kind].analysis
        if analysis and "error" not in analysis:
            numbers = {"appeared": new, "no_longer_open": no_longer_open, "appeared_by_severity": {"CRITICAL": new}}
            changes = analysis["changes"] and {**analysis["changes"], **numbers}
            coverage_status = analysis["coverage_status"] | {"deactivated_accounts": accounts}
            analysis = {
                **analysis,
                "changes": changes,
                "open": now_open,
                "by_severity": {"CRITICAL": now_open},
                "coverage_status": coverage_status,
            }
        # A name that begins with a hyphen is none, and its length is what matters.
        made = replace(plan(), report_name=name)
        there = config(STATE_MACHINE_ARN=f"arn:aws:states:{region}:123456789012:stateMachine:x-ExportFindings")
        subject = notification.subject(replace(DAILY_RUNS[kind], analysis=analysis, plan=made), there)
        assert 0 < len(subject) < 100
        assert subject.isascii()
        assert subject.startswith(("ACTION: ", "Inspector "))
        assert f", {region}: " in subject
        start = subject.removeprefix("ACTION: ").removeprefix("Inspector ").split(f", {region}: ")[0]
        assert start == name or (start.endswith("...") and name.startswith(start[:-3]) and len(start) >= 12)
        first = {
            "scan-coverage-lost": f"in {accounts:,} account",
            "changes": f"{new:,} new" if new or no_longer_open else "no changes",
            "first-report": f"{now_open:,} open",
            "unusual-drop": "unusual drop",
        }
        assert first.get(kind, "") in subject

    @given(st.text("n", min_size=1, max_size=63), st.lists(st.text("x", max_size=120), min_size=1, max_size=5))
    def test_the_rule_keeps_the_first_part_and_never_a_later_one_without_an_earlier_one(
        self, report: str, parts: list[str]
    ) -> None:
        seen: list[Sequence[str]] = []

        def line(name: str, kept: Sequence[str]) -> str:
            seen.append(kept)
            return f"{name}: {', '.join(kept)}"

        assert len(fitted(line, report, parts, 99)) <= 99
        assert all(each and list(each) == parts[: len(each)] for each in map(list, seen))

    def test_what_is_closed_or_suppressed_stands_beside_what_is_open(self) -> None:
        run = gallery.daily_run(
            headline(
                changes=None,
                baseline=None,
                no_baseline="first_run",
                total=1300,
                by_status={"ACTIVE": 1204, "CLOSED": 90, "SUPPRESSED": 6},
            )
        )
        assert notification.subject(run, config()) == "Inspector nightly, eu-central-1: first report, 1,204 open (3 critical)"
        text = notification.email(run, config())
        assert (
            "Open findings in the report\n  3 critical, 482 high, 642 medium, 77 low\n\nAlso in the report: 90 closed, 6 suppressed\n"
            in text
        )

    def test_a_run_that_could_not_be_compared_with_a_notified_one_does_not_say_that_it_is_the_first(self) -> None:
        run = gallery.daily_run(headline(changes=None, baseline=None, no_baseline="first_notified"))
        assert notification.subject(run, config()) == "Inspector nightly, eu-central-1: not compared, 1,204 open (3 critical)"
        assert "no earlier run of this kind had a notification" in " ".join(notification.email(run, config()).split())

    def test_findings_that_became_more_severe_are_changes(self) -> None:
        counts = {"still_open": 1204, "severity_raised": 5, "exploit_became_available": 3}
        changes = headline()["changes"] | {"appeared": 0, "no_longer_open": 0, "counts": counts, "appeared_by_severity": {}}
        run = gallery.daily_run(headline(changes=changes, worst_new=[]))
        assert notification.subject(run, config()) == "Inspector nightly, eu-central-1: 0 new, 5 severity raised, 1,204 open"
        line = "Changed, still open: 5 severity raised, 3 exploit now available."
        assert line in " ".join(notification.email(run, config()).split())
        assert line in notification.chat_message(run, config())["content"]["description"]

    def test_a_run_without_changes_has_its_notes(self) -> None:
        changes = headline()["changes"] | {"appeared": 0, "no_longer_open": 0, "counts": {"still_open": 1204}}
        text = notification.email(
            gallery.daily_run(headline(changes=changes, sentences=["1 finding is in the report again."])), config()
        )
        assert "No changes since" in text
        assert "- 1 finding is in the report again.\n" in text

    def test_rediscovered_findings_are_changes(self) -> None:
        run = gallery.daily_run(
            headline(
                changes=headline()["changes"]
                | {"appeared": 0, "no_longer_open": 0, "counts": {"rediscovered": 100}, "appeared_by_severity": {}},
                worst_new=[],
            )
        )
        assert notification.subject(run, config()) == "Inspector nightly, eu-central-1: 0 new, 100 rediscovered, 1,204 open"
        assert "100 rediscovered (scanning resumed)." in " ".join(notification.email(run, config()).split())

    def test_a_number_of_resources_that_is_half_known_is_not_said_to_be_all(self) -> None:
        for coverage in ({"scanned": 412, "not_scanned": None}, {"scanned": None, "not_scanned": 6}):
            text = notification.email(gallery.daily_run(headline(coverage=coverage)), config())
            assert "It is unknown how many resources Inspector scans." in text

    def test_the_largest_numbers_fit(self) -> None:
        assert len(notification.subject(gallery.daily_run(LARGEST), config())) < 100


class TestEmail:
    @LANGUAGES
    @pytest.mark.parametrize("kind", [kind for kind, run in DAILY_RUNS.items() if view_of(run)])
    def test_one_screen_holds_all_that_matters(self, kind: str, language: str) -> None:
        result = screen(DAILY_RUNS[kind], language)
        assert shown_lines(result) <= 24 or view_of(DAILY_RUNS[kind]).has_no_changes  # type: ignore[union-attr]
        assert "https://" in result

    @LANGUAGES
    def test_one_screen_is_enough_for_the_longest_links_and_names(self, language: str) -> None:
        far = {f"{name}_key": "p" * 900 for name in ("page", "analysis", "parquet")}
        run = replace(gallery.daily_run({**LARGEST, **far}), delivery=delivery(key="k" * 1000))
        assert shown_lines(screen(run, language)) <= 24
        assert "p" * 900 in notification.email(run, config(LANGUAGE=language))

    @LANGUAGES
    @pytest.mark.parametrize("kind", DAILY_RUNS)
    def test_lines_are_short_but_statements_stay_whole(self, kind: str, language: str) -> None:
        lines = notification.email(DAILY_RUNS[kind], config(LANGUAGE=language)).splitlines()
        assert [line for line in lines if width(line) > LINE_CHARACTERS and "://" not in line] == []

    def test_the_screen_has_the_outcome_the_change_what_to_fix_and_where_the_files_are(self) -> None:
        lines = screen(DAILY_RUNS["changes"]).splitlines()
        assert lines[:4] == [
            "12 new findings (2 critical). 30 no longer open. 1,204 open.",
            'Report "nightly", account 123456789012, eu-central-1.',
            "Compared with 22 Nov 2026, 03:00 UTC (24 h earlier).",
            "Scanning is active: 412 resources scanned, 6 not scanned.",
        ]
        assert "New, worst first (2 critical, 4 high, 6 medium)" in lines
        first = lines.index("Fix first")
        assert lines[first + 3 : first + 5] == [
            "2. CRITICAL openssl 3.0.1 → 3.0.7 on shop/api, shop/web, shop/cart",
            "   CVE-2026-21001; exploit available",
        ]
        assert "- CRITICAL openssl, openssl-libs 3.0.1 → 3.0.7 on shop/api" in lines
        assert any(line.endswith("/index.html") for line in lines)

    def test_without_a_page_the_link_leads_to_the_analysis(self) -> None:
        result = screen(DAILY_RUNS["without-a-page"])
        assert "/analysis.json" in result
        assert "index.html" not in notification.email(DAILY_RUNS["without-a-page"], config())

    def test_a_run_without_changes_is_three_lines_and_then_links(self) -> None:
        first, *_ = notification.email(DAILY_RUNS["no-changes"], config()).split("\n\n")
        assert first.splitlines()[0] == "No changes since 22 Nov 2026, 03:00 UTC (24 h earlier). 1,204 open."
        assert len(first.splitlines()) == 3
        assert "Fix first" not in notification.email(DAILY_RUNS["no-changes"], config())

    def test_lost_coverage_comes_first_with_what_is_missing_and_what_to_do(self) -> None:
        first, numbers, *_ = notification.email(DAILY_RUNS["scan-coverage-lost"], config()).split("\n\n")
        assert " ".join(first.split()) == (
            f"Inspector no longer scans account {OTHER} (all scan types are deactivated)."
            " 1,221 findings that were open there are missing from this report. That does not mean that they are fixed: their status is unknown."
            " Do now: In the delegated administrator account, open Account management in Inspector and activate scanning for"
            f' {OTHER}. If this was not planned, look for the event "Disable" in CloudTrail.'
        )
        assert numbers.startswith("69 new findings (2 critical).")
        assert "Scanning is active" not in numbers

    def test_nothing_scanned_comes_first_with_why_and_what_to_do(self) -> None:
        first, *_ = notification.email(DAILY_RUNS["nothing-scanned"], config()).split("\n\n")
        assert " ".join(first.split()) == (
            "The report has no open findings. Inspector scans none of its 412 resources. Do now: In the delegated administrator"
            " account, open Account management in Inspector and check that scanning is active."
        )

    def test_lost_coverage_of_many_accounts_names_a_few_and_counts_the_others(self) -> None:
        step = notification.chat_message(gallery.daily_run(LARGEST), config())["content"]["nextSteps"][0]
        assert "000000000004 and 95 accounts more" in step or "000000000004 and 95 accounts" in step

    def test_a_reason_that_is_missing_leaves_no_lost_coverage_out(self) -> None:
        result = screen(gallery.daily_run(headline(coverage_status=deactivated({OTHER: ["ec2"]}))))
        assert result.startswith("Scan coverage lost: Inspector does not scan everything.")
        assert f"activate scanning for {OTHER}" in " ".join(result.split())

    def test_unknown_coverage_is_not_called_good(self) -> None:
        result = " ".join(screen(DAILY_RUNS["coverage-unknown"]).split())
        assert result.startswith(
            "Coverage unknown: it is not certain that Inspector scans everything. 1,204 findings are missing"
        )
        assert "the account status could not be read" in result
        assert "No changes" not in result
        assert "Scanning is active" not in result

    def test_an_unusual_drop_comes_before_the_numbers(self) -> None:
        first, numbers, *_ = notification.email(DAILY_RUNS["unusual-drop"], config()).split("\n\n")
        assert first.startswith("Unusual drop: 1,204 open findings when last scanned, 203 now.\nDo now: ")
        assert "Scanning is active" in numbers

    @LANGUAGES
    @pytest.mark.parametrize("kind", ["scan-coverage-lost", "coverage-unknown", "unusual-drop"])
    def test_a_reason_is_said_once(self, kind: str, language: str) -> None:
        run = DAILY_RUNS[kind]
        text = " ".join(notification.email(run, config(LANGUAGE=language)).split())
        for reason in view_of(run).reasons:  # type: ignore[union-attr]
            assert text.count(" ".join(in_language(reason, language).split())) <= 1

    def test_no_change_is_not_called_so_where_coverage_is_lost(self) -> None:
        none = headline()["changes"] | {"appeared": 0, "no_longer_open": 0}
        run = gallery.daily_run(headline(changes=none, coverage_status=deactivated({OTHER: ["ec2"]})))
        assert "no changes" not in (notification.subject(run, config()) + notification.email(run, config())).lower()

    @pytest.mark.parametrize(
        ("kind", "reason"),
        [
            ("first-report", "this is the first report of this name"),
            ("filter-changed", "the filter has changed"),
            ("not-compared-no-analysis", "no earlier report of this name was analyzed"),
            ("not-compared-unreadable", "the data of the last report could not be read"),
        ],
    )
    def test_a_report_that_is_not_compared_says_why(self, kind: str, reason: str) -> None:
        assert f"Not compared: {reason}" in " ".join(screen(DAILY_RUNS[kind]).split())

    def test_a_failed_analysis_is_said_beside_the_delivered_report(self) -> None:
        text = notification.email(DAILY_RUNS["analysis-failed"], config())
        assert text.startswith('The report "nightly" was delivered, but not analyzed. Changes are\nunknown.\n')
        assert "Cause (Analysis.ReportUnreadable)" in text
        assert "/s3/object/" in text

    def test_the_age_of_an_older_baseline_is_in_days(self) -> None:
        old = {"execution": "x", "started_at": "2026-11-19T03:00:00+00:00", "age": "4 days"}
        assert "(4 days earlier)" in screen(gallery.daily_run(headline(baseline=old)))

    def test_a_failure_of_the_run_comes_before_its_analysis(self) -> None:
        run = failed_run(BROKEN, analysis=headline())
        assert notification.email(run, config()) == notification.email(failed_run(BROKEN), config())
        assert notification.export_event(run, config())["analysis"] is None

    def test_nothing_of_a_finding_breaks_out_of_its_line(self) -> None:
        text = notification.email(gallery.daily_run(LARGEST), config())
        assert text.replace("\n", "").isprintable()


FAR = "team/group/storefront-service/storefront-service"
NAMES = ["i-1", "i-0abc1234def567890", "web-user-manager-api-stage-healthCheck-EXAMPLE1ABCD", FAR, "夜" * 60]
LOG4J = "org.apache.logging.log4j:log4j-core"


def listed(each: dict[str, Any], language: str = "en", **fields: Any) -> list[str]:
    """The lines of an entry on the screen of a mail, which lists it as new and as the first to fix."""
    numbers = {"vulnerability_id", "title", "packages", "resources", "resource_count", "due_on", "in_kev", "kev_due_on"}
    to_fix = fix(**{name: value for name, value in each.items() if name in numbers})
    run = gallery.daily_run(headline(worst_new=[each], fix_first=[to_fix], **fields))
    return screen(run, language).split("\n- ")[1].split("\n\n")[0].splitlines()


class TestLines:
    @LANGUAGES
    @pytest.mark.parametrize("vulnerability", ["CVE-2026-22222", "GHSA-abcd-1234-wxyz"])
    @pytest.mark.parametrize(
        "packages",
        [[], [package(LOG4J, "2.14.1", "2.17.1")], [package("夜" * 40, "9" * 60, "9" * 60), package("b")]],
    )
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("count", [1, 4, 1_234])
    @pytest.mark.parametrize(
        "urgent",
        [
            {},
            {"exploit_available": False},
            {"severity": "HIGH", "fix_available": "NO", "in_kev": True, "kev_due_on": "2021-12-24"},
        ],
    )
    def test_two_lines_of_the_screen_say_what_and_where_however_long_it_is(
        self, language: str, vulnerability: str, packages: list[Any], name: str, count: int, urgent: dict[str, Any]
    ) -> None:
        owner = {"owner": "payments-and-other-services", "due_on": "2026-11-03"}
        each = finding(
            vulnerability_id=vulnerability, title=f"{vulnerability} - openssl", packages=packages, due_on="2026-11-03",
            **on(name, f"{name}-2", count=count, **owner) | urgent,
        )  # fmt: skip
        lines = screen(gallery.daily_run(headline(worst_new=[each], fix_first=[], due_dates=gallery.due({}, {}))), language)
        first, second = lines.split("\n- ")[1].split("\n\n")[0].splitlines()
        assert width(f"- {first}") <= LINE_CHARACTERS
        assert width(second) <= LINE_CHARACTERS
        assert second.startswith(f"  {vulnerability}")
        assert ("overdue since 3 Nov" if language == "en" else "期限超過 11月3日") in second
        assert "payments" in second
        assert name[:4] in first
        if urgent.get("in_kev"):
            assert "KEV" in second

    @pytest.mark.parametrize(
        ("of", "line"),
        [
            ({}, "CRITICAL openssl 3.0.1 → 3.0.7 on shop/api"),
            (on(FAR), "CRITICAL openssl 3.0.1 → 3.0.7 on team/group/storefront-service/store…"),
            (on("shop/api", "i-0abc1234def567890", "shop/web", count=5), "CRITICAL openssl 3.0.1 → 3.0.7 on shop/api, i-0abc1234def567890 (+3)"),
            (on("shop/api") | {"packages": [package(LOG4J, "2.14.1", "2.17.1")]}, "CRITICAL log4j-core 2.14.1 → 2.17.1 on shop/api"),
            ({"packages": [package("curl", "8.4.0"), package("libcurl", "8.3.0")]}, "CRITICAL curl 8.4.0 (+1) on shop/api"),
            ({"packages": [package("p" * 80, "1.0.0", "1.0.1")]}, f"CRITICAL {'p' * 34}… 1.0.0 → 1.0.1 on shop/api"),
            ({"packages": [package("curl", None, "8.5.0")]}, "CRITICAL curl → 8.5.0 on shop/api"),
            ({"packages": [package("curl", "8.4.0", "NotAvailable")]}, "CRITICAL curl 8.4.0 on shop/api"),
            ({"packages": [], "title": "CWE-798 - Hardcoded credentials", "vulnerability_id": None}, "CRITICAL CWE-798 - Hardcoded credentials on shop/api"),
            ({"packages": [], "title": None}, "CRITICAL CVE-2026-1 on shop/api"),
        ],
    )  # fmt: skip
    def test_names_of_resources_are_cut_before_versions(self, of: dict[str, Any], line: str) -> None:
        each = finding(**{"vulnerability_id": "CVE-2026-1", "title": "CVE-2026-1 - openssl", "packages": [package()]} | of)
        assert listed(each)[0] == line

    @pytest.mark.parametrize(
        ("of", "line"),
        [
            ({}, "CVE-2026-1; due 8 Dec; exploit available"),
            ({"due_on": "2026-11-23"}, "CVE-2026-1; due today; exploit available"),
            ({"due_on": "2026-11-22"}, "CVE-2026-1; overdue since 22 Nov; exploit available"),
            ({"due_on": "2024-11-22"}, "CVE-2026-1; overdue since 22 Nov 2024; exploit available"),
            ({"due_on": None, "first_seen": None}, "CVE-2026-1; no known due date; exploit available"),
            ({"due_on": None}, "CVE-2026-1; exploit available"),
            ({"exploit_available": False}, "CVE-2026-1; due 8 Dec"),
            ({"exploit_available": None, "fix_available": "NO"}, "CVE-2026-1; due 8 Dec; no fix yet"),
            ({"exploit_available": None, "fix_available": "PARTIAL"}, "CVE-2026-1; due 8 Dec; fix for a part"),
            ({"exploit_available": None, "packages": [package("curl")]}, "CVE-2026-1; due 8 Dec; fix available"),
            ({"in_kev": True}, "CVE-2026-1; due 8 Dec; known exploited (KEV)"),
            ({"in_kev": True, "kev_due_on": "2026-12-01"}, "CVE-2026-1; due 8 Dec; known exploited (KEV date 1 Dec)"),
            ({"owner": "payments"}, "CVE-2026-1; owner: payments; due 8 Dec; exploit available"),
            ({"owner": "unowned"}, "CVE-2026-1; owner: none; due 8 Dec; exploit available"),
            ({"runtime_reachability": "REACHABLE"}, "CVE-2026-1; due 8 Dec; exploit available; reachable at runtime"),
            ({"runtime_reachability": "NOT_REACHABLE"}, "CVE-2026-1; due 8 Dec; exploit available"),
            ({"findings": 3}, "CVE-2026-1; due 8 Dec; exploit available; 3 findings"),
            ({"resources": [resource("a", owner="web"), resource("b", owner="api")], "resource_count": 2},
             "CVE-2026-1; owner: web, api; due 8 Dec; exploit available"),
            ({"resources": [resource("a", owner="web"), resource("b", owner="api")], "resource_count": 9},
             "CVE-2026-1; owner: web, api, …; due 8 Dec; exploit available"),
            ({"owner": "o" * 60}, "CVE-2026-1; owner: ooooooooooo…; due 8 Dec; exploit available"),
        ],
    )  # fmt: skip
    def test_the_second_line_says_whose_it_is_until_when_and_how_urgent(self, of: dict[str, Any], line: str) -> None:
        each = finding(**{"vulnerability_id": "CVE-2026-1", "title": "CVE-2026-1 - openssl", "due_on": "2026-12-08"} | of)
        assert listed(each, due_dates=gallery.due({}, {}, unknown=1))[1] == f"  {line}"

    @pytest.mark.parametrize("due_dates", [None, gallery.due({}, {})])
    def test_no_due_date_is_said_to_be_unknown_where_none_is(self, due_dates: Any) -> None:
        assert listed(finding(first_seen=None), due_dates=due_dates) == [
            "CRITICAL openssl, openssl-libs 3.0.1 → 3.0.7 on shop/api",
            "  CVE-2026-21001; exploit available",
        ]

    def test_what_is_no_longer_open_is_not_overdue(self) -> None:
        closed = finding(vulnerability_id="CVE-2020-1", due_on="2026-11-03")
        text = notification.email(
            gallery.daily_run(headline(worst_no_longer_open=[closed], due_dates=gallery.due({}, {}))), config()
        )
        assert "CVE-2020-1; exploit available\n" in text

    def test_an_id_that_is_longer_than_a_line_stands_whole(self) -> None:
        assert listed(finding(vulnerability_id="X" * 80, title="x"))[1] == f"  {'X' * 80}"

    @pytest.mark.parametrize(
        ("of", "english", "japanese"),
        [
            (on(*["shop/api"] * 4), "4 images of shop/api", "shop/api の 4 イメージ"),
            (on("a", "b", count=4), "a, b (+2)", "a、b ほか 2"),
            (instance("i-1", "i-2"), "i-1, i-2", "i-1、i-2"),
            (on("f", "f", "f", resource_type=FUNCTION), "3 functions of f", "f の 3 関数"),
            (on("r", "r", "s", resource_type="CODE_REPOSITORY"), "2 resources of r, s", "r の 2 リソース、s"),
            (on("i", count=300) | {"resource_count_at_least": True}, "i (+299 or more)", "i ほか 299 以上"),
            (on("i") | {"resource_count_at_least": True}, "i (and maybe more)", "i（ほかにもある可能性）"),
            ({"resources": None, "resource_count": None, "findings": None, "resource": "resize"}, "resize", "resize"),
            ({"resources": [], "resource_count": 7}, "shop/api (+6)", "shop/api ほか 6"),
            ({"resources": 7, "resource_names": ["a", "b"]}, "a, b (+5)", "a、b ほか 5"),
        ],
    )  # fmt: skip
    def test_resources_are_named_and_the_others_counted_in_every_list(
        self, of: dict[str, Any], english: str, japanese: str
    ) -> None:
        each = finding(severity="HIGH", exploit_available=False, fix_available="NO", **of)
        run = gallery.daily_run(headline(worst_new=[each], worst_no_longer_open=[each]))
        for language, line in (("en", f"3.0.7 on {english}"), ("ja", f"3.0.7、対象 {japanese}")):
            mail = notification.email(run, config(LANGUAGE=language))
            assert mail.count(f"{line}\n") == 3
            assert (
                f"{line}{'; ' if language == 'en' else ' / '}CVE"
                in notification.chat_message(run, config(LANGUAGE=language))["content"]["description"]
            )

    def test_the_names_of_resources_stand_whole_among_the_details(self) -> None:
        each = finding(**on(*(letter * 70 for letter in "abcde")))
        text = notification.email(gallery.daily_run(headline(worst_new=[each])), config())
        assert all(letter * 70 in text for letter in "abcde")

    def test_the_details_name_each_resource_where_they_differ(self) -> None:
        text = " ".join(notification.email(DAILY_RUNS["owners-and-due-dates"], config()).split())
        for line in (
            "shop/api: account 123456789012, eu-central-1; owner: payments; overdue since 3 Nov",
            "web/front: account 444455556666, eu-central-1; owner: web; due 8 Dec",
        ):
            assert line in text

    def test_different_versions_stand_among_the_details(self) -> None:
        each = finding(packages=[package("curl", "8.4.0", "8.5.0"), package("libcurl", "8.3.0", "8.5.0")])
        text = " ".join(notification.email(gallery.daily_run(headline(worst_new=[each])), config()).split())
        assert "packages: curl 8.4.0 → 8.5.0, libcurl 8.3.0 → 8.5.0" in text

    def test_several_accounts_are_not_shown_as_an_unknown_one(self) -> None:
        each = finding(resources=2, resource_names=["a", "b"], account_id=None)
        assert "account (several), eu-central-1" in notification.email(gallery.daily_run(headline(worst_new=[each])), config())


class TestDueDates:
    @pytest.mark.parametrize(
        ("due_dates", "line"),
        [
            (gallery.due({"HIGH": 12, "CRITICAL": 3}, {"LOW": 4}, newly=2, unknown=1),
             "Overdue: 3 critical, 12 high (2 since the last report). Due within 7 days: 4 low. The due date of 1 open finding is unknown."),
            (gallery.due({"HIGH": 1_200}, {}), "Overdue: 1,200 high."),
            (gallery.due({"HIGH": 0}, {}), "Nothing is overdue."),
            (gallery.due({}, {}, unknown=2_000), "Nothing with a known due date is overdue. The due date of 2,000 open findings is unknown."),
        ],
    )  # fmt: skip
    def test_mail_and_chat_say_what_is_overdue_due_soon_and_unknown(self, due_dates: dict[str, Any], line: str) -> None:
        run = gallery.daily_run(headline(due_dates=due_dates))
        assert f" {line} " in " ".join(screen(run).split())
        assert line in notification.chat_message(run, config())["content"]["description"].split("\n")

    def test_without_due_dates_there_is_no_word_of_them(self) -> None:
        for text in (notification.subject(DAILY_RUNS["changes"], config()), notification.email(DAILY_RUNS["changes"], config())):
            assert "due" not in text.lower()

    def test_nothing_overdue_is_not_said_of_what_is_missing(self) -> None:
        run = gallery.daily_run(headline(due_dates=gallery.due({}, {}), coverage_status=deactivated({OTHER: ["ec2"]})))
        assert "Nothing in the report is overdue." in screen(run)

    @pytest.mark.parametrize(
        ("fields", "subject"),
        [
            ({}, "12 new (2 critical), 5 overdue, 3 due soon, 30 no longer open"),
            ({"due_dates": gallery.due({"HIGH": 5}, {})}, "12 new (2 critical), 5 overdue, 30 no longer open, 1,204 open"),
            ({"due_dates": gallery.due({}, {})}, "12 new (2 critical), 30 no longer open, 1,204 open"),
            ({"changes": None, "baseline": None, "no_baseline": "first_run"}, "first report, 1,204 open (3 critical), 5 overdue"),
            ({"changes": {"appeared": 0, "no_longer_open": 0, "counts": {}}}, "no changes, 1,204 open, 5 overdue, 3 due soon"),
            ({"changes": {"appeared": 0, "no_longer_open": 0, "counts": {"moved": 4}}},
             "0 new, 5 overdue, 3 due soon, 4 moved to another owner"),
        ],
    )  # fmt: skip
    def test_the_subject_says_so_only_where_there_are_some(self, fields: dict[str, Any], subject: str) -> None:
        due_dates = gallery.due({"HIGH": 4, "LOW": 1}, {"HIGH": 3})
        run = gallery.daily_run(headline(**{"due_dates": due_dates} | fields))
        assert notification.subject(run, config()).startswith(f"Inspector nightly, eu-central-1: {subject}")

    def test_a_day_without_changes_lists_what_is_most_overdue(self) -> None:
        changes = {"appeared": 0, "no_longer_open": 0, "counts": {}}
        late = finding(owner="payments", due_on="2026-11-03")
        run = gallery.daily_run(headline(changes=changes, due_dates=gallery.due({"CRITICAL": 1}, {}), most_overdue=[late]))
        for text in (notification.email(run, config()), notification.chat_message(run, config())["content"]["description"]):
            assert "Most overdue" in text
            assert "CVE-2026-21001; owner: payments; overdue since 3 Nov" in text

    def test_what_is_overdue_is_not_shown_as_good(self) -> None:
        assert notification.chat_message(DAILY_RUNS["owners-and-due-dates"], config())["content"]["title"].startswith(
            ":warning: "
        )
        context = notification.chat_message(DAILY_RUNS["owners-and-due-dates"], config())["metadata"]["additionalContext"]
        assert (context["overdue"], context["due_soon"]) == ("2", "5")


class TestOwnersOfARun:
    def test_the_owners_are_a_short_block(self) -> None:
        block = [
            "Owners (4)",
            "- payments: 45 open (5 critical), 3 new, 2 overdue",
            "- web: 640 open (11 critical), 6 new, 0 overdue",
            "- unowned: 61 open (2 critical), 3 new, 0 overdue",
            "  1 more owner is not listed here. 61 open findings have no owner.",
        ]
        assert "\n".join(block) in notification.email(DAILY_RUNS["owners-and-due-dates"], config())
        chat = notification.chat_message(DAILY_RUNS["owners-and-due-dates"], config())["content"]["description"]
        assert "*Owners (4)*\n• payments: 45 open" in chat

    def test_numbers_that_are_not_known_are_left_out_and_that_all_have_an_owner_is_said(self) -> None:
        owners = {"count": 1, "unowned": 0, "listed": [{"owner": "web", "open": 7, "critical": 0, "new": None, "overdue": None}]}
        text = notification.email(gallery.daily_run(headline(owners=owners)), config())
        assert "Owners (1)\n- web: 7 open\n  Every open finding has an owner.\n" in text

    def test_the_event_has_the_first_ten_of_them(self) -> None:
        listed = [{"owner": f"o{number}", "open": 7, "critical": 0, "new": None, "overdue": None} for number in range(50)]
        run = gallery.daily_run(headline(owners={"count": 60, "unowned": 0, "listed": listed}))
        sent = notification.export_event(run, config())["analysis"]["owners"]
        assert (sent["count"], [each["owner"] for each in sent["listed"]]) == (60, [f"o{number}" for number in range(10)])


class TestChat:
    def test_it_has_sums_coverage_three_of_each_list_and_the_page(self) -> None:
        chat = notification.chat_message(DAILY_RUNS["changes"], config())
        lines = chat["content"]["description"].split("\n")
        assert lines[0] == "*12 new findings (2 critical). 30 no longer open. 1,204 open.*"
        assert "Scanning is active: 412 resources scanned, 6 not scanned." in lines
        assert sum(line.startswith("• ") for line in lines) == 3
        assert lines[lines.index("*Fix first*") + 1].startswith(
            "1. CRITICAL org.apache.logging.log4j:log4j-core 2.14.1 → 2.17.1 on shop/api, shop/web, shop/cart, shop/search, shop/mail"
            " (+9); CVE-2021-44228; exploit available"
        )
        assert lines[lines.index("*Fix first*") + 2].startswith("Score: CRITICAL 40 + exploit available 25 + ")
        assert [line for line in lines if line.startswith("4. ")] == []
        assert lines[-1].startswith("*Page* https://")
        assert lines[-1].endswith("/index.html")
        assert chat["content"]["nextSteps"] == []
        context = chat["metadata"]["additionalContext"]
        assert (context["new"], context["no_longer_open"], context["open"]) == ("12", "30", "1204")
        assert chat["content"]["keywords"] == ["nightly", "SUCCEEDED", "eu-central-1", "active", "CRITICAL"]

    @pytest.mark.parametrize(
        ("kind", "sign"),
        [
            ("changes", ":white_check_mark:"), ("no-changes", ":white_check_mark:"), ("nothing-found", ":white_check_mark:"),
            ("scan-coverage-lost", ":rotating_light:"), ("coverage-unknown", ":warning:"), ("unusual-drop", ":warning:"),
            ("analysis-failed", ":warning:"),
        ],
    )  # fmt: skip
    def test_its_sign_is_green_only_when_all_is_known_and_good(self, kind: str, sign: str) -> None:
        assert notification.chat_message(DAILY_RUNS[kind], config())["content"]["title"].startswith(f"{sign} ")

    def test_lost_coverage_leads_to_activating_scanning(self) -> None:
        (step,) = notification.chat_message(DAILY_RUNS["scan-coverage-lost"], config())["content"]["nextSteps"]
        assert step.startswith("In the delegated administrator account")

    def test_a_name_in_a_finding_calls_no_one(self) -> None:
        message = json.dumps(notification.chat_message(gallery.daily_run(LARGEST), config())["content"], ensure_ascii=False)
        assert "<!" not in message

    def test_its_title_is_in_the_language_while_the_subject_is_ascii(self) -> None:
        japanese = config(LANGUAGE="ja")
        assert "新規 12" in notification.chat_message(DAILY_RUNS["changes"], japanese)["content"]["title"]
        assert notification.chat_message(DAILY_RUNS["changes"], japanese)["metadata"]["summary"] == notification.subject(
            DAILY_RUNS["changes"], japanese
        )


class TestEvent:
    def test_it_has_the_headline(self) -> None:
        event = notification.export_event(DAILY_RUNS["changes"], config())
        analysis = DAILY_RUNS["changes"].analysis or {}
        left_out = {"names_key", "names_etag", "owner", "owners_key"}
        assert event["analysis"] == {name: value for name, value in analysis.items() if name not in left_out}
        assert event["analysis_failure"] is None

    def test_a_failed_analysis_is_distinguished_from_none(self) -> None:
        failed, without = (
            notification.export_event(DAILY_RUNS[kind], config()) for kind in ("analysis-failed", "without-an-analysis")
        )
        assert (failed["analysis"], failed["analysis_failure"]["error"]) == (None, "Analysis.ReportUnreadable")
        assert (without["analysis"], without["analysis_failure"]) == (None, None)

    def test_it_is_the_same_in_every_language(self) -> None:
        for run in (DAILY_RUNS["scan-coverage-lost"], failed_run(BROKEN)):
            assert notification.export_event(run, config(LANGUAGE="ja")) == notification.export_event(run, config())


class TestPublication:
    @LANGUAGES
    def test_the_largest_headline_fits(self, language: str) -> None:
        published = notification.publication(gallery.daily_run(LARGEST), config(LANGUAGE=language))
        assert len(published["Message"].encode()) < SNS_BYTES - 1000
        assert json.loads(published["Message"])["email"].startswith((LARGEST["coverage_status"]["reasons"][0][:1], "💥"))

    def test_the_lists_give_way_where_a_headline_is_far_too_large(self) -> None:
        huge: dict[str, Any] = {**LARGEST, "sentences": ["💥" * 400] * 80, "worst_new": LONG * 10}
        message = notification.publication(gallery.daily_run(huge), config())["Message"]
        assert len(message.encode()) < SNS_BYTES - 1000
        analysis = json.loads(json.loads(message)["default"])["analysis"]
        assert (analysis["sentences"], analysis["changes"]["appeared"]) == ([], 1_000_000)

    @pytest.mark.parametrize(
        ("kind", "coverage", "worst"),
        [
            ("changes", "active", "CRITICAL"),
            ("no-changes", "active", "NONE"),
            ("unusual-drop", "active", "LOW"),
            ("scan-coverage-lost", "lost", "CRITICAL"),
            ("coverage-unknown", "unknown", "NONE"),
            ("first-report", "active", "UNKNOWN"),
            ("analysis-failed", "unknown", "UNKNOWN"),
            ("without-an-analysis", "unknown", "UNKNOWN"),
        ],
    )
    def test_subscribers_may_filter_by_the_run(self, kind: str, coverage: str, worst: str) -> None:
        attributes = notification.attributes(DAILY_RUNS[kind], config())
        assert (attributes["coverage"], attributes["worst_new_severity"]) == (coverage, worst)

    def test_a_headline_of_another_release_is_shown_as_far_as_it_is_understood(self) -> None:
        run = gallery.daily_run(
            {"bucket": "b", "coverage_status": {"state": "new-word"}, "worst_new": [{}], "fix_first": [{}], "open": 7}
        )
        assert notification.subject(run, config()) == "ACTION: nightly, eu-central-1: coverage unknown; not compared, 7 open"
        assert json.loads(notification.publication(run, config())["Message"])["email"]

    def test_an_empty_report_without_an_analysis_has_its_own_message(self) -> None:
        assert (
            notification.subject(ended_run(delivery=nothing("no_object")), config())
            == "Inspector nightly, eu-central-1: delivered, no findings"
        )
