"""The emulated Inspector reads filterCriteria as the service does."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.session import get_session

from tests.local_aws.emulator.inspector import aggregation, criteria
from tests.local_aws.emulator.inspector.criteria import matcher, problems, request_problems

pytestmark = pytest.mark.usefixtures("sealed")

LIBRARY = {
    "name": "lodash",
    "version": "4.17.0",
    "epoch": 2,
    "packageManager": "NODEPKG",
    "arch": "X86_64",
    "release": "1",
    "filePath": "app/lodash/package.json",
    "sourceLayerHash": "sha256:aa",
}
IN_IMAGE: dict[str, Any] = {
    "findingArn": "arn:aws:inspector2:eu-west-1:111122223333:finding/aa",
    "awsAccountId": "111122223333",
    "type": "PACKAGE_VULNERABILITY",
    "severity": "HIGH",
    "status": "ACTIVE",
    "title": "CVE-2024-1 - lodash",
    "firstObservedAt": 1_000.5,
    "lastObservedAt": 2_000.0,
    "updatedAt": 3_000.0,
    "inspectorScore": 7.5,
    "epss": {"score": 0.25},
    "fixAvailable": "YES",
    "exploitAvailable": "NO",
    "packageVulnerabilityDetails": {
        "vulnerabilityId": "CVE-2024-1",
        "source": "NVD",
        "vendorSeverity": "high",
        "relatedVulnerabilities": ["CVE-2024-2"],
        "vulnerablePackages": [LIBRARY, {**LIBRARY, "name": "minimist", "version": "0.0.8"}],
    },
    "resources": [
        {
            "type": "AWS_ECR_CONTAINER_IMAGE",
            "id": "image",
            "region": "eu-west-1",
            "tags": {"team": "a", "stage": ""},
            "details": {
                "awsEcrContainerImage": {
                    "architecture": "amd64",
                    "imageHash": "sha256:bb",
                    "imageTags": ["1.0", "latest"],
                    "inUseCount": 3,
                    "lastInUseAt": 900.0,
                    "pushedAt": 800.0,
                    "registry": "111122223333",
                    "repositoryName": "shop/cart",
                }
            },
        }
    ],
}
ON_NETWORK: dict[str, Any] = {
    "status": "ACTIVE",
    "networkReachabilityDetails": {
        "openPortRange": {"begin": 22, "end": 23},
        "protocol": "TCP",
        "networkPath": {"steps": [{"componentId": "igw-1", "componentType": "AWS::EC2::InternetGateway"}]},
    },
    "resources": [
        {
            "type": "AWS_EC2_INSTANCE",
            "id": "i-1",
            "details": {"awsEc2Instance": {"imageId": "ami-1", "vpcId": "vpc-1", "subnetId": "subnet-1"}},
        }
    ],
}
IN_CODE: dict[str, Any] = {
    "status": "ACTIVE",
    "codeVulnerabilityDetails": {"detectorName": "secrets", "detectorTags": ["x"], "filePath": {"filePath": "src/a.py"}},
    "resources": [
        {
            "type": "AWS_LAMBDA_FUNCTION",
            "id": "function",
            "details": {
                "awsLambdaFunction": {
                    "functionName": "f",
                    "runtime": "PYTHON_3_13",
                    "layers": ["layer:1"],
                    "executionRoleArn": "role",
                    "lastModifiedAt": 700.0,
                }
            },
        }
    ],
}


def strings(comparison: str, *values: str) -> list[dict[str, str]]:
    return [{"comparison": comparison, "value": value} for value in values]


def equals(*values: str) -> list[dict[str, str]]:
    return strings("EQUALS", *values)


def test_members_and_their_kinds_are_those_of_the_service_model() -> None:
    kinds = {
        "StringFilter": criteria.STRINGS,
        "DateFilter": criteria.DATES,
        "NumberFilter": criteria.NUMBERS,
        "MapFilter": criteria.MAPS,
        "PortRangeFilter": criteria.PORT_RANGES,
        "PackageFilter": criteria.PACKAGES,
    }
    ours = {member: kind for kind, members in kinds.items() for member in members}
    model: Any = get_session().get_service_model("inspector2").shape_for("FilterCriteria")
    assert ours == {member: shape.member.name for member, shape in model.members.items()}


@pytest.mark.parametrize(
    ("finding", "wanted"),
    [
        (IN_IMAGE, {"findingArn": strings("PREFIX", "arn:aws:inspector2:eu-west-1:")}),
        (IN_IMAGE, {"awsAccountId": equals("111122223333")}),
        (IN_IMAGE, {"findingType": equals("PACKAGE_VULNERABILITY")}),
        (IN_IMAGE, {"severity": equals("CRITICAL", "HIGH")}),
        (IN_IMAGE, {"severity": strings("NOT_EQUALS", "LOW", "MEDIUM")}),
        (IN_IMAGE, {"severity": strings("PREFIX", "HI") + strings("NOT_EQUALS", "LOW")}),
        (IN_IMAGE, {"title": strings("PREFIX", "CVE-2024-")}),
        (IN_IMAGE, {"firstObservedAt": [{"startInclusive": 1_000.5, "endInclusive": 1_000.5}]}),
        (IN_IMAGE, {"lastObservedAt": [{"startInclusive": 1}]}),
        (IN_IMAGE, {"updatedAt": [{"endInclusive": 1}, {"endInclusive": 3_000}]}),
        (IN_IMAGE, {"inspectorScore": [{"lowerInclusive": 7.5, "upperInclusive": 7.5}]}),
        (IN_IMAGE, {"epssScore": [{"lowerInclusive": 0.2}]}),
        (IN_IMAGE, {"resourceType": equals("AWS_ECR_CONTAINER_IMAGE"), "resourceId": equals("image")}),
        (IN_IMAGE, {"resourceTags": [{"comparison": "EQUALS", "key": "team", "value": "a"}]}),
        (IN_IMAGE, {"resourceTags": [{"comparison": "EQUALS", "key": "stage"}]}),
        (IN_IMAGE, {"ecrImageTags": equals("latest")}),
        (IN_IMAGE, {"ecrImageHash": equals("sha256:bb"), "ecrImageArchitecture": equals("amd64")}),
        (IN_IMAGE, {"ecrImageRepositoryName": strings("PREFIX", "shop/"), "ecrImageRegistry": equals("111122223333")}),
        (IN_IMAGE, {"ecrImagePushedAt": [{"endInclusive": 800}], "ecrImageLastInUseAt": [{"startInclusive": 900}]}),
        (IN_IMAGE, {"ecrImageInUseCount": [{"lowerInclusive": 1}]}),
        (IN_IMAGE, {"vulnerabilityId": equals("CVE-2024-1"), "vulnerabilitySource": equals("NVD")}),
        (IN_IMAGE, {"vendorSeverity": equals("high"), "relatedVulnerabilities": equals("CVE-2024-2")}),
        (IN_IMAGE, {"fixAvailable": equals("YES"), "exploitAvailable": equals("NO")}),
        (IN_IMAGE, {"vulnerablePackages": [{"name": equals("minimist")[0], "version": equals("0.0.8")[0]}]}),
        (IN_IMAGE, {"vulnerablePackages": [{"architecture": equals("X86_64")[0], "epoch": {"lowerInclusive": 2}}]}),
        (IN_IMAGE, {"vulnerablePackages": [{"filePath": strings("PREFIX", "app/")[0], "release": equals("1")[0]}]}),
        (ON_NETWORK, {"portRange": [{"beginInclusive": 22, "endInclusive": 80}], "networkProtocol": equals("TCP")}),
        (ON_NETWORK, {"componentId": equals("igw-1"), "componentType": strings("PREFIX", "AWS::EC2::")}),
        (ON_NETWORK, {"ec2InstanceImageId": equals("ami-1"), "ec2InstanceVpcId": equals("vpc-1")}),
        (ON_NETWORK, {"ec2InstanceSubnetId": equals("subnet-1"), "fixAvailable": strings("NOT_EQUALS", "YES")}),
        (IN_CODE, {"codeVulnerabilityDetectorName": equals("secrets"), "codeVulnerabilityDetectorTags": equals("x")}),
        (IN_CODE, {"codeVulnerabilityFilePath": strings("PREFIX", "src/"), "lambdaFunctionName": equals("f")}),
        (IN_CODE, {"lambdaFunctionLayers": equals("layer:1"), "lambdaFunctionRuntime": equals("PYTHON_3_13")}),
        (IN_CODE, {"lambdaFunctionExecutionRoleArn": equals("role")}),
        (IN_CODE, {"lambdaFunctionLastModifiedAt": [{"startInclusive": 700, "endInclusive": 700}]}),
        (IN_IMAGE, {"findingStatus": equals("CLOSED", "ACTIVE")}),
        (IN_IMAGE, {}),
    ],
)
def test_matching_findings_are_exported(finding: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert problems(wanted) == []
    assert matcher(wanted)(finding)


@pytest.mark.parametrize(
    "wanted",
    [
        {"severity": equals("LOW")},
        {"severity": strings("NOT_EQUALS", "LOW", "HIGH")},
        {"severity": strings("PREFIX", "H") + strings("NOT_EQUALS", "HIGH")},
        {"severity": equals("HIGH"), "awsAccountId": equals("999999999999")},
        {"title": strings("PREFIX", "lodash")},
        {"firstObservedAt": [{"startInclusive": 1_000.6}]},
        {"firstObservedAt": [{"endInclusive": 1_000.4}]},
        {"inspectorScore": [{"lowerInclusive": 7.6}, {"upperInclusive": 7.4}]},
        {"resourceTags": [{"comparison": "EQUALS", "key": "team", "value": "b"}]},
        {"resourceTags": [{"comparison": "EQUALS", "key": "owner"}]},
        {"ecrImageTags": strings("NOT_EQUALS", "latest")},
        {"vulnerablePackages": [{"name": equals("minimist")[0], "version": equals("4.17.0")[0]}]},
        {"vulnerablePackages": [{"epoch": {"lowerInclusive": 3}}]},
        {"portRange": [{"beginInclusive": 0, "endInclusive": 65535}]},
        {"lambdaFunctionName": equals("f")},
        {"cloudProvider": equals("AZURE")},
        {"findingStatus": equals("CLOSED")},
    ],
)
def test_other_findings_are_not_exported(wanted: dict[str, Any]) -> None:
    assert problems(wanted) == []
    assert not matcher(wanted)(IN_IMAGE)


def test_a_port_range_must_hold_all_open_ports() -> None:
    assert not matcher({"portRange": [{"beginInclusive": 22, "endInclusive": 22}]})(ON_NETWORK)


@pytest.mark.parametrize("status", ["SUPPRESSED", "CLOSED"])
def test_only_active_findings_are_exported_unless_a_status_is_named(status: str) -> None:
    finding = {**IN_IMAGE, "status": status}
    assert not matcher({"severity": equals("HIGH")})(finding)
    assert matcher({"severity": equals("HIGH"), "findingStatus": equals(status)})(finding)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ("severity", "filterCriteria"),
        ({"Severity": equals("HIGH")}, "filterCriteria.Severity"),
        ({"severity": []}, "filterCriteria.severity"),
        ({"severity": equals(*map(str, range(11)))}, "filterCriteria.severity"),
        ({"severity": "HIGH"}, "filterCriteria.severity"),
        ({"severity": ["HIGH"]}, "filterCriteria.severity.0"),
        ({"severity": [{"comparison": "EQUALS"}]}, "filterCriteria.severity.0.value"),
        ({"severity": [{"value": "HIGH"}]}, "filterCriteria.severity.0.comparison"),
        ({"severity": strings("CONTAINS", "HIGH")}, "filterCriteria.severity.0.comparison"),
        ({"severity": [*equals("HIGH"), *equals("")]}, "filterCriteria.severity.1.value"),
        ({"severity": equals("x" * 1025)}, "filterCriteria.severity.0.value"),
        ({"severity": [{**equals("HIGH")[0], "more": 1}]}, "filterCriteria.severity.0.more"),
        ({"inspectorScore": [{"lowerInclusive": "7"}]}, "filterCriteria.inspectorScore.0.lowerInclusive"),
        ({"inspectorScore": [{"lowerInclusive": True}]}, "filterCriteria.inspectorScore.0.lowerInclusive"),
        ({"updatedAt": [{"startInclusive": "yesterday"}]}, "filterCriteria.updatedAt.0.startInclusive"),
        ({"resourceTags": [{"comparison": "PREFIX", "key": "a"}]}, "filterCriteria.resourceTags.0.comparison"),
        ({"resourceTags": [{"comparison": "EQUALS"}]}, "filterCriteria.resourceTags.0.key"),
        ({"portRange": [{"beginInclusive": 65_536}]}, "filterCriteria.portRange.0.beginInclusive"),
        ({"vulnerablePackages": [{"name": "lodash"}]}, "filterCriteria.vulnerablePackages.0.name"),
    ],
)
def test_criteria_that_the_service_refuses_are_refused_by_field(wanted: Any, field: str) -> None:
    assert [name for name, _ in problems(wanted)] == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reportFormat": "XML"}, "reportFormat"),
        ({"reportFormat": None}, "reportFormat"),
        ({"s3Destination": None}, "s3Destination"),
        ({"s3Destination": {"bucketName": "b"}}, "s3Destination.kmsKeyArn"),
        ({"s3Destination": {"kmsKeyArn": "k", "bucketName": ""}}, "s3Destination.bucketName"),
        ({"s3Destination": {"kmsKeyArn": "k", "bucketName": "b", "keyPrefix": 1}}, "s3Destination.keyPrefix"),
        (
            {"s3Destination": {"kmsKeyArn": "k", "bucketName": "b", "expectedBucketOwner": "me"}},
            "s3Destination.expectedBucketOwner",
        ),
        ({"filterCriteria": {"x": []}}, "filterCriteria.x"),
    ],
)
def test_requests_that_the_service_refuses_are_refused_by_field(changes: dict[str, Any], field: str) -> None:
    request: dict[str, Any] = {"reportFormat": "CSV", "s3Destination": {"bucketName": "b", "kmsKeyArn": "k"}}
    assert request_problems(request) == []
    assert [name for name, _ in request_problems({**request, **changes})] == [field]


def test_what_an_aggregation_by_account_can_be_confined_to_is_that_of_the_service_model() -> None:
    members: Any = get_session().get_service_model("inspector2").shape_for("AccountAggregation")
    assert list(aggregation.FINDING_TYPES) == members.members["findingType"].enum
    assert list(aggregation.RESOURCE_TYPES) == members.members["resourceType"].enum
