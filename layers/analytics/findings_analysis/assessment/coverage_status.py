"""Quiet is not dark: whether few findings are good news, judged by whether Inspector was looking.

The rule, in this order:

1. A place (account and scan type) whose scanning is off, and that was scanned or had open findings at the baseline, is
   **dark**: an alarm every night until it is on again or the account is no member any more. Scanning that was off before,
   and without findings, is no alarm.
2. A report without any open finding, a sudden fall, or that none of the known resources is scanned, is *judged*: it needs
   an explanation. A sudden fall is one from at least 20 open findings to at most half of them, in all or in one account.
3. Of the accounts that are judged: all off is **dark**. So is a night in which none of the known resources is scanned, and
   nothing that is missing is called gone then. One account whose state is not known makes the night **unknown**. All on,
   and at least one resource surely scanned, is a **good** night, said loudly; all on without that is **unknown**.
4. A night in which findings are missing where it is not sure that Inspector scans is **unknown**.
5. Everything else is a **good** night.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from findings_analysis.assessment.coverage import Coverage, Scanning
from findings_analysis.comparison.fingerprint_format import Header, Summary
from findings_analysis.comparison.fingerprints import OWN_SCAN_TYPES, SCAN_TYPES
from findings_exporter.model.notes import Note, named

FALL_FROM = 20
FALL_TO = 0.5
ACCOUNTS_NAMED = 5
WHOLE = "*"
"""Stands for the whole report beside its accounts."""

type Open = Mapping[tuple[str, str], int]
"""Open findings by account and scan type."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a night is judged.

    Attributes
    ----------
    state
        ``dark`` is an alarm.
    sudden_fall
        Whether the report, or an account in it, fell suddenly.
    dark
        By account, the scan types that are dark.
    reasons
        Sentences for people; empty in a night that needs no word.
    coverage
        What it was judged by.
    """

    state: Literal["good", "dark", "unknown"]
    sudden_fall: bool
    dark: Mapping[str, tuple[str, ...]]
    reasons: tuple[str, ...]
    coverage: Coverage

    def to_dict(self) -> dict[str, Any]:
        """Return what stands in the digest."""
        return {
            "state": self.state,
            "sudden_fall": self.sudden_fall,
            "dark": {account: list(scan_types) for account, scan_types in self.dark.items()},
            "reasons": list(self.reasons),
        }


def judge(
    tonight: Open,
    coverage: Coverage,
    baseline: tuple[Header, Summary] | None = None,
    scanning_before: Mapping[str, Mapping[str, str]] | None = None,
    not_looked_at: Open | None = None,
) -> Verdict:
    """Judge a night.

    Parameters
    ----------
    tonight
        All open findings of the report.
    baseline
        Of the baseline's key file; None without one.
    scanning_before
        What the baseline and the runs since knew of scanning: account, scan type, state; None for what the baseline knew.
    not_looked_at
        The missing findings that need not be gone; None where nothing was compared.
    """
    before = _open_at(baseline[1]) if baseline else Counter[tuple[str, str]]()
    scanning = scanning_before if scanning_before is not None else baseline[0].scanning if baseline else {}
    reasons: list[Note] = []
    dark = _dark_places(before, scanning, coverage)
    if dark:
        reasons += _lost(dark, not_looked_at)
    # What is dark explains itself.
    looked_at = {place: count for place, count in before.items() if place[1] not in dark.get(place[0], ())}
    falls = _falls(looked_at, tonight)
    accounts = sorted(coverage.accounts)
    is_empty = not sum(tonight.values())
    judged: Iterable[str] = accounts if is_empty or coverage.is_blind or WHOLE in falls else falls
    state: Literal["good", "dark", "unknown"] = "good"
    if is_empty or falls or coverage.is_blind:
        # The only account with findings fell as the report did: it is said once.
        told = [(account, fall) for account, fall in sorted(falls.items()) if account == WHOLE or fall != falls.get(WHOLE)]
        reasons += [_drop(account, *fall) for account, fall in told[:ACCOUNTS_NAMED]]
        state, sentence = _judged(judged, coverage)
        what = Note("what.empty") if is_empty else Note("what.drop") if falls else Note("what.open")
        reasons.append(Note("assessed", what=what, coverage=sentence))
    unsure = {place: count for place, count in (not_looked_at or {}).items() if count and place[1] not in dark.get(place[0], ())}
    if unsure and not coverage.is_blind:
        state = "unknown"
        reasons.append(_unsure(unsure, coverage))
    return Verdict("dark" if dark else state, bool(falls), dark, tuple(reasons), coverage)


def _open_at(summary: Summary) -> Counter[tuple[str, str]]:
    """Return what was open when Inspector was last looking."""
    found: Counter[tuple[str, str]] = Counter()
    for counted in (summary.open, summary.not_looked_at):
        for account, scan_types in counted.items():
            found.update({(account, scan_type): count for scan_type, count in scan_types.items()})
    return found


def _dark_places(before: Open, scanning: Mapping[str, Mapping[str, str]], coverage: Coverage) -> dict[str, tuple[str, ...]]:
    dark = {}
    for account, each in sorted(coverage.accounts.items()):
        places = tuple(
            scan_type
            for scan_type in SCAN_TYPES
            if each.scanning(scan_type) == "off"
            and (before.get((account, scan_type)) or scanning.get(account, {}).get(scan_type) == "on")
        )
        if places:
            dark[account] = OWN_SCAN_TYPES if each.state == "off" else places
    return dark


def _falls(before: Open, tonight: Open) -> dict[str, tuple[int, int]]:
    """Return the accounts that fell suddenly, with both numbers; :data:`WHOLE` stands for the report."""
    then, now = _by_account(before), _by_account(tonight)
    return {
        account: (count, now[account])
        for account, count in then.items()
        if count >= FALL_FROM and now[account] <= FALL_TO * count
    }


def _by_account(counted: Open) -> Counter[str]:
    found: Counter[str] = Counter()
    for (account, _), count in counted.items():
        found[account] += count
        found[WHOLE] += count
    return found


def _judged(accounts: Iterable[str], coverage: Coverage) -> tuple[Literal["good", "dark", "unknown"], Note]:
    judged = {account: coverage.accounts.get(account) for account in accounts}
    told = {account: each for account, each in judged.items() if each is None or each.is_member}
    states: dict[str, Scanning] = {account: each.state if each else "unknown" for account, each in told.items()}
    if states and all(state == "off" for state in states.values()):
        whys = {account: each.why if each else "" for account, each in told.items()}
        return "dark", Note("coverage.off", places=_named(whys))
    if coverage.is_blind:
        return "dark", Note("coverage.none_scanned", not_scanned=coverage.not_scanned)
    unknown = {account: each.why if each else "" for account, each in told.items() if states[account] == "unknown"}
    if unknown:
        return "unknown", Note("coverage.unknown_in", places=_named(unknown))
    if not states:
        return "unknown", Note("coverage.unknown")
    if coverage.scanned:
        return "good", Note("coverage.active", count=coverage.scanned)
    if coverage.scanned is None or coverage.not_scanned is None:
        return "unknown", Note("coverage.active_unread")
    return "unknown", Note("coverage.active_no_resource")


def _lost(dark: Mapping[str, tuple[str, ...]], not_looked_at: Open | None) -> list[Note]:
    """Say where scanning is off, and what that does to the findings there."""
    missing = sum((not_looked_at or {}).get((account, scan_type), 0) for account, types in dark.items() for scan_type in types)
    status = Note("lost.missing", count=missing) if missing else Note("lost.missing_unknown")
    if len(dark) > 1:
        places = [
            Note("place.all", account=account) if _is_all(types) else Note("place.types", account=account, types=_types(types))
            for account, types in list(dark.items())[:ACCOUNTS_NAMED]
        ]
        return [Note("lost.accounts", count=len(dark), places=[*places, *_more(len(dark))]), status]
    ((account, types),) = dark.items()
    where = Note("lost.account", account=account) if _is_all(types) else None
    return [where or Note("lost.account_types", account=account, types=_types(types)), status]


def _unsure(unsure: Open, coverage: Coverage) -> Note:
    places: dict[tuple[str, str], list[str]] = {}
    for account, scan_type in sorted(unsure):
        types = places.setdefault((account, _why_unsure(coverage, account, scan_type)), [])
        types.append(named("scan_type", scan_type))
    told = [
        Note("place.type_why", account=account or Note("place.no_account"), types=types, why=why)
        for (account, why), types in places.items()
    ]
    return Note("missing_unknown", count=sum(unsure.values()), places=[*told[:ACCOUNTS_NAMED], *_more(len(told))])


def _why_unsure(coverage: Coverage, account: str, scan_type: str) -> str:
    match coverage.scanning(account, scan_type):
        case "on":
            return Note("why.resuming")
        case "off":
            return Note("why.off")
        case _:
            why = coverage.accounts[account].why if account in coverage.accounts else ""
            return why or Note("why.not_returned")


def _drop(account: str, before: int, now: int) -> Note:
    if account == WHOLE:
        return Note("drop", before=before, now=now)
    return (
        Note("drop.account", account=account, before=before, now=now)
        if account
        else Note("drop.no_account", before=before, now=now)
    )


def _named(whys: Mapping[str, str]) -> list[str]:
    listed = [Note("place.why", account=account, why=why) if why else account for account, why in whys.items()]
    return [*listed[:ACCOUNTS_NAMED], *_more(len(listed))]


def _more(places: int) -> list[Note]:
    return [Note("place.more", count=places - ACCOUNTS_NAMED)] if places > ACCOUNTS_NAMED else []


def _is_all(types: Sequence[str]) -> bool:
    return len(types) == len(OWN_SCAN_TYPES)


def _types(types: Iterable[str]) -> list[str]:
    return [named("scan_type", each) for each in types]
