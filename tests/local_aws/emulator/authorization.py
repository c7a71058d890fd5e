"""Evaluates the policies of a role, for emulated services that act as that role.

The control route `/_local/authorization/service` evaluates a resource's own policy for an AWS service, so that a test can
try services and sources that the emulator does not have.

Guard: test_a_resources_policy_is_asked_for_a_service.
"""

from typing import Any

from ministack.core import iam_evaluator as iam
from ministack.core.responses import get_account_id, get_region

from tests.local_aws.emulator.control_routes import route


def denial(role_arn: str, session: str, action: str, resource_arn: str, *, ask_resource: bool = False) -> str | None:
    """Return AWS' access-denied sentence when a role's policies do not allow an action, else None.

    With `ask_resource`, the resource's own policy counts, too.
    """
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    principal = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
    context = iam.EvalContext(
        principal_arn=principal,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=get_region(),
        secure_transport=True,
    )
    result = iam.evaluate(context, iam._gather_role_policies(name, account))
    if ask_resource and (found := iam._resource_policy(action.partition(":")[0], resource_arn)):
        result = iam.combine_resource_policy(result, context, *found)
    if result.decision == "Allow":
        return None
    return f"User: {principal} is not authorized to perform: {action} on resource: {resource_arn}"


def trust_denial(role_arn: str, service: str, source_arn: str) -> str | None:
    """Return a sentence when a role's trust policy does not let a service assume it for a resource, else None."""
    from ministack.services import iam as roles

    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    role: dict[str, Any] = roles._roles.get_scoped(account, None, name) or {}
    context = iam.EvalContext(
        principal_arn=service,
        principal_type="Service",
        principal_account=get_account_id(),
        action="sts:AssumeRole",
        resource_arn=role_arn,
        region=get_region(),
        secure_transport=True,
        service_context={"aws:sourceaccount": get_account_id(), "aws:sourcearn": source_arn},
    )
    document = role.get("AssumeRolePolicyDocument")
    if iam.evaluate_resource_policy(document, context, service=service).decision == "Allow":
        return None
    return f"The execution role {role_arn} must allow {service} to assume the role."


@route("/_local/authorization/service")
def _ask_for_service(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    service, action, resource_arn = body["service"], body["action"], body["resource"]
    found = iam._resource_policy(action.split(":")[0], resource_arn)
    if found is None:
        raise ValueError(f"{resource_arn} has no policy")
    source = {"aws:sourceaccount": body.get("source_account"), "aws:sourcearn": body.get("source_arn")}
    context = iam.EvalContext(
        principal_arn=service,
        principal_type="Service",
        # The emulator takes the resource's account from here; a service principal has none of its own.
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=region,
        secure_transport=True,
        service_context={name: value for name, value in source.items() if value},
    )
    return {"decision": iam.evaluate_resource_policy(found[0], context, service=service).decision}
