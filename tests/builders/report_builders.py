"""Findings drawn at random, the columns that are expected of them, and reports of them in any legal form."""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from findings_analysis.reading.schema import Batch

type Finding = dict[str, Any]

NOW_MS = 1_780_000_000_000
HOSTILE = ['"', "\\", "{", "}", "[", "]", ",", ":", "\n", "\r\n", "\t", "\x00", "\x1f", "é", "修正", "😀", "\u2028", " ", "'",
           '},{"awsAccountId":"', '{"findings":[', "]}", "\\u0022", "\ufeff", "=cmd()", ";", "null"]  # fmt: skip
SPACES = st.text(" \t\r\n", max_size=3)
hostile_texts = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=3), max_size=6).map("".join)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | hostile_texts
names = st.text("abcdefghij-_/.", min_size=1, max_size=12)
moments = st.integers(1_000_000_000_000, NOW_MS)


def optional(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A structure whose members may be absent, or null."""
    return st.fixed_dictionaries({}, optional={name: st.none() | member for name, member in members.items()})


REACHABILITIES = st.sampled_from(["REACHABLE", "NOT_REACHABLE", "NOT_REACHABLE", "UNKNOWN", "WORD_OF_TOMORROW", ""])
PACKAGES = optional(
    name=names,
    version=names,
    fixedInVersion=names,
    packageManager=st.sampled_from(["OS", "JAR"]),
    filePath=names,
    purl=names.map("pkg:generic/{}@1".format),
    sourceLayerHash=names.map("sha256:{}".format),
    runtimeReachability=REACHABILITIES,
    runtimeReachabilityReason=st.sampled_from(["PROCESS_OBSERVED_IN_EC2_RUNTIME", "REASON_OF_TOMORROW", ""]),
)
DETAILS = st.fixed_dictionaries(
    {"vulnerabilityId": st.sampled_from(["CVE-2024-1", "CVE-2024-2", "GHSA-x"])},
    optional={
        "source": names,
        "sourceUrl": names,
        "vendorSeverity": texts,
        "vendorCreatedAt": moments,
        "vendorUpdatedAt": moments,
        "referenceUrls": st.lists(names.map("https://{}".format), max_size=3),
        "cvss": st.lists(
            optional(
                baseScore=st.floats(0, 10),
                scoringVector=names,
                source=st.sampled_from(["NVD", "X"]),
                version=st.sampled_from(["2.0", "3.1"]),
            ),
            max_size=3,
        ),
        "vulnerablePackages": st.lists(PACKAGES, max_size=3),
        "somethingNew": texts,
    },
)
RESOURCES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["AWS_EC2_INSTANCE", "AWS_ECR_CONTAINER_IMAGE", "NEW_TYPE"]),
        "id": st.sampled_from(
            [
                "i-1",
                "arn:aws:ecr:eu-west-1:111122223333:repository/a/b/sha256:" + 64 * "a",
                "arn:aws:lambda:eu-west-1:111122223333:function:f:$LATEST",
                "/subscriptions/1/x@sha256:" + 64 * "b",
            ]
        ),
        "region": st.sampled_from(["eu-west-1", "us-east-1"]),
        "tags": st.dictionaries(texts, texts, max_size=2),
        "details": optional(
            awsEc2Instance=optional(platform=names, imageId=names, vpcId=names),
            awsEcrContainerImage=optional(
                platform=names,
                imageHash=names,
                repositoryName=names,
                imageTags=st.lists(names, max_size=2),
                inUseCount=st.integers(0, 2**31 - 1),
                lastInUseAt=moments,
            ),
            awsLambdaFunction=optional(functionName=names, runtime=names, vpcConfig=optional(vpcId=names)),
            aKindOfTomorrow=optional(platform=st.integers()),
        ),
    },
)
FINDINGS = st.fixed_dictionaries(
    {
        "findingArn": st.integers(0, 99).map("arn:aws:inspector2:eu-central-1:999988887777:finding/{:032x}".format),
        "type": st.sampled_from(["PACKAGE_VULNERABILITY", "NETWORK_REACHABILITY", "TYPE_OF_TOMORROW"]),
        "severity": st.sampled_from(["CRITICAL", "HIGH", "UNTRIAGED", "NEW"]),
        "status": st.sampled_from(["ACTIVE", "CLOSED"]),
        "firstObservedAt": moments,
    },
    optional={
        "awsAccountId": st.sampled_from(["111122223333", "012345678901"]),
        "title": texts,
        "description": texts,
        "remediation": optional(recommendation=optional(text=texts)),
        "lastObservedAt": moments,
        "updatedAt": st.none() | moments,
        "fixAvailable": st.sampled_from(["YES", "NO"]),
        "exploitAvailable": st.sampled_from(["YES", "NO"]),
        "exploitabilityDetails": optional(lastKnownExploitAt=moments),
        "inspectorScore": st.floats(0, 10) | st.integers(0, 10),
        "inspectorScoreDetails": optional(adjustedCvss=optional(scoreSource=names, scoringVector=names)),
        "epss": optional(score=st.floats(0, 1)),
        "packageVulnerabilityDetails": st.none() | DETAILS,
        "codeVulnerabilityDetails": optional(
            detectorName=names,
            detectorId=names,
            ruleId=names,
            filePath=optional(filePath=names, startLine=st.integers(0, 9999), endLine=st.integers(0, 9999)),
            referenceUrls=st.lists(names, max_size=2),
        ),
        "networkReachabilityDetails": optional(
            protocol=st.sampled_from(["TCP", "UDP"]),
            openPortRange=optional(begin=st.integers(0, 65535), end=st.integers(0, 65535)),
            networkPath=optional(steps=st.lists(optional(componentId=names), max_size=3)),
        ),
        "resources": st.lists(RESOURCES, max_size=3),
        "aMemberOfTomorrow": st.recursive(texts | st.integers() | st.booleans(), lambda inner: st.lists(inner, max_size=2)),
    },
)  # fmt: skip
TIMES = ("firstObservedAt", "lastObservedAt", "updatedAt", "vendorCreatedAt", "vendorUpdatedAt", "lastKnownExploitAt",
         "lastInUseAt")  # fmt: skip


def at(structure: Any, *path: str) -> Any:
    """The member at a path; None where the path breaks off, and for what is empty."""
    for name in path:
        structure = (structure or {}).get(name)
    return structure if structure or structure == 0 else None


def expected_row(finding: Finding) -> dict[str, Any]:
    """What the columns document, written down once more without any haste."""
    arn = finding["findingArn"].split(":")
    details, code = at(finding, "packageVulnerabilityDetails"), at(finding, "codeVulnerabilityDetails")
    packages = at(details, "vulnerablePackages") or []
    resources = sorted(at(finding, "resources") or [], key=lambda each: (not each.get("id"), each.get("id") or ""))
    resource = resources[0] if resources else {}
    kinds = at(resource, "details") or {}
    places = (kinds.get(kind) for kind in ("awsEcrContainerImage", "awsEc2Instance", "awsLambdaFunction"))
    place = next((each for each in places if each is not None), None)
    identity = resource.get("id") or ""
    repository = "a/b" if ":repository/" in identity else None
    function = "f" if ":function:" in identity else None
    analysis = "sha256:" + identity.split("sha256:")[1] if "sha256:" in identity else None
    nvd = [each for each in at(details, "cvss") or [] if each.get("source") == "NVD" and (each.get("version") or "")[:1] == "3"]
    score = nvd[0] if nvd else {}

    def each(name: str) -> list[str | None] | None:
        return [at(package, name) for package in packages] or None

    words = {at(package, "runtimeReachability") for package in packages}
    mixed = "REACHABLE" if "REACHABLE" in words else "UNKNOWN"
    reachability = mixed if len(words) > 1 else next(iter(words), None)
    alike = [package for package in packages if reachability and at(package, "runtimeReachability") == reachability]
    reasons = [reason for package in alike if (reason := at(package, "runtimeReachabilityReason"))]
    row = {
        "finding_arn": finding["findingArn"],
        "account_id": at(finding, "awsAccountId") or arn[4],
        "region": at(resource, "region") or arn[3],
        "remediation": at(finding, "remediation", "recommendation", "text"),
        "last_known_exploit_at": at(finding, "exploitabilityDetails", "lastKnownExploitAt"),
        "score_source": at(finding, "inspectorScoreDetails", "adjustedCvss", "scoreSource"),
        "scoring_vector": at(finding, "inspectorScoreDetails", "adjustedCvss", "scoringVector"),
        "epss_score": at(finding, "epss", "score"),
        "reference_urls": at(details, "referenceUrls") or at(code, "referenceUrls"),
        "nvd_cvss3_score": at(score, "baseScore"),
        "nvd_cvss3_vector": at(score, "scoringVector"),
        "package_names": each("name"),
        "package_versions": each("version"),
        "fixed_in_versions": each("fixedInVersion"),
        "package_managers": each("packageManager"),
        "package_purls": each("purl"),
        "package_reachabilities": each("runtimeReachability"),
        "source_layer_hashes": each("sourceLayerHash"),
        "file_paths": each("filePath") or ([at(code, "filePath", "filePath")] if at(code, "filePath", "filePath") else None),
        "package_count": len(packages),
        "runtime_reachability": reachability,
        "runtime_reachability_reason": reasons[0] if reasons else None,
        "detector_name": at(code, "detectorName"),
        "detector_id": at(code, "detectorId"),
        "rule_id": at(code, "ruleId"),
        "start_line": at(code, "filePath", "startLine"),
        "end_line": at(code, "filePath", "endLine"),
        "resource_type": at(resource, "type"),
        "resource_id": at(resource, "id"),
        "resource_name": repository or function or identity.removesuffix("@" + (analysis or "")) or None,
        "resource_tags": at(resource, "tags"),
        "resource_count": len(resources),
        "further_resource_ids": [at(each, "id") for each in resources[1:]] or None,
        "platform": at(place, "platform"),
        "image_id": at(place, "imageId") or at(place, "imageHash") or analysis,
        "repository_name": repository or at(place, "repositoryName"),
        "image_tags": at(place, "imageTags"),
        "in_use_count": at(place, "inUseCount"),
        "last_in_use_at": at(place, "lastInUseAt"),
        "vpc_id": at(place, "vpcId") or at(place, "vpcConfig", "vpcId"),
        "function_name": function or at(place, "functionName"),
        "runtime": at(place, "runtime"),
        "port_begin": at(finding, "networkReachabilityDetails", "openPortRange", "begin"),
        "port_end": at(finding, "networkReachabilityDetails", "openPortRange", "end"),
        "protocol": at(finding, "networkReachabilityDetails", "protocol"),
        "network_path": [
            at(step, "componentId") for step in at(finding, "networkReachabilityDetails", "networkPath", "steps") or []
        ]
        or None,
    }
    same = ("type", "severity", "status", "title", "description", "fix_available", "exploit_available", "inspector_score",
            "first_observed_at", "last_observed_at", "updated_at")  # fmt: skip
    of_details = ("vulnerability_id", "source", "source_url", "vendor_severity", "vendor_created_at", "vendor_updated_at")
    row |= {name: at(finding, camel(name)) for name in same}
    return row | {name: at(details, camel(name)) for name in of_details}


def camel(name: str) -> str:
    """From snake_case to camelCase."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def rows_of(batches: Iterable[Batch]) -> list[dict[str, Any]]:
    """One dict a row."""
    return [dict(zip(batch, values, strict=True)) for batch in batches for values in zip(*batch.values(), strict=True)]


def tags_read(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a JSON report with their tags read from their text."""
    return [row | {"resource_tags": json.loads(row["resource_tags"] or "null")} for row in rows]


@contextmanager
def hang_guard(seconds: int = 60) -> Iterator[None]:
    """Fail what hangs: a guard for what would take hours, no measure of time."""

    def fail(*_: object) -> None:
        raise AssertionError("it does not end")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Stream:
    """A report that comes in pieces of the sizes that are drawn, again and again."""

    def __init__(self, content: bytes, pieces: Sequence[int] = (1 << 20,)) -> None:
        self.content, self.pieces, self.position, self.reads = content, pieces, 0, 0

    def readinto(self, buffer: memoryview) -> int:
        size = min(len(buffer), self.pieces[self.reads % len(self.pieces)])
        piece = self.content[self.position : self.position + size]
        buffer[: len(piece)] = piece
        self.position += len(piece)
        self.reads += 1
        return len(piece)


def timestamp(draw: Callable[[st.SearchStrategy[Any]], Any], ms: int) -> Any:
    """A time in one of the forms that were seen, exact to the millisecond."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    form = draw(st.integers(0, 9))
    if form == 0:
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if form == 1:
        return moment.isoformat(" ", timespec="microseconds")
    if form == 2:
        return moment.astimezone(timezone(timedelta(hours=draw(st.integers(-12, 12)), minutes=30))).isoformat()
    if form == 3:
        return ms / 1000
    if form == 4:
        return ms
    if form == 5:
        return f"{ms / 1000:.12E}"
    if form == 6:
        return str(ms)
    if form == 7:
        return moment.strftime("%a %b %d %H:%M:%S.") + f"{ms % 1000:03d} UTC {moment.year}"
    if form == 8 and ms % 1000 == 0:
        return f"{moment:%b} {moment.day}, {moment.year}, {moment.hour % 12 or 12}:{moment:%M:%S} {moment:%p}"
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


class Writer:
    """Writes JSON in any legal form."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], *, bare_controls: bool = False) -> None:
        self.draw, self.bare_controls = draw, bare_controls
        self.spaces = draw(st.sampled_from([st.just(""), SPACES]))
        self.ascii = draw(st.booleans())

    def value(self, value: Any, name: str = "") -> str:
        space = self.draw(self.spaces)
        if name in TIMES and value is not None:
            value = timestamp(self.draw, value)
        if isinstance(value, dict):
            members = [f"{self.text(key)}{space}:{self.value(member, key)}" for key, member in self.shuffled(value)]
            return f"{space}{{{','.join(members)}{space}}}{space}"
        if isinstance(value, list):
            return f"{space}[{','.join(map(self.value, value))}{space}]{space}"
        return f"{space}{self.text(value) if isinstance(value, str) else json.dumps(value)}{space}"

    def text(self, text: str) -> str:
        result = json.dumps(text, ensure_ascii=self.ascii)
        # After an escaped backslash a letter could look like an escape.
        if self.bare_controls and "\\\\" not in result:
            for code in range(32):
                result = result.replace(json.dumps(chr(code))[1:-1], chr(code))
        return f"{self.draw(self.spaces)}{result}"

    def shuffled(self, structure: dict[str, Any]) -> list[tuple[str, Any]]:
        return self.draw(st.permutations(list(structure.items()))) if self.draw(st.booleans()) else list(structure.items())


@st.composite
def json_reports(draw: Callable[[st.SearchStrategy[Any]], Any], findings: Sequence[Finding]) -> bytes:
    """A JSON report in any legal form."""
    writer = Writer(draw, bare_controls=draw(st.booleans()))
    others = draw(st.dictionaries(st.text(max_size=3).filter("findings".__ne__), texts | st.lists(texts, max_size=2), max_size=2))
    members = draw(st.permutations([*others.items(), ("findings", list(findings))]))
    body = ",".join(f"{writer.text(name)}{draw(SPACES)}:{writer.value(value)}" for name, value in members)
    text = f"{draw(SPACES)}{{{body}}}{draw(SPACES)}"
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + text.encode()
