"""The permissions of the exporter's roles, as IAM simulates them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from findings_exporter.aws.attempts import Unread
from findings_exporter.model.notes import Note
from findings_exporter.preflight.check import Check, Document, unread
from findings_exporter.preflight.deployment import Permission
from findings_exporter.preflight.reading import PermissionSeen


def permissions(name: str, seen: Sequence[PermissionSeen]) -> Check:
    """Check whether the roles may do by their own policies what they must, as IAM simulates it."""
    missing = [each.results for each in seen if isinstance(each.results, Unread)]
    results = [(each.permission, result) for each in seen if not isinstance(each.results, Unread) for result in each.results]
    refused = [(asked, result) for asked, result in results if _decision_of_role(asked, result) == "refused"]
    unclear = [(asked, result) for asked, result in results if _decision_of_role(asked, result) == "unknown"]
    if refused:
        roles = sorted({asked.role.rsplit("/", 1)[-1] for asked, _ in refused})
        evidence = tuple(_refusal(asked, result) for asked, result in refused)
        fix = (Note("fix.deploy"), *([Note("fix.boundary")] if any(map(_is_bounded, (result for _, result in refused))) else []))
        return Check(name, "failed", Note(f"failed.{name}", roles=roles), evidence, fix)
    if missing:
        return unread(name, missing[0])
    if unclear:
        evidence = tuple(_refusal(asked, result) for asked, result in unclear)
        return replace(_unclear(name, unclear), evidence=evidence)
    allowed = {f"{asked.role.rsplit('/', 1)[-1]}: {result['EvalActionName']}" for asked, result in results}
    return Check(name, "passed", Note(f"passed.{name}"), tuple(sorted(allowed)))


def _decision_of_role(asked: Permission, result: Document) -> Literal["allowed", "refused", "unknown"]:
    """Return what a simulation says of the role's own policies."""
    if result["EvalDecision"] == "allowed":
        return "allowed"
    parts = [result, *result.get("ResourceSpecificResults", [])]
    if asked.is_on_anothers_resource:
        # The key's own policy is not simulated, so the whole is refused. The answer names how each kind of policy decided.
        kinds = {kind: decision for part in parts for kind, decision in part.get("EvalDecisionDetails", {}).items()}
        own = {decision for kind, decision in kinds.items() if "resource" not in kind.lower()}
        return "allowed" if own == {"allowed"} else "unknown"
    # A condition whose key was not given says nothing of the real call, and of an organization's policy such keys are not known.
    is_unclear = _is_refused_by_organization(result) or any(part.get("MissingContextValues") for part in parts)
    return "unknown" if is_unclear else "refused"


def _unclear(name: str, results: Sequence[tuple[Permission, Document]]) -> Check:
    if any(_is_refused_by_organization(result) for _, result in results):
        return Check(name, "unknown", Note("unknown.organization"), fix=(Note("fix.organization"),))
    if any(asked.is_on_anothers_resource for asked, _ in results):
        return Check(name, "unknown", Note("unknown.simulation"))
    return Check(name, "unknown", Note("unknown.conditions"))


def _is_bounded(result: Document) -> bool:
    return result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary") is False


def _is_refused_by_organization(result: Document) -> bool:
    return result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False


def _refusal(asked: Permission, result: Document) -> str:
    limits = [
        Note(limit)
        for limits_it, limit in ((_is_refused_by_organization, "limit.organization"), (_is_bounded, "limit.boundary"))
        if limits_it(result)
    ]
    # The result names the form of the resource's ARN only [AWS: IAM API, EvaluationResult].
    seen = {"action": result["EvalActionName"], "resource": asked.resource, "decision": result["EvalDecision"]}
    role = asked.role.rsplit("/", 1)[-1]
    return Note("seen.refusal_by", role=role, limits=limits, **seen) if limits else Note("seen.refusal", role=role, **seen)
