"""Whether Inspector scans is asked for in few calls; what cannot be read is unknown, and said so."""

from typing import Any, ClassVar

import botocore.session
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from findings_analysis.assessment import coverage
from findings_analysis.assessment.coverage import AccountScanning, Coverage, Scanning, TypeCoverage, read_coverage
from findings_exporter.model.taxonomy import OTHER_CLOUDS, OWN_SCAN_TYPES, scan_type
from tests.builders import exporter as builders
from tests.builders.daily_runs import ACCOUNT, OTHER_ACCOUNT


class Service:
    """Inspector's answers, each held against the service model by botocore's Stubber, in the order in which they are asked for."""

    def __init__(self) -> None:
        self.client: Any = builders.client("inspector2")
        self.stubber = Stubber(self.client)

    def members(self, *accounts: str, error: str = "") -> None:
        if error:
            self.stubber.add_client_error("list_members", error, "You may not")
        else:
            members = [{"accountId": each, "relationshipStatus": "ENABLED"} for each in accounts]
            self.stubber.add_response("list_members", {"members": members}, {"onlyAssociated": True})

    def states(self, accounts: dict[str, str], failed: dict[str, str] | None = None, asked: list[str] | None = None) -> None:
        self.stubber.add_response(
            "batch_get_account_status",
            {
                "accounts": [account_state(account, result) for account, result in accounts.items()],
                "failedAccounts": [
                    {"accountId": account, "errorCode": code, "errorMessage": "sorry"} for account, code in (failed or {}).items()
                ],
            },
            {"accountIds": asked if asked is not None else [*accounts, *(failed or {})]},
        )

    def counts(self, status: str, group: str, *pages: dict[str, int], resource_type: str = "") -> None:
        criteria = {"scanStatusCode": equals(status)} | ({"resourceType": equals(resource_type)} if resource_type else {})
        pages = pages or ({},)
        total = sum(sum(page.values()) for page in pages)
        for number, page in enumerate(pages):
            answer: dict[str, Any] = {"totalCounts": total}
            if page:
                answer["countsByGroup"] = [{"groupKey": key, "count": count} for key, count in page.items()]
            if number + 1 < len(pages):
                answer["nextToken"] = f"page-{number + 1}"
            request = {"filterCriteria": criteria, "groupBy": group} | ({"nextToken": f"page-{number}"} if number else {})
            self.stubber.add_response("list_coverage_statistics", answer, request)

    def no_coverage(self) -> None:
        for status in ("ACTIVE", "INACTIVE"):
            self.counts(status, "RESOURCE_TYPE")
        for status in ("ACTIVE", "INACTIVE"):
            self.counts(status, "ACCOUNT_ID")

    def read(self, *accounts_with_findings: str, scan_type: str = "ecr") -> Coverage:
        with self.stubber:
            found = read_coverage(self.client, ACCOUNT, {(account, scan_type) for account in accounts_with_findings})
        self.stubber.assert_no_pending_responses()
        return found


def equals(value: str) -> list[dict[str, str]]:
    return [{"comparison": "EQUALS", "value": value}]


def state(status: str) -> dict[str, str]:
    return {"status": status, "errorCode": "ALREADY_ENABLED", "errorMessage": f"It is {status}"}


def account_state(account: str, given: str) -> dict[str, Any]:
    whole, _, functions = given.partition(" but lambda ")
    kinds = {"ec2": whole, "ecr": whole, "lambda": functions or whole}
    return {"accountId": account, "state": state(whole), "resourceState": {kind: state(each) for kind, each in kinds.items()}}


@pytest.fixture
def service() -> Service:
    return Service()


def test_an_account_of_its_own_is_asked_for_itself(service: Service) -> None:
    service.members()
    service.states({ACCOUNT: "ENABLED but lambda DISABLED"})
    service.counts("ACTIVE", "RESOURCE_TYPE", {"AWS_EC2_INSTANCE": 3, "AWS_ECR_CONTAINER_IMAGE": 2})
    service.counts("INACTIVE", "RESOURCE_TYPE", {"AWS_EC2_INSTANCE": 4})
    service.counts("ACTIVE", "ACCOUNT_ID", {ACCOUNT: 5})
    service.counts("INACTIVE", "ACCOUNT_ID", {ACCOUNT: 4})
    service.counts("INACTIVE", "SCAN_STATUS_REASON", {"UNMANAGED_EC2_INSTANCE": 3, "EC2_INSTANCE_STOPPED": 1},
                   resource_type="AWS_EC2_INSTANCE")  # fmt: skip
    found = service.read()
    assert found == Coverage(
        account=ACCOUNT,
        accounts={ACCOUNT: AccountScanning("on", {"ec2": "on", "ecr": "on", "lambda": "off"}, "", 5, 4)},
        scanned=5,
        not_scanned=4,
        resource_types={
            "AWS_EC2_INSTANCE": TypeCoverage(3, 4, {"UNMANAGED_EC2_INSTANCE": 3, "EC2_INSTANCE_STOPPED": 1}),
            "AWS_ECR_CONTAINER_IMAGE": TypeCoverage(2, 0, {}),
        },
    )


def test_members_and_accounts_with_findings_are_asked_for_in_chunks_of_a_hundred(service: Service) -> None:
    members = [f"{number:012}" for number in range(150)]
    service.members(*members[:50])
    service.states({ACCOUNT: "ENABLED"})
    asked = sorted({*members[:50], *members[30:], OTHER_ACCOUNT})
    service.states(dict.fromkeys(asked[:100], "ENABLED"))
    service.states(dict.fromkeys(asked[100:], "DISABLED"))
    service.no_coverage()
    found = service.read(*members[30:], OTHER_ACCOUNT, ACCOUNT)
    assert [found.accounts[each].state for each in asked] == ["on"] * 100 + ["off"] * 51


def test_groups_come_in_pages(service: Service) -> None:
    service.members()
    service.states({ACCOUNT: "ENABLED"})
    service.counts("ACTIVE", "RESOURCE_TYPE", {"AWS_EC2_INSTANCE": 3}, {"AWS_LAMBDA_FUNCTION": 4})
    service.counts("INACTIVE", "RESOURCE_TYPE")
    service.counts("ACTIVE", "ACCOUNT_ID", {ACCOUNT: 6}, {OTHER_ACCOUNT: 1})
    service.counts("INACTIVE", "ACCOUNT_ID")
    found = service.read()
    assert found.resource_types == {"AWS_EC2_INSTANCE": TypeCoverage(3), "AWS_LAMBDA_FUNCTION": TypeCoverage(4)}
    assert (found.scanned, found.not_scanned) == (7, 0)
    assert (found.accounts[ACCOUNT].scanned, found.accounts[ACCOUNT].not_scanned) == (6, 0)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("ENABLED", "on"),
        ("ENABLING", "unknown"),
        ("DISABLED", "off"),
        ("DISABLING", "off"),
        ("SUSPENDED", "off"),
        ("SUSPENDING", "off"),
        ("HIBERNATING", "unknown"),
    ],
)
def test_each_state_is_on_or_off_and_a_new_one_is_unknown(status: str, expected: str, service: Service) -> None:
    service.members()
    service.states({ACCOUNT: status})
    service.no_coverage()
    found = service.read().accounts[ACCOUNT]
    assert found.state == expected
    assert found.why == ("" if expected == "on" else f"{status}: It is {status}")


def test_what_inspector_does_not_answer_is_unknown_and_named(service: Service) -> None:
    service.members(OTHER_ACCOUNT, "777788889999")
    service.states({ACCOUNT: "ENABLED"})
    service.states({}, {OTHER_ACCOUNT: "ACCESS_DENIED"}, asked=[OTHER_ACCOUNT, "777788889999"])
    service.no_coverage()
    found = service.read()
    assert {each: found.accounts[each].why for each in (OTHER_ACCOUNT, "777788889999")} == {
        OTHER_ACCOUNT: "ACCESS_DENIED: sorry",
        "777788889999": "Inspector returned no status",
    }
    assert found.scanning(OTHER_ACCOUNT, "ecr") == "unknown"
    assert found.notes == (
        "It is unknown whether Inspector scans account 444455556666 (ACCESS_DENIED: sorry).",
        "It is unknown whether Inspector scans account 777788889999 (Inspector returned no status).",
    )


def test_without_any_permission_everything_is_unknown_and_nothing_fails(service: Service) -> None:
    service.members(error="AccessDeniedException")
    for _ in range(2):
        service.stubber.add_client_error("batch_get_account_status", "AccessDeniedException", "You may not")
    for _ in range(2):
        service.stubber.add_client_error("list_coverage_statistics", "AccessDeniedException", "You may not")
    found = service.read(OTHER_ACCOUNT)
    assert {account: each.state for account, each in found.accounts.items()} == {ACCOUNT: "unknown", OTHER_ACCOUNT: "unknown"}
    assert (found.scanned, found.not_scanned, found.resource_types) == (None, None, None)
    assert [note.split("(")[0].strip() for note in found.notes] == [
        "Inspector did not list the member accounts",
        "It is unknown whether Inspector scans account 111122223333 and 1 more",
        "It is unknown how many resources Inspector scans: its coverage could not be read",
    ]
    assert all("AccessDeniedException" in note for note in found.notes)


def test_an_inspector_that_does_not_answer_is_unknown_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://inspector2" + "x" * 400)

    client: Any = builders.client("inspector2")
    monkeypatch.setattr(client, "_make_api_call", refuse)
    found = read_coverage(client, ACCOUNT, set())
    assert found.accounts[ACCOUNT].state == "unknown"
    assert all(len(note) < 400 for note in found.notes)


def test_states_count_where_only_the_numbers_of_accounts_cannot_be_read(service: Service) -> None:
    service.members()
    service.states({ACCOUNT: "ENABLED"})
    service.counts("ACTIVE", "RESOURCE_TYPE", {"AWS_EC2_INSTANCE": 3})
    service.counts("INACTIVE", "RESOURCE_TYPE", {"AWS_EC2_INSTANCE": 1})
    service.stubber.add_client_error("list_coverage_statistics", "ThrottlingException", "Slow down")
    service.counts("INACTIVE", "ACCOUNT_ID")
    service.stubber.add_client_error("list_coverage_statistics", "ThrottlingException", "Slow down")
    found = service.read()
    assert found.accounts[ACCOUNT] == AccountScanning("on", {"ec2": "on", "ecr": "on", "lambda": "on"})
    assert found.resource_types == {"AWS_EC2_INSTANCE": TypeCoverage(3, 1, {})}
    assert len(found.notes) == 1


def test_group_keys_that_name_the_grouping_instead_of_the_group_are_not_believed(service: Service) -> None:
    service.members()
    service.states({ACCOUNT: "ENABLED"})
    service.counts("ACTIVE", "RESOURCE_TYPE", {"RESOURCE_TYPE": 3})
    service.counts("INACTIVE", "RESOURCE_TYPE")
    service.counts("ACTIVE", "ACCOUNT_ID", {"ACCOUNT_ID": 3})
    service.counts("INACTIVE", "ACCOUNT_ID")
    found = service.read()
    assert (found.scanned, found.resource_types, found.accounts[ACCOUNT].scanned) == (3, {}, None)


def test_a_listing_without_an_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "MOST_PAGES", 3)
    calls: list[str] = []

    def answer(operation: str, _: Any) -> dict[str, Any]:
        calls.append(operation)
        token = {"nextToken": str(len(calls))}
        if operation == "ListMembers":
            return {"members": [{"accountId": OTHER_ACCOUNT}, {}], **token}
        if operation == "ListCoverageStatistics":
            return {"totalCounts": 4, "countsByGroup": [{"groupKey": "AWS_EC2_INSTANCE", "count": 1}, {}], **token}
        return {"accounts": [], "failedAccounts": []}

    client: Any = builders.client("inspector2")
    monkeypatch.setattr(client, "_make_api_call", answer)
    found = read_coverage(client, ACCOUNT, set())
    assert found.scanned is None, "half a listing is none"
    assert "more than 3 pages" in " ".join(found.notes)
    assert len(calls) < 40


def account(given: Scanning, **scan_types: Scanning) -> Coverage:
    """Coverage of one account."""
    return Coverage(ACCOUNT, {ACCOUNT: AccountScanning(given, scan_types)})


class TestMeaning:
    def test_in_a_deactivated_account_nothing_is_scanned(self) -> None:
        found = account("off", ecr="on")
        assert {found.scanning(ACCOUNT, each) for each in OWN_SCAN_TYPES} == {"off"}

    def test_what_is_not_named_is_unknown(self) -> None:
        found = account("on", ec2="off", ecr="on")
        assert [found.scanning(ACCOUNT, each) for each in ("ec2", "ecr", "ami")] == ["off", "on", "unknown"]
        assert found.scanning(OTHER_ACCOUNT, "ecr") == "unknown"

    def test_in_an_account_that_is_only_being_switched_on_scanning_is_unknown(self) -> None:
        found = account("unknown", ecr="on", ec2="off")
        assert [found.scanning(ACCOUNT, each) for each in ("ec2", "ecr")] == ["off", "unknown"]

    @pytest.mark.parametrize("state", ["on", "off", "unknown"])
    def test_connectors_alone_decide_on_other_clouds(self, state: Scanning) -> None:
        found = account(state, azure="on")
        assert [found.scanning(ACCOUNT, each) for each in ("azure", "gcp")] == ["on", "unknown"]

    def test_only_where_resources_are_known_and_none_is_scanned_nothing_is_scanned(self) -> None:
        for scanned, not_scanned, nothing in (
            (0, 12, True),
            (0, 0, False),
            (1, 12, False),
            (None, None, False),
            (None, 12, False),
            (0, None, False),
        ):
            assert Coverage(ACCOUNT, {}, scanned, not_scanned).scans_nothing == nothing

    def test_it_is_stored_as_plain_data(self) -> None:
        found = Coverage(ACCOUNT, {ACCOUNT: AccountScanning("on")}, 1, 0, {"x": TypeCoverage(1)}, ("a",)).to_dict()
        result: dict[str, Any] = {
            "state": "on",
            "scan_types": {},
            "why": "",
            "scanned": None,
            "not_scanned": None,
            "is_member": True,
        }
        assert found == {
            "account": ACCOUNT,
            "accounts": {ACCOUNT: result},
            "scanned": 1,
            "not_scanned": 0,
            "resource_types": {"x": {"scanned": 1, "not_scanned": 0, "why_not": {}}},
            "notes": ["a"],
        }


class TestModel:
    """What botocore's model of Inspector can answer has a meaning here; only what is newer is unknown by default."""

    MODEL = botocore.session.Session().get_service_model("inspector2")

    def enum(self, name: str) -> set[str]:
        return set(self.MODEL.shape_for(name).enum)  # type: ignore[attr-defined]

    def test_every_state_is_known(self) -> None:
        assert self.enum("Status") == coverage.STATES.keys()

    def test_an_enabled_account_is_on_with_the_error_codes_that_say_so_alone(self) -> None:
        result = {code: coverage._scanning({"status": "ENABLED", "errorCode": code}) for code in self.enum("ErrorCode")}
        assert {code for code, state in result.items() if state == "on"} == {
            "ALREADY_ENABLED",
            "RESOURCE_SCAN_NOT_DISABLED",
            "DISASSOCIATE_ALL_MEMBERS",
        }
        assert {code for code, state in result.items() if state == "off"} == {"BLOCKED_BY_ORGANIZATION_POLICY"}
        assert coverage.ERRORS.keys() <= result.keys()
        assert coverage._scanning({"status": "ENABLED", "errorCode": ""}) == coverage._scanning({"status": "ENABLED"}) == "on"
        assert coverage._scanning({"status": "DISABLED", "errorCode": "ALREADY_ENABLED"}) == "off"
        assert coverage._scanning({"status": "ENABLING", "errorCode": "BLOCKED_BY_ORGANIZATION_POLICY"}) == "off"

    def test_every_resource_type_has_a_scan_type(self) -> None:
        result = {kind: scan_type(kind, None) for kind in self.enum("ResourceType")}
        assert "other" not in result.values()
        assert {kind for kind, found in result.items() if found == "azure"} == {
            each for each in result if each.startswith("Microsoft.")
        }
        assert {kind for kind, found in result.items() if found == "gcp"} == {
            each for each in result if ".googleapis.com/" in each
        }

    def test_every_other_cloud_of_connectors_is_known(self) -> None:
        assert {each.lower() for each in self.enum("ConnectorCloudProvider")} == OTHER_CLOUDS.keys()


class TestOtherClouds:
    HEALTHY: ClassVar[dict[str, Any]] = {
        "connectorArn": f"arn:aws:inspector2:eu-central-1:{ACCOUNT}:connector/1",
        "provider": "AZURE",
        "enablementStatus": "ENABLED",
        "health": {"connectorStatus": "CONNECTED", "lastCheckedAt": 0},
        "createdAt": 0,
        "updatedAt": 0,
    }

    def read(self, service: Service, *connectors: dict[str, Any], error: str = "") -> Coverage:
        service.members()
        service.states({ACCOUNT: "ENABLED"})
        if error:
            service.stubber.add_client_error("list_connectors", error, "You may not")
        else:
            service.stubber.add_response("list_connectors", {"items": list(connectors)}, {})
        service.no_coverage()
        return service.read(ACCOUNT, scan_type="azure")

    def test_they_are_on_where_all_connectors_are_healthy(self, service: Service) -> None:
        found = self.read(service, self.HEALTHY)
        assert (found.scanning(ACCOUNT, "azure"), found.scanning(ACCOUNT, "gcp")) == ("on", "unknown")
        assert found.notes == ()

    @pytest.mark.parametrize(
        "ill",
        [
            {"enablementStatus": "FAILED_TO_ENABLE"},
            {"health": {"connectorStatus": "DEGRADED", "lastCheckedAt": 0}},
            {"health": {"connectorStatus": "PENDING_AUTHORIZATION", "lastCheckedAt": 0}},
            {"scopeConfiguration": {"vmScanning": {"scopeType": "TENANT", "state": "ERROR"}}},
        ],
    )
    def test_one_that_is_not_healthy_leaves_it_open(self, ill: dict[str, Any], service: Service) -> None:
        found = self.read(service, self.HEALTHY | ill, self.HEALTHY)
        assert found.scanning(ACCOUNT, "azure") == "unknown"
        assert found.notes == (
            f"It is unknown whether all of Azure in account {ACCOUNT} is scanned: not every connector is connected and enabled.",
        )

    def test_a_connector_without_a_health_is_not_healthy(self, service: Service) -> None:
        result = {name: value for name, value in self.HEALTHY.items() if name != "health"}
        assert self.read(service, result).scanning(ACCOUNT, "azure") == "unknown"

    def test_without_a_connector_or_the_permission_they_are_unknown(self, service: Service) -> None:
        assert self.read(service).scanning(ACCOUNT, "azure") == "unknown"

    def test_a_denied_listing_is_said(self, service: Service) -> None:
        found = self.read(service, error="AccessDeniedException")
        assert found.scanning(ACCOUNT, "azure") == "unknown"
        assert "the connectors could not be listed" in found.notes[0]


def test_an_account_that_is_no_longer_a_member_is_shown_as_such(service: Service) -> None:
    service.members("777788889999")
    service.states({ACCOUNT: "ENABLED"})
    service.states({"777788889999": "ENABLED"}, {OTHER_ACCOUNT: "ACCESS_DENIED"}, asked=[OTHER_ACCOUNT, "777788889999"])
    service.no_coverage()
    found = service.read(OTHER_ACCOUNT)
    assert not found.accounts[OTHER_ACCOUNT].is_member
    assert found.notes[0].startswith(f"Account {OTHER_ACCOUNT} is not a member account of Inspector")


def test_an_account_that_lists_no_member_at_all_may_have_lost_its_administration(service: Service) -> None:
    service.members()
    service.states({ACCOUNT: "ENABLED"})
    service.states({}, {OTHER_ACCOUNT: "ACCESS_DENIED"})
    service.no_coverage()
    found = service.read(OTHER_ACCOUNT)
    assert (found.accounts[OTHER_ACCOUNT].state, found.accounts[OTHER_ACCOUNT].is_member) == ("unknown", True)


@pytest.mark.parametrize("connector", [{}, {"provider": "AZURE"}, {"connectorArn": "arn"}, {"connectorArn": 7, "provider": None}])
def test_a_connector_of_another_form_fails_nothing(connector: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(operation: str, _: Any) -> dict[str, Any]:
        return {"items": [connector]} if operation == "ListConnectors" else {"accounts": [], "failedAccounts": [], "members": []}

    client: Any = builders.client("inspector2")
    monkeypatch.setattr(client, "_make_api_call", answer)
    assert read_coverage(client, ACCOUNT, {(ACCOUNT, "azure")}).scanning(ACCOUNT, "azure") == "unknown"
