"""Findings as Inspector has them: generated from a seed, changed by a day, or read from a file of real ones.

A finding has the members of the API's `Finding`; its timestamps are epoch seconds, as `ListFindings` sends them. The
same arguments always make the same findings.
"""

from __future__ import annotations

import gzip
import json
import string
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

type Finding = dict[str, Any]

DAY = 86_400.0
KEPT_CLOSED_DAYS = 30
"""AWS: a finding that was fixed vanishes 30 days after it was closed."""
DESCRIPTION_LIMIT = 1_024

# The shares below were counted by third parties in about 16,000 real findings.
_SEVERITIES = {"MEDIUM": 45.0, "HIGH": 40.0, "LOW": 5.5, "CRITICAL": 4.2, "UNTRIAGED": 2.7, "INFORMATIONAL": 2.3}
_SCORES = {"CRITICAL": (9.0, 10.0), "HIGH": (7.0, 8.9), "MEDIUM": (4.0, 6.9), "LOW": (0.1, 3.9)}
_FIX_AVAILABLE = {"YES": 89.3, "NO": 9.8, "PARTIAL": 0.9}
_PACKAGES = {1: 70, 2: 15, 3: 7, 4: 4, 5: 2, 6: 2}
_NETWORK_SHARE, _CODE_SHARE, _INACTIVE_SHARE = 0.016, 0.003, 0.03
_FINDINGS_A_VULNERABILITY = 3.0

_OS_PACKAGES = ("openssl", "kernel", "glibc", "curl", "libxml2", "zlib", "bash", "sudo", "systemd", "expat", "sqlite")
_PROJECTS = {
    "PYTHONPKG": ("requests", "urllib3", "jinja2", "cryptography"),
    "NODEPKG": ("lodash", "tough-cookie", "minimist", "@babel/traverse"),
    "JAR": ("org.apache.logging.log4j:log4j-core", "org.springframework:spring-web"),
    "GOBINARY": ("golang.org/x/net", "stdlib"),
}
_PURL_TYPES = {"OS": "rpm", "PYTHONPKG": "pypi", "NODEPKG": "npm", "JAR": "maven", "GOBINARY": "golang"}
_REACHABILITIES = ("REACHABLE", "REACHABLE", "NOT_REACHABLE", "NOT_REACHABLE", "NOT_REACHABLE", "UNKNOWN", "UNKNOWN", "")
_REACHABILITY_REASONS = {
    "AWS_EC2_INSTANCE": {
        "REACHABLE": "PROCESS_OBSERVED_IN_EC2_RUNTIME",
        "NOT_REACHABLE": "PROCESS_NOT_OBSERVED_IN_EC2_RUNTIME",
    },
    "AWS_ECR_CONTAINER_IMAGE": {
        "REACHABLE": "PACKAGE_IN_DOCKERFILE_WORKLOAD_PATH",
        "NOT_REACHABLE": "PACKAGE_NOT_IN_DOCKERFILE_WORKLOAD_PATH",
    },
}
"""AWS: only packages of instances and container images are evaluated."""
_WORDS = [
    "a",
    "flaw",
    "found",
    "in",
    "the",
    "module",
    "allows",
    "remote",
    "attackers",
    "to",
    "cause",
    "denial",
    "of",
    "service",
    "via",
    "crafted",
    "packet",
    "heap",
    "buffer",
    "overflow",
    "use",
    "after",
    "free",
    "race",
    "condition",
    "when",
    "parsing",
    "untrusted",
    "input",
    "handler",
    "improper",
    "validation",
    "memory",
    "corruption",
    "privilege",
    "escalation",
    "information",
    "disclosure",
    "upstream",
    "commit",
    "resolves",
    "issue",
    "function",
    "pointer",
    "lock",
    "list",
    "device",
    "driver",
    "network",
    "bluetooth",
    "session",
    "token",
    "certificate",
    "header",
    "request",
    "response",
    "cache",
    "stack",
]
_CVSS3 = ("AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", "AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:L/A:N")
_CVSS2 = ("AV:N/AC:M/Au:N/C:P/I:P/A:P", "AV:L/AC:L/Au:N/C:N/I:N/A:C")
_ADVISORIES = (
    "https://nvd.nist.gov/vuln/detail/{id}",
    "https://access.redhat.com/security/cve/{id}",
    "https://lists.debian.org/debian-lts-announce/{id}",
    "https://git.kernel.org/pub/scm/linux/kernel/git/stable/linux.git/commit/?id={hash}",
    "https://github.com/advisories/{id}",
)
_NETWORK_ADVICE = "You can restrict access to your instance by modifying the Security Groups or ACLs in the network path."


@dataclass(frozen=True)
class ChangedFindings:
    """What a day has changed, by finding ARN."""

    fixed: tuple[str, ...] = ()
    suppressed: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    rebuilt_image: str = ""
    """The id of the image that was replaced by another digest; empty when there was none to rebuild."""
    new_arn: Mapping[str, str] = field(default_factory=dict)
    """From a finding on the old image to the same vulnerability's finding on the new one."""
    removed: tuple[str, ...] = ()
    """Findings that Inspector no longer has: closed long ago, or scanning was deactivated in their account."""


@dataclass(frozen=True)
class _Place:
    account: str
    resource: dict[str, Any]


@dataclass(frozen=True)
class _Fleet:
    """Where findings can be: packages of the system are in instances and images, libraries in images and functions."""

    instances: Sequence[_Place]
    images: Sequence[_Place]
    functions: Sequence[_Place]

    def with_packages(self, manager: str) -> list[_Place]:
        return [*self.images, *(self.instances if manager == "OS" else self.functions)]


def generate(count: int, *, seed: int | str, now: float, accounts: Sequence[str], region: str) -> list[Finding]:
    """Generate findings with the statistics of real ones.

    Parameters
    ----------
    count
        How many ACTIVE findings to make. A few SUPPRESSED and CLOSED ones come on top.
    now
        The clock, in epoch seconds. No timestamp is later.
    accounts
        The accounts that own the resources. AWS: a delegated administrator's report holds all member accounts.
    """
    random = Random(f"findings of {seed}")
    fleet = _fleet(random, max(count // 30, 4 * len(accounts)), accounts, region, now)
    inactive = _findings(random, round(count * _INACTIVE_SHARE), fleet, now)
    for finding in inactive:
        finding["status"] = random.choice(("SUPPRESSED", "CLOSED"))
    return _findings(random, count, fleet, now) + inactive


def load(path: Path) -> list[Finding]:
    """Read findings from a file of JSON lines, which may be compressed with gzip."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def evolve(
    findings: Sequence[Finding],
    *,
    day: int,
    seed: int | str,
    now: float,
    fixed: float = 0.02,
    suppressed: float = 0.005,
    new: float = 0.025,
    rebuild: bool = True,
    switch_off: str | None = None,
) -> tuple[list[Finding], ChangedFindings]:
    """Return the findings of the next day, and what has changed; the given ones are not changed.

    Parameters
    ----------
    fixed, suppressed, new
        Shares of the active findings that are closed, suppressed and added; at least one finding unless the share is 0.
    rebuild
        Whether one image is rebuilt and pushed. Seen by third parties: a new digest gets a new `findingArn` and a new
        `firstObservedAt` for the same vulnerability.
    switch_off
        An account whose Inspector is disabled. AWS: this removes its findings.
    """
    random = Random(f"night {day} of {seed}")  # the text is part of the seed: findings change as before
    forgotten = now - KEPT_CLOSED_DAYS * DAY
    kept: list[Finding] = []
    removed: list[Finding] = []
    for finding in findings:
        too_old = finding["status"] == "CLOSED" and finding.get("updatedAt", now) < forgotten
        (removed if too_old or finding["awsAccountId"] == switch_off else kept).append(finding)
    active = [finding for finding in kept if finding["status"] == "ACTIVE"]

    image = _an_image(random, active) if rebuild else None
    on_image = [finding for finding in active if image and finding["resources"][0]["id"] == image["id"]]
    new_image = _rebuilt(random, image, now) if image else {}
    replacements = {
        finding["findingArn"]: {
            **finding,
            "findingArn": _arn(random, finding["findingArn"]),
            "firstObservedAt": now,
            "lastObservedAt": now,
            "updatedAt": now,
            "resources": [new_image],
        }
        for finding in on_image
    }
    others = [finding for finding in active if finding["findingArn"] not in replacements]
    random.shuffle(others)
    fixes = _share(fixed, len(active), others)
    suppressions = _share(suppressed, len(active), others[len(fixes) :])
    closed = {finding["findingArn"] for finding in fixes} | replacements.keys()
    now_suppressed = {finding["findingArn"] for finding in suppressions}

    def of_today(finding: Finding) -> Finding:
        if finding["findingArn"] in closed:
            return {**finding, "status": "CLOSED", "updatedAt": now}
        if finding["findingArn"] in now_suppressed:
            return {**finding, "status": "SUPPRESSED", "updatedAt": now}
        return {**finding, "lastObservedAt": now} if finding["status"] == "ACTIVE" else finding

    known = others + list(replacements.values())
    wanted = max(1, round(new * len(active))) if new and known else 0
    added = _findings(random, wanted, _fleet_of(known), now)
    for finding in added:
        finding.update(firstObservedAt=now, lastObservedAt=now, updatedAt=now)
    changes = ChangedFindings(
        fixed=tuple(finding["findingArn"] for finding in fixes),
        suppressed=tuple(sorted(now_suppressed)),
        new=tuple(finding["findingArn"] for finding in added),
        rebuilt_image=image["id"] if image else "",
        new_arn={old: finding["findingArn"] for old, finding in replacements.items()},
        removed=tuple(finding["findingArn"] for finding in removed),
    )
    return [*map(of_today, kept), *replacements.values(), *added], changes


def _share(share: float, whole: int, candidates: Sequence[Finding]) -> Sequence[Finding]:
    return candidates[: max(1, round(share * whole))] if share else ()


def _hex(random: Random, digits: int) -> str:
    return f"{random.getrandbits(4 * digits):0{digits}x}"


def _pick[T](random: Random, shares: Mapping[T, float]) -> T:
    return random.choices(list(shares), list(shares.values()))[0]


def _arn(random: Random, like: str) -> str:
    return like.rsplit("/", 1)[0] + "/" + _hex(random, 32)


# ---- resources


def _fleet(random: Random, size: int, accounts: Sequence[str], region: str, now: float) -> _Fleet:
    fleet: tuple[list[_Place], list[_Place], list[_Place]] = ([], [], [])
    makers = (_instance, _image, _function)
    # Every account has each kind; beyond that images are the most, as in real findings.
    kinds = [0, 1, 2] * len(accounts) + random.choices((0, 1, 2), (30, 60, 10), k=size)
    for number, kind in enumerate(kinds):
        account = accounts[number // 3] if number < 3 * len(accounts) else random.choice(accounts)
        resource = makers[kind](random, number, account, region, now)
        tags = {}
        if random.random() < 0.5:
            tags = {"Name": f"{random.choice(('web', 'batch', 'api'))}-{number}", "team": random.choice(("a, b", "payments"))}
        if random.random() < 0.02:
            # Customers write this text, and a spreadsheet would run it as a formula.
            tags["note"] = '=HYPERLINK("https://example.com","click")'
        fleet[kind].append(_Place(account, {**resource, "partition": "aws", "region": region, "tags": tags}))
    return _Fleet(*fleet)


def _fleet_of(findings: Sequence[Finding]) -> _Fleet:
    fleet: dict[str, dict[str, _Place]] = {"AWS_EC2_INSTANCE": {}, "AWS_ECR_CONTAINER_IMAGE": {}, "AWS_LAMBDA_FUNCTION": {}}
    for finding in findings:
        resource = finding["resources"][0]
        if resource["type"] in fleet:
            fleet[resource["type"]][resource["id"]] = _Place(finding["awsAccountId"], resource)
    instances, images, functions = (list(places.values()) for places in fleet.values())
    return _Fleet(instances, images, functions)


def _before(random: Random, now: float, days: float) -> float:
    return round(now - random.random() * days * DAY, 3)


def _instance(random: Random, number: int, account: str, region: str, now: float) -> dict[str, Any]:
    host, network = random.randrange(1, 255), random.randrange(256)
    details = {
        "iamInstanceProfileArn": f"arn:aws:iam::{account}:instance-profile/worker",
        "imageId": f"ami-{_hex(random, 17)}",
        "ipV4Addresses": [f"198.51.100.{host}", f"10.0.{network}.{host}"][number % 2 :],
        "ipV6Addresses": [f"2001:db8::{host:x}"] if number % 5 == 0 else [],
        "keyName": "operations",
        "launchedAt": _before(random, now, 400),
        "platform": random.choice(("AMAZON_LINUX_2", "AMAZON_LINUX_2023", "UBUNTU_22_04", "WINDOWS_SERVER_2019")),
        "subnetId": f"subnet-{_hex(random, 17)}",
        "type": random.choice(("t3.micro", "m5.large")),
        "vpcId": f"vpc-{_hex(random, 17)}",
    }
    return {"type": "AWS_EC2_INSTANCE", "id": f"i-{_hex(random, 17)}", "details": {"awsEc2Instance": details}}


def _image(random: Random, number: int, account: str, region: str, now: float) -> dict[str, Any]:
    repository = f"{random.choice(('platform', 'shop'))}/service-{number // 2}"
    details = {
        "architecture": random.choice(("amd64", "arm64")),
        "imageTags": [f"1.{number % 30}.0", "latest", f"build-{number}"][: random.randrange(4)],
        "inUseCount": random.randrange(9),
        "lastInUseAt": _before(random, now, 10),
        "platform": random.choice(("UBUNTU_22_04", "DEBIAN_12", "ALPINE_LINUX_3_18", "AMAZON_LINUX_2023")),
        "registry": account,
        "repositoryName": repository,
    }
    image = {"type": "AWS_ECR_CONTAINER_IMAGE", "details": {"awsEcrContainerImage": details}}
    return _rebuilt(
        random, {"id": f"arn:aws:ecr:{region}:{account}:repository/{repository}/", **image}, _before(random, now, 300)
    )


def _rebuilt(random: Random, image: dict[str, Any], pushed_at: float) -> dict[str, Any]:
    digest = f"sha256:{_hex(random, 64)}"
    details = {**image["details"]["awsEcrContainerImage"], "imageHash": digest, "pushedAt": pushed_at}
    details = dict(sorted(details.items()))
    return {**image, "id": f"{image['id'].rsplit('/', 1)[0]}/{digest}", "details": {"awsEcrContainerImage": details}}


def _an_image(random: Random, active: Sequence[Finding]) -> dict[str, Any] | None:
    images = [place.resource for place in _fleet_of(active).images]
    return random.choice(images) if images else None


def _function(random: Random, number: int, account: str, region: str, now: float) -> dict[str, Any]:
    name = f"{random.choice(('import', 'notify', 'resize'))}-{number}"
    details: dict[str, Any] = {
        "architectures": [random.choice(("X86_64", "ARM64"))],
        "codeSha256": _hex(random, 64),
        "executionRoleArn": f"arn:aws:iam::{account}:role/{name}",
        "functionName": name,
        "lastModifiedAt": _before(random, now, 300),
        "packageType": "ZIP",
        "runtime": random.choice(("PYTHON_3_9", "NODEJS_18_X", "JAVA_17")),
        "version": "$LATEST",
    }
    if number % 2:
        details["layers"] = [f"arn:aws:lambda:{region}:{account}:layer:shared:{number}"]
    arn = f"arn:aws:lambda:{region}:{account}:function:{name}:$LATEST"
    return {"type": "AWS_LAMBDA_FUNCTION", "id": arn, "details": {"awsLambdaFunction": details}}


# ---- findings


def _findings(random: Random, count: int, fleet: _Fleet, now: float) -> list[Finding]:
    # A vulnerability brings several findings at once, so the other types are drawn the more often.
    network = _NETWORK_SHARE * _FINDINGS_A_VULNERABILITY if fleet.instances else 0.0
    code = _CODE_SHARE * _FINDINGS_A_VULNERABILITY if fleet.functions else 0.0
    findings: list[Finding] = []
    while len(findings) < count:
        draw = random.random()
        if draw < network:
            findings.append(_network_finding(random, random.choice(fleet.instances), now))
        elif draw < network + code:
            findings.append(_code_finding(random, random.choice(fleet.functions), now))
        else:
            manager = "OS" if random.random() < 0.75 else random.choice(tuple(_PROJECTS))
            places = fleet.with_packages(manager) or [*fleet.instances, *fleet.functions]
            # 1 and an exponential's whole part: a geometric number with a mean of 3.
            spread = min(1 + int(random.expovariate(1 / 2.46)), len(places))
            findings += _vulnerability(random, random.sample(places, spread), manager, now)
    return findings[:count]


def _finding(random: Random, place: _Place, now: float, **members: Any) -> Finding:
    first = round(now - min(random.expovariate(1 / 120), 700.0) * DAY, 3)
    last = round(now - random.random() * min(DAY, now - first), 3)
    region = place.resource["region"]
    finding = {
        "awsAccountId": place.account,
        "findingArn": f"arn:aws:inspector2:{region}:{place.account}:finding/{_hex(random, 32)}",
        "firstObservedAt": first,
        "lastObservedAt": last,
        "remediation": {"recommendation": {"text": "None Provided"}},
        "resources": [place.resource],
        "severity": _pick(random, _SEVERITIES),
        "status": "ACTIVE",
        "updatedAt": last,
        **members,
    }
    return dict(sorted(finding.items()))


def _network_finding(random: Random, place: _Place, now: float) -> Finding:
    begin, end = random.choice(((22, 22), (3389, 3389), (443, 443), (0, 65535), (8000, 8100)))
    gateway, interface = f"igw-{_hex(random, 8)}", f"eni-{_hex(random, 17)}"
    ports = f"Port {begin} is" if begin == end else f"Port range {begin} to {end} is"
    protocol = random.choice(("TCP", "UDP"))
    steps = (
        (gateway, "InternetGateway"),
        (f"acl-{_hex(random, 8)}", "NetworkAcl"),
        (f"sg-{_hex(random, 17)}", "SecurityGroup"),
        (interface, "NetworkInterface"),
        (place.resource["id"], "Instance"),
    )
    path = [{"componentId": name, "componentType": f"AWS::EC2::{kind}"} for name, kind in steps]
    return _finding(
        random,
        place,
        now,
        # Neither fixAvailable nor exploitAvailable: real network and code findings lack them.
        description=f"On the instance {place.resource['id']}, the port range {begin}-{end} is reachable from the "
        f"InternetGateway {gateway} from an attached ENI {interface}.",
        networkReachabilityDetails={
            "networkPath": {"steps": path},
            "openPortRange": {"begin": begin, "end": end},
            "protocol": protocol,
        },
        remediation={"recommendation": {"text": _NETWORK_ADVICE}},
        title=f"{ports} reachable from an Internet Gateway - {protocol}",
        type="NETWORK_REACHABILITY",
    )


def _code_finding(random: Random, place: _Place, now: float) -> Finding:
    line = random.randrange(1, 400)
    return _finding(
        random,
        place,
        now,
        codeVulnerabilityDetails={
            "cwes": ["CWE-798"],
            "detectorId": "python/hardcoded-credentials@v1.0",
            "detectorName": "Hardcoded credentials",
            "detectorTags": ["security", "secrets"],
            "filePath": {"endLine": line + 2, "fileName": "app.py", "filePath": "src/app.py", "startLine": line},
            "referenceUrls": ["https://cwe.mitre.org/data/definitions/798.html"],
        },
        description='Access credentials, such as passwords and access keys, should not be "hardcoded" in source code.',
        title="CWE-798 - Hardcoded credentials",
        type="CODE_VULNERABILITY",
    )


def _vulnerability(random: Random, places: Sequence[_Place], manager: str, now: float) -> list[Finding]:
    """One vulnerability's findings: the same details in each place, but for the packages."""
    name = _vulnerability_id(random)
    severity = _pick(random, _SEVERITIES)
    low, high = _SCORES.get(severity, (0.1, 10.0))
    score = round(random.uniform(low, high), 1)
    projects = _OS_PACKAGES if manager == "OS" else _PROJECTS[manager]
    project = random.choice(projects)
    count = _pick(random, _PACKAGES)
    packages = [project, *(f"{project}-{part}" for part in random.sample(("common", "libs", "devel", "bin", "doc"), count - 1))]
    fix = _pick(random, _FIX_AVAILABLE)
    exploit = random.random() < 0.05
    source = random.choice(("UBUNTU_CVE", "REDHAT_CVE", "AMAZON_CVE") if manager == "OS" else ("NVD", "GITHUB", "SNYK"))
    created = _before(random, now, 3000)
    vector = random.choice(_CVSS3)
    cvss = [
        {"baseScore": score, "scoringVector": random.choice(_CVSS2), "source": "NVD", "version": "2.0"},
        {"baseScore": score, "scoringVector": f"CVSS:3.1/{vector}", "source": "NVD", "version": "3.1"},
        {"baseScore": score, "scoringVector": f"CVSS:3.1/{vector}", "source": source, "version": "3.1"},
    ]
    details: dict[str, Any] = {
        "cvss": cvss[: random.choice((1, 2, 2, 3))],
        "referenceUrls": _reference_urls(random, name),
        "relatedVulnerabilities": [_vulnerability_id(random)] if random.random() < 0.1 else [],
        "source": source,
        "sourceUrl": _ADVISORIES[0].format(id=name),
        "vendorCreatedAt": created,
        "vulnerabilityId": name,
    }
    if random.random() < 0.97:
        # Free text of any case in real findings.
        details["vendorSeverity"] = random.choice((severity, severity.lower(), severity.capitalize(), "MODERATE", "negligible"))
    if random.random() < 0.35:
        details["vendorUpdatedAt"] = min(now, round(created + 90 * DAY, 3))
    members: dict[str, Any] = {
        "description": _description(random, project),
        "exploitAvailable": "YES" if exploit else "NO",
        "fixAvailable": fix,
        "severity": severity,
        "title": f"{name} - {', '.join(packages[:2])}" + (f" and {count - 2} more" if count > 2 else ""),
        "type": "PACKAGE_VULNERABILITY",
    }
    if exploit:
        members["exploitabilityDetails"] = {"lastKnownExploitAt": _before(random, now, 300)}
    if random.random() < 0.8:
        members["epss"] = {"score": round(random.random() ** 4, 5)}
    if random.random() < 0.7:
        adjusted = {"adjustments": [], "cvssSource": source, "score": score, "scoreSource": source}
        members["inspectorScore"] = score
        members["inspectorScoreDetails"] = {"adjustedCvss": {**adjusted, "scoringVector": f"CVSS:3.1/{vector}", "version": "3.1"}}
    return [
        _with_reachability(
            _finding(
                random,
                place,
                now,
                **members,
                packageVulnerabilityDetails={**details, "vulnerablePackages": _packages(random, place, packages, manager, fix)},
                **_advice(random, packages[0]),
            )
        )
        for place in places
    ]


def _with_reachability(finding: Finding) -> Finding:
    """Return a package finding with purls, and with runtime reachability where its resource has it.

    All of it follows from the ARN: the other members are drawn as before. No one has counted real shares.
    """
    drawn = sha256(finding["findingArn"].encode()).digest()
    reasons = _REACHABILITY_REASONS.get(finding["resources"][0]["type"])
    packages = []
    for number, package in enumerate(finding["packageVulnerabilityDetails"]["vulnerablePackages"]):
        kind, name = _PURL_TYPES[package["packageManager"]], package["name"].replace(":", "/").replace("@", "%40")
        made = {**package, "purl": f"pkg:{kind}/{name}@{package['version']}"}
        reachability = _REACHABILITIES[drawn[number] % len(_REACHABILITIES)]
        # AWS: older findings do not have it yet, and what is UNKNOWN has no reason.
        if reasons and reachability:
            made["runtimeReachability"] = reachability
            if reason := reasons.get(reachability):
                made["runtimeReachabilityReason"] = reason
        packages.append(dict(sorted(made.items())))
    return {**finding, "packageVulnerabilityDetails": {**finding["packageVulnerabilityDetails"], "vulnerablePackages": packages}}


def _advice(random: Random, package: str) -> dict[str, Any]:
    if random.random() < 0.96:
        return {}
    return {
        "remediation": {"recommendation": {"text": f"Update {package} to the newest version.", "Url": "https://example.com/fix"}}
    }


def _vulnerability_id(random: Random) -> str:
    if random.random() < 0.98:
        return f"CVE-20{random.randrange(14, 26)}-{random.randrange(1000, 60000)}"
    letters = string.digits + "cfghjmpqrvwx"
    rare = (
        "GHSA-" + "-".join("".join(random.choices(letters, k=4)) for _ in range(3)),
        f"USN-{random.randrange(3000, 7000)}-1",
        f"IN1-JAVASCRIPT-{random.randrange(10**6)}",
        f"MAL-2024-{random.randrange(1000, 9999)}",
    )
    return random.choice(rare)


def _reference_urls(random: Random, name: str) -> list[str]:
    count = 105 if random.random() < 0.001 else 1 + min(int(random.lognormvariate(0.75, 0.85)), 60)
    return [random.choice(_ADVISORIES).format(id=name, hash=_hex(random, 40)) for _ in range(count)]


def _packages(random: Random, place: _Place, names: Sequence[str], manager: str, fix: str) -> list[dict[str, Any]]:
    packages = []
    for number, name in enumerate(names):
        major, minor = random.randrange(1, 9), random.randrange(20)
        package: dict[str, Any] = {"epoch": 0, "name": name, "packageManager": manager, "version": f"{major}.{minor}.{number}"}
        if fix == "YES" or (fix == "PARTIAL" and number == 0):
            package["fixedInVersion"] = f"0:{major}.{minor + 1}.0-1" if manager == "OS" else f"{major}.{minor + 1}.0"
            package["remediation"] = f"yum update {name}" if manager == "OS" else f"Update {name} to {major}.{minor + 1}.0"
        elif fix == "NO":
            package["fixedInVersion"] = "NotAvailable"
        if manager == "OS":
            package |= {"arch": random.choice(("X86_64", "AARCH64")), "release": f"{number}.amzn2.0.{minor}"}
        else:
            package["filePath"] = f"usr/lib/app/node_modules/{name}/package.json"
        if place.resource["type"] == "AWS_ECR_CONTAINER_IMAGE":
            package["sourceLayerHash"] = f"sha256:{_hex(random, 64)}"
        packages.append(dict(sorted(package.items())))
    return packages


def _description(random: Random, project: str) -> str:
    """Text of real lengths, with characters that must be escaped."""
    version = f"{random.randrange(1, 9)}.{random.randrange(20)}"
    text = f"In {project} before {version}, " if random.random() < 0.6 else f"{project} before {version} has "
    text += " ".join(random.choices(_WORDS, k=4))
    if random.random() < 0.08:
        text += ' as "demonstrated" by a crafted file'
    if random.random() < 0.03:
        text += " découvert par l'équipe, 修正済み"
    draw = random.random()
    text += "\r\n\r\n" if draw < 0.03 else "\n" if draw < 0.2 else ". "
    if random.random() < 0.2:
        text = f" {text}"
    length = DESCRIPTION_LIMIT
    if random.random() >= 0.16:
        length = max(len(text) + 20, min(int(random.lognormvariate(5.73, 0.42)), DESCRIPTION_LIMIT - 1))
    while len(text) < length:
        text += " ".join(random.choices(_WORDS, k=14)).capitalize() + ". "
    # AWS: a description has at most 1,024 characters; real ones are cut there in the middle of a word.
    return text[: length - 1].rstrip() + "." if length < DESCRIPTION_LIMIT else text[:length]
