"""Scan coverage: the state of scanning in each account and scan type, and how many resources are scanned.

Only what is surely scanned counts as scanned. A state that cannot be read, that is missing from an answer, or that says that
scanning is being activated is ``unknown``; nothing here ever fails an analysis.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import batched
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from findings_exporter.model.notes import Note, named
from findings_exporter.model.taxonomy import OTHER_CLOUDS

if TYPE_CHECKING:
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_inspector2.literals import GroupKeyType

type Scanning = Literal["on", "off", "unknown"]
type Place = tuple[str, str]
"""An account and a scan type."""

STATES: Mapping[str, Scanning] = {
    "ENABLED": "on",
    # Findings come back over hours.
    "ENABLING": "unknown",
    "DISABLED": "off",
    "DISABLING": "off",
    "SUSPENDED": "off",
    "SUSPENDING": "off",
}
"""Inspector's states [AWS: service model]; a newer one is unknown."""
ERRORS: Mapping[str, Scanning] = {
    "ALREADY_ENABLED": "on",
    # What was asked and refused was to switch off.
    "RESOURCE_SCAN_NOT_DISABLED": "on",
    "DISASSOCIATE_ALL_MEMBERS": "on",
    "BLOCKED_BY_ORGANIZATION_POLICY": "off",
}
"""What an error code makes of the state ENABLED [AWS: service model]; with any other one it is not sure that all is scanned."""
HEALTHY_CONNECTOR = ("ENABLED", "CONNECTED")
"""Its enablement and its health [AWS: ListConnectors]."""
ACCOUNTS_A_CALL = 100
"""As many accounts BatchGetAccountStatus takes [AWS: service model]."""
MOST_PAGES = 2_000
"""Of one listing: a service that pages for ever must not keep the analysis."""


@dataclass(frozen=True, slots=True)
class AccountScanning:
    """What Inspector does in one account.

    Attributes
    ----------
    state
        Of the account as a whole.
    scan_types
        By the names of :data:`~findings_exporter.model.taxonomy.SCAN_TYPES`, as far as Inspector returned them.
    why
        Inspector's reason for a state other than ``on``; else empty.
    scanned, not_scanned
        Resources; None when unknown.
    is_member
        False when Inspector lists the members, and this account is none of them: its findings are in no report any more.
    """

    state: Scanning
    scan_types: Mapping[str, Scanning] = field(default_factory=dict)
    why: str = ""
    scanned: int | None = None
    not_scanned: int | None = None
    is_member: bool = True

    def scanning(self, scan_type: str) -> Scanning:
        """Return whether a scan type is on: only where Inspector says so of the account and of the type.

        Of other clouds connectors alone decide.
        """
        own = self.scan_types.get(scan_type, "unknown")
        if scan_type in OTHER_CLOUDS:
            return own
        if "off" in {self.state, own}:
            return "off"
        return own if self.state == "on" else "unknown"


@dataclass(frozen=True, slots=True)
class TypeCoverage:
    """The resources of one type, in all accounts.

    Attributes
    ----------
    why_not
        Inspector's reasons for not scanning some, with their numbers.
    """

    scanned: int = 0
    not_scanned: int = 0
    why_not: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known of Inspector's scanning.

    Attributes
    ----------
    account
        The one that asks: the delegated administrator, or an account of its own.
    scanned, not_scanned
        Resources of all accounts; None when unknown.
    resource_types
        None when unknown.
    notes
        Sentences that say what could not be read.
    """

    account: str
    accounts: Mapping[str, AccountScanning]
    scanned: int | None = None
    not_scanned: int | None = None
    resource_types: Mapping[str, TypeCoverage] | None = None
    notes: tuple[str, ...] = ()

    def scanning(self, account: str, scan_type: str) -> Scanning:
        """Return whether Inspector scans this in an account."""
        return self.accounts[account].scanning(scan_type) if account in self.accounts else "unknown"

    @property
    def scans_nothing(self) -> bool:
        """Whether Inspector knows resources, and scans none of them: then nothing is scanned, even where scanning is active."""
        return self.scanned == 0 and bool(self.not_scanned)

    def to_dict(self) -> dict[str, Any]:
        """Return what the analysis says."""
        return asdict(self) | {"notes": list(self.notes)}


def read_coverage(client: "Inspector2Client", account: str, places_with_findings: Collection[Place]) -> Coverage:
    """Read from Inspector what it scans.

    Parameters
    ----------
    account
        The account that asks.
    places_with_findings
        Of this report and of the baseline: their accounts are asked for even where members cannot be listed, and connectors
        only where there are findings of other clouds.
    """
    notes: list[str] = []
    members = _members(client, notes)
    states = _states(client, [account])
    others = sorted({*(members or ()), *(each for each, _ in places_with_findings)} - {account, ""})
    # Inspector's other calls take the administrator or its members, but not both at once: so does this.
    for some in batched(others, ACCOUNTS_A_CALL, strict=False):
        states |= _states(client, list(some))
    # An empty list may also mean that this account administers no account any more.
    if members:
        left = {each for each in others if each not in members and states[each].state == "unknown"}
        states |= {each: replace(states[each], is_member=False) for each in left}
    notes += _state_notes(states)
    if any(scan_type in OTHER_CLOUDS for _, scan_type in places_with_findings):
        states = _with_connectors(client, states, notes)
    scanned = _counts(client, "ACTIVE", "RESOURCE_TYPE", notes)
    not_scanned = _counts(client, "INACTIVE", "RESOURCE_TYPE", notes)
    return Coverage(
        account=account,
        accounts=_with_resources(client, states, notes) if scanned and not_scanned else states,
        scanned=scanned[0] if scanned else None,
        not_scanned=not_scanned[0] if not_scanned else None,
        resource_types=_resource_types(client, scanned[1], not_scanned[1], notes) if scanned and not_scanned else None,
        notes=tuple(dict.fromkeys(notes)),
    )


def _members(client: "Inspector2Client", notes: list[str]) -> set[str] | None:
    """Return the member accounts, none for an account that administers no others; None where they cannot be listed."""
    members: set[str] = set()
    try:
        for page, answer in enumerate(client.get_paginator("list_members").paginate(onlyAssociated=True)):
            members |= {member["accountId"] for member in answer.get("members", []) if "accountId" in member}
            if page >= MOST_PAGES:
                notes.append(Note("coverage.member_pages", pages=MOST_PAGES))
                return None
    except (ClientError, BotoCoreError) as error:
        # Inspector answers the same whether a permission is missing or the account administers no others.
        notes.append(Note("coverage.members_unread", error=_short(error)))
        return None
    return members


def _states(client: "Inspector2Client", accounts: list[str]) -> dict[str, AccountScanning]:
    try:
        answer = client.batch_get_account_status(accountIds=accounts)
    except (ClientError, BotoCoreError) as error:
        return dict.fromkeys(accounts, AccountScanning("unknown", why=Note("why.status_unread", error=_short(error))))
    states = dict.fromkeys(accounts, AccountScanning("unknown", why=Note("why.not_returned")))
    for entry in answer.get("accounts", []):
        state: Mapping[str, Any] = entry.get("state", {})
        resource_state: Mapping[str, Any] = entry.get("resourceState", {})
        known = _scanning(state)
        scan_types = {name: _scanning(each) for name, each in resource_state.items()}
        states[entry["accountId"]] = AccountScanning(known, scan_types, "" if known == "on" else _reason(state, "status"))
    for failed in answer.get("failedAccounts", []):
        states[failed["accountId"]] = AccountScanning("unknown", why=_reason(failed, "errorCode"))
    return states


def _scanning(state: Mapping[str, Any]) -> Scanning:
    """Return what a state of the model says: on only without an error code that leaves it open."""
    scanning, error = STATES.get(state.get("status", ""), "unknown"), state.get("errorCode")
    if error == "BLOCKED_BY_ORGANIZATION_POLICY" or scanning == "off":
        return "off"
    return ERRORS.get(error, "unknown") if error and scanning == "on" else scanning


def _reason(state: Mapping[str, Any], name: str) -> str:
    return f"{state.get(name)}: {state.get('errorMessage') or ''}".rstrip(": ")


def _state_notes(states: Mapping[str, AccountScanning]) -> Iterator[str]:
    """Say where the state is unknown, an account for each reason."""
    unknown: dict[tuple[bool, str], list[str]] = {}
    for account, each in sorted(states.items()):
        if each.state == "unknown":
            unknown.setdefault((each.is_member, each.why), []).append(account)
    for (is_member, why), accounts in unknown.items():
        more = {"more": len(accounts) - 1} if len(accounts) > 1 else {}
        if is_member:
            yield Note("coverage.accounts_unknown" if more else "coverage.account_unknown", account=accounts[0], why=why, **more)
        else:
            yield Note("coverage.no_members" if more else "coverage.no_member", account=accounts[0], **more)


def _with_connectors(
    client: "Inspector2Client", states: Mapping[str, AccountScanning], notes: list[str]
) -> dict[str, AccountScanning]:
    """Add the state of other clouds from their connectors: on where an account has some, and all are healthy."""
    healthy: dict[Place, bool] = {}
    try:
        for page, answer in enumerate(client.get_paginator("list_connectors").paginate()):
            for connector in answer.get("items", ()):
                # An ARN's fifth part is its account. One of another form counts for no account.
                place = f"{connector.get('connectorArn')}::::".split(":")[4], str(connector.get("provider")).lower()
                healthy[place] = healthy.get(place, True) and _is_healthy(connector)
            if page >= MOST_PAGES:
                healthy.clear()
                break
    except (ClientError, BotoCoreError) as error:
        healthy.clear()
        notes.append(Note("coverage.connectors_unread", error=_short(error)))
    else:
        ill = sorted((cloud, account) for (account, cloud), is_well in healthy.items() if not is_well)
        if ill:
            (cloud, of_account), more = ill[0], {"more": len(ill) - 1} if len(ill) > 1 else {}
            name = "coverage.connectors" if more else "coverage.connector"
            notes.append(Note(name, cloud=named("scan_type", cloud), account=of_account, **more))
    clouds: dict[Place, Scanning] = {place: "on" if is_well else "unknown" for place, is_well in healthy.items()}
    return {
        account: replace(
            each,
            scan_types={**each.scan_types, **{cloud: clouds.get((account, cloud), "unknown") for cloud in OTHER_CLOUDS}},
        )
        for account, each in states.items()
    }


def _is_healthy(connector: Mapping[str, Any]) -> bool:
    health = connector.get("health") or {}
    scopes = {**(connector.get("scopeConfiguration") or {}), **(connector.get("gcpScopeConfiguration") or {})}
    return (connector.get("enablementStatus"), health.get("connectorStatus")) == HEALTHY_CONNECTOR and all(
        scope.get("state", "ACTIVE") == "ACTIVE" for scope in scopes.values()
    )


def _with_resources(
    client: "Inspector2Client", states: Mapping[str, AccountScanning], notes: list[str]
) -> dict[str, AccountScanning]:
    scanned = _counts(client, "ACTIVE", "ACCOUNT_ID", notes)
    not_scanned = _counts(client, "INACTIVE", "ACCOUNT_ID", notes)
    if scanned is None or not_scanned is None or not (scanned[1] or not_scanned[1]):
        return dict(states)
    return {
        account: replace(each, scanned=scanned[1].get(account, 0), not_scanned=not_scanned[1].get(account, 0))
        for account, each in states.items()
    }


def _resource_types(
    client: "Inspector2Client", scanned: Mapping[str, int], not_scanned: Mapping[str, int], notes: list[str]
) -> dict[str, TypeCoverage]:
    found = {}
    for kind in sorted({*scanned, *not_scanned}):
        reasons = None
        if not_scanned.get(kind):
            reasons = _counts(client, "INACTIVE", "SCAN_STATUS_REASON", notes, resource_type=kind)
        found[kind] = TypeCoverage(scanned.get(kind, 0), not_scanned.get(kind, 0), reasons[1] if reasons else {})
    return found


def _counts(
    client: "Inspector2Client", status: str, group: "GroupKeyType", notes: list[str], resource_type: str = ""
) -> tuple[int, dict[str, int]] | None:
    """Return a number of resources in all and by group, or None when it cannot be read."""
    criteria: Any = {"scanStatusCode": [{"comparison": "EQUALS", "value": status}]}
    if resource_type:
        criteria["resourceType"] = [{"comparison": "EQUALS", "value": resource_type}]
    counts: dict[str, int] = {}
    total = 0
    try:
        pages: Iterator[Any] = iter(
            client.get_paginator("list_coverage_statistics").paginate(filterCriteria=criteria, groupBy=group)
        )
        for page, answer in enumerate(pages):
            total = max(total, answer.get("totalCounts", 0))
            for each in answer.get("countsByGroup", []):
                counts[each.get("groupKey", "")] = counts.get(each.get("groupKey", ""), 0) + each.get("count", 0)
            if page >= MOST_PAGES:
                notes.append(Note("coverage.resources_pages", pages=MOST_PAGES))
                return None
    except (ClientError, BotoCoreError) as error:
        notes.append(Note("coverage.resources_unread", error=_short(error)))
        return None
    # The model gives a group's key the type of the names of groupings, the examples show the group itself.
    return total, {} if group in counts else counts


def _short(error: ClientError | BotoCoreError) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:199]}…"  # noqa: PLR2004 - enough to know it by
