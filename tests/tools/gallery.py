"""Real messages of every kind, as they go out: docs/gallery. `make messages` renders it again, a test keeps it current.

Findings, accounts and names are made up; every sentence, sum and statement comes from the code.
"""

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from findings_analysis.assessment.coverage import AccountScanning, Coverage, Scanning
from findings_analysis.assessment.coverage_status import assess
from findings_analysis.comparison.fingerprint_format import Counted, Header, Summary
from findings_analysis.failures import failed_analysis
from findings_analysis.reading.errors import ReportUnavailableError
from findings_exporter import notification
from findings_exporter.model.config import Config
from findings_exporter.model.errors import Failure
from findings_exporter.model.layout import analysis_keys
from findings_exporter.model.notes import Note, from_stored
from findings_exporter.model.plan import make_plan
from findings_exporter.model.run import Run
from findings_exporter.model.taxonomy import OWN_SCAN_TYPES
from findings_exporter.preflight import message
from findings_exporter.preflight.bucket import bucket_policy_for_inspector
from tests.builders.exporter import (
    REPORT_ID,
    SCHEDULE,
    START,
    config,
    delivery,
    ended_run,
    execution,
    failed_run,
    finding,
    fix,
    headline,
    minutes,
    nothing,
    plan,
)
from tests.builders.setup_builders import bucket, deployment, place
from tests.builders.setup_rows import document, writes

ACCOUNT, OTHER = "123456789012", "444455556666"
FOLDER = Path("docs/gallery")
LANGUAGES = {"en": config(LANGUAGE="en", TIME_ZONE="Europe/Berlin"), "ja": config(LANGUAGE="ja", TIME_ZONE="Asia/Tokyo")}
DAILY_RUN = execution("4f9c2a4e-8d0b-4c0e-9a55-0c7d8a3c1d11_5a7e1c52-4d2a-4b7c-9b43-1a2b3c4d5e6f")
"""As EventBridge Scheduler names an execution."""
KEYS = analysis_keys("inspector", "nightly", DAILY_RUN, is_regular=True)
SHOWN = {
    "changes": "Findings are new, and findings are no longer open.",
    "no-changes": "Nothing changed, and scanning is active.",
    "first-report": "The first report of this name: there is nothing to compare with.",
    "filter-changed": "The filter has changed: the report is not compared, and the run waited for another report.",
    "scan-coverage-lost": "Inspector no longer scans an account: its findings are missing, their status is unknown.",
    "coverage-unknown": "The report is empty, and the status of the account could not be read.",
    "unusual-drop": "Far fewer findings are open, although scanning is active.",
    "nothing-found": "The last finding is no longer open: no finding matches the filter.",
    "rediscovered": "Scanning has resumed: findings that were missing are back, and are not new.",
    "analysis-failed": "The report was delivered, but could not be read for the analysis.",
    "failed-policy": "The bucket policy blocks Inspector; the setup check found which statement is missing.",
    "failed-deadline": "The deadline passed while Inspector was creating the report.",
    "failed-invalid-input": "The execution input has faults.",
    "stopped": "The execution was stopped.",
}
"""Every message of the gallery, in a line."""
OPEN = {"CRITICAL": 18, "HIGH": 467, "MEDIUM": 642, "LOW": 77}
NOT_ASKED = Note(
    "compared.status_filter",
    statuses=Note("compared.or", first=Note("status.closed"), second=Note("status.suppressed")),
)


def daily_run(analysis: Mapping[str, Any] | None, **fields: Any) -> Run:
    """A scheduled run."""
    made = plan({"schedule": {"scheduled_for": "2026-11-23T03:00:00Z", "arn": SCHEDULE}}, DAILY_RUN)
    key = f"{made.destination.prefix}{REPORT_ID}.json"
    return ended_run(
        **{
            "execution": DAILY_RUN,
            "plan": made,
            "analysis": analysis,
            "delivery": delivery(prefix=made.destination.prefix, key=key),
        }
        | fields
    )


def counted(
    open_now: Mapping[str, int], kinds: Mapping[str, Mapping[str, int]], missing: int = 0, **fields: Any
) -> dict[str, Any]:
    """The headline of a report with so many findings by severity, and by kind of change; the others are unchanged."""
    appeared, went = Counter[str](), Counter[str]()
    for kind, severities in kinds.items():
        if kind in {"new", "additional_resource", "reopened", "unsuppressed"}:
            appeared.update(severities)
        elif kind != "rediscovered":
            went.update(severities)
    total = sum(open_now.values())
    counts = {kind: sum(severities.values()) for kind, severities in kinds.items()}
    counts |= {"still_open": total - appeared.total() - counts.get("rediscovered", 0), "status_unknown": missing}
    listed = {"worst_new": new_ones(), "worst_no_longer_open": no_longer_open()}
    return headline(
        **{
            "analysis_key": KEYS.document,
            "page_key": KEYS.page,
            "parquet_prefix": KEYS.parquet_prefix,
            "fingerprints_key": KEYS.fingerprints,
            "total": total,
            "open": total,
            "by_severity": dict(open_now),
            "by_status": {"ACTIVE": total},
            "changes": {
                "appeared": appeared.total(),
                "no_longer_open": went.total(),
                "counts": {kind: count for kind, count in counts.items() if count},
                "appeared_by_severity": dict(appeared),
                "no_longer_open_by_severity": dict(went),
            },
            "worst_new": [each for each in listed["worst_new"] if appeared[each["severity"]]],
            "worst_no_longer_open": [each for each in listed["worst_no_longer_open"] if went[each["severity"]]],
            "priorities": [each for each in to_fix() if open_now.get(each["severity"], 0) >= each["resources"]],
            "sentences": [NOT_ASKED] if went else [],
        }
        | fields
    )


def alone(reason: str, sentence: Note, **fields: Any) -> dict[str, Any]:
    """The headline of a report that is not compared."""
    apart: dict[str, Any] = {"baseline": None, "changes": None, "worst_new": [], "worst_no_longer_open": []}
    return counted(OPEN, {}, no_baseline=reason, sentences=[sentence], **apart | fields)


def new_ones() -> list[dict[str, Any]]:
    """The worst of what is new."""
    libxml2 = finding(
        vulnerability_id="CVE-2026-20311", title="CVE-2026-20311 - libxml2", packages=["libxml2"], exploit_available=False
    )
    curl = {"vulnerability_id": "CVE-2026-19876", "title": "CVE-2026-19876 - curl", "packages": ["curl", "libcurl"]}
    instance = {
        "severity": "HIGH",
        "resource": "i-0abc1234def567890",
        "resource_type": "AWS_EC2_INSTANCE",
        "exploit_available": False,
    }
    port: dict[str, Any] = {
        "vulnerability_id": None,
        "title": "Port 22 is reachable from an Internet Gateway - TCP",
        "packages": [],
    }
    return [
        finding(),
        libxml2,
        finding(**instance, **curl, fix_available="NO"),
        finding(**instance, **port, fix_available=None),
        finding(
            severity="LOW",
            vulnerability_id="CVE-2026-30415",
            title="CVE-2026-30415 - less",
            packages=["less"],
            exploit_available=False,
        ),
    ]


def no_longer_open() -> list[dict[str, Any]]:
    """The worst of what is no longer open."""
    first_seen = {"first_seen": "2026-09-14"}
    return [
        finding(severity=severity, vulnerability_id=known_as, title=f"{known_as} - {name}", packages=[name], **more, **first_seen)
        for severity, known_as, name, more in (
            ("HIGH", "CVE-2025-48100", "zlib", {}),
            ("MEDIUM", "CVE-2025-40077", "bash", {"exploit_available": False}),
            ("LOW", "CVE-2025-30002", "less", {"exploit_available": False}),
        )
    ]


def to_fix() -> list[dict[str, Any]]:
    """What to fix first."""
    exploit, available = Note("priority.exploit", score=25), Note("priority.fix", score=10)

    def why(severity: str, score: int, count: int, count_score: int, *terms: Note) -> Note:
        first = Note("priority.severity", severity=Note(f"severity.{severity}"), score=score)
        last = Note("priority.resources", count=count, score=count_score)
        every = [first, *terms, available, last]
        return Note("priority", terms=every, total=sum(each.values["score"] for each in every))

    def epss(percent: str, score: int) -> Note:
        return Note("priority.epss", percent=percent, score=score)

    return [
        fix(why=why("CRITICAL", 40, 14, 6, exploit, epss("94.4%", 19))),
        fix(rank=2, priority_score=79, vulnerability_id="CVE-2026-21001", title="CVE-2026-21001 - openssl", resources=3,
            why=why("CRITICAL", 40, 3, 2, exploit, epss("12.0%", 2))),
        fix(rank=3, priority_score=58, vulnerability_id="CVE-2026-20311", title="CVE-2026-20311 - libxml2", resources=1, exploit_available=False,
            why=why("CRITICAL", 40, 1, 0, epss("38.1%", 8))),
        fix(rank=4, priority_score=50, severity="HIGH", vulnerability_id="CVE-2025-31002", title="CVE-2025-31002 - sudo", resources=40,
            exploit_available=False, why=why("HIGH", 30, 40, 10)),
    ]  # fmt: skip


def scanning(state: Scanning = "on", why: str = "", **scan_types: Scanning) -> AccountScanning:
    """What Inspector does in an account."""
    return AccountScanning(state, scan_types, why)


def assessed(
    now: Counted,
    accounts: Mapping[str, AccountScanning],
    before: Counted | None = None,
    missing: Counted | None = None,
    scanned: int | None = 412,
    not_scanned: int | None = 6,
) -> dict[str, Any]:
    """The coverage status of a report as a headline has it; findings by account and scan type."""
    baseline = Header("nightly", "before", "2026-11-22T03:00:00+00:00", "", {}, {}), Summary(0, before or {}, {})
    result = assess(places(now), Coverage(ACCOUNT, accounts, scanned, not_scanned), baseline, None, places(missing or {}))
    return result.to_dict() | {"deactivated_accounts": len(result.deactivated)}


def places(found: Counted) -> dict[tuple[str, str], int]:
    """Findings by place."""
    return {(account, scan_type): count for account, each in found.items() for scan_type, count in each.items()}


def analyzed() -> dict[str, Run]:
    """Every kind of run that was analyzed, by its name."""
    on, off = scanning(ec2="on", ecr="on"), AccountScanning("off", dict.fromkeys(OWN_SCAN_TYPES, "off"))
    unread = scanning(
        "unknown",
        Note(
            "why.status_unread",
            error="An error occurred (AccessDeniedException) when calling the BatchGetAccountStatus operation",
        ),
    )
    no_longer_open = {"no_longer_reported": {"HIGH": 405, "MEDIUM": 534, "LOW": 66}}
    left = {"CRITICAL": 18, "HIGH": 62, "MEDIUM": 108, "LOW": 15}
    many = {"CRITICAL": 40, "HIGH": 1021, "MEDIUM": 1538, "LOW": 179}
    back = {"HIGH": 300, "MEDIUM": 431}
    more = dict(Counter(OPEN) + Counter(back))
    before_unknown = {ACCOUNT: {"ec2": 210, "ecr": 994}}
    missing = {OTHER: {"ec2": 210, "ecr": 1011}}
    status = Note("compared.not_scanned", count=1221)
    return {
        "changes": daily_run(
            counted(OPEN, {"new": {"CRITICAL": 2, "HIGH": 3, "MEDIUM": 6}, "additional_resource": {"HIGH": 1}, "no_longer_reported": {"HIGH": 5, "MEDIUM": 17},
                           "resource_removed": {"MEDIUM": 8}})
        ),
        "no-changes": daily_run(counted(OPEN, {})),
        "first-report": daily_run(alone("first_run", Note("baseline.first_run"))),
        "filter-changed": daily_run(
            alone("filter_changed", Note("baseline.filter_changed", at="2026-11-22T03:00:00+00:00")),
            notes=(Note("run.waited_external", report="7c9e6679-7425-40de-944b-e07fc1f90ae7", place="s3://their-bucket/exports/"),),
        ),
        "scan-coverage-lost": daily_run(
            counted(
                many, {"new": {"CRITICAL": 2, "HIGH": 27, "MEDIUM": 40}}, 1221, sentences=[status],
                coverage_status=assessed({ACCOUNT: {"ec2": 700, "ecr": 2078}}, {ACCOUNT: on, OTHER: off},
                               {ACCOUNT: {"ec2": 700, "ecr": 2009}} | missing, missing),
            )
        ),
        "coverage-unknown": daily_run(
            counted(
                {}, {}, 1204, sentences=[Note("compared.not_scanned", count=1204)],
                coverage_status=assessed({}, {ACCOUNT: unread}, before_unknown, before_unknown, None, None),
                coverage={"scanned": None, "not_scanned": None},
            ),
            delivery=nothing("no_object"),
        ),
        "unusual-drop": daily_run(
            counted(left, {"new": {"LOW": 4}} | no_longer_open, coverage_status=assessed({ACCOUNT: {"ecr": 203}}, {ACCOUNT: on}, {ACCOUNT: {"ecr": 1204}}))
        ),
        "nothing-found": daily_run(
            counted({}, {"resource_removed": {"LOW": 1}}, coverage_status=assessed({}, {ACCOUNT: on}, {ACCOUNT: {"ecr": 1}})),
            delivery=nothing("no_findings"),
        ),
        "rediscovered": daily_run(counted(more, {"rediscovered": back})),
    }  # fmt: skip


def failures() -> dict[str, Run]:
    """Runs that failed, each as the step that fails says it."""
    here = deployment()
    other_account = {"StringEquals": {"aws:SourceAccount": OTHER}}
    policy = document([writes(place(here), Condition=other_account)])
    check = bucket_policy_for_inspector(bucket(policy=policy), here, START)
    wrong = make_plan({"report": {"nmae": "weekly", "format": "PDF"}}, config(), DAILY_RUN)
    assert isinstance(wrong, Failure)
    ended = Note(
        "cause.report_ended_text", report=REPORT_ID, status="FAILED", text="Inspector is not allowed to write to the bucket."
    )
    late = Note("cause.too_late_running", hours=6.0, report=REPORT_ID, status="IN_PROGRESS")
    scheduled = daily_run(None).plan
    return {
        "failed-policy": failed_run(
            Failure("Report.INVALID_PERMISSIONS", ended, from_stored(message.findings([check]))), execution=DAILY_RUN, plan=scheduled
        ),
        "failed-deadline": failed_run(
            Failure("DeadlineExceeded", late), execution=DAILY_RUN, plan=scheduled, report_ended_at=None, ended_at=minutes(360)
        ),
        "failed-invalid-input": failed_run(
            wrong, execution=execution("manual-1"), plan=None, report_id=None, report_created_at=None, report_ended_at=None,
            ended_at=START,
        ),
        "stopped": replace(
            failed_run(
                Failure("Stopped", Note("cause.stopped_text", text="Key maintenance")), execution=DAILY_RUN, plan=scheduled,
                report_ended_at=None, ended_at=minutes(4),
            ),
            outcome="ABORTED",
        ),
    }  # fmt: skip


def runs() -> dict[str, Run]:
    """Every run of the gallery, by its name."""
    refused = "An error occurred (AccessDenied) when calling the GetObject operation: Access Denied"
    made = daily_run(None)
    analysis = failed_analysis(ReportUnavailableError(f"S3 refused {made.delivery.uri if made.delivery else ''}: {refused}"))
    every = analyzed() | {"analysis-failed": daily_run(analysis)} | failures()
    return {name: every[name] for name in SHOWN}


def mail(run: Run, of: Config) -> str:
    """A mail as its reader sees it."""
    return f"Subject: {notification.subject(run, of)}\n\n{notification.email(run, of)}"


def index() -> str:
    """The page that shows the gallery."""
    from tests.tools.pictures import SHOWN as PICTURED

    lines = [
        "# Gallery of messages",
        "",
        "What mails and chat messages look like, in English and Japanese (parameter `Language`). The `.txt` files are mails; the",
        "`.json` files have the chat message and, since they are the same in every language, the English ones also the message",
        "attributes and the [event for programs](../export-event.schema.json). `make messages` renders them from the code; findings,",
        "accounts and names are made up.",
        "",
        "| Message | Mail subject | Files |",
        "|---|---|---|",
    ]
    for name, run in runs().items():
        files = ", ".join(f"[{language}]({language}/{name}.txt) ([chat]({language}/{name}.json))" for language in LANGUAGES)
        lines.append(f"| {SHOWN[name]} | {notification.subject(run, LANGUAGES['en'])} | {files} |")
    for name in PICTURED:
        lines += ["", f"{SHOWN[name]}", "", f"![{SHOWN[name]}](pictures/{name}.png)"]
    return "\n".join(lines) + "\n"


def render() -> dict[Path, str]:
    """Every file of the gallery and its text."""
    files = {FOLDER / "README.md": index()}
    for language, of in LANGUAGES.items():
        for kind, run in runs().items():
            result: dict[str, Any] = {"chat": notification.chat_message(run, of)}
            if language == "en":
                # The same in every language.
                result |= {"attributes": notification.attributes(run, of), "event": notification.export_event(run, of)}
            files[FOLDER / language / f"{kind}.txt"] = mail(run, of)
            files[FOLDER / language / f"{kind}.json"] = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    return files


def main() -> None:
    """Write the gallery anew."""
    for language in LANGUAGES:
        shutil.rmtree(FOLDER / language, ignore_errors=True)
        (FOLDER / language).mkdir(parents=True)
    files = render()
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    print(f"{len(files)} files in {FOLDER}/")


if __name__ == "__main__":
    main()
