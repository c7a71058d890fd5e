"""Gap: `aws:PrincipalArn` of a role's session is the session's ARN, so a condition on the role's ARN never holds.

On AWS it is the ARN of the role, with its path. So a Deny for all but a role (ArnNotLike) refuses that role here, too.

Guard: test_a_condition_on_the_principal_sees_the_role.
"""

from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam


def _role_of(session_arn: str) -> str:
    account, name = session_arn.split(":")[4], session_arn.split("/")[1]
    role: dict[str, Any] = iam._roles.get_scoped(account, None, name) or {}
    return str(role.get("Arn", f"arn:aws:iam::{account}:role/{name}"))


def install() -> None:
    """Name the role instead of its session."""
    resolve = iam_evaluator._resolve_condition_key

    def resolve_to_role(key: str, context: Any) -> Any:
        value = resolve(key, context)
        is_session = key.lower() == "aws:principalarn" and ":assumed-role/" in str(value)
        return _role_of(value) if is_session else value

    iam_evaluator._resolve_condition_key = resolve_to_role
