"""`make analyze` reads reports from the disk as the deployed step does, in order, and says which file is none."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from findings_analysis.reading import parquet_columns
from tests.local_aws.emulator.inspector.findings import generate
from tests.local_aws.emulator.inspector.report_files import csv_report, json_report
from tests.tools import analyze

NOW, ACCOUNT, MEMBER = 1.78e9, "111122223333", "444455556666"
FINDINGS = [
    each
    for each in generate(60, seed=2, now=NOW, accounts=[ACCOUNT, MEMBER], region="eu-west-1")
    if each["status"] == "ACTIVE" and each["type"] == "PACKAGE_VULNERABILITY"
]
ON, OFF = ({"status": status, "errorCode": "", "errorMessage": ""} for status in ("ENABLED", "DISABLED"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "monday.json").write_bytes(json_report(FINDINGS))
    (tmp_path / "tuesday.csv").write_bytes(csv_report(FINDINGS[4:], NOW))
    (tmp_path / "wednesday").write_bytes(json_report([each for each in FINDINGS if each["awsAccountId"] == ACCOUNT]))
    return tmp_path


def run(folder: Path, *names: str, coverage: Any = "") -> int:
    arguments = [str(folder / name) for name in names] + ["--out", str(folder / "out")]
    if coverage != "":
        (folder / "coverage.json").write_text(json.dumps(coverage))
        arguments += ["--coverage", str(folder / "coverage.json")]
    return analyze.main(arguments)


def document(folder: Path, name: str) -> Any:
    return json.loads((folder / "out" / name).read_text())


def test_each_report_is_compared_with_the_one_before_and_leaves_all_that_is_made_of_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "monday.json", "tuesday.csv") == 0
    first, second = (document(folder, f"analysis-{number}.json") for number in (1, 2))
    assert (first["statistics"]["total"], first["no_baseline"]) == (len(FINDINGS), "first_run")
    assert (second["changes"]["counts"]["no_longer_open"], second["changes"]["counts"]["appeared"]) == (4, 0)
    assert second["baseline"]["age"] == "24 hours"
    assert all(each["title"] for kind in second["changes"]["lists"].values() for each in kind)
    assert {path.name for path in (folder / "out").iterdir()} == {
        f"{name}-{number}.{ending}"
        for number in (1, 2)
        for name, ending in (("email", "txt"), ("chat", "json"), ("event", "json"), ("analysis", "json"), ("index", "html"),
                             ("findings", "parquet"))
    }  # fmt: skip
    event, mail = document(folder, "event-2.json"), (folder / "out/email-2.txt").read_text()
    assert (event["outcome"], event["analysis"]["changes"]["no_longer_open"]) == ("SUCCEEDED", 4)
    assert "0 new findings. 4 no longer open." in mail
    rows = parquet_columns.read(io.BytesIO((folder / "out/findings-2.parquet").read_bytes()))
    assert sum(len(batch["finding_arn"]) for batch in rows) == len(FINDINGS) - 4
    result = capsys.readouterr().out
    assert "2. tuesday.csv: Inspector" in result
    assert "0 new, 4 no longer open" in result
    assert "email-2.txt" in result


def test_coverage_says_what_inspector_scanned_at_the_time(folder: Path) -> None:
    states = {ACCOUNT: ON, MEMBER: OFF}
    off = {"accounts": [{"accountId": account, "state": state} for account, state in states.items()]}
    assert run(folder, "monday.json", "wednesday", coverage=[None, off]) == 0
    analysis = document(folder, "analysis-2.json")
    assert (analysis["coverage_status"]["state"], list(analysis["coverage_status"]["deactivated"])) == ("lost", [MEMBER])
    assert analysis["changes"]["counts"]["no_longer_open"] == 0
    assert analysis["changes"]["counts"]["status_unknown"] == sum(each["awsAccountId"] == MEMBER for each in FINDINGS)
    of_one = {"accounts": [{"accountId": ACCOUNT, "state": ON, "resourceState": {"ec2": ON, "ecr": ON, "lambda": ON}}]}
    assert run(folder, "monday.json", "wednesday", coverage=[None, of_one]) == 0
    assert document(folder, "analysis-2.json")["coverage_status"]["state"] == "unknown", "an account that it does not name"


def test_without_coverage_everything_is_enabled(folder: Path) -> None:
    assert run(folder, "monday.json", "wednesday") == 0
    analysis = document(folder, "analysis-2.json")
    assert {each["state"] for each in analysis["coverage"]["accounts"].values()} == {"on"}
    assert analysis["changes"]["counts"]["no_longer_open"] == sum(each["awsAccountId"] == MEMBER for each in FINDINGS)


def test_connectors_may_be_given_beside_the_accounts(folder: Path) -> None:
    azure = FINDINGS[0] | {"resources": [{"type": "Microsoft.Compute/virtualMachines", "id": "vm-1", "region": "x"}]}
    (folder / "azure.json").write_bytes(json_report([azure, *FINDINGS[1:]]))
    (folder / "less.json").write_bytes(json_report(FINDINGS[1:]))
    entry = {"accounts": [{"accountId": account, "state": ON} for account in (ACCOUNT, MEMBER)]}
    connector = {
        "connectorArn": f"arn:aws:inspector2:eu-west-1:{azure['awsAccountId']}:connector/1",
        "provider": "AZURE",
        "enablementStatus": "ENABLED",
        "health": {"connectorStatus": "CONNECTED"},
    }
    for healthy, kind in ((False, "status_unknown"), (True, "no_longer_open")):
        entries = [entry | ({"items": [connector]} if healthy else {})] * 2
        assert run(folder, "azure.json", "less.json", coverage=entries) == 0
        # Findings of Azure must be back, or must have been scanned before.
        assert document(folder, "analysis-2.json")["changes"]["counts"][kind] == 1


def test_closed_findings_are_taken_for_asked_for(folder: Path) -> None:
    (folder / "closed.json").write_bytes(json_report([FINDINGS[0] | {"status": "CLOSED"}, *FINDINGS[1:]]))
    assert run(folder, "monday.json", "closed.json") == 0
    analysis = document(folder, "analysis-2.json")
    assert (analysis["report"]["statuses"], analysis["changes"]["counts"]["closed"]) == (["ACTIVE", "CLOSED", "SUPPRESSED"], 1)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("notes.json", b"Dear all,", "at byte 0"),
        ("error.json", b"<Error><Code>AccessDenied</Code></Error>", "at byte 0"),
        ("cut.json", json_report(FINDINGS)[:-900], "at byte"),
        ("cut.csv", csv_report(FINDINGS, NOW)[:-70], "row"),
        ("page.csv", b"<html></html>\n" * 400, "row 1"),
    ],
)
def test_a_file_that_is_no_whole_report_is_named_with_the_place(
    name: str, content: bytes, why: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / name).write_bytes(content)
    assert run(folder, "monday.json", name) == 1
    result = capsys.readouterr().err
    assert result.startswith(f"make analyze: {folder / name} ")
    assert why in result


@pytest.mark.parametrize(
    ("coverage", "why"), [([None], "2 entries"), ({"accounts": []}, "2 entries"), ([None, {"accounts": 1}], "Entry 2")]
)
def test_coverage_that_fits_no_report_is_refused(
    coverage: Any, why: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "monday.json", "tuesday.csv", coverage=coverage) == 1
    assert why in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "friday.json") == 1
    assert capsys.readouterr().err == f"make analyze: {folder / 'friday.json'} is no file.\n"


def test_a_long_report_shows_its_progress(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(analyze, "PROGRESS_SECONDS", -1)
    assert run(folder, "monday.json") == 0
    assert "monday.json: 100% of" in capsys.readouterr().err


def test_no_aws_is_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a request")

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", refuse)
    monkeypatch.setattr(sys.modules["socket"].socket, "connect", refuse)
    assert run(folder, "monday.json", "tuesday.csv") == 0
