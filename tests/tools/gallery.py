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
from findings_exporter.model.home_messages import HomeMessage, OwnerNumbers
from findings_exporter.model.layout import analysis_keys
from findings_exporter.model.notes import Note, from_stored
from findings_exporter.model.plan import make_plan
from findings_exporter.model.run import Run
from findings_exporter.model.summary import Expected, ReportsSummary
from findings_exporter.model.taxonomy import OWN_SCAN_TYPES
from findings_exporter.notification import links, summary_message
from findings_exporter.preflight import message
from findings_exporter.preflight.bucket import bucket_policy_for_inspector
from tests.builders import summaries as said
from tests.builders.exporter import (
    INSTANCE,
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
    instance,
    minutes,
    nothing,
    older,
    on,
    package,
    plan,
    resource,
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
    "owners-and-due-dates": "Findings have owners and due dates: some are overdue.",
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
"""Every message of the gallery about a run, in a line."""
TO_OWNERS = {
    "owner-changes": "To an owner: findings are new, moved, and overdue.",
    "owner-no-changes": "To an owner: nothing changed (`OwnerMessages: ALL`).",
    "owner-unowned": "About the findings that have no owner.",
    "owner-scan-coverage-lost": "To an owner: findings are missing, since Inspector no longer scans an account.",
    "owner-last-message": "To an owner that no rule names any more: the last message.",
}
"""Every message of the gallery to an owner, in a line."""
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
            "fix_first": [each for each in to_fix() if open_now.get(each["severity"], 0) >= each["resource_count"]],
            "sentences": [NOT_ASKED] if went else [],
        }
        | fields
    )


def alone(reason: str, sentence: Note, **fields: Any) -> dict[str, Any]:
    """The headline of a report that is not compared."""
    apart: dict[str, Any] = {"baseline": None, "changes": None, "worst_new": [], "worst_no_longer_open": []}
    return counted(OPEN, {}, no_baseline=reason, sentences=[sentence], **apart | fields)


LIBXML2, CURL = package("libxml2", "2.9.1", "2.9.4"), [package("curl", "8.4.0"), package("libcurl", "8.4.0")]
ON_AN_INSTANCE = {**instance("i-0abc1234def567890"), "exploit_available": False}


def new_ones() -> list[dict[str, Any]]:
    """The worst of what is new."""
    port: dict[str, Any] = {
        "vulnerability_id": None,
        "title": "Port 22 is reachable from an Internet Gateway - TCP",
        "packages": [],
    }
    return [
        finding(),
        finding(vulnerability_id="CVE-2026-20311", title="CVE-2026-20311 - libxml2", packages=[LIBXML2], exploit_available=False),
        finding(
            severity="HIGH", vulnerability_id="CVE-2026-19876", title="CVE-2026-19876 - curl", packages=CURL, fix_available="NO",
            **ON_AN_INSTANCE,
        ),
        finding(severity="HIGH", **ON_AN_INSTANCE, **port, fix_available=None),
        finding(
            severity="LOW", vulnerability_id="CVE-2026-30415", title="CVE-2026-30415 - less", exploit_available=False,
            packages=[package("less", "590", "643")],
        ),
    ]  # fmt: skip


def no_longer_open() -> list[dict[str, Any]]:
    """The worst of what is no longer open."""
    first_seen = {"first_seen": "2026-09-14"}
    return [
        finding(
            severity=severity,
            vulnerability_id=known_as,
            title=f"{known_as} - {name}",
            packages=[package(name, *versions)],
            **more,
            **first_seen,
        )
        for severity, known_as, name, versions, more in (
            ("HIGH", "CVE-2025-48100", "zlib", ("1.2.11", "1.3.1"), {}),
            ("MEDIUM", "CVE-2025-40077", "bash", ("5.1.4", "5.1.8"), {"exploit_available": False}),
            ("LOW", "CVE-2025-30002", "less", ("590", "643"), {"exploit_available": False}),
        )
    ]


def why(severity: str, score: int, count: int, count_score: int, *terms: Note) -> Note:
    """How a priority score adds up."""
    first = Note("priority.severity", severity=Note(f"severity.{severity}"), score=score)
    every = [first, *terms, Note("priority.fix", score=10), Note("priority.resources", count=count, score=count_score)]
    return Note("priority", terms=every, total=sum(each.values["score"] for each in every))


def epss(percent: str, score: int) -> Note:
    """What the probability of an exploit adds to a priority score."""
    return Note("priority.epss", percent=percent, score=score)


EXPLOIT, REACHABLE = Note("priority.exploit", score=25), Note("priority.reachable", score=10)


def to_fix() -> list[dict[str, Any]]:
    """What to fix first."""
    return [
        fix(why=why("CRITICAL", 40, 14, 6, EXPLOIT, epss("94.4%", 19))),
        fix(rank=2, priority_score=79, vulnerability_id="CVE-2026-21001", title="CVE-2026-21001 - openssl", packages=[package()],
            **on("shop/api", "shop/web", "shop/cart"), why=why("CRITICAL", 40, 3, 2, EXPLOIT, epss("12.0%", 2))),
        fix(rank=3, priority_score=58, vulnerability_id="CVE-2026-20311", title="CVE-2026-20311 - libxml2", packages=[LIBXML2],
            **on("shop/api"), exploit_available=False, why=why("CRITICAL", 40, 1, 0, epss("38.1%", 8))),
        fix(rank=4, priority_score=50, severity="HIGH", vulnerability_id="CVE-2025-31002", title="CVE-2025-31002 - sudo",
            packages=[package("sudo", "1.8.6", "1.8.23")], **on("i-0abc1234def567890", count=40, resource_type=INSTANCE),
            exploit_available=False, why=why("HIGH", 30, 40, 10)),
    ]  # fmt: skip


TODAY, OVERDUE_SINCE, DUE_SOON, DUE_LATER, KEV_DUE = "2026-11-23", "2026-11-03", "2026-11-27", "2026-12-08", "2026-10-24"
SHOP, WEB = {"owner": "payments", "account_id": ACCOUNT}, {"owner": "web", "account_id": OTHER}


def owned(mine: str | None = None) -> dict[str, Any]:
    """The lists of a headline with owners and due dates; of an owner, what it has to fix."""
    api = [
        resource("shop/api", **SHOP, due_on=OVERDUE_SINCE),
        resource("i-0abc1234def567890", **SHOP, resource_type=INSTANCE, due_on=OVERDUE_SINCE),
    ]
    front = [resource("web/front", **WEB, due_on=DUE_LATER)]
    shop = [resource("shop/api", **SHOP, due_on=DUE_LATER)]
    hosts = [resource("i-0fff1234def567890", owner="unowned", resource_type=INSTANCE)]
    log4j = {"in_kev": True, "kev_due_on": KEV_DUE, "runtime_reachability": "REACHABLE"}
    openssl = {
        "vulnerability_id": "CVE-2026-21001",
        "title": "CVE-2026-21001 - openssl",
        "packages": [package()],
        "runtime_reachability": "REACHABLE",
    }
    sudo = {"severity": "HIGH", "vulnerability_id": "CVE-2025-31002", "title": "CVE-2025-31002 - sudo",
            "packages": [package("sudo", "1.8.6", "1.8.23")], "exploit_available": False}  # fmt: skip
    every = [
        to_fix_on([*api, *front], 5, mine, ("CRITICAL", 40, EXPLOIT, REACHABLE, epss("94.4%", 19)), **log4j),
        to_fix_on(shop, 1, mine, ("CRITICAL", 40, EXPLOIT, REACHABLE, epss("12.0%", 2)), **openssl),
        to_fix_on(hosts, 40, mine, ("HIGH", 30), **sudo),
    ]
    new = [
        finding(owner="payments", resources=shop, due_on=DUE_LATER),
        finding(owner="web", vulnerability_id="CVE-2026-20311", title="CVE-2026-20311 - libxml2", packages=[LIBXML2],
                resource="web/front", resources=front, account_id=OTHER, exploit_available=False, due_on=DUE_SOON),
        finding(owner="unowned", severity="HIGH", vulnerability_id="CVE-2026-19876", title="CVE-2026-19876 - curl", packages=CURL,
                fix_available="NO", first_seen=None, **ON_AN_INSTANCE),
    ]  # fmt: skip
    late = [
        finding(owner="payments", vulnerability_id="CVE-2021-44228", title="CVE-2021-44228 - org.apache.logging.log4j:log4j-core",
                packages=[package("org.apache.logging.log4j:log4j-core", "2.14.1", "2.17.1")], resources=api, resource_count=2,
                findings=2, in_kev=True, kev_due_on=KEV_DUE, first_seen="2026-10-19", due_on=OVERDUE_SINCE)
    ]  # fmt: skip
    if mine is not None:
        new, late = ([each for each in some if each["owner"] == mine] for some in (new, late))
    ranked = enumerate(filter(None, every), 1)
    return {"fix_first": [each | {"rank": rank} for rank, each in ranked], "worst_new": new, "most_overdue": late}


def to_fix_on(
    resources: list[dict[str, Any]], count: int, mine: str | None, score: tuple[Any, ...], **fields: Any
) -> dict[str, Any] | None:
    """What to fix on resources, at least on those of an owner; None where it has none of them."""
    own = [each for each in resources if mine in {None, each["owner"]}]
    count = count if mine in {None, "unowned"} else len(own)
    severity, first, *terms = score
    score_sum = why(severity, first, count, min(2 * (count.bit_length() - 1), 10), *terms)
    due_on = min((each["due_on"] for each in own if each["due_on"]), default=None)
    made = fix(
        resources=own, resource_count=count, due_on=due_on, priority_score=score_sum.values["total"], why=score_sum, **fields
    )
    return made if own else None


def due(overdue: Mapping[str, int], soon: Mapping[str, int], newly: int = 0, unknown: int = 0) -> dict[str, Any]:
    """The due dates of a headline."""
    return {"overdue": dict(overdue), "due_soon": dict(soon), "newly_overdue": newly, "unknown": unknown, "today": TODAY}


OWNERS = {
    "count": 4,
    "unowned": 61,
    "listed": [
        {"owner": "payments", "open": 45, "critical": 5, "new": 3, "overdue": 2},
        {"owner": "web", "open": 640, "critical": 11, "new": 6, "overdue": 0},
        {"owner": "unowned", "open": 61, "critical": 2, "new": 3, "overdue": 0},
    ],
}


def with_owners() -> Run:
    """A run whose findings have owners and due dates."""
    kinds = {
        "new": {"CRITICAL": 2, "HIGH": 3, "MEDIUM": 6},
        "additional_resource": {"HIGH": 1},
        "no_longer_reported": {"HIGH": 5},
    }
    fields = owned() | {"due_dates": due({"CRITICAL": 2}, {"CRITICAL": 1, "HIGH": 4}, newly=1, unknown=7), "owners": OWNERS}
    analysis = counted(OPEN, kinds, **fields, owners_key=KEYS.owner_messages, owner_message_count=4)
    return daily_run(analysis | {"changes": analysis["changes"] | {"counts": analysis["changes"]["counts"] | {"moved": 5}}})


def of_owner(owner: str, open_now: Mapping[str, int], kinds: Mapping[str, Mapping[str, int]], **fields: Any) -> Run:
    """The run as its message to an owner sees it; ``moved`` and ``moved_away`` are numbers of findings."""
    moved = {name: fields.pop(name) for name in ("moved", "moved_away") if name in fields}
    missing = fields.pop("missing", 0)
    made = counted(
        open_now,
        kinds,
        missing,
        **owned(owner) | {"page_key": KEYS.owner_page(owner), "owner": owner, "last_message": False} | fields,
    )
    made["changes"]["counts"] |= moved
    made["worst_new"] = [each for each in made["worst_new"] if made["changes"]["appeared_by_severity"].get(each["severity"])]
    return notification.of_owner(daily_run(None), made)


def of_owners() -> dict[str, Run]:
    """Messages to owners, by their names."""
    mine = {"CRITICAL": 5, "HIGH": 20, "MEDIUM": 20}
    nothing_else: dict[str, Any] = {"fix_first": [], "worst_new": [], "most_overdue": [], "sentences": []}
    off = AccountScanning("off", dict.fromkeys(OWN_SCAN_TYPES, "off"))
    missing: Counted = {OTHER: {"ec2": 210, "ecr": 1011}}
    lost = assessed(
        {ACCOUNT: {"ec2": 700}}, {ACCOUNT: scanning(ec2="on", ecr="on"), OTHER: off}, {ACCOUNT: {"ec2": 700}, **missing}, missing
    )
    return {
        "owner-changes": of_owner(
            "payments", mine, {"new": {"CRITICAL": 1, "HIGH": 2}, "no_longer_reported": {"HIGH": 1}}, moved=3, moved_away=2,
            due_dates=due({"CRITICAL": 2}, {"HIGH": 4}, newly=1),
        ),
        "owner-no-changes": of_owner(
            "payments", mine, {}, due_dates=due({"CRITICAL": 2}, {"HIGH": 4}), sentences=[],
        ),
        "owner-unowned": of_owner(
            "unowned", {"CRITICAL": 2, "HIGH": 59}, {"new": {"HIGH": 3}}, due_dates=due({}, {}, unknown=7), moved_away=12, sentences=[],
        ),
        "owner-scan-coverage-lost": of_owner(
            "web", {"CRITICAL": 4, "HIGH": 90}, {}, missing=546, coverage_status=lost,
            sentences=[Note("compared.not_scanned", count=1221)], due_dates=due({}, {"CRITICAL": 1}),
        ),
        "owner-last-message": of_owner(
            "search", {}, {"no_longer_reported": {"MEDIUM": 1}}, moved_away=18, last_message=True, due_dates=due({}, {}), **nothing_else,
        ),
    }  # fmt: skip


HOSTILE_TEXT = "<!channel> https://evil.example \u202eopenssl\n\n1. Fix\n"


def unusual() -> dict[str, Run]:
    """Runs that are rare, for tests and for eyes; they are not in the gallery."""
    wide = "夜" * 60
    harmful = [
        fix(
            packages=[package(HOSTILE_TEXT * 3, wide, "9" * 90)],
            resources=[resource(HOSTILE_TEXT, owner=HOSTILE_TEXT)] * 5,
            resource_count=7,
        ),
        fix(packages=[package(f"@scope/{'a' * 90}", None, "1.0")] * 5, resources=[resource(wide, owner=wide)], resource_count=1),
    ]
    hostile_owners = {
        "count": 10**6,
        "unowned": 0,
        "listed": [{"owner": HOSTILE_TEXT, "open": 10**9, "critical": 10**9, "new": None, "overdue": 1}],
    }
    lists = {"fix_first": harmful, "worst_new": [finding(resources=harmful[0]["resources"], packages=harmful[0]["packages"])]}
    changes = analyzed()["changes"].analysis or {}
    return {
        "hostile": daily_run(
            dict(changes) | lists | {"owners": hostile_owners, "due_dates": due({"CRITICAL": 10**9}, {"LOW": 10**9})}
        ),
        "hostile-owner": notification.of_owner(daily_run(None), {**changes, **lists, "owner": HOSTILE_TEXT * 9}),
        "older-release": daily_run(older(changes)),
        "older-release-with-nothing": daily_run({"bucket": "b", "priorities": [{}], "worst_new": [{}], "open": 7}),
    }


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
    every = analyzed() | {"owners-and-due-dates": with_owners(), "analysis-failed": daily_run(analysis)} | failures()
    return {name: every[name] for name in SHOWN}


SUMMARIES = {
    "summary-all-well": "Summary of two Regions: all reports have come, nothing has changed",
    "summary-changes": "Summary: findings have changed; numbers by owner",
    "summary-region-failed": "Summary: the report of one Region failed",
    "summary-region-silent": "Summary: one Region was not heard from",
    "summary-coverage-lost": "Summary: scan coverage is lost in one Region",
    "summary-two-reports": "Summary: two reports in each Region, one of them still running",
    "summary-supplement": "Supplement: a Region that was not heard from has reported",
}
"""The messages about all reports and Regions of a scheduled time."""


def summaries() -> dict[str, ReportsSummary]:
    """Every summary of the gallery, by its name."""
    begun = [said.start(said.HOME), said.start(said.OTHER)]
    owners = (OwnerNumbers("shop", 610, 8, 1, 2), OwnerNumbers("platform", 390, 2, 2, 0))
    of_the_other = (OwnerNumbers("shop", 400, 6, 0, 0), OwnerNumbers("unowned", 600, 4, 0, 0))
    changed = said.ended(
        said.HOME, new=3, new_by_severity={"CRITICAL": 1, "HIGH": 2}, no_longer_open=12, level="CHANGES",
        overdue={"CRITICAL": 2}, due_soon={"HIGH": 4}, owners=owners,
    )  # fmt: skip
    lost = said.ended(said.OTHER, coverage="lost", deactivated_accounts=2, status_unknown=55, level="PROBLEM")
    both = Expected((said.HOME, said.OTHER), ("nightly", "weekly-critical"), by_home=True)
    names = both.reports
    two: list[HomeMessage] = [
        said.start(said.HOME, *names),
        said.start(said.OTHER, *names),
        changed,
        said.ended(said.HOME, names[1], open=70),
        said.ended(said.OTHER, owners=of_the_other),
    ]
    late = said.ended(said.OTHER, owners=of_the_other)
    every = {
        "summary-all-well": said.summary(*begun, said.ended(said.HOME), said.ended(said.OTHER)),
        "summary-changes": said.summary(*begun, changed, late),
        "summary-region-failed": said.summary(*begun, changed, said.failed(said.OTHER)),
        "summary-region-silent": said.summary(begun[0], changed),
        "summary-coverage-lost": said.summary(*begun, said.ended(said.HOME), lost),
        "summary-two-reports": said.summary(*two, expected=both),
        "summary-supplement": said.summary(*begun, changed, late, number=1, new=frozenset({late.key})),
    }
    return {name: every[name] for name in SUMMARIES}


def summary_mail(summary: ReportsSummary, of: Config) -> str:
    """A mail as its reader sees it."""
    return (
        f"Subject: {summary_message.summary_subject(summary, of)}\n\n{summary_message.summary_email(summary, of, _page_of(of))}"
    )


def _page_of(of: Config) -> str:
    return links.object_url(of.bucket, "inspector/summaries/2026-11-30/0300/index.html", of)


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
        "attributes and the event for programs, of a [run](../export-event.schema.json), an [owner](../owner-event.schema.json) or a",
        "[summary](../summary-event.schema.json).",
        "`make messages` renders them from the code; findings, accounts and names are made up.",
        "",
        "| Message | Mail subject | Files |",
        "|---|---|---|",
    ]
    for name, run in (runs() | of_owners()).items():
        files = ", ".join(f"[{language}]({language}/{name}.txt) ([chat]({language}/{name}.json))" for language in LANGUAGES)
        lines.append(f"| {(SHOWN | TO_OWNERS)[name]} | {notification.subject(run, LANGUAGES['en'])} | {files} |")
    for name, summary in summaries().items():
        files = ", ".join(f"[{language}]({language}/{name}.txt) ([chat]({language}/{name}.json))" for language in LANGUAGES)
        lines.append(f"| {SUMMARIES[name]} | {summary_message.summary_subject(summary, LANGUAGES['en'])} | {files} |")
    for name in PICTURED:
        lines += ["", f"{SHOWN[name]}", "", f"![{SHOWN[name]}](pictures/{name}.png)"]
    return "\n".join(lines) + "\n"


def render() -> dict[Path, str]:
    """Every file of the gallery and its text."""
    files = {FOLDER / "README.md": index()}
    for language, of in LANGUAGES.items():
        for kind, run in (runs() | of_owners()).items():
            result: dict[str, Any] = {"chat": notification.chat_message(run, of)}
            # Both are the same in every language.
            if language == "en" and kind in TO_OWNERS:
                result |= {"attributes": notification.owner_attributes(run, of), "event": notification.owner_event(run, of)}
            elif language == "en":
                result |= {"attributes": notification.attributes(run, of), "event": notification.export_event(run, of)}
            files[FOLDER / language / f"{kind}.txt"] = mail(run, of)
            files[FOLDER / language / f"{kind}.json"] = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
        for name, summary in summaries().items():
            shown: dict[str, Any] = {"chat": summary_message.summary_chat(summary, of, _page_of(of))}
            if language == "en":
                shown |= {"event": summary_message.summary_event(summary, of, _page_of(of))}
            files[FOLDER / language / f"{name}.txt"] = summary_mail(summary, of)
            files[FOLDER / language / f"{name}.json"] = json.dumps(shown, indent=2, ensure_ascii=False) + "\n"
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
