"""Selects the findings that match a report's filterCriteria, and validates the criteria as the service does.

The members and their kinds are those of the service model of 2026 (the emulator's own botocore is older); a test
compares them with the model of the developers' environment.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.local_aws.emulator.inspector.findings import Finding

type Criteria = Mapping[str, Any]
type Problem = tuple[str, str]
"""A field's path and what is wrong with it."""

_PACKAGE = "packageVulnerabilityDetails."
_CODE = "codeVulnerabilityDetails."
_INSTANCE = "resources.details.awsEc2Instance."
_IMAGE = "resources.details.awsEcrContainerImage."
_FUNCTION = "resources.details.awsLambdaFunction."
_REPOSITORY = "resources.details.codeRepository."
_MACHINE_IMAGE = "resources.details.machineImage."
_VM = "resources.details.vm."
_CLOUD_IMAGE = "resources.details.image."
_CLOUD_FUNCTION = "resources.details.serverlessFunction."

# The path in a finding that each member is compared with. Lists on the path are entered.
STRINGS = {
    "findingArn": "findingArn",
    "awsAccountId": "awsAccountId",
    "findingType": "type",
    "severity": "severity",
    "findingStatus": "status",
    "title": "title",
    "resourceType": "resources.type",
    "resourceId": "resources.id",
    "ec2InstanceImageId": _INSTANCE + "imageId",
    "ec2InstanceVpcId": _INSTANCE + "vpcId",
    "ec2InstanceSubnetId": _INSTANCE + "subnetId",
    "ecrImageArchitecture": _IMAGE + "architecture",
    "ecrImageRegistry": _IMAGE + "registry",
    "ecrImageRepositoryName": _IMAGE + "repositoryName",
    "ecrImageTags": _IMAGE + "imageTags",
    "ecrImageHash": _IMAGE + "imageHash",
    "networkProtocol": "networkReachabilityDetails.protocol",
    "componentId": "networkReachabilityDetails.networkPath.steps.componentId",
    "componentType": "networkReachabilityDetails.networkPath.steps.componentType",
    "vulnerabilityId": _PACKAGE + "vulnerabilityId",
    "vulnerabilitySource": _PACKAGE + "source",
    "vendorSeverity": _PACKAGE + "vendorSeverity",
    "relatedVulnerabilities": _PACKAGE + "relatedVulnerabilities",
    "fixAvailable": "fixAvailable",
    "exploitAvailable": "exploitAvailable",
    "lambdaFunctionName": _FUNCTION + "functionName",
    "lambdaFunctionLayers": _FUNCTION + "layers",
    "lambdaFunctionRuntime": _FUNCTION + "runtime",
    "lambdaFunctionExecutionRoleArn": _FUNCTION + "executionRoleArn",
    "codeVulnerabilityDetectorName": _CODE + "detectorName",
    "codeVulnerabilityDetectorTags": _CODE + "detectorTags",
    "codeVulnerabilityFilePath": _CODE + "filePath.filePath",
    "codeRepositoryProjectName": _REPOSITORY + "projectName",
    "codeRepositoryProviderType": _REPOSITORY + "providerType",
    "machineImageId": _MACHINE_IMAGE + "machineImageId",
    "machineImageName": _MACHINE_IMAGE + "name",
    "machineImageOwnerAccountId": _MACHINE_IMAGE + "ownerAccountId",
    "machineImagePlatform": _MACHINE_IMAGE + "platform",
    "cloudProvider": "resources.provider",
    "cloudProviderRegion": "resources.region",
    "cloudProviderAccountId": "resources.providerAccountId",
    "cloudProviderOrgId": "resources.providerOrgId",
    "cloudVmImageReference": _VM + "vmImageReference",
    "cloudVmNetworkId": _VM + "networkId",
    "cloudVmSubnetIds": _VM + "subnetIds",
    "cloudImageRepositoryName": _CLOUD_IMAGE + "repositoryName",
    "cloudImageRegistry": _CLOUD_IMAGE + "registry",
    "cloudImageDigest": _CLOUD_IMAGE + "imageDigest",
    "cloudImageTags": _CLOUD_IMAGE + "imageTags",
    "cloudImageArchitecture": _CLOUD_IMAGE + "architecture",
    "cloudServerlessFunctionName": _CLOUD_FUNCTION + "serverlessFunctionName",
    "cloudServerlessFunctionRuntime": _CLOUD_FUNCTION + "runtime",
    "cloudServerlessFunctionExecutionRole": _CLOUD_FUNCTION + "executionRole",
}
DATES = {
    "firstObservedAt": "firstObservedAt",
    "lastObservedAt": "lastObservedAt",
    "updatedAt": "updatedAt",
    "ecrImagePushedAt": _IMAGE + "pushedAt",
    "ecrImageLastInUseAt": _IMAGE + "lastInUseAt",
    "lambdaFunctionLastModifiedAt": _FUNCTION + "lastModifiedAt",
    "cloudImagePushedAt": _CLOUD_IMAGE + "pushedAt",
    "cloudImageLastInUseAt": _CLOUD_IMAGE + "lastInUseAt",
    "cloudServerlessFunctionLastModifiedAt": _CLOUD_FUNCTION + "lastModifiedAt",
}
NUMBERS = {
    "inspectorScore": "inspectorScore",
    "epssScore": "epss.score",
    "ecrImageInUseCount": _IMAGE + "inUseCount",
    "cloudImageInUseCount": _CLOUD_IMAGE + "inUseCount",
}
MAPS = {"resourceTags": "resources.tags"}
PORT_RANGES = {"portRange": "networkReachabilityDetails.openPortRange"}
PACKAGES = {"vulnerablePackages": _PACKAGE + "vulnerablePackages"}
_PACKAGE_STRINGS = {
    "name": "name",
    "version": "version",
    "release": "release",
    "architecture": "arch",
    "sourceLayerHash": "sourceLayerHash",
    "sourceLambdaLayerArn": "sourceLambdaLayerArn",
    "filePath": "filePath",
}

_MOST_ENTRIES = 10
_COMPARISONS = ("EQUALS", "PREFIX", "NOT_EQUALS")


def matcher(criteria: Criteria) -> Callable[[Finding], bool]:
    """Return whether a finding belongs into a report with these criteria, which must be free of problems.

    Members must all match. AWS: only ACTIVE findings, unless findingStatus names others. Within a member EQUALS and
    PREFIX entries are alternatives, NOT_EQUALS entries must all hold. That a port-range entry wants the finding's range
    to lie within its own is a guess.
    """
    wanted = {"findingStatus": [{"comparison": "EQUALS", "value": "ACTIVE"}], **criteria}
    tests = [_test(member, entries) for member, entries in wanted.items()]
    return lambda finding: all(test(finding) for test in tests)


def problems(criteria: object) -> list[Problem]:
    """Return what the service refuses about criteria: unknown members, lists that are not of 1 to 10, bad entries."""
    if not isinstance(criteria, dict):
        return [("filterCriteria", "must be a structure")]
    found: list[Problem] = []
    for member, entries in criteria.items():
        path = f"filterCriteria.{member}"
        check = _CHECKS.get(member)
        if check is None:
            found.append((path, "is not a member of FilterCriteria"))
        elif not isinstance(entries, list) or not 1 <= len(entries) <= _MOST_ENTRIES:
            found.append((path, f"must be a list of 1 to {_MOST_ENTRIES}"))
        else:
            for number, entry in enumerate(entries):
                found += check(f"{path}.{number}", entry)
    return found


def _values(finding: Any, steps: Sequence[str]) -> Iterator[Any]:
    if isinstance(finding, list):
        for item in finding:
            yield from _values(item, steps)
    elif not steps:
        yield finding
    elif isinstance(finding, dict) and steps[0] in finding:
        yield from _values(finding[steps[0]], steps[1:])


def _test(member: str, entries: Sequence[Mapping[str, Any]]) -> Callable[[Finding], bool]:
    if member in STRINGS:
        steps = STRINGS[member].split(".")
        return lambda finding: _strings_match(list(_values(finding, steps)), entries)
    for kind, matches in _KINDS:
        if member in kind:
            path = kind[member].split(".")
            return lambda finding: any(matches(value, entry) for value in _values(finding, path) for entry in entries)
    raise ValueError(f"{member} is not a member of FilterCriteria")


def _strings_match(values: Sequence[str], entries: Sequence[Mapping[str, str]]) -> bool:
    alternatives = [entry for entry in entries if entry["comparison"] != "NOT_EQUALS"]
    excluded = {entry["value"] for entry in entries if entry["comparison"] == "NOT_EQUALS"}
    if excluded.intersection(values):
        return False
    return not alternatives or any(
        value.startswith(entry["value"]) if entry["comparison"] == "PREFIX" else value == entry["value"]
        for value in values
        for entry in alternatives
    )


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _date_matches(value: float, entry: Mapping[str, Any]) -> bool:
    return _within(value, entry.get("startInclusive"), entry.get("endInclusive"))


def _number_matches(value: float, entry: Mapping[str, Any]) -> bool:
    return _within(value, entry.get("lowerInclusive"), entry.get("upperInclusive"))


def _map_matches(tags: Mapping[str, str], entry: Mapping[str, str]) -> bool:
    return entry["key"] in tags and entry.get("value", tags[entry["key"]]) == tags[entry["key"]]


def _ports_match(ports: Mapping[str, int], entry: Mapping[str, int]) -> bool:
    return ports["begin"] >= entry.get("beginInclusive", 0) and ports["end"] <= entry.get("endInclusive", 65_535)


def _package_matches(package: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    for member, wanted in entry.items():
        if member == "epoch":
            if not _number_matches(package.get("epoch", 0), wanted):
                return False
        elif not _strings_match([package[name] for name in [_PACKAGE_STRINGS[member]] if name in package], [wanted]):
            return False
    return True


_KINDS: tuple[tuple[Mapping[str, str], Callable[[Any, Mapping[str, Any]], bool]], ...] = (
    (DATES, _date_matches),
    (NUMBERS, _number_matches),
    (MAPS, _map_matches),
    (PORT_RANGES, _ports_match),
    (PACKAGES, _package_matches),
)


# ---- validation

type _Check = Callable[[str, Any], list[Problem]]


def _text(least: int, most: int) -> _Check:
    def check(path: str, value: Any) -> list[Problem]:
        right = isinstance(value, str) and least <= len(value) <= most
        return [] if right else [(path, f"must be a string of {least} to {most} characters")]

    return check


def _comparison(*allowed: str) -> _Check:
    return lambda path, value: [] if value in allowed else [(path, f"must be one of {', '.join(allowed)}")]


def _number(path: str, value: Any) -> list[Problem]:
    right = isinstance(value, int | float) and not isinstance(value, bool)
    return [] if right else [(path, "must be a number")]


def _port(path: str, value: Any) -> list[Problem]:
    right = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65_535
    return [] if right else [(path, "must be a port from 0 to 65535")]


def _structure(members: Mapping[str, _Check], *required: str) -> _Check:
    def check(path: str, value: Any) -> list[Problem]:
        if not isinstance(value, dict):
            return [(path, "must be a structure")]
        found = [(f"{path}.{name}", "is required") for name in required if name not in value]
        for name, content in value.items():
            if name in members:
                found += members[name](f"{path}.{name}", content)
            else:
                found.append((f"{path}.{name}", "is not a member"))
        return found

    return check


_string_filter = _structure({"comparison": _comparison(*_COMPARISONS), "value": _text(1, 1024)}, "comparison", "value")
_number_filter = _structure({"lowerInclusive": _number, "upperInclusive": _number})
_CHECKS: dict[str, _Check] = {
    **dict.fromkeys(STRINGS, _string_filter),
    **dict.fromkeys(NUMBERS, _number_filter),
    # On the wire a timestamp is a number of epoch seconds.
    **dict.fromkeys(DATES, _structure({"startInclusive": _number, "endInclusive": _number})),
    **dict.fromkeys(
        MAPS, _structure({"comparison": _comparison("EQUALS"), "key": _text(1, 128), "value": _text(0, 256)}, "comparison", "key")
    ),
    **dict.fromkeys(PORT_RANGES, _structure({"beginInclusive": _port, "endInclusive": _port})),
    **dict.fromkeys(PACKAGES, _structure({**dict.fromkeys(_PACKAGE_STRINGS, _string_filter), "epoch": _number_filter})),
}

_ACCOUNT = re.compile(r"\d{12}")


def request_problems(request: Mapping[str, Any]) -> list[Problem]:
    """Return what the service refuses about a CreateFindingsReport request.

    AWS (service model): reportFormat is CSV or JSON, s3Destination needs bucketName and kmsKeyArn.
    """
    found: list[Problem] = []
    if request.get("reportFormat") not in ("CSV", "JSON"):
        found.append(("reportFormat", "must be one of CSV, JSON"))
    destination = request.get("s3Destination")
    if not isinstance(destination, dict):
        return [*found, ("s3Destination", "is required")]
    found += [(f"s3Destination.{name}", "is required") for name in ("bucketName", "kmsKeyArn") if not destination.get(name)]
    found += [(f"s3Destination.{name}", "must be a string") for name, value in destination.items() if not isinstance(value, str)]
    owner = destination.get("expectedBucketOwner")
    if isinstance(owner, str) and not _ACCOUNT.fullmatch(owner):
        found.append(("s3Destination.expectedBucketOwner", "must be an account id of 12 digits"))
    return found + problems(request.get("filterCriteria", {}))
