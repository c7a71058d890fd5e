"""Gap: MiniStack says that every account's Inspector is disabled, lists no members, knows no connectors, and counts coverage from
scans of its own.

Once there are emulated findings, answers with the accounts and resources that they belong to; the calling account
administers the others. Every account also has resources without findings, and an instance that is not scanned, so that
coverage is not empty when there are no findings.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from ministack.core.responses import error_response_json, get_region, json_response
from ministack.services import inspector2

from tests.local_aws.emulator.inspector import reports

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SCAN_TYPES = ("ec2", "ecr", "lambda", "lambdaCode")
_SCAN_TYPE_OF = {
    "AWS_EC2_INSTANCE": "ec2",
    "AWS_ECR_CONTAINER_IMAGE": "ecr",
    "AWS_ECR_REPOSITORY": "ecr",
    "AWS_LAMBDA_FUNCTION": "lambda",
}
# The model requires an error code and a message in any case; which ones mean "no error" is a guess.
_ENABLED = {"status": "ENABLED", "errorCode": "ALREADY_ENABLED", "errorMessage": "Inspector is enabled"}
_DISABLED = {"status": "DISABLED", "errorCode": "RESOURCE_NOT_FOUND", "errorMessage": "Inspector is not enabled"}
_ACCOUNTS_A_CALL = 100
_GROUPS_A_PAGE = 5
_MEMBERS_A_PAGE = 50


class Resource(NamedTuple):
    """A resource in Inspector's coverage."""

    account: str
    kind: str
    id: str
    reason: str

    @property
    def code(self) -> str:
        """ACTIVE when it is scanned."""
        return "ACTIVE" if self.reason == "SUCCESSFUL" else "INACTIVE"


_GROUPS: dict[str, Callable[[Resource], str]] = {
    "ACCOUNT_ID": lambda resource: resource.account,
    "RESOURCE_TYPE": lambda resource: resource.kind,
    "SCAN_STATUS_CODE": lambda resource: resource.code,
    "SCAN_STATUS_REASON": lambda resource: resource.reason,
}
_FILTERS: dict[str, Callable[[Resource], str]] = {
    "accountId": lambda resource: resource.account,
    "resourceType": lambda resource: resource.kind,
    "resourceId": lambda resource: resource.id,
    "scanStatusCode": lambda resource: resource.code,
    "scanStatusReason": lambda resource: resource.reason,
}


def resources(here: reports.Place) -> list[Resource]:
    """Return the resources in Inspector's coverage: none of accounts and scan types that are deactivated."""
    found = {
        (finding["awsAccountId"], resource["type"], resource["id"]): "SUCCESSFUL"
        for finding in here.findings
        for resource in finding["resources"]
    }
    for account in here.accounts:
        clean = (("AWS_EC2_INSTANCE", f"i-0{account}"), ("AWS_ECR_REPOSITORY", "empty"), ("AWS_LAMBDA_FUNCTION", "clean"))
        found |= {(account, kind, name): "SUCCESSFUL" for kind, name in clean}
        found[account, "AWS_EC2_INSTANCE", f"i-1{account}"] = "UNMANAGED_EC2_INSTANCE"
    return [
        Resource(account, kind, name, reason)
        for (account, kind, name), reason in found.items()
        if here.is_scanned(account, _SCAN_TYPE_OF.get(kind, ""))
    ]


def install() -> None:
    """Answer BatchGetAccountStatus, ListMembers, ListConnectors and ListCoverageStatistics where findings were seeded."""
    plain = dict(inspector2._path_handlers)

    def account_status(data: dict[str, Any], account_id: str) -> Any:
        here = reports.place(account_id, get_region())
        if not here.accounts:
            return plain["/status/batch/get"](data, account_id)
        asked = data.get("accountIds") or [account_id]
        if len(asked) > _ACCOUNTS_A_CALL:
            return _invalid(f"accountIds must hold at most {_ACCOUNTS_A_CALL} accounts")
        accounts, unknown = [], []
        for account in asked:
            if account not in here.accounts:
                unknown.append({"accountId": account, "errorCode": "ACCESS_DENIED", "errorMessage": "Not a member account"})
                continue
            scan_types = {kind: _ENABLED if here.is_scanned(account, kind) else _DISABLED for kind in SCAN_TYPES}
            # An account in which one scan type is enabled counts as enabled.
            state = _ENABLED if _ENABLED in scan_types.values() else _DISABLED
            accounts.append({"accountId": account, "state": state, "resourceState": scan_types})
        return json_response({"accounts": accounts, "failedAccounts": unknown})

    def members(data: dict[str, Any], account_id: str) -> Any:
        here = reports.place(account_id, get_region())
        others = [account for account in here.accounts if account != account_id]
        page, token = _page(others, data, int(data.get("maxResults") or _MEMBERS_A_PAGE))
        result = [
            {
                "accountId": account,
                "relationshipStatus": "ENABLED",
                "delegatedAdminAccountId": account_id,
                "updatedAt": round(time.time()),
            }
            for account in page
        ]
        return json_response({"members": result, **token})

    def connectors(data: dict[str, Any], account_id: str) -> Any:
        # Findings of other clouds are not generated, so an account has no connector.
        return json_response({"items": []})

    def coverage_statistics(data: dict[str, Any], account_id: str) -> Any:
        here = reports.place(account_id, get_region())
        if not here.accounts:
            return plain["/coverage/statistics/list"](data, account_id)
        criteria = data.get("filterCriteria") or {}
        if unknown := sorted(criteria.keys() - _FILTERS.keys()):
            return _invalid(f"The emulator does not know the filters {', '.join(unknown)}")
        found = [
            resource
            for resource in resources(here)
            if all(_matches(_FILTERS[name](resource), filters) for name, filters in criteria.items())
        ]
        answer: dict[str, Any] = {"totalCounts": len(found)}
        if group := _GROUPS.get(data.get("groupBy", "")):
            counts = sorted(Counter(map(group, found)).items())
            page, token = _page(counts, data, _GROUPS_A_PAGE)
            answer |= token
            if page:  # the model requires at least one
                answer["countsByGroup"] = [{"groupKey": key, "count": count} for key, count in page]
        return json_response(answer)

    inspector2._path_handlers |= {
        "/status/batch/get": account_status,
        "/members/list": members,
        "/connector/list": connectors,
        "/coverage/statistics/list": coverage_statistics,
    }


def _matches(value: str, filters: Sequence[dict[str, str]]) -> bool:
    """Return whether one of the EQUALS filters matches, and none of the NOT_EQUALS filters."""
    included = [each["value"] for each in filters if each["comparison"] == "EQUALS"]
    excluded = [each["value"] for each in filters if each["comparison"] == "NOT_EQUALS"]
    return value not in excluded and (not included or value in included)


def _page[T](entries: Sequence[T], data: dict[str, Any], size: int) -> tuple[Sequence[T], dict[str, str]]:
    start = int(data.get("nextToken") or 0)
    end = start + size
    return entries[start:end], {"nextToken": str(end)} if end < len(entries) else {}


def _invalid(message: str) -> Any:
    return error_response_json("ValidationException", message, 400, extra={"reason": "FIELD_VALIDATION_FAILED", "fields": []})
