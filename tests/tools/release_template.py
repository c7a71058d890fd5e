"""The template of a release: SAM's transform is applied already, and a parameter says in which buckets its code is.

Without the macro, everything that deploys CloudFormation takes it: StackSets with service-managed permissions, Terraform, the CDK.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import yaml

from tests.builders.rendered import transformed

if TYPE_CHECKING:
    from collections.abc import Mapping

CODE = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}
"""Of each type that has code, the property that says where it is."""
PARAMETER = "ArtifactBucketPrefix"
BUCKET = {"Fn::Sub": f"${{{PARAMETER}}}-${{AWS::Region}}"}
MAX_BYTES = 1_000_000
"""What CloudFormation takes from S3, in the narrower reading of 1 MB [AWS: CloudFormation quotas]."""
_PLACEHOLDER = "bucket-of-the-artifacts"
_REGION = "eu-west-1"
"""SAM's transform wants one; what it makes of this template is the same in every partition (tests/contract/test_release.py)."""


class _Dumper(yaml.CSafeDumper):
    """Writes no anchors, which CloudFormation does not read."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class has the name
        return True


def code_of(template: Mapping[str, Any]) -> dict[str, str]:
    """Return where the code of each resource is that has code: a local path, by logical id."""
    return {
        name: resource["Properties"][CODE[resource["Type"]]]
        for name, resource in template["Resources"].items()
        if resource["Type"] in CODE
    }


def release_template(template: Mapping[str, Any], keys: Mapping[str, str], version: str, region: str = _REGION) -> dict[str, Any]:
    """Return the template without macro.

    Parameters
    ----------
    template
        The template in the form of SAM.
    keys
        Of each resource that has code, the key of its file in the artifact bucket.
    version
        Of the release, for people who read the stack's template.
    """
    copied = deepcopy(dict(template))
    for name in code_of(copied):
        resource = copied["Resources"][name]
        resource["Properties"][CODE[resource["Type"]]] = f"s3://{_PLACEHOLDER}/{keys[name]}"
    made: dict[str, Any] = _with_buckets(transformed(copied, region))
    made["Parameters"] = {**made["Parameters"], PARAMETER: _parameter()}
    *_, deployment = made["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    deployment["Parameters"] = [PARAMETER, *deployment["Parameters"]]
    made["Outputs"]["Version"]["Value"] = version
    order = ("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions")
    return {name: made[name] for name in (*order, *(name for name in made if name not in order))}


def text_of(template: Mapping[str, Any]) -> str:
    """Return a template as YAML."""
    return yaml.dump(template, Dumper=_Dumper, sort_keys=False, width=130, allow_unicode=True)


def _parameter() -> dict[str, Any]:
    return {
        "Description": (
            "Enter the name of the buckets that you uploaded the files of the release to, without the hyphen and the Region at its end."
            " The code is read from <ArtifactBucketPrefix>-<Region>."
        ),
        "Type": "String",
        # A bucket's name has 63 characters at most, of which 15 are for a hyphen and the longest Region, such as ap-southeast-1.
        "AllowedPattern": "[a-z0-9][a-z0-9-]{1,47}",
        "ConstraintDescription": "must be the name of a bucket without -<Region> at its end, such as my-artifacts for my-artifacts-eu-west-1",
    }


def _with_buckets(value: Any) -> Any:
    match value:
        case dict():
            return {name: _with_buckets(each) for name, each in value.items()}
        case list():
            return [_with_buckets(each) for each in value]
    return BUCKET if value == _PLACEHOLDER else value
