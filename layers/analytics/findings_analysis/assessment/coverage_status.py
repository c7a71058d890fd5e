"""The coverage status of a run: whether few findings are good news, or Inspector did not scan.

The rules, in this order:

1. A place (account and scan type) whose scanning is off, and that was scanned or had open findings at the baseline, makes the
   status **lost**: an alarm every day until scanning is on again or the account is no member any more. A place whose scanning
   was off before, and that had no findings, does not.
2. A report without any open finding, an unusual drop, or a run in which none of the known resources is scanned needs an
   explanation. An unusual drop is one from at least 20 open findings to at most half of them, in all or in one account.
3. The explanation comes from the accounts concerned. All off is **lost**. So is a run in which none of the known resources is
   scanned; missing findings are ``status_unknown`` then. One account whose state is unknown makes the run **unknown**. All on,
   and at least one resource scanned, is **active**, and the drop is reported; all on without that is **unknown**.
4. A run in which findings are missing where it is not sure that Inspector scans is **unknown**.
5. Everything else is **active**.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from findings_analysis.assessment.coverage import Coverage, Scanning
from findings_analysis.comparison.fingerprint_format import Header, Summary
from findings_exporter.model.notes import Note, named
from findings_exporter.model.taxonomy import OWN_SCAN_TYPES, SCAN_TYPES

DROP_FROM = 20
DROP_TO = 0.5
PLACES_NAMED = 5
WHOLE = "*"
"""Stands for the whole report beside its accounts."""

type Open = Mapping[tuple[str, str], int]
"""Open findings by account and scan type."""


@dataclass(frozen=True, slots=True)
class CoverageStatus:
    """The coverage status of a run, and its reasons.

    Attributes
    ----------
    state
        ``lost`` raises an alarm.
    unusual_drop
        Whether the report, or an account in it, has an unusual drop.
    deactivated
        By account, the scan types that are off and were scanned or had findings.
    reasons
        Sentences for people; empty where there is nothing to explain.
    coverage
        What it was assessed by.
    """

    state: Literal["active", "lost", "unknown"]
    unusual_drop: bool
    deactivated: Mapping[str, tuple[str, ...]]
    reasons: tuple[str, ...]
    coverage: Coverage

    def to_dict(self) -> dict[str, Any]:
        """Return what the analysis says."""
        return {
            "state": self.state,
            "unusual_drop": self.unusual_drop,
            "deactivated": {account: list(scan_types) for account, scan_types in self.deactivated.items()},
            "reasons": list(self.reasons),
        }


def assess(
    current: Open,
    coverage: Coverage,
    baseline: tuple[Header, Summary] | None = None,
    scanning_before: Mapping[str, Mapping[str, str]] | None = None,
    status_unknown: Open | None = None,
) -> CoverageStatus:
    """Assess a run.

    Parameters
    ----------
    current
        All open findings of the report.
    baseline
        Of the baseline's fingerprint file; None without one.
    scanning_before
        What the baseline and the runs since knew of scanning: account, scan type, state; None for what the baseline knew.
    status_unknown
        Missing findings whose status is unknown; None where nothing was compared.
    """
    before = _open_at(baseline[1]) if baseline else Counter[tuple[str, str]]()
    scanning = scanning_before if scanning_before is not None else baseline[0].scanning if baseline else {}
    reasons: list[Note] = []
    deactivated = _deactivated_places(before, scanning, coverage)
    if deactivated:
        reasons += _lost(deactivated, status_unknown)

    def still_scanned(found: Open) -> Open:
        return {place: count for place, count in found.items() if place[1] not in deactivated.get(place[0], ())}

    # Lost coverage explains the drop there. What is still reported from there hides no drop elsewhere.
    drops = _drops(still_scanned(before), still_scanned(current))
    accounts = sorted(coverage.accounts)
    is_empty = not sum(current.values())
    assessed: Iterable[str] = accounts if is_empty or coverage.scans_nothing or WHOLE in drops else drops
    state: Literal["active", "lost", "unknown"] = "active"
    if is_empty or drops or coverage.scans_nothing:
        # Where only one account has findings, its drop is the report's: it is reported once.
        reported = [(account, drop) for account, drop in sorted(drops.items()) if account == WHOLE or drop != drops.get(WHOLE)]
        reasons += [_drop(account, *drop) for account, drop in reported[:PLACES_NAMED]]
        reasons += [Note("drop.partly")] if reported and deactivated else []
        state, sentence = _assessed(assessed, coverage)
        what = Note("what.empty") if is_empty else Note("what.drop") if drops else Note("what.open")
        reasons.append(Note("assessed", what=what, coverage=sentence))
    uncertain = {
        place: count for place, count in (status_unknown or {}).items() if count and place[1] not in deactivated.get(place[0], ())
    }
    if uncertain and not coverage.scans_nothing:
        state = "unknown"
        reasons.append(_missing_unknown(uncertain, coverage))
    return CoverageStatus("lost" if deactivated else state, bool(drops), deactivated, tuple(reasons), coverage)


def _open_at(summary: Summary) -> Counter[tuple[str, str]]:
    """Return what was open when it was last scanned."""
    found: Counter[tuple[str, str]] = Counter()
    for counted in (summary.open, summary.status_unknown):
        for account, scan_types in counted.items():
            found.update({(account, scan_type): count for scan_type, count in scan_types.items()})
    return found


def _deactivated_places(
    before: Open, scanning: Mapping[str, Mapping[str, str]], coverage: Coverage
) -> dict[str, tuple[str, ...]]:
    deactivated = {}
    for account, each in sorted(coverage.accounts.items()):
        places = tuple(
            scan_type
            for scan_type in SCAN_TYPES
            if each.scanning(scan_type) == "off"
            and (before.get((account, scan_type)) or scanning.get(account, {}).get(scan_type) == "on")
        )
        if places:
            deactivated[account] = OWN_SCAN_TYPES if each.state == "off" else places
    return deactivated


def _drops(before: Open, current: Open) -> dict[str, tuple[int, int]]:
    """Return the accounts with an unusual drop, with both numbers; :data:`WHOLE` stands for the report."""
    then, now = _by_account(before), _by_account(current)
    return {
        account: (count, now[account])
        for account, count in then.items()
        if count >= DROP_FROM and now[account] <= DROP_TO * count
    }


def _by_account(counted: Open) -> Counter[str]:
    found: Counter[str] = Counter()
    for (account, _), count in counted.items():
        found[account] += count
        found[WHOLE] += count
    return found


def _assessed(accounts: Iterable[str], coverage: Coverage) -> tuple[Literal["active", "lost", "unknown"], Note]:
    assessed = {account: coverage.accounts.get(account) for account in accounts}
    members = {account: each for account, each in assessed.items() if each is None or each.is_member}
    states: dict[str, Scanning] = {account: each.state if each else "unknown" for account, each in members.items()}
    if states and all(state == "off" for state in states.values()):
        whys = {account: each.why if each else "" for account, each in members.items()}
        return "lost", Note("coverage.off", places=_named(whys))
    if coverage.scans_nothing:
        return "lost", Note("coverage.none_scanned", not_scanned=coverage.not_scanned)
    unknown = {account: each.why if each else "" for account, each in members.items() if states[account] == "unknown"}
    if unknown:
        return "unknown", Note("coverage.unknown_in", places=_named(unknown))
    if not states and assessed:
        return "active", Note("coverage.left", places=_named(dict.fromkeys(assessed, "")))
    if not states:
        return "unknown", Note("coverage.unknown")
    if coverage.scanned:
        return "active", Note("coverage.active", count=coverage.scanned)
    if coverage.scanned is None or coverage.not_scanned is None:
        return "unknown", Note("coverage.active_unread")
    return "unknown", Note("coverage.active_no_resource")


def _lost(deactivated: Mapping[str, tuple[str, ...]], status_unknown: Open | None) -> list[Note]:
    """Say where scanning is off, and what that means for the findings there."""
    missing = sum(
        (status_unknown or {}).get((account, scan_type), 0) for account, types in deactivated.items() for scan_type in types
    )
    status = Note("lost.missing", count=missing) if missing else Note("lost.missing_unknown")
    if len(deactivated) > 1:
        places = [
            Note("place.all", account=account) if _is_all(types) else Note("place.types", account=account, types=_types(types))
            for account, types in list(deactivated.items())[:PLACES_NAMED]
        ]
        return [Note("lost.accounts", count=len(deactivated), places=[*places, *_more(len(deactivated))]), status]
    ((account, types),) = deactivated.items()
    where = Note("lost.account", account=account) if _is_all(types) else None
    return [where or Note("lost.account_types", account=account, types=_types(types)), status]


def _missing_unknown(uncertain: Open, coverage: Coverage) -> Note:
    places: dict[tuple[str, str], list[str]] = {}
    for account, scan_type in sorted(uncertain):
        types = places.setdefault((account, _why_uncertain(coverage, account, scan_type)), [])
        types.append(named("scan_type", scan_type))
    listed = [
        Note("place.type_why", account=account or Note("place.no_account"), types=types, why=why)
        for (account, why), types in places.items()
    ]
    return Note("missing_unknown", count=sum(uncertain.values()), places=[*listed[:PLACES_NAMED], *_more(len(listed))])


def _why_uncertain(coverage: Coverage, account: str, scan_type: str) -> str:
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
    return [*listed[:PLACES_NAMED], *_more(len(listed))]


def _more(places: int) -> list[Note]:
    return [Note("place.more", count=places - PLACES_NAMED)] if places > PLACES_NAMED else []


def _is_all(types: Sequence[str]) -> bool:
    return len(types) == len(OWN_SCAN_TYPES)


def _types(types: Iterable[str]) -> list[str]:
    return [named("scan_type", each) for each in types]
