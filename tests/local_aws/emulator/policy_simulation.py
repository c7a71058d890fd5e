"""Gap: IAM's policy simulation ignores condition context, other accounts, and the resource of its own permission.

MiniStack simulates without the context that a request brings, so that a statement with a condition never applies, and
requires iam:SimulatePrincipalPolicy on `*` alone. It treats a resource of another account as the account's own. This patch
uses the context entries, returns the decision by kind of policy for another account's resource (AWS does not document the
names of the kinds), and requires the permission on the simulated role.

Guards: test_a_simulation_knows_the_requests_context, test_a_simulation_returns_a_roles_part_of_another_accounts_key, test_a_simulation_needs_the_permission_on_the_role.
"""

from typing import Any

from ministack.core import iam_actions
from ministack.core import iam_evaluator as evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam

_DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny"}


def _listed(parameters: dict[str, Any], name: str) -> list[str]:
    found: list[str] = []
    while value := iam._p(parameters, f"{name}.member.{len(found) + 1}"):
        found.append(value)
    return found


def _context(parameters: dict[str, Any]) -> dict[str, str]:
    entries: dict[str, str] = {}
    while key := iam._p(parameters, f"ContextEntries.member.{len(entries) + 1}.ContextKeyName"):
        entry = f"ContextEntries.member.{len(entries) + 1}"
        entries[key.lower()] = iam._p(parameters, f"{entry}.ContextKeyValues.member.1")
    return entries


def _decision(role: str, action: str, resource: str, entries: dict[str, str]) -> str:
    account, name = role.split(":")[4], role.rsplit("/", 1)[-1]
    request = evaluator.EvalContext(
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        secure_transport=True,
        service_context=entries,
    )
    return _DECISIONS.get(evaluator.evaluate(request, evaluator._gather_role_policies(name, account)).decision, "implicitDeny")


def _result(role: str, action: str, resource: str, entries: dict[str, str]) -> str:
    decision, details = _decision(role, action, resource, entries), ""
    if resource.count(":") > 4 and resource.split(":")[4] not in {"", role.split(":")[4]}:
        # Another account's resource policy must allow the call too, and it is not in the simulation.
        kinds = {"identity-based policy": decision, "resource-based policy": "implicitDeny"}
        entry = "".join(f"<entry><key>{kind}</key><value>{value}</value></entry>" for kind, value in kinds.items())
        decision, details = "implicitDeny", f"<EvalDecisionDetails>{entry}</EvalDecisionDetails>"
    return (
        f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{resource}</EvalResourceName>"
        f"<EvalDecision>{decision}</EvalDecision>{details}</member>"
    )


def _simulate(parameters: dict[str, Any]) -> Any:
    role = iam._p(parameters, "PolicySourceArn")
    if role.rsplit("/", 1)[-1] not in iam._roles or role.split(":")[4] != get_account_id():
        return iam._error(404, "NoSuchEntity", f"The role {role} cannot be found.", ns="iam")
    entries = _context(parameters)
    results = "".join(
        _result(role, action, resource, entries)
        for action in _listed(parameters, "ActionNames")
        for resource in _listed(parameters, "ResourceArns") or ["*"]
    )
    answer = f"<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated>"
    return iam._xml(
        200,
        "SimulatePrincipalPolicyResponse",
        f"<SimulatePrincipalPolicyResult>{answer}</SimulatePrincipalPolicyResult>",
        ns="iam",
    )


def install() -> None:
    """Replace the simulation, and name the role as its resource."""
    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = _simulate
    resource_arn = iam_actions.extract_resource_arn

    def resource_of(service: str, *request: Any, **more: Any) -> Any:
        query_params = request[4] if len(request) > 4 else more.get("query_params", {})
        if service == "iam" and (role := iam_actions._query_param(query_params, "PolicySourceArn")):
            return role
        return resource_arn(service, *request, **more)

    iam_actions.extract_resource_arn = resource_of
