"""Owners and due dates on the embedded AWS: rules in the bucket, numbers, pages, messages and a query that agree with each other."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.local_aws.athena_reader import AthenaReader
from tests.local_aws.deployed_exporter import Exporter, wait_until
from tests.local_aws.inspector_control import InspectorControl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local_aws.server import LocalAws

RULES = [{"owner": "shop", "repositories": ["shop/*"]}, {"owner": "platform", "repositories": ["platform/*"]}]
PARAMETERS = {
    "OwnerTag": "team",
    "OwnerMessages": "ALL",
    "RemediationDays": '{"CRITICAL": 15, "HIGH": 30, "MEDIUM": 90}',
    "Athena": "ON",
    "AthenaDatabase": "owned",
}


@pytest.fixture(scope="module")
def owned(exporter_aws: LocalAws) -> Exporter:
    exporter = Exporter.deploy(exporter_aws, "owned", parameters=PARAMETERS)
    exporter.put_owner_rules(RULES)
    return exporter


@pytest.fixture
def seeded(owned: Exporter) -> InspectorControl:
    inspector = InspectorControl(owned.aws, owned.account, owned.region)
    inspector.reset()
    inspector.seed(findings=120, seed=7)
    inspector.configure(base_seconds=0.3, seconds_per_1000=0.0)
    return inspector


@pytest.fixture
def analyst(owned: Exporter) -> Iterator[AthenaReader]:
    analyst = AthenaReader(owned)
    yield analyst
    iam = owned.client("iam")
    iam.detach_role_policy(RoleName="athena-reader", PolicyArn=owned.outputs["AthenaReaderPolicyArn"])
    iam.delete_role(RoleName="athena-reader")


def analysis_of(exporter: Exporter, arn: str) -> tuple[dict[str, Any], dict[str, Any]]:
    headline = json.loads(exporter.run_item(arn)["analysis"])
    return headline, json.loads(exporter.read(headline["analysis_key"]))


def test_what_is_said_of_owners_agrees_in_document_messages_pages_and_athena(
    owned: Exporter, seeded: InspectorControl, analyst: AthenaReader
) -> None:
    first = owned.run({}, seconds=90)
    assert first.status == "SUCCEEDED", first.cause
    _, document = analysis_of(owned, first.arn)
    known = document["fix_first"][0]["vulnerability_id"]
    seeded.put_into_kev(known, datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=20))
    seeded.evolve()
    notified_before = len(owned.owner_messages())

    second = owned.run({}, seconds=90)
    assert second.status == "SUCCEEDED", second.cause
    headline, document = analysis_of(owned, second.arn)
    owners = document["owners"]
    assert {"shop", "platform", "payments", "unowned"} <= owners.keys()
    assert sum(each["counts"]["open"] for each in owners.values()) == document["statistics"]["open"]
    assert {each["vulnerability_id"]: each["kev"] is not None for each in document["fix_first"]}.get(known, True)

    messages = owned.owner_messages()[notified_before:]
    assert Counter(each.owner for each in messages) == dict.fromkeys(owners, 1)
    assert headline["owner_message_count"] == len(owners)
    for each in messages:
        assert each.event["owner"] == each.owner
        assert f"{owners[each.owner]['counts']['open']:,} open" in each.email
        assert b"<!doctype html>" in owned.read(owners[each.owner]["page_key"])[:40]

    rows = analyst.ask("Overdue by owner")
    answered: dict[str, Counter[str]] = {}
    for row in rows:
        answered.setdefault(str(row["owner"]), Counter())[str(row["severity"])] = int(str(row["overdue"]))
    assert answered == {owner: each["due_dates"]["overdue"] for owner, each in owners.items() if each["due_dates"]["overdue"]}
    assert wait_until(lambda: "open" not in owned.run_item(second.arn) or None, "the run to be closed")


def test_rules_that_are_wrong_never_fail_an_export(owned: Exporter, seeded: InspectorControl) -> None:
    owned.put_owner_rules([{"owner": "shop", "repository": ["shop/*"]}])
    ended = owned.run({}, seconds=90)
    assert ended.status == "SUCCEEDED"
    headline, document = analysis_of(owned, ended.arn)
    assert document["owners"] is None
    assert "[0].repository is not a known field" in json.dumps(headline["sentences"])
    owned.put_owner_rules(RULES)
