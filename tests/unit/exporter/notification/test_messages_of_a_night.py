"""What a night is told like: at a glance, on one screen, and never better than it is known to be."""
# ruff: noqa: RUF001 - signs of Japanese

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from findings_exporter import messages
from findings_exporter.messages.lines import SCAN_TYPES
from findings_exporter.messages.night import night_of
from findings_exporter.runs import Run
from findings_exporter.texts import LINE_CHARACTERS, shown_lines, width
from tests import gallery
from tests.builders.exporter import brief, config, delivery, ended_run, execution, failed_run, finding, fix, nothing, plan
from tests.unit.exporter.notification.test_messages import BROKEN, SNS_BYTES

NIGHTS = gallery.nights()
LANGUAGES = pytest.mark.parametrize("language", ["en", "ja"])
HOSTILE = '💥<!channel> "\\\x01\n\u2028\u202e\u2067' * 60
LONG = [finding(vulnerability_id=HOSTILE, title=HOSTILE, resource=HOSTILE, packages=[HOSTILE] * 9) for _ in range(5)]


def dark(places: dict[str, list[str]], reasons: Sequence[str] = ()) -> dict[str, Any]:
    """The verdict of a brief where scanning is off."""
    return {"state": "dark", "sudden_fall": False, "dark": places, "dark_accounts": len(places), "reasons": [*reasons]}


LARGEST = brief(
    open=2_000_000,
    total=2_000_000,
    worst_new=LONG,
    worst_gone=LONG[:3],
    fix_first=[fix(vulnerability_id=HOSTILE, title=HOSTILE, why=HOSTILE, resources=100_000) for _ in range(5)],
    sentences=[f"{number}{HOSTILE}" for number in range(10)],
    verdict=dark({f"{number:012}": ["ec2", "ecr"] for number in range(100)}, [HOSTILE] * 5),
    by_severity={"CRITICAL": 2_000_000},
    changes=brief()["changes"] | {"appeared": 1_000_000, "appeared_by_severity": {"CRITICAL": 999_999, "LOW": 1}},
)


def screen(run: Run, language: str = "en") -> str:
    """The first screen of a mail: what stands before its details."""
    return messages.email(run, config(LANGUAGE=language)).split("\n\n-- ")[0]


class TestSubject:
    @pytest.mark.parametrize(
        ("kind", "told"),
        [
            ("changes", ": 12 new (2 critical), 30 gone, 1,204 open"),
            ("changes-of-another-report", ", critical-weekly: 12 new (2 critical), 30 gone, 1,204 open"),
            ("quiet", ": quiet night, nothing new or gone, 1,204 open"),
            ("dark", ": DARK NIGHT, 731 unseen in 1 account: 12 new (2 critical), 0 gone, 1,204 open"),
            ("unknown", ": UNSURE, nobody knows if this is good: 0 new, 0 gone, 0 open"),
            ("sudden-fall", ": SUDDEN FALL, 2 new, 1,013 gone, 211 open"),
            ("first-night", ": first night, 1,204 open (3 critical)"),
            ("filter-changed", ": 1,204 open (3 critical), filter changed, not compared"),
            ("not-compared-unreadable", ": 1,204 open (3 critical), not compared"),
            ("nothing-found", ": good night, 0 new, 3 gone, nothing open"),
            ("nothing-found-again", ": good night, 0 new, 0 gone, nothing open"),
            ("digest-failed", ": nightly delivered, 1.2 MB, but NOT ANALYSED"),
            ("without-a-digest", ": nightly delivered, 1.2 MB"),
        ],
    )
    def test_it_tells_the_night_by_itself(self, kind: str, told: str) -> None:
        assert messages.subject(NIGHTS[kind], config()) == f"Inspector 23 Nov{told}"

    def test_a_report_whose_name_does_not_fit_is_told_without_it(self) -> None:
        run = replace(NIGHTS["dark"], plan=plan({"report": {"name": "n" * 63}}))
        assert messages.subject(run, config()) == messages.subject(NIGHTS["dark"], config())

    def test_the_day_is_that_of_the_schedules_time_zone(self) -> None:
        late = ended_run(execution=execution(started_at=gallery.NIGHT.started_at.replace(hour=20)))
        assert messages.subject(late, config(TIME_ZONE="Asia/Tokyo")).startswith("Inspector 24 Nov: ")

    def test_what_is_closed_or_suppressed_stands_beside_what_is_open(self) -> None:
        run = gallery.night(
            brief(
                changes=None,
                baseline=None,
                no_baseline="first_run",
                total=1300,
                by_status={"ACTIVE": 1204, "CLOSED": 90, "SUPPRESSED": 6},
            )
        )
        assert messages.subject(run, config()) == "Inspector 23 Nov: first night, 1,204 open (3 critical)"
        told = messages.email(run, config())
        assert (
            "Open findings in the report\n  3 critical, 482 high, 642 medium, 77 low\n\nBeside them: 90 closed, 6 suppressed\n"
            in told
        )

    def test_a_run_that_could_not_be_compared_with_a_notified_one_does_not_say_that_it_is_the_first(self) -> None:
        run = gallery.night(brief(changes=None, baseline=None, no_baseline="first_notified"))
        assert messages.subject(run, config()) == "Inspector 23 Nov: 1,204 open (3 critical), not compared"
        assert "no earlier run of this kind had a notification" in " ".join(messages.email(run, config()).split())

    def test_what_became_worse_is_told_and_no_quiet_run(self) -> None:
        counts = {"still_open": 1204, "severity_raised": 5, "exploit_became_known": 3}
        changes = brief()["changes"] | {"appeared": 0, "gone": 0, "counts": counts, "appeared_by_severity": {}}
        run = gallery.night(brief(changes=changes, worst_new=[]))
        assert messages.subject(run, config()) == "Inspector 23 Nov: 0 new, 0 gone, 1,204 open"
        line = "Still open, but: 5 more severe than before, 3 an exploit became known."
        assert line in " ".join(messages.email(run, config()).split())
        assert line in messages.chat(run, config())["content"]["description"]

    def test_a_quiet_run_says_what_must_be_said_of_its_numbers(self) -> None:
        changes = brief()["changes"] | {"appeared": 0, "gone": 0, "counts": {"still_open": 1204}}
        told = messages.email(
            gallery.night(brief(changes=changes, sentences=["1 finding stands in the report again."])), config()
        )
        assert "quiet night" in told
        assert "- 1 finding stands in the report again.\n" in told

    def test_what_is_back_after_scanning_was_off_is_no_quiet_run(self) -> None:
        run = gallery.night(
            brief(
                changes=brief()["changes"]
                | {"appeared": 0, "gone": 0, "counts": {"seen_again": 100}, "appeared_by_severity": {}},
                worst_new=[],
            )
        )
        assert messages.subject(run, config()) == "Inspector 23 Nov: 0 new, 0 gone, 1,204 open"
        assert "Back where it was not sure that Inspector scanned: 100, which are not new." in " ".join(
            messages.email(run, config()).split()
        )

    def test_a_number_of_resources_that_is_half_known_is_not_said_to_be_all(self) -> None:
        for coverage in ({"scanned": 412, "not_scanned": None}, {"scanned": None, "not_scanned": 6}):
            told = messages.email(gallery.night(brief(coverage=coverage)), config())
            assert "What Inspector scans could not be read." in told

    def test_the_largest_numbers_fit(self) -> None:
        assert len(messages.subject(gallery.night(LARGEST), config())) < 100


class TestEmail:
    @LANGUAGES
    @pytest.mark.parametrize("kind", [kind for kind, run in NIGHTS.items() if night_of(run)])
    def test_one_screen_tells_all_that_matters(self, kind: str, language: str) -> None:
        told = screen(NIGHTS[kind], language)
        assert shown_lines(told) <= 24 or night_of(NIGHTS[kind]).is_quiet  # type: ignore[union-attr]
        assert "https://" in told

    @LANGUAGES
    def test_one_screen_is_enough_for_the_longest_links_and_names(self, language: str) -> None:
        far = {f"{name}_key": "p" * 900 for name in ("page", "digest", "parquet")}
        run = replace(gallery.night({**LARGEST, **far}), delivery=delivery(key="k" * 1000))
        assert shown_lines(screen(run, language)) <= 24
        assert "p" * 900 in messages.email(run, config(LANGUAGE=language))

    @LANGUAGES
    @pytest.mark.parametrize("kind", NIGHTS)
    def test_lines_are_short_but_what_is_pasted_stays_whole(self, kind: str, language: str) -> None:
        lines = messages.email(NIGHTS[kind], config(LANGUAGE=language)).splitlines()
        assert [line for line in lines if width(line) > LINE_CHARACTERS and "://" not in line] == []

    def test_the_screen_has_the_outcome_the_change_what_to_fix_and_where_the_files_are(self) -> None:
        lines = screen(NIGHTS["changes"]).splitlines()
        assert lines[:3] == [
            'Report "nightly": 12 new (2 critical), 30 gone, 1,204 open.',
            "Inspector was looking: it scans 412 resources; 6 not.",
            "Compared with the run of 22 Nov 2026, 03:00:00 UTC (24 h before).",
        ]
        assert "New, worst first (2 critical, 4 high, 6 medium)" in lines
        assert "- CRITICAL, EXPLOIT KNOWN, fix available, on shop/api: CVE-2026-21001" in lines
        assert "2. CRITICAL on 3 resources, EXPLOIT KNOWN: CVE-2026-21001 (openssl)" in lines
        assert any(line.endswith("/index.html") for line in lines)
        assert any(line.endswith(".json") for line in lines)

    def test_without_a_page_the_digest_stands_in_for_it(self) -> None:
        told = screen(NIGHTS["changes-without-a-page"])
        assert "/digest.json" in told
        assert "index.html" not in messages.email(NIGHTS["changes-without-a-page"], config())

    def test_a_quiet_night_is_three_lines_and_then_facts(self) -> None:
        first, *_ = messages.email(NIGHTS["quiet"], config()).split("\n\n")
        assert first.splitlines()[0] == 'Report "nightly": a quiet night. Nothing new, nothing gone, 1,204 open.'
        assert len(first.splitlines()) == 3
        assert "Fix first" not in messages.email(NIGHTS["quiet"], config())

    @pytest.mark.parametrize("kind", ["dark", "dark-nothing-scanned"])
    def test_a_dark_night_says_so_before_anything_else_and_what_to_do(self, kind: str) -> None:
        first, *_ = messages.email(NIGHTS[kind], config()).split("\n\n")
        where = " EVERYWHERE" if kind == "dark" else ""
        assert first.startswith(f"DARK NIGHT: INSPECTOR IS NOT LOOKING{where}.")
        assert "neither gone nor fixed" in first
        assert "Switch Inspector on again" in first

    def test_an_account_that_is_off_as_a_whole_is_not_told_by_its_parts(self) -> None:
        off = dark({"210987654321": list(SCAN_TYPES)})
        assert "Scanning is off: 210987654321 (everything)." in screen(gallery.night(brief(verdict=off)))

    def test_a_dark_night_names_the_places_and_counts_the_others(self) -> None:
        assert "Scanning is off: 210987654321 (EC2, ECR)." in screen(NIGHTS["dark"])
        told = " ".join(screen(gallery.night(LARGEST)).split())
        assert "000000000004 (EC2, ECR) and 95 accounts more" in told

    def test_a_night_that_nobody_can_judge_is_not_called_good(self) -> None:
        told = screen(NIGHTS["unknown"])
        assert told.startswith("UNSURE: IT IS NOT KNOWN WHETHER INSPECTOR SCANS EVERYTHING.")
        assert "quiet" not in told

    def test_nothing_new_and_nothing_gone_is_no_quiet_night_in_the_dark(self) -> None:
        none = brief()["changes"] | {"appeared": 0, "gone": 0}
        run = gallery.night(brief(changes=none, verdict=dark({"210987654321": ["ec2"]})))
        assert "quiet" not in messages.subject(run, config()) + messages.email(run, config())

    @pytest.mark.parametrize(
        ("kind", "reason"),
        [
            ("first-night", "no earlier run of this report is on record"),
            ("filter-changed", "the filter has changed"),
            ("not-compared-no-digest", "no earlier run of this report"),
            ("not-compared-unreadable", "what the last run left to compare with could not be read"),
        ],
    )
    def test_a_night_without_a_comparison_says_why(self, kind: str, reason: str) -> None:
        assert f"Not compared: {reason}" in " ".join(screen(NIGHTS[kind]).split())

    def test_a_failed_digest_is_told_beside_the_delivered_report(self) -> None:
        told = messages.email(NIGHTS["digest-failed"], config())
        assert told.startswith('The findings report "nightly" was delivered.\n\nIts digest could not be made')
        assert "What happened (Digest.ReportUnreadable)" in told
        assert "/s3/object/" in told

    def test_an_older_baseline_is_told_in_days(self) -> None:
        old = {"execution": "x", "started_at": "2026-11-19T03:00:00+00:00", "age": "4 days"}
        assert "(4 days before)" in screen(gallery.night(brief(baseline=old)))

    def test_a_failure_of_the_run_comes_before_its_digest(self) -> None:
        run = failed_run(BROKEN, digest=brief())
        assert messages.email(run, config()) == messages.email(failed_run(BROKEN), config())
        assert messages.export_event(run, config())["digest"] is None

    def test_nothing_of_a_finding_breaks_out_of_its_line(self) -> None:
        told = messages.email(gallery.night(LARGEST), config())
        assert told.replace("\n", "").isprintable()


ONE, MANY = (
    ["team/group/storefront-service/storefront-service"],
    ["i-0abc1234def567890", "i-0abc1234def567891", "i-0abc1234def567892"],
)
IMAGE, INSTANCE, FUNCTION = "AWS_ECR_CONTAINER_IMAGE", "AWS_EC2_INSTANCE", "AWS_LAMBDA_FUNCTION"


class TestLines:
    @LANGUAGES
    @pytest.mark.parametrize("vulnerability", ["CVE-2026-22222", "GHSA-abcd-1234-wxyz"])
    @pytest.mark.parametrize(
        "packages", ["", "openssl", "org.apache.logging.log4j:log4j-core, org.apache.logging.log4j:log4j-api"]
    )
    @pytest.mark.parametrize(
        "resource", ["i-1", "i-0abc1234def567890", "web-user-manager-api-stage-healthCheck-EXAMPLE1ABCD", ONE[0], "夜" * 60]
    )
    @pytest.mark.parametrize(
        "several",
        [{}, {"resources": 4, "resource_type": IMAGE}, {"resources": 1_234, "resources_at_least": True, "resource_names": MANY}],
    )
    @pytest.mark.parametrize(
        "marks", [{}, {"exploit_known": False}, {"severity": "HIGH", "exploit_known": False, "fix_available": None}]
    )
    def test_a_line_of_the_screen_names_the_vulnerability_whatever_else_is_long(
        self, language: str, vulnerability: str, packages: str, resource: str, several: dict[str, Any], marks: dict[str, Any]
    ) -> None:
        each = finding(
            vulnerability_id=vulnerability, title=f"{vulnerability} - {packages}", resource=resource, **several | marks
        )
        lines = screen(
            gallery.night(brief(worst_new=[each], fix_first=[fix(vulnerability_id=vulnerability, title=each["title"])])), language
        )
        (new, to_fix) = [line for line in lines.splitlines() if line.startswith(("- ", "1. "))]
        for line in (new, to_fix):
            assert vulnerability in line
            assert width(line) <= LINE_CHARACTERS

    @pytest.mark.parametrize(
        ("of", "line"),
        [
            ({"resource": ONE[0], "exploit_known": False}, "- CRITICAL, fix available, on team/group/storefro…: CVE-2026-1 (openssl)"),
            ({"resource": ONE[0]}, "- CRITICAL, EXPLOIT KNOWN, fix available, on team/group/sto…: CVE-2026-1"),
            ({"vulnerability_id": "CVE-2026-12345", "title": "CVE-2026-12345 - openssl", "resource": "i-0abc1234def567890"},
             "- CRITICAL, EXPLOIT KNOWN, fix available, on i-0abc1234…: CVE-2026-12345"),
            ({"vulnerability_id": None, "title": "CWE-798 - Hardcoded credentials", "resource": ONE[0]},
             "- CRITICAL, EXPLOIT KNOWN, fix available, on team/…: CWE-798 - Hardcode…"),
        ],
    )  # fmt: skip
    def test_first_the_resource_is_cut_then_the_packages(self, of: dict[str, Any], line: str) -> None:
        each = finding(**{"vulnerability_id": "CVE-2026-1", "title": "CVE-2026-1 - openssl"} | of)
        assert line in screen(gallery.night(brief(worst_new=[each]))).splitlines()

    def test_an_id_that_is_longer_than_a_line_stands_whole(self) -> None:
        each = finding(vulnerability_id="X" * 80, title="x")
        assert f": {'X' * 80}\n" in screen(gallery.night(brief(worst_new=[each])))

    @pytest.mark.parametrize(
        ("of", "english", "japanese"),
        [
            ({"resources": 4, "resource_type": IMAGE, "resource_names": ["shop/api"]}, "in 4 images of shop/api", "shop/api の 4 イメージ"),
            ({"resources": 4, "resource_type": IMAGE, "resource_names": ["a", "b"]}, "in 4 images (a, b)", "4 イメージ（a、b）"),
            ({"resources": 2, "resource_type": INSTANCE, "resource_names": ["i-1", "i-2"]}, "on 2 instances (i-1, i-2)", "2 インスタンス（i-1、i-2）"),
            ({"resources": 3, "resource_type": FUNCTION, "resource_names": ["f"]}, "on 3 functions named f", "f の 3 関数"),
            ({"resources": 3, "resource_type": "CODE_REPOSITORY", "resource_names": ["r", "s"]}, "on 3 resources (r, s)", "3 リソース（r、s）"),
            ({"resources": 300, "resource_type": INSTANCE, "resource_names": ["i", "j"], "resources_at_least": True},
             "on at least 300 instances (i, j)", "300 インスタンス以上（i、j）"),
            ({"resources": 1, "findings": 3, "resource": "resize"}, "3 times on resize", "resize（3 件）"),
            ({"resources": None, "findings": None, "resource": "resize"}, "on resize", "resize"),
        ],
    )  # fmt: skip
    def test_what_is_alike_is_told_once_with_its_number_in_every_list(
        self, of: dict[str, Any], english: str, japanese: str
    ) -> None:
        each = finding(severity="HIGH", exploit_known=False, fix_available="NO", **of)
        run = gallery.night(brief(worst_new=[each], worst_gone=[each]))
        for language, line in (("en", f"HIGH {english}: CVE"), ("ja", f"高、{japanese}: CVE")):
            mail = messages.email(run, config(LANGUAGE=language))
            assert mail.count(f"- {line}") == 3
            assert f"• {line}" in messages.chat(run, config(LANGUAGE=language))["content"]["description"]

    def test_the_name_of_one_resource_stands_whole_among_the_details(self) -> None:
        each = finding(resource="r" * 150, resource_names=["r" * 79 + "…"])
        assert "r" * 150 in messages.email(gallery.night(brief(worst_new=[each])), config())

    def test_several_accounts_are_not_told_as_an_unknown_one(self) -> None:
        each = finding(resources=2, resource_names=["a", "b"], account_id=None)
        assert "account (several), eu-central-1" in messages.email(gallery.night(brief(worst_new=[each])), config())


class TestChat:
    def test_it_leads_to_the_fixes_and_the_page(self) -> None:
        chat = messages.chat(NIGHTS["changes"], config())
        first, *_, page, report = chat["content"]["nextSteps"]
        assert first == "Fix CRITICAL on 14 resources, EXPLOIT KNOWN: CVE-2021-44228 (org.apache.logging.log4j:log4j-core)."
        assert page.endswith("/index.html")
        assert report == f"Open the report: {messages.report_url(NIGHTS['changes'], config())}"
        context = chat["metadata"]["additionalContext"]
        assert (context["new"], context["gone"], context["open"]) == ("12", "30", "1204")
        assert chat["content"]["keywords"] == ["nightly", "SUCCEEDED", "eu-central-1", "good", "CRITICAL"]

    @pytest.mark.parametrize(
        ("kind", "sign"),
        [
            ("changes", ":white_check_mark:"), ("quiet", ":white_check_mark:"), ("nothing-found", ":white_check_mark:"),
            ("dark", ":rotating_light:"), ("unknown", ":warning:"), ("sudden-fall", ":warning:"), ("digest-failed", ":warning:"),
        ],
    )  # fmt: skip
    def test_its_sign_is_green_only_when_all_is_known_and_good(self, kind: str, sign: str) -> None:
        assert messages.chat(NIGHTS[kind], config())["content"]["title"].startswith(f"{sign} ")

    def test_a_dark_night_leads_to_switching_inspector_on(self) -> None:
        first, *_ = messages.chat(NIGHTS["dark"], config())["content"]["nextSteps"]
        assert first.startswith("Switch Inspector on again")

    def test_a_name_in_a_finding_calls_nobody(self) -> None:
        told = json.dumps(messages.chat(gallery.night(LARGEST), config())["content"], ensure_ascii=False)
        assert "<!" not in told

    def test_its_title_speaks_the_language_while_the_subject_is_ascii(self) -> None:
        japanese = config(LANGUAGE="ja")
        assert "新規 12" in messages.chat(NIGHTS["changes"], japanese)["content"]["title"]
        assert messages.chat(NIGHTS["changes"], japanese)["metadata"]["summary"] == messages.subject(NIGHTS["changes"], japanese)


class TestEvent:
    def test_it_has_the_brief(self) -> None:
        event = messages.export_event(NIGHTS["changes"], config())
        assert event["digest"] == {name: value for name, value in brief().items() if not name.startswith("carried_")}
        assert event["digest_failure"] is None

    def test_a_failed_digest_is_told_apart_from_none(self) -> None:
        failed, without = (messages.export_event(NIGHTS[kind], config()) for kind in ("digest-failed", "without-a-digest"))
        assert (failed["digest"], failed["digest_failure"]["error"]) == (None, "Digest.ReportUnreadable")
        assert (without["digest"], without["digest_failure"]) == (None, None)

    def test_it_is_the_same_in_every_language(self) -> None:
        for run in (NIGHTS["dark"], failed_run(BROKEN)):
            assert messages.export_event(run, config(LANGUAGE="ja")) == messages.export_event(run, config())


class TestPublication:
    @LANGUAGES
    def test_the_largest_brief_fits(self, language: str) -> None:
        published = messages.publication(gallery.night(LARGEST), config(LANGUAGE=language))
        assert len(published["Message"].encode()) < SNS_BYTES - 1000
        assert json.loads(published["Message"])["email"].startswith(("DARK", "【"))

    def test_the_lists_give_way_where_a_brief_is_far_too_large(self) -> None:
        huge: dict[str, Any] = {**LARGEST, "sentences": ["💥" * 400] * 80, "worst_new": LONG * 10}
        message = messages.publication(gallery.night(huge), config())["Message"]
        assert len(message.encode()) < SNS_BYTES - 1000
        digest = json.loads(json.loads(message)["default"])["digest"]
        assert (digest["sentences"], digest["changes"]["appeared"]) == ([], 1_000_000)

    @pytest.mark.parametrize(
        ("kind", "night", "worst"),
        [
            ("changes", "good", "CRITICAL"),
            ("quiet", "good", "NONE"),
            ("sudden-fall", "good", "LOW"),
            ("dark", "dark", "CRITICAL"),
            ("unknown", "unknown", "NONE"),
            ("first-night", "good", "UNKNOWN"),
            ("digest-failed", "unknown", "UNKNOWN"),
            ("without-a-digest", "unknown", "UNKNOWN"),
        ],
    )
    def test_subscribers_may_filter_by_the_night(self, kind: str, night: str, worst: str) -> None:
        told = messages.attributes(NIGHTS[kind], config())
        assert (told["night"], told["worst_new_severity"]) == (night, worst)

    def test_a_brief_of_another_release_is_told_as_far_as_it_is_understood(self) -> None:
        run = gallery.night({"bucket": "b", "verdict": {"state": "new-word"}, "worst_new": [{}], "fix_first": [{}], "open": 7})
        assert messages.subject(run, config()) == "Inspector 23 Nov: UNSURE, nobody knows if this is good: 7 open"
        assert json.loads(messages.publication(run, config())["Message"])["email"]

    def test_nothing_found_without_a_digest_is_told_as_before(self) -> None:
        assert (
            messages.subject(ended_run(delivery=nothing("no_object")), config())
            == "Inspector 23 Nov: nightly delivered, nothing found"
        )
