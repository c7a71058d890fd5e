"""Inspector's newest service model against what is read of a finding: nothing that it adds is dropped without a decision."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.session import get_session
from msgspec import inspect

from findings_analysis.assessment.coverage import HEALTHY_CONNECTOR
from findings_analysis.assessment.scores import FIX_SCORES, SEVERITY_SCORES
from findings_analysis.reading import json_findings
from findings_exporter.model.taxonomy import (
    OTHER_CLOUDS,
    OWN_SCAN_TYPES,
    REACHABILITIES,
    SEVERITIES,
    STATUSES,
)
from tests.local_aws.emulator.inspector.findings import generate

MODEL: ServiceModel = get_session().get_service_model("inspector2")

SCORES = "Inspector's score, its source and its vector are columns; this is how it was made"
IMAGE = "the image is known by digest, repository and tags"
MACHINE = "an instance or machine image is known by its id, image, network and platform"
FUNCTION = "a function is known by its name and runtime"
NETWORK = "the network is a column (vpc_id)"
TARGET = "what an attacker would want to know, and no question here needs; it stays in the report"
PACKAGE = "packages are known by name, version, purl, path and manager"
PROVIDER = "the resource's type tells the provider, and its id the account"

IGNORED = {
    "AwsEc2InstanceDetails.iamInstanceProfileArn": TARGET,
    "AwsEc2InstanceDetails.ipV4Addresses": TARGET,
    "AwsEc2InstanceDetails.ipV6Addresses": TARGET,
    "AwsEc2InstanceDetails.keyName": TARGET,
    "AwsEc2InstanceDetails.launchedAt": MACHINE,
    "AwsEc2InstanceDetails.subnetId": NETWORK,
    "AwsEc2InstanceDetails.type": MACHINE,
    "AwsEcrContainerImageDetails.architecture": IMAGE,
    "AwsEcrContainerImageDetails.author": IMAGE,
    "AwsEcrContainerImageDetails.pushedAt": IMAGE,
    "AwsEcrContainerImageDetails.registry": "the account that owns the registry is account_id",
    "AwsLambdaFunctionDetails.architectures": FUNCTION,
    "AwsLambdaFunctionDetails.codeSha256": FUNCTION,
    "AwsLambdaFunctionDetails.executionRoleArn": TARGET,
    "AwsLambdaFunctionDetails.lastModifiedAt": FUNCTION,
    "AwsLambdaFunctionDetails.layers": FUNCTION,
    "AwsLambdaFunctionDetails.packageType": FUNCTION,
    "AwsLambdaFunctionDetails.version": "the resource's id holds it",
    "CodeFilePath.fileName": "the path holds it",
    "CodeVulnerabilityDetails.cwes": "the title begins with it",
    "CodeVulnerabilityDetails.detectorTags": "the detector's name and id are columns",
    "CodeVulnerabilityDetails.sourceLambdaLayerArn": FUNCTION,
    "CvssScoreDetails.adjustments": SCORES,
    "CvssScoreDetails.cvssSource": SCORES,
    "CvssScoreDetails.score": SCORES,
    "CvssScoreDetails.version": "the vector begins with it",
    "Image.architecture": IMAGE,
    "Image.author": IMAGE,
    "Image.pushedAt": IMAGE,
    "Image.registry": IMAGE,
    "LambdaVpcConfig.securityGroupIds": NETWORK,
    "LambdaVpcConfig.subnetIds": NETWORK,
    "MachineImageDetails.architecture": MACHINE,
    "MachineImageDetails.creationDate": MACHINE,
    "MachineImageDetails.isPublic": MACHINE,
    "MachineImageDetails.name": MACHINE,
    "MachineImageDetails.ownerAccountId": MACHINE,
    "MachineImageDetails.rootDeviceType": MACHINE,
    "MachineImageDetails.sourceResourceId": MACHINE,
    "MachineImageDetails.state": MACHINE,
    "MachineImageDetails.virtualizationType": MACHINE,
    "PackageVulnerabilityDetails.relatedVulnerabilities": "a finding is counted by its own vulnerability",
    "Recommendation.Url": "source_url and reference_urls lead to the advisories",
    "Resource.partition": "the finding's ARN holds it",
    "Resource.provider": PROVIDER,
    "Resource.providerAccountId": PROVIDER,
    "Resource.providerOrgId": PROVIDER,
    "ResourceDetails.codeRepository": "it is known by its resource's id; what that looks like is unknown",
    "ServerlessFunction.architectures": FUNCTION,
    "ServerlessFunction.codeDigest": FUNCTION,
    "ServerlessFunction.executionRole": TARGET,
    "ServerlessFunction.lastModifiedAt": FUNCTION,
    "ServerlessFunction.layers": FUNCTION,
    "ServerlessFunction.packageType": FUNCTION,
    "ServerlessFunction.securityGroupIds": NETWORK,
    "ServerlessFunction.subnetIds": NETWORK,
    "ServerlessFunction.version": FUNCTION,
    "Step.componentArn": "componentId names the component; AWS says that the ARN can be null",
    "Step.componentType": "the id's prefix tells the type",
    "Vm.executionRole": TARGET,
    "Vm.ipV4Addresses": TARGET,
    "Vm.ipV6Addresses": TARGET,
    "Vm.keyName": TARGET,
    "Vm.launchedAt": MACHINE,
    "Vm.securityGroupIds": NETWORK,
    "Vm.subnetIds": NETWORK,
    "Vm.type": MACHINE,
    "Vm.vmImageReference": MACHINE,
    "Vm.vmName": MACHINE,
    "VulnerablePackage.arch": PACKAGE,
    "VulnerablePackage.epoch": PACKAGE,
    "VulnerablePackage.release": PACKAGE,
    "VulnerablePackage.remediation": "fixed_in_versions tells the fix",
    "VulnerablePackage.sourceLambdaLayerArn": FUNCTION,
}
"""Members of the model that no column is read from, each with the reason. What is below one of them needs no entry."""

TAKEN_AS = {
    inspect.StrType: {"string"},
    inspect.FloatType: {"double", "float", "timestamp"},
    inspect.IntType: {"integer", "long"},
    inspect.ListType: {"list"},
    inspect.DictType: {"map"},
    inspect.StructType: {"structure"},
}


def part_of(kind: inspect.Type) -> inspect.Type:
    """What stands beside None."""
    if isinstance(kind, inspect.UnionType):
        return next(each for each in kind.types if not isinstance(each, inspect.NoneType))
    return kind


def types_of(kind: inspect.Type) -> set[str]:
    """The model's types that are read as this one."""
    if isinstance(kind, inspect.UnionType):
        return {each for of in kind.types for each in types_of(of)}
    return TAKEN_AS.get(type(kind), set())


def read(shape: Shape, kind: inspect.Type) -> Iterator[tuple[str, Shape, inspect.Type, str]]:
    """Every member that the model and our structures have: its name, its shape, our type, and the name of our field."""
    kind = part_of(kind)
    if isinstance(shape, ListShape) and isinstance(kind, inspect.ListType):
        yield from read(shape.member, kind.item_type)
    if isinstance(shape, StructureShape) and isinstance(kind, inspect.StructType):
        for field in kind.fields:
            if of := shape.members.get(field.encode_name):
                raw = json_findings.RAW_MEMBERS.get(field.name)
                type_of_field = inspect.type_info(raw) if raw else field.type
                yield f"{shape.name}.{field.encode_name}", of, type_of_field, f"{kind.cls.__name__}.{field.name}"
                yield from read(of, type_of_field)


def members(shape: Shape) -> Iterator[str]:
    """Every member below a shape; what is below an ignored one is left out."""
    if isinstance(shape, ListShape):
        yield from members(shape.member)
    if isinstance(shape, MapShape):
        yield from members(shape.value)
    if isinstance(shape, StructureShape):
        for name, of in shape.members.items():
            member = f"{shape.name}.{name}"
            yield member
            if member not in IGNORED:
                yield from members(of)


def fields(kind: inspect.Type) -> Iterator[tuple[str, bool]]:
    """Every field of our structures, and whether it is required."""
    kind = part_of(kind)
    if isinstance(kind, inspect.ListType):
        yield from fields(kind.item_type)
    if isinstance(kind, inspect.StructType):
        for field in kind.fields:
            yield f"{kind.cls.__name__}.{field.name}", field.required
            raw = json_findings.RAW_MEMBERS.get(field.name)
            yield from fields(inspect.type_info(raw) if raw else field.type)


FINDING: Any = MODEL.shape_for("Finding")
OURS = inspect.type_info(json_findings._Finding)
READ = [*read(FINDING, OURS)]
MEMBERS = {*members(FINDING)}


def enum(shape: str) -> set[str]:
    """The values of one of the model's enumerations."""
    values: Any = MODEL.shape_for(shape)
    return set(values.enum)


class TestMembers:
    def test_each_one_is_read_or_ignored_with_a_reason(self) -> None:
        names = {name for name, *_ in READ}
        assert MEMBERS - names - IGNORED.keys() == set(), "read them, or list them in IGNORED"
        assert len(names) > 60

    def test_nothing_is_ignored_that_the_model_does_not_know_or_that_is_read(self) -> None:
        assert IGNORED.keys() - MEMBERS == set()
        assert IGNORED.keys() & {name for name, *_ in READ} == set()
        assert all(IGNORED.values())

    def test_nothing_is_read_that_the_model_does_not_know(self) -> None:
        assert {name for name, _ in fields(OURS)} - {field for *_, field in READ} == set()

    def test_each_one_is_read_as_what_it_is(self) -> None:
        wrong = {name: shape.type_name for name, shape, kind, _ in READ if shape.type_name not in types_of(kind)}
        assert wrong == {}
        assert {shape.type_name for _, shape, *_ in READ} == {each for types in TAKEN_AS.values() for each in types} - {"float"}

    def test_what_must_be_there_is_required_in_the_model_too(self) -> None:
        required = {name.removeprefix("_Finding.") for name, is_required in fields(OURS) if is_required}
        assert {field.encode_name for field in part_of(OURS).fields if field.name in required} <= set(FINDING.required_members)  # type: ignore[attr-defined]


class TestValues:
    """States of scanning, their errors and resource types are compared in tests/unit/analysis/assessment/test_coverage.py."""

    @pytest.mark.parametrize(
        ("shape", "field"),
        [
            ("Severity", "severity"),
            ("FindingType", "type"),
            ("FindingStatus", "status"),
            ("FixAvailable", "fix_available"),
            ("ExploitAvailable", "exploit_available"),
        ],
    )
    def test_the_words_that_are_read_fast_are_the_models(self, shape: str, field: str) -> None:
        known = next(each for each in part_of(inspect.type_info(json_findings._KnownFinding)).fields if each.name == field)  # type: ignore[attr-defined]
        literal: Any = part_of(known.type)
        assert set(literal.values) == enum(shape)

    def test_severities_and_statuses_have_a_place(self) -> None:
        assert set(SEVERITIES) - {"OTHER"} == enum("Severity")
        assert SEVERITY_SCORES.keys() | {"INFORMATIONAL"} == enum("Severity")
        assert set(STATUSES) == enum("FindingStatus")
        assert FIX_SCORES.keys() | {"NO"} == enum("FixAvailable")

    def test_reachability_raises_lowers_or_is_unknown(self) -> None:
        assert set(REACHABILITIES) == enum("RuntimeReachability")

    def test_each_scan_type_has_a_state_or_a_connector(self) -> None:
        states: Any = MODEL.shape_for("ResourceState")
        assert set(OWN_SCAN_TYPES) - {"other"} == set(states.members)
        assert {cloud.upper() for cloud in OTHER_CLOUDS} == enum("ConnectorCloudProvider") == enum("Provider") - {"AWS"}
        assert HEALTHY_CONNECTOR[1] in enum("ConnectorHealthStatus")


def test_generated_findings_have_every_reason_for_reachability() -> None:
    findings = generate(400, seed=1, now=1.78e9, accounts=["111122223333"], region="eu-west-1")
    packages: list[Mapping[str, str]] = [
        package for each in findings for package in each.get("packageVulnerabilityDetails", {}).get("vulnerablePackages", [])
    ]
    assert {each["runtimeReachability"] for each in packages if "runtimeReachability" in each} == enum("RuntimeReachability")
    reasons = {each["runtimeReachabilityReason"] for each in packages if "runtimeReachabilityReason" in each}
    assert reasons == enum("RuntimeReachabilityReason")
