"""Inspector: enabled in the account, and scanning something."""

from collections.abc import Mapping
from typing import Any

from findings_exporter.aws.attempts import Unread
from findings_exporter.model.notes import Note
from findings_exporter.preflight.check import Check, unread
from findings_exporter.preflight.deployment import Deployment


def inspector_enabled(account: Mapping[str, Any] | Unread | None, deployment: Deployment) -> Check:
    """Check whether Inspector is enabled, and for which resource types."""
    name, region = "inspector", deployment.config.region
    enable = (Note("fix.inspector", region=region),)
    if isinstance(account, Unread):
        return unread(name, account)
    if account is None:
        return Check(name, "failed", Note("failed.inspector_unknown_account", region=region), (), enable)
    status = str(account["state"]["status"])
    types = {kind: str(state["status"]) for kind, state in sorted(account.get("resourceState", {}).items())}
    evidence = (Note("seen.account", status=status), *(f"{kind}: {each}" for kind, each in types.items()))
    on = [kind for kind, each in types.items() if each == "ENABLED"]
    off = [kind for kind in types if kind not in on]
    if status == "ENABLED" and on:
        partly = Note("passed.inspector_partly", types=on, off=off)
        return Check(name, "passed", partly if off else Note("passed.inspector", types=on), evidence)
    if status in {"ENABLED", "DISABLED", "DISABLING", "SUSPENDED", "SUSPENDING"} and not on:
        return Check(name, "failed", Note("failed.inspector_off", region=region), evidence, enable)
    return Check(name, "unknown", Note("unknown.inspector_status", status=status, region=region), evidence)


def anything_scanned(scanned: int | Unread | None) -> Check:
    """Check whether Inspector scans any resource: otherwise an empty report says nothing."""
    name = "coverage"
    if scanned is None or isinstance(scanned, Unread):
        return unread(name, scanned or Unread(Note("why.no_statistics")))
    if scanned == 0:
        return Check(name, "failed", Note("failed.coverage"), ("ACTIVE: 0",), (Note("fix.coverage"),))
    return Check(name, "passed", Note("passed.coverage", count=scanned), (f"ACTIVE: {scanned}",))
