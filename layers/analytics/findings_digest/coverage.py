"""Whether Inspector was looking: the state of each account and scan type, and how many resources are scanned.

What cannot be read is ``unknown``, with a sentence that says why; nothing here ever fails a digest.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from findings_digest.identity import account_key
from findings_digest.records import SCAN_TYPES

if TYPE_CHECKING:
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_inspector2.literals import GroupKeyType

type Scanning = Literal["on", "off", "unknown"]

STATES: Mapping[str, Scanning] = {
    "ENABLED": "on",
    "ENABLING": "on",
    "DISABLED": "off",
    "DISABLING": "off",
    "SUSPENDED": "off",
    "SUSPENDING": "off",
}
"""Inspector's states [AWS: service model]; a newer one is unknown."""
ACCOUNTS_A_CALL = 100
"""As many accounts BatchGetAccountStatus takes [AWS: service model]."""
MOST_PAGES = 2_000
"""Of one listing: a service that pages for ever must not keep the digest."""


@dataclass(frozen=True, slots=True)
class AccountScanning:
    """What Inspector does in one account.

    Attributes
    ----------
    state
        Of the account as a whole.
    scan_types
        By the names that BatchGetAccountStatus has for them. What it does not name has the state of the account.
    why
        Inspector's own words for a state other than ``on``; else empty.
    scanned, not_scanned
        Resources; None when unknown.
    """

    state: Scanning
    scan_types: Mapping[str, Scanning] = field(default_factory=dict)
    why: str = ""
    scanned: int | None = None
    not_scanned: int | None = None

    def scanning(self, scan_type: str) -> Scanning:
        """Return whether a scan type is on. In an account that is off nothing is."""
        return self.state if self.state == "off" else self.scan_types.get(scan_type, self.state)


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
    """What is known of Inspector's looking.

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
    def is_blind(self) -> bool:
        """Whether Inspector knows resources, and scans none of them: then it does not look, even if it is switched on."""
        return self.scanned == 0 and bool(self.not_scanned)

    def off(self) -> frozenset[bytes]:
        """Return the accounts and scan types that Inspector does not look at, as a comparison wants them."""
        return frozenset(
            account_key(account) + bytes((number,))
            for account, each in self.accounts.items()
            for number, scan_type in enumerate(SCAN_TYPES)
            if self.is_blind or each.scanning(scan_type) == "off"
        )

    def states(self) -> dict[str, dict[str, str]]:
        """Return account, scan type, state, as a key file remembers them."""
        return {
            account: {scan_type: each.scanning(scan_type) for scan_type in SCAN_TYPES} for account, each in self.accounts.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return what stands in the digest."""
        return asdict(self) | {"notes": list(self.notes)}


def read_coverage(client: "Inspector2Client", account: str, accounts_with_findings: Iterable[str]) -> Coverage:
    """Ask Inspector what it scans.

    Parameters
    ----------
    account
        The account that asks.
    accounts_with_findings
        Of tonight's report and of the baseline: they are asked for even where members cannot be listed.
    """
    notes: list[str] = []
    members = _members(client, notes)
    states = _states(client, [account], notes)
    others = sorted({*members, *accounts_with_findings} - {account})
    # Inspector's other calls take the administrator or its members, but not both at once: so does this.
    for some in batched(others, ACCOUNTS_A_CALL, strict=False):
        states |= _states(client, list(some), notes)
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


def _members(client: "Inspector2Client", notes: list[str]) -> list[str]:
    """Return the member accounts; none for an account that administers no others."""
    members: list[str] = []
    try:
        for page, answer in enumerate(client.get_paginator("list_members").paginate(onlyAssociated=True)):
            members += [member["accountId"] for member in answer.get("members", []) if "accountId" in member]
            if page >= MOST_PAGES:
                break
    except (ClientError, BotoCoreError) as error:
        # Whether a permission is missing or the account administers no others: Inspector does not tell apart.
        notes.append(
            f"Inspector did not list member accounts ({_short(error)}): only this account and accounts with findings were"
            " asked for."
        )
    return members


def _states(client: "Inspector2Client", accounts: list[str], notes: list[str]) -> dict[str, AccountScanning]:
    try:
        answer = client.batch_get_account_status(accountIds=accounts)
    except (ClientError, BotoCoreError) as error:
        notes.append(f"Whether Inspector scans is unknown: the account status could not be read ({_short(error)}).")
        return dict.fromkeys(accounts, AccountScanning("unknown", why="could not be read"))
    states = dict.fromkeys(accounts, AccountScanning("unknown", why="Inspector did not tell"))
    for told in answer.get("accounts", []):
        state = told.get("state", {})
        resource_state: Mapping[str, Any] = told.get("resourceState", {})
        scan_types: dict[str, Scanning] = {
            name: STATES.get(each.get("status", ""), "unknown") for name, each in resource_state.items()
        }
        known = STATES.get(state.get("status", ""), "unknown")
        why = "" if known == "on" else f"{state.get('status')}: {state.get('errorMessage', '')}".rstrip(": ")
        states[told["accountId"]] = AccountScanning(known, scan_types, why)
    for failed in answer.get("failedAccounts", []):
        why = f"{failed.get('errorCode')}: {failed.get('errorMessage', '')}".rstrip(": ")
        states[failed["accountId"]] = AccountScanning("unknown", why=why)
    unknown = sorted(account for account, each in states.items() if each.state == "unknown")
    if unknown:
        first = states[unknown[0]].why
        more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
        notes.append(f"Whether Inspector scans is unknown in the account {unknown[0]}{more} ({first}).")
    return states


def _with_resources(
    client: "Inspector2Client", states: Mapping[str, AccountScanning], notes: list[str]
) -> dict[str, AccountScanning]:
    scanned = _counts(client, "ACTIVE", "ACCOUNT_ID", notes)
    not_scanned = _counts(client, "INACTIVE", "ACCOUNT_ID", notes)
    if scanned is None or not_scanned is None or not (scanned[1] or not_scanned[1]):
        return dict(states)
    return {
        account: AccountScanning(
            each.state, each.scan_types, each.why, scanned[1].get(account, 0), not_scanned[1].get(account, 0)
        )
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
                break
    except (ClientError, BotoCoreError) as error:
        notes.append(f"How many resources Inspector scans is unknown: its coverage could not be read ({_short(error)}).")
        return None
    # The model gives a group's key the type of the names of groupings, the examples show the group itself.
    return total, {} if group in counts else counts


def _short(error: ClientError | BotoCoreError) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:199]}…"  # noqa: PLR2004 - enough to know it by
