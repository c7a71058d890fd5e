"""The saved questions of Athena, asked on the embedded AWS by an analyst, of Parquet that the analysis' own writer wrote.

The embedded Athena is DuckDB behind Athena's API: it answers with SQL that both know, finds partitions by the folders' names and
not by projection, and reads no more than there is. What only Athena itself can confirm is in docs/limits.md.
"""

from __future__ import annotations

import ast
import io
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from findings_analysis.output import due_table, parquet
from findings_analysis.reading.schema import FINDING_KEY, NAMES, OWNER_COLUMN
from tests.local_aws.athena_reader import AthenaReader
from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.inspector_control import InspectorControl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.local_aws.server import LocalAws

type Finding = dict[str, Any]

DAY_MS = 86_400_000
NOW = datetime.now(UTC)
CURRENT = (NOW - timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
"""Noon of yesterday, so that a midnight during the test moves nothing in or out."""
DAYS = 30
ACCOUNTS = ("111122223333", "444455556666", "777788889999")
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "UNTRIAGED")


class Run:
    """One run with its findings."""

    def __init__(self, execution: str, started_at: datetime, findings: Sequence[Finding]) -> None:
        self.execution, self.started_at, self.findings = execution, started_at, findings
        self.day = f"{started_at:%Y-%m-%d}"

    def open(self) -> list[Finding]:
        return [each for each in self.findings if each["status"] == "ACTIVE"]

    def files(self) -> Iterator[bytes]:
        """The Parquet files of the run, as a report of three parts has them."""
        for number in range(3):
            file = io.BytesIO()
            columns = (*NAMES, OWNER_COLUMN.name, FINDING_KEY.name)
            parquet.write([{name: [each[name] for each in self.findings[number::3]] for name in columns}], file, self.started_at)
            yield file.getvalue()

    def due_file(self) -> bytes:
        """The Parquet file of due dates: 30 days after Inspector's first observation, for criticals alone."""
        rows, file, found = io.BytesIO(), io.BytesIO(), self.open()
        first = [each["first_observed_at"] // DAY_MS for each in found]
        rows.write(len(found).to_bytes(4))
        rows.write(b"".join(each["finding_key"].to_bytes(8, signed=True) for each in found))
        rows.write(b"".join(day.to_bytes(2) for day in first))
        due = [day + DAYS if each["severity"] == "CRITICAL" else 0 for each, day in zip(found, first, strict=True)]
        rows.write(b"".join(day.to_bytes(4) for day in due))
        due_table.write(rows, file, self.started_at)
        return file.getvalue()


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def findings(seed: int, count: int) -> list[Finding]:
    """Findings of which no two are on the same resource with the same vulnerability, but for a second package of some."""
    draw = random.Random(seed)
    made = []
    for number in range(count):
        account = draw.choice(ACCOUNTS)
        first = ms(CURRENT - timedelta(days=draw.randint(1, 300), seconds=draw.randint(0, 86_399)))
        closed = draw.random() < 0.2
        made.append(
            dict.fromkeys(NAMES)
            | {
                "owner": draw.choice(("shop", "platform", None)),
                "finding_key": seed * 1_000 + number - 2_500,
                "finding_arn": f"arn:aws:inspector2:eu-west-1:{account}:finding/{seed}-{number}",
                "account_id": account,
                "region": "eu-west-1",
                "type": "PACKAGE_VULNERABILITY",
                "severity": draw.choice(SEVERITIES),
                "status": "CLOSED" if closed else draw.choice(("ACTIVE", "ACTIVE", "ACTIVE", "SUPPRESSED")),
                "title": f"CVE-{seed}-{number} - library, it's",
                "first_observed_at": first,
                "updated_at": first + draw.randint(1, 90) * DAY_MS // 4,
                "fix_available": draw.choice(("YES", "NO", "PARTIAL", None)),
                "exploit_available": draw.choice(("YES", "NO")),
                "inspector_score": draw.choice((None, 9.8, 5.0)),
                "vulnerability_id": draw.choice((f"CVE-{seed}-{number}", None)),
                "package_names": ["library", None, "other"],
                "resource_type": "AWS_ECR_CONTAINER_IMAGE",
                "resource_id": f"arn:aws:ecr:eu-west-1:{account}:repository/app{number}/sha256:{seed}",
                "resource_name": draw.choice((f"app{number}", None)),
            }
        )
    return made


def new_arn(finding: Finding) -> Finding:
    """The same vulnerability in a rebuilt image."""
    return finding | {"finding_arn": finding["finding_arn"] + "-again", "first_observed_at": ms(CURRENT)}


def daily_runs() -> list[Run]:
    """A week and two days of runs; two of them on the last day, the later one with the name that sorts first."""
    old = findings(1, 60)
    named = [each for each in old if each["resource_name"]]
    middle, new = findings(2, 40), findings(3, 25)
    kept = old[10:]
    current = [new_arn(each) if each in named[-5:] else each for each in kept] + new
    return [
        Run("m-before", CURRENT - timedelta(days=9), old[:30]),
        Run("n-a-week-ago", CURRENT - timedelta(days=7) + timedelta(seconds=9), old),
        Run("o-in-between", CURRENT - timedelta(days=3), old + middle),
        Run("z-now-first", CURRENT, findings(4, 50)),
        Run("a-now-again", CURRENT + timedelta(hours=2), current),
    ]


RUNS = daily_runs()
LATEST, A_WEEK_AGO = RUNS[-1], RUNS[1]


@pytest.fixture(scope="module")
def asked(exporter_aws: LocalAws) -> Exporter:
    exporter = Exporter.deploy(exporter_aws, "asked", parameters={"Athena": "ON", "AthenaDatabase": "asked"})
    for run in RUNS:
        put(exporter, "nightly", run)
    put(exporter, "other", Run("b-other", CURRENT + timedelta(hours=3), findings(5, 20)))
    return exporter


def put(exporter: Exporter, report: str, run: Run) -> None:
    for number, content in enumerate(run.files(), 1):
        key = f"inspector/findings/report={report}/day={run.day}/{run.execution}/{number:04}.parquet"
        exporter.client("s3").put_object(Bucket=exporter.outputs["BucketName"], Key=key, Body=content)
    key = f"inspector/due/report={report}/day={run.day}/{run.execution}/0001.parquet"
    exporter.client("s3").put_object(Bucket=exporter.outputs["BucketName"], Key=key, Body=run.due_file())


@pytest.fixture(scope="module")
def analyst(asked: Exporter) -> Iterator[AthenaReader]:
    analyst = AthenaReader(asked)
    yield analyst
    iam = asked.client("iam")
    iam.detach_role_policy(RoleName="athena-reader", PolicyArn=asked.outputs["AthenaReaderPolicyArn"])
    iam.delete_role(RoleName="athena-reader")


def moment(text: str | None) -> datetime:
    return datetime.fromisoformat(str(text)).replace(tzinfo=UTC)


def thing(finding: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        finding["account_id"],
        finding["resource_name"] or finding["resource_id"],
        finding["vulnerability_id"] or finding["title"],
    )


def test_the_latest_run_is_the_one_that_began_last_whatever_its_name(analyst: AthenaReader) -> None:
    rows = analyst.ask("Findings of the latest run")
    assert sorted(str(row["finding_arn"]) for row in rows) == sorted(each["finding_arn"] for each in LATEST.findings)
    assert {moment(row["run_started_at"]) for row in rows} == {LATEST.started_at}
    assert {(row["report"], row["day"]) for row in rows} == {("nightly", LATEST.day)}
    by_arn = {each["finding_arn"]: each for each in LATEST.findings}
    for row in rows:
        finding = by_arn[row["finding_arn"]]
        assert ast.literal_eval(str(row["package_names"])) == finding["package_names"]
        assert ms(moment(row["first_observed_at"])) == finding["first_observed_at"]
        assert (row["title"], row["vulnerability_id"]) == (finding["title"], finding["vulnerability_id"])


def test_open_criticals_by_account(analyst: AthenaReader) -> None:
    critical = [each for each in LATEST.open() if each["severity"] == "CRITICAL"]
    counts = Counter(each["account_id"] for each in critical)
    rows = analyst.ask("Open criticals by account")
    assert [row["account_id"] for row in rows] == sorted(counts, key=lambda account: (-counts[account], account))
    for row in rows:
        of_account = [each for each in critical if each["account_id"] == row["account_id"]]
        assert int(str(row["open_criticals"])) == len(of_account)
        assert int(str(row["with_fix"])) == sum(each["fix_available"] == "YES" for each in of_account)
        assert int(str(row["with_known_exploit"])) == sum(each["exploit_available"] == "YES" for each in of_account)
        assert ms(moment(row["oldest_first_observed_at"])) == min(each["first_observed_at"] for each in of_account)


def test_oldest_fixable(analyst: AthenaReader) -> None:
    fixable = [each for each in LATEST.open() if each["fix_available"] == "YES"]
    oldest = sorted(fixable, key=lambda each: (each["first_observed_at"], each["finding_arn"]))
    rows = analyst.ask("Oldest fixable")
    assert [row["finding_arn"] for row in rows] == [each["finding_arn"] for each in oldest]
    assert [int(str(row["age_days"])) for row in rows] == [
        ms(LATEST.started_at) // DAY_MS - each["first_observed_at"] // DAY_MS for each in oldest
    ]
    assert {(row["resource"], row["vulnerability"]) for row in rows} == {thing(each)[1:] for each in oldest}


def test_appeared_this_week_is_compared_with_the_run_of_a_week_ago_and_knows_rebuilt_images(analyst: AthenaReader) -> None:
    before = {thing(each) for each in A_WEEK_AGO.open()}
    appeared = {thing(each) for each in LATEST.open()} - before
    rows = analyst.ask("Appeared this week")
    assert sorted((row["account_id"], row["resource"], row["vulnerability"]) for row in rows) == sorted(appeared)
    assert 0 < len(appeared) < len(LATEST.open())
    assert any(each["finding_arn"].endswith("-again") for each in LATEST.open()), "else no image was rebuilt"
    assert {moment(row["compared_with"]) for row in rows} == {A_WEEK_AGO.started_at}


def test_mean_time_to_close(analyst: AthenaReader) -> None:
    closed: dict[str, Finding] = {}
    for run in RUNS:
        closed |= {each["finding_arn"]: each for each in run.findings if each["status"] == "CLOSED"}
    days: dict[str, list[float]] = {}
    for each in closed.values():
        first = min(
            other["first_observed_at"] for run in RUNS for other in run.findings
            if other["finding_arn"] == each["finding_arn"] and other["status"] == "CLOSED"
        )  # fmt: skip
        days.setdefault(each["severity"], []).append((each["updated_at"] - first) / DAY_MS)
    rows = analyst.ask("Mean time to close")
    assert {row["severity"]: int(str(row["closed"])) for row in rows} == {name: len(each) for name, each in days.items()}
    for row in rows:
        of_severity = days[str(row["severity"])]
        assert float(str(row["mean_days"])) == pytest.approx(sum(of_severity) / len(of_severity), abs=0.051)
        assert float(str(row["shortest_days"])) == pytest.approx(min(of_severity), abs=0.051)
        assert float(str(row["longest_days"])) == pytest.approx(max(of_severity), abs=0.051)


def test_open_findings_by_day_are_those_of_each_days_latest_run(analyst: AthenaReader) -> None:
    rows = analyst.ask("Open findings by day")
    latest = {run.day: run for run in RUNS}
    assert [row["day"] for row in rows] == sorted(latest)
    for row in rows:
        counts = Counter(each["severity"] for each in latest[str(row["day"])].open())
        result = tuple(int(str(row[name])) for name in ("critical", "high", "medium", "others", "open_findings"))
        others = counts["LOW"] + counts["UNTRIAGED"]
        assert result == (counts["CRITICAL"], counts["HIGH"], counts["MEDIUM"], others, counts.total())


def test_open_findings_by_owner(analyst: AthenaReader) -> None:
    rows = analyst.ask("Open findings by owner")
    open_now = Counter(each["owner"] or "unknown" for each in LATEST.open())
    criticals = Counter(each["owner"] or "unknown" for each in LATEST.open() if each["severity"] == "CRITICAL")
    assert {row["owner"]: int(str(row["open_findings"])) for row in rows} == open_now
    assert {row["owner"]: int(str(row["critical"])) for row in rows} == {owner: criticals[owner] for owner in open_now}


def test_overdue_by_owner(analyst: AthenaReader) -> None:
    late = [
        (each["owner"] or "unknown", each["first_observed_at"] // DAY_MS + DAYS)
        for each in LATEST.open()
        if each["severity"] == "CRITICAL" and each["first_observed_at"] // DAY_MS + DAYS < ms(NOW) // DAY_MS
    ]
    rows = analyst.ask("Overdue by owner")
    assert {row["owner"]: int(str(row["overdue"])) for row in rows} == Counter(owner for owner, _ in late)
    for row in rows:
        since = min(day for owner, day in late if owner == row["owner"])
        assert str(row["overdue_since"])[:10] == f"{datetime.fromtimestamp(since * 86_400, UTC):%Y-%m-%d}"
        assert row["severity"] == "CRITICAL"


def test_all_open_findings_come_with_their_owners_the_most_severe_first(analyst: AthenaReader) -> None:
    rows = analyst.ask("All open findings")
    assert sorted(str(row["finding_arn"]) for row in rows) == sorted(each["finding_arn"] for each in LATEST.open())
    owners = {each["finding_arn"]: each["owner"] for each in LATEST.open()}
    assert all(row["owner"] == owners[str(row["finding_arn"])] for row in rows)
    ranks = [SEVERITIES.index(str(row["severity"])) for row in rows]
    assert ranks == sorted(ranks)


def test_another_report_is_asked_for_by_its_name(analyst: AthenaReader) -> None:
    sql = analyst.saved()["Findings of the latest run"].replace("'nightly'", "'other'")
    assert len(analyst.ask("", sql)) == 20


def test_results_lie_where_the_workgroup_says(asked: Exporter, analyst: AthenaReader) -> None:
    analyst.ask("Open criticals by account")
    listed = asked.client("s3").list_objects_v2(Bucket=asked.outputs["BucketName"], Prefix="inspector/athena/")
    assert any(each["Key"].endswith(".csv") for each in listed["Contents"])


def test_an_analyst_may_ask_in_this_workgroup_only(analyst: AthenaReader) -> None:
    with pytest.raises(analyst.athena.exceptions.ClientError, match="AccessDenied"):
        analyst.athena.start_query_execution(
            QueryString="SELECT 1", WorkGroup="primary", ResultConfiguration={"OutputLocation": "s3://elsewhere/"}
        )


def test_what_a_run_leaves_can_be_asked_for(asked: Exporter, analyst: AthenaReader) -> None:
    inspector = InspectorControl(asked.aws, asked.account, asked.region)
    inspector.reset()
    inspector.seed(findings=30, seed=1)
    inspector.configure(base_seconds=0.3, seconds_per_1000=0.0)
    ended = asked.run({"report": {"name": "asked"}}, seconds=90)
    assert ended.status == "SUCCEEDED", ended.cause
    sql = analyst.saved()["Findings of the latest run"].replace("'nightly'", "'asked'")
    rows = analyst.ask("", sql)
    assert sorted(str(row["finding_arn"]) for row in rows) == sorted(each["findingArn"] for each in inspector.findings())
    started = {moment(row["run_started_at"]) for row in rows}
    assert len(started) == 1
    assert abs(started.pop() - ended.started_at) < timedelta(seconds=1)
