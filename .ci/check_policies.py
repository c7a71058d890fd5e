"""Check every rendered IAM policy with parliament: unknown actions, conditions and resources, needless wildcards.

Its data are AWS' service authorization reference, shipped with it, so that nothing is asked over the network.

Usage: python -m tests.builders.rendered | check_policies.py   (in the environment of the group security)
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import parliament

# What a policy breaks on purpose: (rule, where, which action, or all) -> why. One that nothing needs any more is a fault, too.
EXCEPTIONS = {
    ("RESOURCE_STAR", "Key", ""): "in a key's policy * is the key itself [AWS: KMS developer guide, key policies]",
    ("RESOURCE_STAR", "output KeyStatementForInspector", ""): "to be added to a key's policy, where * is the key itself",
    ("RESOURCE_STAR", "output KeyStatementForExporter", ""): "to be added to a key's policy, where * is the key itself",
    ("RESOURCE_STAR", "output KeyStatementForReaders", ""): "to be added to a key's policy, where * is the key itself",
    ("PERMISSIONS_MANAGEMENT_ACTIONS", "Key", ""): (
        "the account's own policies decide on the key, else no principal could fix its policy"
        " [AWS: KMS developer guide, default key policy]"
    ),
    ("PERMISSIONS_MANAGEMENT_ACTIONS", "BucketPolicy", "s3:putobjectacl"): (
        "Inspector asks for it [AWS: Inspector user guide, exporting findings reports]"
    ),
    ("PERMISSIONS_MANAGEMENT_ACTIONS", "output BucketStatementForInspector", "s3:putobjectacl"): "as in the stack's own bucket",
    ("PERMISSIONS_MANAGEMENT_ACTIONS", "ExportFindingsRole", "logs:putresourcepolicy"): (
        "log delivery of a state machine asks for it [AWS: Step Functions developer guide, logging to CloudWatch Logs]"
    ),
    ("PERMISSIONS_MANAGEMENT_ACTIONS", "ExportAllReportsRole", "logs:putresourcepolicy"): "as for the other state machine",
    ("RESOURCE_MISMATCH", "ExportAllReportsRole", "states:DescribeExecution"): "express executions are not followed",
    ("RESOURCE_MISMATCH", "PlanReportsFunctionRole", "states:DescribeExecution"): "express executions are not asked for",
    ("RESOURCE_MISMATCH", "FinishReportsFunctionRole", "states:DescribeExecution"): "express executions are not asked for",
    ("RESOURCE_MISMATCH", "AcquireLockFunctionRole", "states:DescribeExecution"): "express executions are not asked for",
    ("RESOURCE_MISMATCH", "StartReportFunctionRole", "states:DescribeExecution"): "express executions are not asked for",
    ("RESOURCE_MISMATCH", "CleanUpFunctionRole", "states:DescribeExecution"): "express executions are not asked for",
    ("RESOURCE_MISMATCH", "CleanUpFunctionRole", "states:ListExecutions"): "executions of map runs are not asked for",
    ("UNKNOWN_ACTION", "AnalyzeReportFunctionRole", "inspector2:ListConnectors"): (
        "newer than parliament's data [AWS: Inspector API reference, ListConnectors]"
    ),
}


def faults(policies: list[dict[str, Any]]) -> Iterator[str]:
    """Return what is wrong with the policies, a line each."""
    unused = dict(EXCEPTIONS)
    for policy in policies:
        place, _, variant = policy["where"].partition(", ")
        # The rules of parliament's community know no trust policy: whoever may assume a role is "exposed".
        rules = policy["kind"] != "trust"
        checked = parliament.analyze_policy_string(json.dumps(policy["document"]), include_community_auditors=rules)
        for finding in checked.findings:
            for action in _actions(finding):
                excepted = EXCEPTIONS.keys() & {(finding.issue, place, action), (finding.issue, place, "")}
                for key in excepted:
                    unused.pop(key, None)
                if not excepted:
                    result = action or f"{finding.detail} {finding.location.get('string', '')}"
                    yield f"{place} ({variant}): {finding.issue} {result}"
    yield from (f"no policy needs this exception any more: {' '.join(key)}" for key in unused)


def _actions(finding: Any) -> list[str]:  # noqa: ANN401 - parliament is untyped
    if finding.issue == "RESOURCE_MISMATCH":
        return [each["action"] for each in finding.detail]
    if finding.issue == "UNKNOWN_ACTION":
        return [finding.location["string"]]
    return finding.location.get("actions") or [""]


if __name__ == "__main__":
    given = json.load(sys.stdin)
    found = list(faults(given))
    print("\n".join(found) or f"{len(given)} policies are sound, with {len(EXCEPTIONS)} exceptions")
    sys.exit(1 if found or not given else 0)
