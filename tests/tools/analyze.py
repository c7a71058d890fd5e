"""`make analyze`: the deployed analysis on report files from the disk, without AWS.

The reports are read in order, as if the exports had run a day apart and the last one now; each is verified, analyzed, compared with
the one before and rendered by the very code that a deployment runs. Only what surrounds that code is another: files for the bucket,
a list for the history, and what COVERAGE says for Inspector's answers.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import mmap
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from findings_analysis.pipeline import analyze
from findings_analysis.reading import parquet_columns
from findings_analysis.reading.csv_report import read_csv
from findings_analysis.reading.errors import MalformedReportError
from findings_analysis.reading.json_report import read_json
from findings_exporter import notification
from findings_exporter.aws.clients import AnalysisClients
from findings_exporter.aws.run_store import history_line
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.due_dates import RemediationDays, RemediationDaysError
from findings_exporter.model.errors import Failure
from findings_exporter.model.execution import Execution
from findings_exporter.model.layout import owner_rules_key
from findings_exporter.model.owner_rules import UNOWNED, OwnerRules, OwnerRulesError
from findings_exporter.model.plan import make_plan
from findings_exporter.model.run import Run
from findings_exporter.model.taxonomy import NOT_OPEN as NOT_OPEN_STATUSES
from findings_exporter.model.taxonomy import SEVERITIES
from findings_exporter.steps.verify_report import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

REGION = "us-east-1"
BUCKET, KEY_ARN = "analyze", "arn:aws:kms:us-east-1:000000000000:key/analyze"
REPORT_ID = "00000000-0000-0000-0000-000000000000"
NOT_OPEN = re.compile(rb"\b(?:CLOSED|SUPPRESSED)\b")
ALL_STATUSES = {"findingStatus": [{"comparison": "EQUALS", "value": status} for status in ("ACTIVE", "SUPPRESSED", "CLOSED")]}
"""The filter of reports that hold other findings than active ones, which a report without a filter does not."""
ACCOUNT_OF_FINDING = re.compile(rb":(\d{12}):finding/")
SCAN_TYPES = ("ec2", "ecr", "lambda", "lambdaCode", "codeRepository", "ami")
ENABLED = {"status": "ENABLED", "errorCode": "ALREADY_ENABLED", "errorMessage": ""}
PROGRESS_SECONDS = 2
UNOWNED_SHOWN = 20
NO_TABLE = Table(cast("Any", None), "")
"""The history is a list here, and the record of a run is never written."""


class UnusableError(Exception):
    """An argument or a file cannot be used; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Analyse the reports and return the exit code."""
    parser = argparse.ArgumentParser(prog="make analyze", description=__doc__)
    parser.add_argument("reports", nargs="+", type=Path, help="report files of Amazon Inspector, the oldest first")
    parser.add_argument("--out", type=Path, default=Path(".analysis"), help="folder for what is made of them")
    parser.add_argument("--coverage", type=Path, help="JSON list: for each report BatchGetAccountStatus' answer, or null")
    parser.add_argument(
        "--owners", type=Path, help="rules for owners, as config/owners.json has them: they are tried on the reports"
    )
    parser.add_argument("--owner-tag", default="", help="key of the tag that names the owner of what no rule matches")
    parser.add_argument("--remediation-days", default="", help='days in which findings are to be fixed, such as {"CRITICAL": 15}')
    chosen = parser.parse_args(arguments)
    settings = {"OWNER_TAG": chosen.owner_tag, "REMEDIATION_DAYS": chosen.remediation_days, "OWNER_MESSAGES": "ALL"}
    try:
        rules = _rules(chosen.owners, chosen.owner_tag)
        _check_days(chosen.remediation_days)
        coverage = _coverage(chosen.coverage, len(chosen.reports))
        _analyse(chosen.reports, chosen.out, coverage, datetime.now(UTC), settings, rules)
    except UnusableError as error:
        print(f"make analyze: {error}", file=sys.stderr)
        return 1
    return 0


def _rules(path: Path | None, tag: str) -> Path | None:
    """Check the rules for owners, and return their file."""
    if path is None:
        return None
    try:
        OwnerRules.parse(path.read_bytes(), tag)
    except OSError as error:
        raise UnusableError(f"OWNERS={path} cannot be read: {error}.") from error
    except OwnerRulesError as error:
        raise UnusableError("\n- ".join([f"OWNERS={path} cannot be used:", *error.faults])) from error
    return path


def _check_days(text: str) -> None:
    try:
        RemediationDays.parse(text)
    except RemediationDaysError as error:
        raise UnusableError(f"DAYS cannot be used: {error}.") from error


def _analyse(
    reports: Sequence[Path],
    out: Path,
    coverage: Sequence[Mapping[str, Any] | None],
    now: datetime,
    settings: Mapping[str, str],
    rules: Path | None,
) -> None:
    found = {match for report in reports for match in _matches(report)}
    accounts = sorted(account.decode() for account in found if account)
    config = _config(accounts[0] if accounts else "000000000000", ALL_STATUSES if b"" in found else {}, settings)
    out.mkdir(parents=True, exist_ok=True)
    history: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        bucket = Bucket(Path(folder))
        if rules:
            bucket.files[owner_rules_key(config.key_prefix)] = rules
        for number, (report, result) in enumerate(zip(reports, coverage, strict=True), 1):
            started_at = now - timedelta(days=len(reports) - number)
            run = _run(config, report, number, started_at)
            clients = AnalysisClients(
                config, NO_TABLE, cast("Any", bucket), cast("Any", Inspector(accounts, result)), lambda: datetime.now(UTC)
            )
            run = _analyzed(clients, bucket, run, report, lambda: reversed(history))
            history.append(history_line(run))
            _leave(out, number, run, config, bucket)
            print(f"{number}. {report.name}: {notification.subject(run, config)}")
        _print_owners(bucket, run)
    print(f"The mails, chat messages, events, pages and tables are in {out}/: {', '.join(_names(out, len(reports)))}")


def _print_owners(bucket: Bucket, run: Run) -> None:
    """Print how many open findings each owner has, and resources without an owner."""
    headline = run.analysis or {}
    owners = json.loads(bucket.content(headline["analysis_key"]))["owners"]
    if owners is None:
        return
    words = [word for word in SEVERITIES if any(word in each["counts"]["by_severity"] for each in owners.values())]
    rows = [["owner", "open", *(word.lower() for word in words)]]
    rows += [
        [
            owner,
            *(
                f"{count:,}"
                for count in (each["counts"]["open"], *(each["counts"]["by_severity"].get(word, 0) for word in words))
            ),
        ]
        for owner, each in owners.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print()
    for owner, *numbers in rows:
        print("  ".join([owner.ljust(widths[0]), *(n.rjust(w) for n, w in zip(numbers, widths[1:], strict=True))]))
    unowned = _unowned(bucket.content(f"{headline['parquet_prefix']}0001.parquet"))
    if unowned:
        print(f"\nResources without an owner: {len(unowned):,}. The first, with their open findings:")
    for (account, region, kind, resource, tags), count in unowned.most_common(UNOWNED_SHOWN):
        print(f"  {count:>6,}  {account} {region} {kind} {resource}{f'  {tags}' if tags else ''}")
    print()


def _unowned(table: bytes) -> Counter[tuple[Any, ...]]:
    """Return the resources of open findings without an owner."""
    names = ("account_id", "region", "resource_type", "resource_name", "resource_tags")
    found: Counter[tuple[Any, ...]] = Counter()
    for batch in parquet_columns.read(io.BytesIO(table), ["finding_arn", "status", "owner", *names]):
        rows = zip(*(batch[name] for name in ("owner", "status", *names)), strict=True)
        found.update(tuple(place) for owner, status, *place in rows if owner == UNOWNED and status not in NOT_OPEN_STATUSES)
    return found


def _analyzed(
    clients: AnalysisClients, bucket: Bucket, run: Run, report: Path, history: Callable[[], Iterator[Mapping[str, Any]]]
) -> Run:
    plan = run.require_plan()
    key = f"{plan.destination.prefix}{REPORT_ID}.{plan.report_format.lower()}"
    bucket.lay(key, report)
    # Of a tiny file that is no report Inspector would be asked whether anything matches; here it cannot tell.
    delivery = verify(cast("Any", bucket), lambda: None, plan.destination, REPORT_ID, plan.report_format, found_nothing=False)
    if isinstance(delivery, Failure):
        raise UnusableError(
            f"{report} is not a complete findings report ({delivery.error}): {_where_it_breaks(report, plan.report_format)}"
        )
    headline = analyze(clients, run, delivery, history)
    if "error" in headline:
        raise UnusableError(f"{report} cannot be analyzed ({headline['error']}): {headline['sentence']}")
    return replace(run, outcome="SUCCEEDED", delivery=delivery, analysis=headline, ended_at=run.execution.started_at)


def _where_it_breaks(report: Path, report_format: str) -> str:
    """Return what the reader says, which knows the byte or the row."""
    with report.open("rb", buffering=0) as file:
        try:
            for _ in (read_csv if report_format == "CSV" else read_json)(cast("Any", file)):
                pass
        except MalformedReportError as error:
            return str(error)
    return "it does not begin or end as a findings report does."


def _leave(out: Path, number: int, run: Run, config: Config, bucket: Bucket) -> None:
    headline = run.analysis or {}
    (out / f"email-{number}.txt").write_text(notification.email(run, config), encoding="utf-8")
    for name, document in (("chat", notification.chat_message(run, config)), ("event", notification.export_event(run, config))):
        (out / f"{name}-{number}.json").write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    for name, ending, key in (
        ("analysis", "json", headline["analysis_key"]),
        ("index", "html", headline["page_key"]),
        ("findings", "parquet", f"{headline['parquet_prefix']}0001.parquet"),
    ):
        if key:
            (out / f"{name}-{number}.{ending}").write_bytes(bucket.content(key))
    _leave_owners(out / f"owners-{number}", headline, run, config, bucket)


def _leave_owners(folder: Path, headline: Mapping[str, Any], run: Run, config: Config, bucket: Bucket) -> None:
    """Leave the owners' pages and mails."""
    if not headline["owners_key"]:
        return
    folder.mkdir(exist_ok=True)
    for each in json.loads(bucket.content(headline["owners_key"]))["owners"]:
        if each["page_key"]:
            (folder / f"{each['owner']}.html").write_bytes(bucket.content(each["page_key"]))
        bodies = json.loads(notification.owner_publication(run, each, config)["Message"])
        (folder / f"{each['owner']}.txt").write_text(bodies["email"], encoding="utf-8")


def _names(out: Path, reports: int) -> list[str]:
    return sorted(path.name for path in out.iterdir() if path.stem.rpartition("-")[2] == str(reports))


def _run(config: Config, report: Path, number: int, started_at: datetime) -> Run:
    if not report.is_file():
        raise UnusableError(f"{report} is no file.")
    arn = f"arn:aws:states:{REGION}:{config.account}:execution:analyze-ExportFindings:report-{number}"
    execution = Execution(arn, started_at)
    plan = make_plan({"report": {"format": _format(report)}}, config, execution)
    if isinstance(plan, Failure):
        raise UnusableError(plan.cause)
    return Run(execution, "{}", plan, report_id=REPORT_ID, notification_id=f"analyze-{number}")


def _format(report: Path) -> str:
    """Tell by the name, and where that says nothing, by the first sign."""
    if report.suffix.lower() in {".json", ".csv"}:
        return report.suffix[1:].upper()
    with report.open("rb") as file:
        return "JSON" if file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["} else "CSV"


def _matches(report: Path) -> set[bytes]:
    """Return the accounts that a report names, and an empty one where it may hold findings that are not open."""
    if not report.is_file() or not report.stat().st_size:
        return set()
    with report.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        accounts = {match[1] for match in ACCOUNT_OF_FINDING.finditer(content)}
        return accounts | ({b""} if NOT_OPEN.search(content) else set())


def _coverage(path: Path | None, reports: int) -> list[Mapping[str, Any] | None]:
    if path is None:
        return [None] * reports
    try:
        text = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnusableError(f"COVERAGE={path} cannot be read: {error}.") from error
    if not isinstance(text, list) or len(text) != reports:
        raise UnusableError(f"COVERAGE={path} must be a list with {reports} entries, one for each report.")
    for number, entry in enumerate(text, 1):
        if entry is not None and not (isinstance(entry, dict) and isinstance(entry.get("accounts"), list)):
            raise UnusableError(f'Entry {number} of COVERAGE={path} must be {{"accounts": […]}} or null.')
    return text


def _config(account: str, filter_criteria: Mapping[str, Any], settings: Mapping[str, str]) -> Config:
    return Config.from_env(
        {
            "TABLE_NAME": "none",
            "TOPIC_ARN": f"arn:aws:sns:{REGION}:{account}:none",
            "STATE_MACHINE_ARN": f"arn:aws:states:{REGION}:{account}:stateMachine:analyze-ExportFindings",
            "BUCKET": BUCKET,
            "BUCKET_OWNER": account,
            "KEY_PREFIX": "inspector",
            "KMS_KEY_ARN": KEY_ARN,
            "REPORT_NAME": "report",
            "REPORT_FORMAT": "JSON",
            "FILTER_CRITERIA": json.dumps(filter_criteria),
            "ON_BUSY": "wait",
            "DEADLINE_HOURS": "6",
            **settings,
        }
    )


@dataclass
class Bucket:
    """What the code asks S3 for, from files in a folder."""

    folder: Path

    def __post_init__(self) -> None:
        """Begin empty."""
        self.files: dict[str, Path] = {}
        self.report_key = ""
        self._printed_at = time.monotonic()

    def lay(self, key: str, path: Path) -> None:
        """Let a report lie under its key."""
        self.files[key] = path
        self.report_key = key

    def content(self, key: str) -> bytes:
        """Return an object."""
        return self.files[key].read_bytes()

    def list_objects_v2(self, *, Prefix: str, **_: object) -> dict[str, Any]:  # noqa: N803 - S3's names
        """List keys."""
        at = datetime.now(UTC)
        return {"Contents": [{"Key": key, "LastModified": at} for key in self.files if key.startswith(Prefix)]}

    def head_object(self, *, Key: str, **_: object) -> dict[str, Any]:  # noqa: N803
        """Tell of an object."""
        status = self.files[Key].stat()
        etag = hashlib.sha256(f"{Key} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()
        return {"ContentLength": status.st_size, "ETag": etag, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY_ARN}

    def get_object(self, *, Key: str, Range: str = "bytes=0-", **_: object) -> dict[str, Any]:  # noqa: N803
        """Give a range of an object; long ones show their progress."""
        size = self.files[Key].stat().st_size
        first, last = Range.removeprefix("bytes=").split("-")
        begin = int(first) if first else max(size - int(last), 0)
        end = min(int(last) + 1, size) if first and last else size
        if Key == self.report_key and time.monotonic() - self._printed_at > PROGRESS_SECONDS:
            self._printed_at = time.monotonic()
            print(f"{self.files[Key].name}: {end / size:.0%} of {size / 1e6:,.0f} MB", file=sys.stderr)
        with self.files[Key].open("rb") as file:
            file.seek(begin)
            return {"Body": io.BytesIO(file.read(end - begin)), "ETag": self.head_object(Key=Key)["ETag"]}

    def put_object(self, *, Key: str, Body: Any, **_: object) -> dict[str, Any]:  # noqa: N803
        """Store an object."""
        path = self.folder / str(len(self.files))
        path.write_bytes(Body if isinstance(Body, bytes) else Body.read())
        self.files[Key] = path
        return {"ETag": self.head_object(Key=Key)["ETag"]}


@dataclass
class Inspector:
    """What the code asks Inspector for, from an entry of COVERAGE.

    Attributes
    ----------
    accounts
        That any of the reports names.
    answer
        BatchGetAccountStatus' answer, with ``items`` as ListConnectors has them where it holds any; None: all is enabled.
    """

    accounts: Sequence[str]
    answer: Mapping[str, Any] | None

    def batch_get_account_status(self, *, accountIds: Sequence[str]) -> dict[str, Any]:  # noqa: N803
        """Answer for accounts; an entry without scan types counts for all of them."""
        if self.answer is None:
            entries: dict[str, Any] = {account: {"accountId": account, "state": ENABLED} for account in accountIds}
        else:
            entries = {entry["accountId"]: entry for entry in self.answer["accounts"]}
        failed: list[Any] = [each for each in (self.answer or {}).get("failedAccounts", ()) if each["accountId"] in accountIds]
        failed += [
            {"accountId": account, "errorCode": "NOT_GIVEN", "errorMessage": "COVERAGE has no entry for it"}
            for account in accountIds
            if account not in {*entries, *(each["accountId"] for each in failed)}
        ]
        found = [entries[account] for account in accountIds if account in entries]
        return {
            "accounts": [{"resourceState": dict.fromkeys(SCAN_TYPES, entry["state"]), **entry} for entry in found],
            "failedAccounts": failed,
        }

    def batch_get_finding_details(self, **_: object) -> dict[str, Any]:
        """Say nothing of known exploited vulnerabilities."""
        raise _not_asked("BatchGetFindingDetails")

    def get_paginator(self, operation: str) -> Any:
        """Page through members and connectors; nothing else of Inspector is known here."""

        class Pages:
            def paginate(_, **__: object) -> Iterator[dict[str, Any]]:  # noqa: N805
                if operation == "list_members":
                    result = [entry["accountId"] for entry in (self.answer or {}).get("accounts", ())]
                    yield {"members": [{"accountId": account} for account in {*self.accounts, *result}]}
                elif operation == "list_connectors" and "items" in (self.answer or {}):
                    yield {"items": (self.answer or {})["items"]}
                else:
                    raise _not_asked("".join(word.capitalize() for word in operation.split("_")))

        return Pages()


def _not_asked(operation: str) -> ClientError:
    answer: Any = {"Error": {"Code": "NotAsked", "Message": "make analyze asks no AWS"}}
    return ClientError(answer, operation)


if __name__ == "__main__":
    sys.exit(main())
