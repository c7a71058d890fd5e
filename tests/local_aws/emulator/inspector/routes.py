"""The control routes of the emulated Inspector. The typed client is tests/local_aws/inspector_control.py."""

from __future__ import annotations

import dataclasses
import time
import uuid
from pathlib import Path
from typing import Any

from tests.local_aws.emulator.control_routes import on_reset, route
from tests.local_aws.emulator.inspector import criteria, reports
from tests.local_aws.emulator.inspector.details import KEV_MEMBERS
from tests.local_aws.emulator.inspector.findings import evolve, generate, load
from tests.local_aws.emulator.inspector.misbehaviour import CALL_FAULTS, Fault, Misbehaviour
from tests.local_aws.emulator.inspector.scanning import SCAN_TYPES

_MEMBER_ACCOUNTS = ("111122223333", "444455556666")


def install() -> None:
    """Forget everything when the emulator is reset. The routes were registered when this module was imported."""
    on_reset(reports.forget_all)


def _settings(body: dict[str, Any], *wanted: str) -> dict[str, Any]:
    """Return the body without account and Region; refuse members that the route does not have."""
    given = {name: value for name, value in body.items() if name not in ("account", "region")}
    if wanted and (unknown := sorted(given.keys() - set(wanted))):
        raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(wanted)}")
    return given


@route("/_local/inspector/reset")
def _reset(_body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    reports.forget(account, region)
    return {}


@route("/_local/inspector/seed")
def _seed(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    given = _settings(body, "findings", "seed", "accounts", "now")
    count, now = given.get("findings", 5_000), given.get("now", time.time())
    accounts = tuple(given.get("accounts") or (account, *_MEMBER_ACCOUNTS))
    if not isinstance(count, int) or count < 0:
        raise ValueError("findings must be a number of findings")
    findings = generate(count, seed=given.get("seed", 0), now=now, accounts=accounts, region=region)
    here = reports.place(account, region)
    with here.changed:
        here.findings, here.seed, here.accounts = findings, given.get("seed", 0), accounts
        here.switched_off = frozenset()
    return _counted(here)


@route("/_local/inspector/load")
def _load(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    path = Path(_settings(body, "path").get("path", ""))
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    findings = load(path)
    here = reports.place(account, region)
    with here.changed:
        here.findings, here.seed, here.switched_off = findings, path.name, frozenset()
        here.accounts = tuple(dict.fromkeys([account, *(finding["awsAccountId"] for finding in findings)]))
    return _counted(here)


@route("/_local/inspector/evolve")
def _evolve(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    given = _settings(body, "day", "now", "fixed", "suppressed", "new", "rebuild", "switch_off")
    here = reports.place(account, region)
    day, now = given.pop("day", 1), given.pop("now", time.time())
    findings, changes = evolve(here.findings, day=day, seed=here.seed, now=now, **given)
    with here.changed:
        here.findings = findings
        here.switched_off |= {(given["switch_off"], "")} if given.get("switch_off") else frozenset()
    return dataclasses.asdict(changes)


@route("/_local/inspector/switch")
def _switch(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    given = _settings(body, "member", "on", "scan_types")
    wanted = given.get("scan_types") or [""]
    if unknown := sorted({*wanted} - {"", *SCAN_TYPES}):
        raise ValueError(f"unknown scan types: {', '.join(unknown)}; known: {', '.join(SCAN_TYPES)}")
    here = reports.place(account, region)
    if given.get("member") not in here.accounts:
        raise ValueError(f"member must be one of {', '.join(here.accounts)}")
    places = {(given["member"], scan_type) for scan_type in wanted}
    with here.changed:
        here.switched_off = here.switched_off - places if given.get("on") else here.switched_off | places
    return {}


@route("/_local/inspector/kev")
def _kev(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    given = _settings(body, "vulnerability_id", *KEV_MEMBERS)
    vulnerability_id = given.pop("vulnerability_id", "")
    if not vulnerability_id or "dateAdded" not in given:
        raise ValueError("vulnerability_id and dateAdded are required; dates are epoch seconds")
    here = reports.place(account, region)
    with here.changed:
        here.kev = here.kev | {vulnerability_id: given}
    return {"findings": sum(_vulnerability_of(finding) == vulnerability_id for finding in here.findings)}


@route("/_local/inspector/findings")
def _findings(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    wanted = _settings(body, "filter_criteria").get("filter_criteria") or {}
    if problems := criteria.problems(wanted):
        raise ValueError(f"the criteria are not valid: {problems}")
    return {"findings": list(filter(criteria.matcher(wanted), reports.place(account, region).findings))}


@route("/_local/inspector/configure")
def _configure(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    here = reports.place(account, region)
    with here.changed:
        here.settings.change(_settings(body))
        return dict(vars(here.settings))


@route("/_local/inspector/misbehave")
def _misbehave(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    given = _settings(body, *(member.name for member in dataclasses.fields(Fault)))
    if "kind" not in given:
        raise ValueError(f"kind is required: {', '.join(CALL_FAULTS)} or a fault of reports")
    here = reports.place(account, region)
    with here.changed:
        here.misbehaviour.faults.append(Fault(**given))
        return {"faults": here.misbehaviour.pending()}


@route("/_local/inspector/behave")
def _behave(_body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    here = reports.place(account, region)
    with here.changed:
        here.misbehaviour = Misbehaviour()
    return {}


@route("/_local/inspector/hold")
def _hold(_body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    here = reports.place(account, region)
    with here.changed:
        here.is_held = True
    return {}


@route("/_local/inspector/release")
def _release(_body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    here = reports.place(account, region)
    with here.changed:
        here.is_held = False
        for report in here.reports.values():
            report.is_held = False
        here.changed.notify_all()
    return {}


@route("/_local/inspector/external_report")
def _external_report(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    given = _settings(body, "destination")
    destination = {
        "bucketName": f"external-bucket-{account}",
        "keyPrefix": "by-hand/",
        "kmsKeyArn": f"arn:aws:kms:{region}:{account}:key/{uuid.UUID(int=0)}",
    }
    here = reports.place(account, region)
    report = reports.Report(
        id=str(uuid.uuid4()),
        format="CSV",
        destination=destination | given.get("destination", {}),
        filter_criteria={},
        started_by=f"arn:aws:iam::{account}:user/external",
        created_at=time.time(),
        is_external=True,
        is_held=True,
    )
    with here.changed:
        if here.in_progress():
            raise ValueError("a report is in progress")
        here.add(report)
    return {"report_id": report.id}


@route("/_local/inspector/end_report")
def _end_report(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    given = _settings(body, "report_id", "status", "error_code")
    status = given.get("status", reports.SUCCEEDED)
    if status not in (reports.SUCCEEDED, reports.FAILED, reports.CANCELLED):
        raise ValueError(f"{status} is not how a report ends")
    here = reports.place(account, region)
    report = here.reports.get(given.get("report_id", ""))
    if report is None:
        raise ValueError(f"there is no report {given.get('report_id')}")
    error_code = given.get("error_code", "INTERNAL_ERROR") if status == reports.FAILED else ""
    here.end(report, status, error_code, "A test made the emulator end this report" if error_code else "")
    return {}


@route("/_local/inspector/record")
def _record(_body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    here = reports.place(account, region)
    with here.changed:
        return {
            "reports": [
                {**vars(report), "account": account, "region": region, "faults": sorted(report.faults)}
                for report in here.reports.values()
            ],
            "most_in_progress": here.most_in_progress,
            "calls": [dict(call) for call in here.calls],
        }


def _vulnerability_of(finding: dict[str, Any]) -> str:
    return str((finding.get("packageVulnerabilityDetails") or {}).get("vulnerabilityId", ""))


def _counted(here: reports.Place) -> dict[str, Any]:
    return {
        "active": sum(finding["status"] == "ACTIVE" for finding in here.findings),
        "all": len(here.findings),
        "accounts": list(here.accounts),
    }
