"""Every kind of message, as it goes out: docs/gallery. `make messages` renders it again, a test keeps it current.

Findings, accounts and names are made up.
"""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from findings_digest.coverage import AccountScanning, Coverage, Scanning
from findings_digest.keys import Counted, Header, Summary
from findings_digest.verdict import judge
from findings_exporter import messages
from findings_exporter.config import Config
from findings_exporter.errors import Failure
from findings_exporter.explanations import EXPLANATIONS
from findings_exporter.runs import Run
from tests.unit.builders import (
    BUCKET,
    REPORT_ID,
    SCHEDULE,
    brief,
    config,
    delivery,
    ended_run,
    execution,
    failed_run,
    finding,
    nothing,
    plan,
)

ACCOUNT, OTHER = "123456789012", "210987654321"
FOLDER = Path("docs/gallery")
LANGUAGES = {"en": config(LANGUAGE="en", TIME_ZONE="Europe/Berlin"), "ja": config(LANGUAGE="ja", TIME_ZONE="Asia/Tokyo")}
NIGHT = execution("4f9c2a4e-8d0b-4c0e-9a55-0c7d8a3c1d11_5a7e1c52-4d2a-4b7c-9b43-1a2b3c4d5e6f")
"""As EventBridge Scheduler names an execution."""
CAUSES = {
    "Report.INVALID_PERMISSIONS": f"The report {REPORT_ID} ended as FAILED with INVALID_PERMISSIONS.",
    "DeadlineExceeded": f"The report {REPORT_ID} was still in progress after 6 hours and was cancelled.",
    "InvalidInput": "The execution's input is wrong, so nothing was exported:\n- report.nmae is not known; did you mean name?",
    "Stopped": "The execution was stopped.",
    "TimedOut": "The execution ran into the state machine's time limit.",
}
OUTCOMES: dict[str, Any] = {"Stopped": "ABORTED", "TimedOut": "TIMED_OUT"}
SETUP = {
    "verdict": "failed",
    "failed": [
        {
            "check": "bucket_policy_for_inspector",
            "sentence": f"The policy of the bucket {BUCKET} does not allow Inspector s3:PutObject.",
            "evidence": ["statement 1 does not apply: it does not name s3:PutObject"],
            "fix": ["Add the policy statement below to the bucket policy."],
            "statements": [
                {
                    "Sid": "InspectorMayWriteReports",
                    "Effect": "Allow",
                    "Principal": {"Service": "inspector2.amazonaws.com"},
                    "Action": ["s3:PutObject", "s3:PutObjectAcl", "s3:AbortMultipartUpload"],
                    "Resource": f"arn:aws:s3:::{BUCKET}/*",
                }
            ],
        }
    ],
    "unknown": [],
}


def night(digest: Mapping[str, Any] | None, **fields: Any) -> Run:
    """A scheduled night."""
    made = plan({"schedule": {"scheduled_for": "2026-11-23T03:00:00Z", "arn": SCHEDULE}}, NIGHT)
    key = f"{made.destination.prefix}{REPORT_ID}.json"
    return ended_run(**{"execution": NIGHT, "plan": made, "digest": digest, "delivery": delivery(key=key)} | fields)


def failure(error: str) -> Run:
    """A night that failed."""
    cause = CAUSES.get(error, "What happened stands here, as the step told it.")
    run = failed_run(Failure(error, cause), execution=NIGHT, plan=None if error == "InvalidInput" else plan({}, NIGHT))
    return replace(run, outcome=OUTCOMES.get(error, "FAILED"))


def nights() -> dict[str, Run]:
    """Every kind of night that did not fail, by its name."""
    empty: dict[str, Any] = {"total": 0, "open": 0, "by_severity": {}, "worst_new": [], "fix_first": []}
    no_change = {"appeared": 0, "gone": 0, "counts": {"still_open": 1204}, "appeared_by_severity": {}, "gone_by_severity": {}}
    unseen = no_change | {"counts": {"not_looked_at": 1222}}
    quiet = {"changes": no_change, "worst_new": [], "worst_gone": []}
    alone: dict[str, Any] = {"baseline": None, "changes": None, "worst_new": [], "worst_gone": []}
    on, everywhere = scanning(ec2="on", ecr="on"), {"ec2": 210, "ecr": 1012}
    off, missing = scanning(ec2="off", ecr="off"), {"ec2": 131, "ecr": 600}
    unread = scanning(state="unknown", why="the account status could not be read: AccessDeniedException")
    looked = judged({}, {ACCOUNT: on})
    nobody = judged({}, {ACCOUNT: on}, before={ACCOUNT: everywhere}, scanned=0, not_scanned=412)
    dark = judged(
        {ACCOUNT: {"ecr": 1204}},
        {ACCOUNT: on, OTHER: off},
        before={ACCOUNT: {"ecr": 1192}, OTHER: missing},
        missing={OTHER: missing},
    )
    blind = brief()["changes"] | {
        "gone": 0,
        "counts": {"still_open": 1192, "new": 12, "not_looked_at": 731},
        "gone_by_severity": {},
    }
    fallen = {"appeared": 2, "gone": 1013, "counts": {"new": 2, "closed": 1013}, "appeared_by_severity": {"LOW": 2},
              "gone_by_severity": {"HIGH": 400, "MEDIUM": 613}}  # fmt: skip
    image, instance, function = "AWS_ECR_CONTAINER_IMAGE", "AWS_EC2_INSTANCE", "AWS_LAMBDA_FUNCTION"
    several = [
        finding(resource_type=image, resource_names=["shop/api"], resources=4, findings=4),
        finding(
            vulnerability_id="CVE-2026-20311",
            title="CVE-2026-20311 - libxml2",
            packages=["libxml2"],
            exploit_known=False,
            resource_type=instance,
            resource="i-0abc1234def567890",
            resources=137,
            findings=137,
            resources_at_least=True,
            resource_names=["i-0abc1234def567890", "i-0abc1234def567891", "i-0abc1234def567892"],
            account_id=None,
        ),
        finding(
            severity="HIGH",
            vulnerability_id=None,
            title="CWE-798 - Hardcoded credentials",
            packages=[],
            fix_available=None,
            exploit_known=False,
            resource_type=function,
            resource="web-user-manager-api-stage-healthCheck",
            findings=3,
        ),
    ]
    return {
        "changes": night(brief()),
        "changes-of-another-report": night(brief(), plan=plan({"report": {"name": "critical-weekly"}}, NIGHT)),
        "changes-in-several-places": night(brief(worst_new=several, worst_gone=several[:1])),
        "changes-without-a-page": night(brief(page_key=None)),
        "quiet": night(brief(**quiet)),
        "dark": night(brief(verdict=dark, changes=blind)),
        "dark-nothing-scanned": night(
            brief(
                **empty,
                changes=unseen,
                worst_gone=[],
                verdict=nobody,
                coverage={"scanned": 0, "not_scanned": 412},
            ),
            delivery=nothing("no_findings"),
        ),
        "unknown": night(
            brief(
                **empty,
                changes=unseen,
                worst_gone=[],
                verdict=judged(
                    {}, {ACCOUNT: unread}, before={ACCOUNT: everywhere}, missing={ACCOUNT: everywhere}, scanned=None, not_scanned=None
                ),
                coverage={"scanned": None, "not_scanned": None},
            ),
            delivery=nothing("no_object"),
        ),
        "sudden-fall": night(
            brief(
                total=211, open=211, by_severity={"HIGH": 90, "MEDIUM": 121}, changes=fallen, worst_new=[],
                verdict=judged({ACCOUNT: {"ecr": 211}}, {ACCOUNT: on}, before={ACCOUNT: everywhere}),
            )
        ),
        "first-night": night(brief(**alone, no_baseline="first_run")),
        "filter-changed": night(brief(**alone, no_baseline="filter_changed")),
        "not-compared-no-digest": night(brief(**alone, no_baseline="no_digest")),
        "not-compared-unreadable": night(brief(**alone, no_baseline="unreadable")),
        "nothing-found": night(
            brief(**empty, changes=no_change | {"gone": 3, "counts": {"closed": 3}, "gone_by_severity": {"LOW": 3}},
                  verdict=looked),
            delivery=nothing("no_findings"),
        ),
        "nothing-found-again": night(
            brief(**empty, changes=no_change | {"counts": {}}, worst_gone=[], verdict=looked),
            delivery=nothing("empty_object"),
        ),
        "digest-failed": night(
            {
                "error": "Digest.ReportUnreadable",
                "sentence": "S3 refused to give the report to digest_report (AccessDenied). Mend the policy of the bucket or the key:"
                " the stack's outputs hold what to paste. The next run makes its own digest.",
            }
        ),
        "without-a-digest": night(None),
        "without-a-digest-nothing-found": night(None, delivery=nothing("no_object")),
    }  # fmt: skip


def scanning(state: Scanning = "on", why: str = "", **scan_types: Scanning) -> AccountScanning:
    """What Inspector does in an account."""
    return AccountScanning(state, scan_types, why)


def judged(
    tonight: Counted,
    accounts: Mapping[str, AccountScanning],
    before: Counted | None = None,
    missing: Counted | None = None,
    scanned: int | None = 412,
    not_scanned: int | None = 6,
) -> dict[str, Any]:
    """The verdict of a night as a brief has it; findings by account and scan type."""
    baseline = Header("nightly", "before", "2026-11-22T03:00:00+00:00", "", {}, {}), Summary(0, before or {}, {})
    told = judge(places(tonight), Coverage(ACCOUNT, accounts, scanned, not_scanned), baseline, None, places(missing or {}))
    return told.to_dict() | {"dark_accounts": len(told.dark)}


def places(counted: Counted) -> dict[tuple[str, str], int]:
    """Findings by place."""
    return {(account, scan_type): count for account, each in counted.items() for scan_type, count in each.items()}


def runs() -> dict[str, Run]:
    """Every kind of run that is told, by its name."""
    failures = {f"failed-{name(error)}": failure(error) for error in [*EXPLANATIONS, "SomethingUnexpected"]}
    broken = failures[f"failed-{name('Report.INVALID_PERMISSIONS')}"]
    assert broken.failure
    checked = replace(broken, failure=replace(broken.failure, setup=SETUP))
    return nights() | failures | {"failed-and-the-setup-was-checked": checked}


def name(error: str) -> str:
    """An error's name as a file's."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z])(?=[A-Z])", "-", error).lower())


def mail(run: Run, of: Config) -> str:
    """A mail as its reader sees it."""
    return f"Subject: {messages.subject(run, of)}\n\n{messages.email(run, of)}"


def render() -> dict[Path, str]:
    """Every file of the gallery and its text."""
    files = {}
    for language, of in LANGUAGES.items():
        for kind, run in runs().items():
            told: dict[str, Any] = {"chat": messages.chat(run, of)}
            if language == "en":
                # The same in every language.
                told |= {"attributes": messages.attributes(run, of), "event": messages.export_event(run, of)}
            files[FOLDER / language / f"{kind}.txt"] = mail(run, of)
            files[FOLDER / language / f"{kind}.json"] = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
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
