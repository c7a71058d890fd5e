"""A run gives each finding its owner and its due date, and leaves what the messages to the owners need."""

import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arro3.io import read_parquet

from findings_analysis.assessment.priorities import MOST_OWNERS
from findings_analysis.comparison.identity import exact_hashes, finding_key
from findings_analysis.page import run_page
from findings_analysis.reading import parquet_columns
from findings_analysis.reading.owners import tags_in
from findings_exporter.aws.clients import AnalysisClients
from findings_exporter.aws.table import Table
from tests.builders.exporter import ACCOUNT, BUCKET, REGION, START, FakeInspector, client, client_error, config
from tests.local_aws.emulator.inspector.findings import generate
from tests.unit.analysis.test_part_pipeline import OWNERS, keys_under, put_owners
from tests.unit.analysis.test_pipeline import S3, content_of, daily_run, s3

__all__ = ["s3"]

FINDINGS = generate(80, seed=5, now=START.timestamp(), accounts=[ACCOUNT], region=REGION)
ACTIVE = [each for each in FINDINGS if each["status"] == "ACTIVE"]
DAYS = {"CRITICAL": 15, "HIGH": 30, "MEDIUM": 90}
DAY = timedelta(days=1)


def clients_of(table: Table, s3: S3, inspector: FakeInspector, **variables: str) -> AnalysisClients:
    return AnalysisClients(config(**variables), table, s3, inspector.client, lambda: START)  # type: ignore[arg-type] # all that it needs of S3


@pytest.fixture
def clients(table: Table, s3: S3, inspector: FakeInspector) -> AnalysisClients:
    put_owners(OWNERS)
    return clients_of(table, s3, inspector, OWNER_TAG="team", OWNER_MESSAGES="CHANGES", REMEDIATION_DAYS=json.dumps(DAYS))


def document_of(headline: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(content_of(headline["analysis_key"]))
    return made


def messages_of(headline: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What owners are notified, by owner."""
    if not headline["owners_key"]:
        return {}
    return {each["owner"]: each for each in json.loads(content_of(headline["owners_key"]))["owners"]}


def owner_of(finding: dict[str, Any]) -> str:
    """The rules and the tag, written down once more."""
    resource = finding["resources"][0]
    if ":repository/shop/" in resource["id"]:
        return "shop"
    if resource["type"] == "AWS_EC2_INSTANCE":
        return "platform"
    team = resource.get("tags", {}).get("team")
    return "unowned" if not team else team if team.isalnum() else "a-b"


def test_each_finding_has_its_owner_in_every_file(clients: AnalysisClients) -> None:
    headline = daily_run(clients, findings=ACTIVE)
    expected = Counter(owner_of(each) for each in ACTIVE)
    owners = document_of(headline)["owners"]
    assert {owner.partition(".")[0]: each["counts"]["total"] for owner, each in owners.items()} == expected
    (batch,) = parquet_columns.read(io.BytesIO(content_of(f"{headline['parquet_prefix']}0001.parquet")), ["finding_arn", "owner"])
    assert Counter(owner.partition(".")[0] for owner in batch["owner"]) == expected
    assert headline["owners"]["count"] == len(expected)
    for each in owners.values():
        assert content_of(each["page_key"]).startswith(b"<!doctype html>")


def test_without_rules_and_tag_there_are_no_owners_and_nothing_is_said(table: Table, s3: S3, inspector: FakeInspector) -> None:
    headline = daily_run(clients_of(table, s3, inspector, OWNER_MESSAGES="ALL"), findings=ACTIVE)
    document = document_of(headline)
    assert (document["owners"], headline["owners_key"], headline["owner_message_count"]) == (None, None, 0)
    assert "owner" not in " ".join(document["sentences"])
    assert keys_under("inspector/due/") == []


@pytest.mark.parametrize(
    ("rules", "note"),
    [({"a": 1}, "it must be a list of rules"), ([{"owner": "x", "account": ["1"]}], "[0].account is not a known field")],
)
def test_rules_that_are_wrong_leave_the_owners_unknown_and_are_named(clients: AnalysisClients, rules: object, note: str) -> None:
    put_owners(rules)
    document = document_of(daily_run(clients, findings=ACTIVE))
    assert document["owners"] is None
    assert note in " ".join(document["sentences"])


def test_a_run_with_wrong_rules_notifies_no_owner_and_nothing_moves_to_it_or_back(clients: AnalysisClients) -> None:
    daily_run(clients, "run-0", START - 2 * DAY, findings=ACTIVE)
    put_owners({"a": 1})
    wrong = daily_run(clients, "run-1", START - DAY, findings=ACTIVE[:-1])
    assert (messages_of(wrong), wrong["owner_message_count"]) == ({}, 0)
    put_owners(OWNERS)
    document = document_of(daily_run(clients, "run-2", findings=ACTIVE[:-1]))
    assert (document["changes"]["counts"]["moved"], document["changes"]["counts"]["appeared"]) == (0, 0)
    assert "knew no owners" in " ".join(document["sentences"])


def test_that_the_rules_are_missing_is_said_once(table: Table, s3: S3, inspector: FakeInspector) -> None:
    put_owners(OWNERS)
    clients = clients_of(table, s3, inspector)
    daily_run(clients, "run-0", START - 2 * DAY, findings=ACTIVE)
    client("s3").delete_object(Bucket=BUCKET, Key="inspector/config/owners.json")
    for day, is_said in ((1, True), (0, False)):
        document = document_of(daily_run(clients, f"run-{2 - day}", START - day * DAY, findings=ACTIVE))
        assert document["owners"] is None
        assert ("there is no inspector/config/owners.json" in " ".join(document["sentences"])) is is_said


def test_rules_that_may_not_be_read_are_not_guessed(clients: AnalysisClients, s3: S3) -> None:
    s3.errors["get_object", "config/owners.json"] = client_error("AccessDenied", 403)
    document = document_of(daily_run(clients, findings=ACTIVE))
    assert document["owners"] is None
    assert "config/owners.json cannot be read" in " ".join(document["sentences"])


def test_an_owner_whose_page_cannot_be_made_has_a_message_without_a_link(
    clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run_page.page_of

    def broken(*arguments: Any) -> str:
        if arguments[-1].owner == "shop":
            raise ValueError("a template that fails")
        return made(*arguments)

    monkeypatch.setattr(run_page, "page_of", broken)
    headline = daily_run(clients, findings=ACTIVE)
    document = document_of(headline)
    assert document["owners"]["shop"]["page_key"] is None
    assert document["owners"]["platform"]["page_key"]
    page = content_of(headline["page_key"]).decode()
    assert "/owners/platform.html" in page
    assert "/owners/shop.html" not in page


def test_owners_are_notified_of_changes_and_of_nothing_else(clients: AnalysisClients) -> None:
    shop, others = [[each for each in ACTIVE if (owner_of(each) == "shop") is is_shop] for is_shop in (True, False)]
    daily_run(clients, "run-0", START - DAY, findings=[*shop[:-1], *others])
    headline = daily_run(clients, findings=ACTIVE)
    notified = messages_of(headline)
    assert (list(notified), headline["owner_message_count"]) == (["shop"], 1)
    assert (notified["shop"]["changes"]["appeared"], notified["shop"]["open"]) == (1, len(shop))
    assert notified["shop"]["page_key"].endswith("/owners/shop.html")


def test_a_finding_whose_owner_changes_is_in_both_messages_and_who_vanished_gets_a_last_message(clients: AnalysisClients) -> None:
    daily_run(clients, "run-0", START - DAY, findings=ACTIVE)
    put_owners([{"owner": "web", "repositories": ["shop/*"]}, OWNERS[1]])
    headline = daily_run(clients, findings=ACTIVE)
    notified, count = messages_of(headline), sum(owner_of(each) == "shop" for each in ACTIVE)
    assert (notified["web"]["changes"]["counts"]["moved"], notified["shop"]["changes"]["counts"]["moved_away"]) == (count, count)
    assert (notified["shop"]["last_message"], notified["web"]["last_message"]) == (True, False)
    assert (headline["changes"]["appeared"], headline["changes"]["no_longer_open"]) == (0, 0)
    # It is the last one.
    put_owners([{"owner": "web", "repositories": ["shop/*"]}, OWNERS[1]])
    assert messages_of(daily_run(clients, "run-2", START + DAY, findings=ACTIVE)) == {}


def test_who_has_findings_of_unknown_status_gets_no_last_message(
    clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily_run(clients, "run-0", START - DAY, findings=ACTIVE)
    put_owners([{"owner": "web", "repositories": ["shop/*"]}, OWNERS[1]])
    on, off = ({"status": status, "errorCode": "", "errorMessage": ""} for status in ("ENABLED", "DISABLED"))
    account = {"accountId": ACCOUNT, "state": on, "resourceState": {"ec2": on, "ecr": off, "lambda": on, "lambdaCode": on}}
    monkeypatch.setattr(FakeInspector, "batch_get_account_status", lambda *_, **__: {"accounts": [account]})
    missing = next(each for each in ACTIVE if owner_of(each) == "shop")
    notified = messages_of(daily_run(clients, findings=[each for each in ACTIVE if each is not missing]))
    assert notified["shop"]["changes"]["counts"]["status_unknown"] == 1
    assert notified["shop"]["last_message"] is False


def test_who_has_fixed_everything_gets_no_last_message(clients: AnalysisClients) -> None:
    daily_run(clients, "run-0", START - DAY, findings=ACTIVE)
    kept = [each for each in ACTIVE if owner_of(each) != "shop"]
    notified = messages_of(daily_run(clients, findings=kept))
    assert {owner: each["last_message"] for owner, each in notified.items()} == {"shop": False}
    assert notified["shop"]["changes"]["no_longer_open"] > 0


def test_a_silent_run_notifies_no_owner(clients: AnalysisClients) -> None:
    assert daily_run(clients, findings=ACTIVE, notify=False)["owner_message_count"] == 0


def test_due_dates_survive_rebuilt_images_and_stand_in_the_table_of_due_dates(clients: AnalysisClients) -> None:
    image = next(each for each in ACTIVE if ":repository/" in each["resources"][0]["id"] and each["severity"] == "HIGH")
    first = {**image, "firstObservedAt": (START - 5 * DAY - timedelta(days=31)).timestamp()}
    for number in range(6):
        arn = image["findingArn"][:-4] + f"{number:04x}"
        name = image["resources"][0]["id"].rpartition("/")[0]
        resources = [{**image["resources"][0], "id": f"{name}/sha256:{number:064x}"}]
        observed = first["firstObservedAt"] if number == 0 else (START - (5 - number) * DAY).timestamp()
        rebuilt = {**image, "findingArn": arn, "resources": resources, "firstObservedAt": observed}
        headline = daily_run(clients, f"run-{number}", START - (5 - number) * DAY, findings=[rebuilt])
        assert headline["due_dates"]["overdue"] == {"HIGH": 1}, number
    seen = (START - 36 * DAY).date()
    assert document_of(headline)["due_dates"]["most_overdue"][0]["due_on"] == (seen + timedelta(days=30)).isoformat()
    (key,) = keys_under("inspector/due/report=nightly/day=2026-11-23/")
    table = read_parquet(io.BytesIO(content_of(key))).read_all()
    assert [table.column(name).to_pylist() for name in ("finding_key", "first_seen_on", "due_on")] == [
        [finding_key(exact_hashes([rebuilt["findingArn"]])[0])], [seen], [seen + timedelta(days=30)],
    ]  # fmt: skip


def test_the_day_of_a_due_date_is_one_of_the_deployments_time_zone(table: Table, s3: S3, inspector: FakeInspector) -> None:
    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    due_yesterday = {**ACTIVE[0], "severity": "HIGH", "firstObservedAt": (late - 30 * DAY).timestamp()}
    for zone, today, overdue in (("UTC", "2026-11-23", {}), ("Asia/Tokyo", "2026-11-24", {"HIGH": 1})):
        clients = clients_of(table, s3, inspector, REMEDIATION_DAYS=json.dumps(DAYS), TIME_ZONE=zone)
        due = daily_run(clients, zone.replace("/", "-"), late, findings=[due_yesterday])["due_dates"]
        assert (due["today"], due["overdue"]) == (today, overdue)


def test_overdue_findings_are_counted_for_the_alarm_by_their_lowest_severity(
    clients: AnalysisClients, capsys: pytest.CaptureFixture[str]
) -> None:
    overdue = daily_run(clients, findings=ACTIVE)["due_dates"]["overdue"]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "OverdueFindings" in line]
    counted = {each["lowest_severity"]: each["OverdueFindings"][0] for each in lines}
    high = overdue.get("CRITICAL", 0) + overdue["HIGH"]
    assert counted == {
        "CRITICAL": overdue.get("CRITICAL", 0), "HIGH": high, "MEDIUM": high + overdue["MEDIUM"], "LOW": high + overdue["MEDIUM"],
    }  # fmt: skip


@pytest.mark.parametrize("days", ['{"CRITICAL": 0}', '{"WORST": 3}', "nothing", "[]"])
def test_days_that_are_wrong_leave_no_due_dates_and_are_named(table: Table, s3: S3, inspector: FakeInspector, days: str) -> None:
    headline = daily_run(clients_of(table, s3, inspector, REMEDIATION_DAYS=days), findings=ACTIVE)
    assert headline["due_dates"] is None
    assert "RemediationDays cannot be used" in " ".join(headline["sentences"])


class TestKnownExploited:
    def test_what_cisa_says_stands_with_what_to_fix_first_and_changes_no_number(
        self, clients: AnalysisClients, inspector: FakeInspector
    ) -> None:
        before = document_of(daily_run(clients, "run-0", START - DAY, findings=ACTIVE))
        first = before["fix_first"][0]
        inspector.kev[first["finding_arn"]] = {"dateAdded": START, "dateDue": START + 9 * DAY, "action": "Apply updates."}
        headline = daily_run(clients, findings=ACTIVE)
        listed = document_of(headline)["fix_first"]
        assert listed[0]["kev"] == {
            "added_on": f"{START:%Y-%m-%d}", "due_on": f"{START + 9 * DAY:%Y-%m-%d}", "action": "Apply updates.",
        }  # fmt: skip
        assert [each | {"kev": None} for each in listed] == before["fix_first"]
        assert (headline["fix_first"][0]["in_kev"], headline["fix_first"][1]["in_kev"]) == (True, False)

    def test_where_inspector_does_not_say_it_is_unknown_and_the_analysis_stands(
        self, clients: AnalysisClients, inspector: FakeInspector
    ) -> None:
        inspector.refuse("finding_details", client_error("AccessDeniedException", 403))
        headline = daily_run(clients, findings=ACTIVE)
        assert "could not be read" in next(each for each in document_of(headline)["sentences"] if "CISA" in each)


def test_more_owners_than_memory_holds_are_an_explained_failure(clients: AnalysisClients) -> None:
    many = [
        {**ACTIVE[0], "findingArn": f"{ACTIVE[0]['findingArn'][:-4]}{n:04x}",
         "resources": [{"type": "AWS_LAMBDA_FUNCTION", "id": f"f{n}", "tags": {"team": f"t{n}"}}]}
        for n in range(MOST_OWNERS + 1)
    ]  # fmt: skip
    failed = daily_run(clients, findings=many)
    assert failed["error"] == "Analysis.TooManyOwners"
    assert "more than 1,000 owners" in failed["sentence"]
    assert "name another one in OwnerTag" in failed["sentence"]


def test_beyond_two_hundred_owners_the_rest_is_summed_up(clients: AnalysisClients) -> None:
    many = [
        {**ACTIVE[0], "findingArn": f"{ACTIVE[0]['findingArn'][:-4]}{n:04x}",
         "resources": [{"type": "AWS_LAMBDA_FUNCTION", "id": f"f{n}", "tags": {"team": f"t{n}"}}]}
        for n in range(230)
    ]  # fmt: skip
    headline = daily_run(clients, findings=many)
    document = document_of(headline)
    assert (len(document["owners"]), document["owners_left_out"]["owners"]) == (200, 30)
    assert (
        document["owners_left_out"]["counts"]["total"] + sum(each["counts"]["total"] for each in document["owners"].values())
        == 230
    )
    assert "There are 230 owners." in " ".join(document["sentences"])
    assert len(keys_under(headline["analysis_key"].replace("analysis.json", "owners/"))) == 200


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        (None, {}),
        ("", {}),
        ('{"team": "a, b", "n": 1}', {"team": "a, b"}),
        ("team:web,env:prod", {"team": "web", "env": "prod"}),
        ("team:a, b,url:http://x", {"team": "a", "url": "http://x"}),
        ("{broken", {}),
        ("[" * 10_000, {}),
    ],
)
def test_tags_are_read_from_both_forms(text: str | None, tags: dict[str, str]) -> None:
    assert tags_in(text) == tags
