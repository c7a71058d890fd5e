"""Athena as it is deployed: the table is the Parquet's, the workgroup is closed, the questions are in it."""

import json
import re
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from arro3.core import DataType

from findings_analysis.output import due_table
from findings_analysis.reading.schema import TABLE_COLUMNS
from findings_exporter.model.execution import Execution
from findings_exporter.model.layout import analysis_keys
from tests.builders.rendered import ACCOUNT, EXISTING, OTHER_ACCOUNT, VARIANTS, Place, Rendered
from tests.contract.parts import RESOURCES, TEMPLATE, TEMPLATE_TEXT, listed

PARTS = {
    "AWS::Athena::NamedQuery",
    "AWS::Athena::WorkGroup",
    "AWS::Glue::Database",
    "AWS::Glue::Table",
    "AWS::IAM::ManagedPolicy",
}
OWN = Rendered(VARIANTS["Athena"])
EXTERNAL = Rendered(VARIANTS["Athena on an existing bucket and key"])
OWN_BUCKET, EXISTING_BUCKET = "findings-Bucket", EXISTING["ExistingBucketName"]
BOTH = pytest.mark.parametrize(
    ("rendered", "bucket", "owner", "key"),
    [(OWN, OWN_BUCKET, ACCOUNT, OWN.arn("Key")), (EXTERNAL, EXISTING_BUCKET, OTHER_ACCOUNT, EXISTING["ExistingKeyArn"])],
    ids=["own", "existing"],
)
QUERIES = {each["Name"]: each for each in OWN.of_type("AWS::Athena::NamedQuery").values()}


def the(kind: str, rendered: Rendered = OWN) -> dict[str, Any]:
    (properties,) = rendered.of_type(kind).values()
    return properties


def table(rendered: Rendered = OWN, name: str = "AthenaTable") -> dict[str, Any]:
    found: dict[str, Any] = rendered.of_type("AWS::Glue::Table")[name]["TableInput"]
    return found


TABLES = pytest.mark.parametrize("name", ["AthenaTable", "AthenaDueTable"])


def reader(rendered: Rendered) -> list[dict[str, Any]]:
    policy = rendered.of_type("AWS::IAM::ManagedPolicy")["AthenaReaderPolicy"]
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return statements


def statements_to_add(output: str) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = json.loads(f"[{EXTERNAL.outputs[output]}]")
    return statements


def allows(statements: list[dict[str, Any]], action: str, resource: str, context: dict[str, str]) -> bool:
    """Decide on a call as IAM does: a condition on what the call does not have is not met."""

    def met(condition: dict[str, dict[str, Any]]) -> bool:
        assert set(condition) <= {"ArnLike", "StringLike", "StringEquals"}
        wanted = [each for operator in condition.values() for each in operator.items()]
        return all(key in context and any(fnmatchcase(context[key], each) for each in listed(values)) for key, values in wanted)

    return any(
        action in listed(each["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in listed(each["Resource"]))
        and met(each.get("Condition", {}))
        for each in statements
        if each["Effect"] == "Allow"
    )


class TestSwitch:
    def test_nothing_of_it_is_created_unless_it_is_requested(self) -> None:
        assert {name for name, each in Rendered().resources.items() if each["Type"] in PARTS} == {"TracePolicy"}
        assert [name for name in Rendered().outputs if "Athena" in name or "Reader" in name] == []

    def test_it_adds_nothing_else(self) -> None:
        added = OWN.resources.keys() - Rendered().resources.keys()
        assert {OWN.resources[name]["Type"] for name in added} == PARTS
        assert all(RESOURCES[name]["Condition"] == "UseAthena" for name in added)

    def test_it_is_refused_without_the_analysis_that_writes_its_files(self) -> None:
        rule = TEMPLATE["Rules"]["AthenaNeedsTheAnalysis"]
        assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Athena"}, "ON"]}
        assert rule["Assertions"][0]["Assert"] == {"Fn::Equals": [{"Ref": "Analysis"}, "ON"]}


class TestTable:
    def test_its_columns_are_those_of_the_parquet(self) -> None:
        columns = table()["StorageDescriptor"]["Columns"]
        assert columns == [{"Name": each.name, "Type": each.type, "Comment": each.meaning} for each in TABLE_COLUMNS]
        assert all(len(each["Comment"]) <= 255 for each in columns), "Glue's limit"

    def test_the_columns_of_due_dates_are_those_of_their_parquet(self) -> None:
        columns = table(name="AthenaDueTable")["StorageDescriptor"]["Columns"]
        kinds = {"bigint": DataType.is_int64, "date": DataType.is_date32, "timestamp": DataType.is_timestamp}
        assert [each["Name"] for each in columns] == due_table.DUE_SCHEMA.names
        assert all(kinds[each["Type"]](due_table.DUE_SCHEMA.field(each["Name"]).type) for each in columns)

    @TABLES
    @pytest.mark.parametrize(("rendered", "bucket"), [(OWN, OWN_BUCKET), (EXTERNAL, EXISTING_BUCKET)], ids=["own", "existing"])
    def test_its_partitions_are_where_the_analysis_writes(self, rendered: Rendered, bucket: str, name: str) -> None:
        of = table(rendered, name)
        written = analysis_keys(
            "inspector", "nightly", Execution("arn:x:run-1", datetime(2026, 11, 23, tzinfo=UTC)), is_regular=True
        )
        key = written.parquet_prefix if name == "AthenaTable" else written.due_dates
        folder = key.partition("run-1/")[0].replace("nightly", "${report}").replace("2026-11-23", "${day}")
        layout = f"s3://{bucket}/{folder}"
        assert of["Parameters"]["storage.location.template"] == layout
        assert of["StorageDescriptor"]["Location"] == layout.partition("report=")[0]
        assert [each["Name"] for each in of["PartitionKeys"]] == ["report", "day"]

    @TABLES
    def test_partitions_are_projected_from_the_first_release_to_now(self, name: str) -> None:
        parameters = table(name=name)["Parameters"]
        projection = {name.removeprefix("projection."): value for name, value in parameters.items() if "projection" in name}
        assert projection == {
            "enabled": "true",
            "report.type": "injected",
            "day.type": "date",
            "day.format": "yyyy-MM-dd",
            "day.range": "2026-11-01,NOW",
            "day.interval": "1",
            "day.interval.unit": "DAYS",
        }

    @TABLES
    def test_glue_gets_texts_where_it_wants_texts(self, name: str) -> None:
        assert all(isinstance(value, str) for value in table(name=name)["Parameters"].values())


class TestWorkgroup:
    @BOTH
    def test_results_stay_in_the_bucket_and_are_encrypted_with_the_reports_key(
        self, rendered: Rendered, bucket: str, owner: str, key: str
    ) -> None:
        configuration = the("AWS::Athena::WorkGroup", rendered)["WorkGroupConfiguration"]
        assert configuration["EnforceWorkGroupConfiguration"] is True
        assert configuration["ResultConfiguration"] == {
            "OutputLocation": f"s3://{bucket}/inspector/athena/",
            "ExpectedBucketOwner": owner,
            "EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": key},
        }

    def test_a_query_reads_no_more_than_the_parameter_says(self) -> None:
        rendered = Rendered(Place(parameters={"Athena": "ON", "AthenaScanLimitBytes": "10000000"}))
        assert the("AWS::Athena::WorkGroup", rendered)["WorkGroupConfiguration"]["BytesScannedCutoffPerQuery"] == "10000000"

    @pytest.mark.parametrize("rendered", [OWN, Rendered()], ids=["ON", "OFF again"])
    def test_results_expire_after_a_week(self, rendered: Rendered) -> None:
        rules = the("AWS::S3::Bucket", rendered)["LifecycleConfiguration"]["Rules"]
        (rule,) = (each for each in rules if each["Id"] == "ExpireQueryResults")
        assert rule == {"Id": "ExpireQueryResults", "Status": "Enabled", "Prefix": "inspector/athena/", "ExpirationInDays": 7}

    def test_the_stack_can_be_deleted_when_queries_were_run(self) -> None:
        assert the("AWS::Athena::WorkGroup")["RecursiveDeleteOption"] is True


class TestQuestions:
    def test_they_are_the_documented_ones(self) -> None:
        documented = re.findall(r"^\| \*(.+?)\* \|", Path("docs/athena.md").read_text(encoding="utf-8"), re.MULTILINE)
        assert documented == list(QUERIES)

    @pytest.mark.parametrize("name", QUERIES)
    def test_a_question_is_in_the_workgroup_with_its_database(self, name: str) -> None:
        query = QUERIES[name]
        assert query["Database"] == the("AWS::Glue::Database")["DatabaseInput"]["Name"] == "inspector_findings"
        assert query["Description"].endswith(".")
        assert query["WorkGroup"] == OWN.resources["AthenaWorkgroup"]["Properties"]["Name"] == "findings"

    @pytest.mark.parametrize("name", QUERIES)
    def test_every_query_of_the_table_names_the_report_as_a_literal_and_bounds_the_days(self, name: str) -> None:
        # An injected partition without a literal is refused; one without days lists every day since the first release.
        sql = QUERIES[name]["QueryString"]
        reads = re.findall(r"FROM inspector_findings\.(?:findings|due)\s+WHERE report = 'nightly'\s+AND day >= ", sql)
        assert len(reads) == sql.count("FROM inspector_findings.") >= 1

    @pytest.mark.parametrize("name", QUERIES)
    def test_a_question_asks_for_columns_that_there_are_and_for_the_deployments_report(self, name: str) -> None:
        sql = Rendered(Place(parameters={"Athena": "ON", "ReportName": "weekly", "AthenaDatabase": "other"}))
        (query,) = (each for each in sql.of_type("AWS::Athena::NamedQuery").values() if each["Name"] == name)
        assert "report = 'weekly'" in query["QueryString"]
        assert "FROM other.findings" in query["QueryString"]
        assert "${" not in query["QueryString"]


class TestReaders:
    READ = f"arn:aws:s3:::{OWN_BUCKET}/inspector"
    VIA_S3 = {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("action", "resource", "context", "allowed"),
        [
            ("athena:StartQueryExecution", f"arn:aws:athena:eu-west-1:{ACCOUNT}:workgroup/findings", {}, True),
            ("athena:StartQueryExecution", f"arn:aws:athena:eu-west-1:{ACCOUNT}:workgroup/primary", {}, False),
            ("athena:UpdateWorkGroup", f"arn:aws:athena:eu-west-1:{ACCOUNT}:workgroup/findings", {}, False),
            ("athena:CreateNamedQuery", f"arn:aws:athena:eu-west-1:{ACCOUNT}:workgroup/findings", {}, False),
            ("glue:GetTable", f"arn:aws:glue:eu-west-1:{ACCOUNT}:table/inspector_findings/findings", {}, True),
            ("glue:GetTable", f"arn:aws:glue:eu-west-1:{ACCOUNT}:table/other/findings", {}, False),
            ("glue:UpdateTable", f"arn:aws:glue:eu-west-1:{ACCOUNT}:table/inspector_findings/findings", {}, False),
            ("s3:GetObject", f"{READ}/findings/report=nightly/day=2026-11-25/a.parquet", {}, True),
            ("glue:GetTable", f"arn:aws:glue:eu-west-1:{ACCOUNT}:table/inspector_findings/due", {}, True),
            ("s3:GetObject", f"{READ}/due/report=nightly/day=2026-11-25/a.parquet", {}, True),
            ("s3:PutObject", f"{READ}/due/report=nightly/day=2026-11-25/a.parquet", {}, False),
            ("s3:GetObject", f"{READ}/reports/nightly/a.json", {}, False),
            ("s3:PutObject", f"{READ}/findings/report=nightly/day=2026-11-25/a.parquet", {}, False),
            ("s3:PutObject", f"{READ}/athena/a.csv", {}, True),
            ("s3:DeleteObject", f"{READ}/athena/a.csv", {}, False),
            ("s3:ListBucket", f"arn:aws:s3:::{OWN_BUCKET}", {"s3:prefix": "inspector/findings/report=nightly/day=2026-11-25/"}, True),
            ("s3:ListBucket", f"arn:aws:s3:::{OWN_BUCKET}", {"s3:prefix": "inspector/reports/"}, False),
            ("s3:ListBucket", f"arn:aws:s3:::{OWN_BUCKET}", {}, False),
            ("kms:Decrypt", OWN.arn("Key"), VIA_S3, True),
            ("kms:Decrypt", OWN.arn("Key"), {}, False),
        ],
    )  # fmt: skip
    def test_a_reader_may_ask_and_nothing_else(self, action: str, resource: str, context: dict[str, str], allowed: bool) -> None:
        assert allows(reader(OWN), action, resource, context) is allowed

    def test_the_document_names_each_table_and_folder_that_a_reader_may_read(self) -> None:
        section = Path("docs/athena.md").read_text(encoding="utf-8").partition("\n## What an analyst may do\n")[2]
        text = section.partition("\n## ")[0]
        resources = [each for statement in reader(OWN) for each in listed(statement["Resource"])]
        tables = {each.rsplit("/", 1)[1] for each in resources if ":table/" in each}
        folders = {match[1] for each in resources if (match := re.search(r"/inspector/(\w+)/\*$", each))}
        assert tables == {"findings", "due"}
        assert folders == tables | {"athena"}
        assert {each for each in tables if f"`{each}`" not in text} == set()
        assert {each for each in folders if f"`<KeyPrefix>/{each}/`" not in text} == set()

    def test_the_statements_to_add_open_an_existing_bucket_and_key_to_the_named_role_alone(self) -> None:
        role = f"arn:aws:iam::{ACCOUNT}:role/NAME-OF-THE-READERS-ROLE"
        statements = statements_to_add("BucketStatementForReaders") + statements_to_add("KeyStatementForReaders")
        assert all(each["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"} for each in statements)
        assert all(each["Condition"]["ArnLike"] == {"aws:PrincipalArn": role} for each in statements)

    def test_they_allow_in_bucket_and_key_what_the_readers_policy_does(self) -> None:
        def rights(statements: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
            return {
                (action, resource if ":s3:" in resource else "key", json.dumps(each["Condition"].get("StringLike", {})))
                for each in statements
                for action in listed(each["Action"])
                for resource in listed(each["Resource"])
                if action.startswith(("s3:", "kms:"))
            }

        needed = [{"Condition": {}, **each} for each in reader(EXTERNAL)]
        assert rights(statements_to_add("BucketStatementForReaders") + statements_to_add("KeyStatementForReaders")) == rights(
            needed
        )

    def test_who_has_a_bucket_and_key_of_the_stack_has_no_statement_to_add(self) -> None:
        assert [name for name in OWN.outputs if "Statement" in name] == []

    def test_every_statement_of_the_readers_says_for_what_it_is(self) -> None:
        assert all(re.fullmatch(r"([A-Z][a-z]*)+", each["Sid"]) for each in reader(OWN))
        above = TEMPLATE_TEXT.splitlines()[
            next(n for n, line in enumerate(TEMPLATE_TEXT.splitlines()) if "FindTheWorkgroupInTheConsole" in line) - 1
        ]
        assert above.strip().startswith("#")
        assert [each["Sid"] for each in reader(OWN) if each["Resource"] == "*"] == ["FindTheWorkgroupInTheConsole"]
