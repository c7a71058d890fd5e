"""Gap: MiniStack says that every account's Inspector is disabled, and counts coverage from scans of its own.

Tells of the accounts and resources that the emulated findings belong to, once there are any.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_region, json_response
from ministack.services import inspector2

from tests.local_aws.emulator.inspector import reports

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.local_aws.emulator.inspector.findings import Finding

_RESOURCE_TYPES = ("ec2", "ecr", "lambda", "lambdaCode")
# The model wants an error code and a message in any case; which ones stand for none is a guess.
_ENABLED = {"status": "ENABLED", "errorCode": "ALREADY_ENABLED", "errorMessage": "Inspector is enabled"}
_DISABLED = {"status": "DISABLED", "errorCode": "RESOURCE_NOT_FOUND", "errorMessage": "Inspector is not enabled"}
_GROUPS: dict[str, Callable[[Finding], str]] = {
    "ACCOUNT_ID": lambda finding: finding["awsAccountId"],
    "RESOURCE_TYPE": lambda finding: finding["resources"][0]["type"],
    "SCAN_STATUS_CODE": lambda _finding: "ACTIVE",
    "SCAN_STATUS_REASON": lambda _finding: "SUCCESSFUL",
}


def install() -> None:
    """Answer BatchGetAccountStatus and ListCoverageStatistics where findings were seeded."""
    plain = dict(inspector2._path_handlers)

    def account_status(data: dict[str, Any], account_id: str) -> Any:
        here = reports.place(account_id, get_region())
        if not here.accounts:
            return plain["/status/batch/get"](data, account_id)
        accounts, unknown = [], []
        for account in data.get("accountIds") or [account_id]:
            if account not in here.accounts:
                unknown.append({"accountId": account, "errorCode": "ACCESS_DENIED", "errorMessage": "Not a member account"})
                continue
            state = _DISABLED if account in here.switched_off else _ENABLED
            accounts.append({"accountId": account, "state": state, "resourceState": dict.fromkeys(_RESOURCE_TYPES, state)})
        return json_response({"accounts": accounts, "failedAccounts": unknown})

    def coverage_statistics(data: dict[str, Any], account_id: str) -> Any:
        here = reports.place(account_id, get_region())
        if not here.accounts:
            return plain["/coverage/statistics/list"](data, account_id)
        resources = {finding["resources"][0]["id"]: finding for finding in here.findings}
        answer: dict[str, Any] = {"totalCounts": len(resources)}
        if group := _GROUPS.get(data.get("groupBy", "")):
            counts = Counter(group(finding) for finding in resources.values())
            answer["countsByGroup"] = [{"groupKey": key, "count": count} for key, count in counts.items()]
        return json_response(answer)

    inspector2._path_handlers |= {"/status/batch/get": account_status, "/coverage/statistics/list": coverage_statistics}
