"""The template as CloudFormation deploys it: SAM's transform applied, parameters, conditions and references filled in.

Run as a module, it prints every policy of every variant below as JSON: what make lint hands to the policy linter.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boto3 import Session
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tests.builders.cloudformation import read_template

TEMPLATE = Path("template.yaml")
ACCOUNT, OTHER_ACCOUNT = "123456789012", "210987654321"
STACK = "findings"
# How a resource's ARN is made; CloudFormation's own ids replace names that it would choose.
ARNS = {
    "AWS::CloudWatch::Alarm": "arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}",
    "AWS::DynamoDB::Table": "arn:{partition}:dynamodb:{region}:{account}:table/{name}",
    "AWS::Events::Rule": "arn:{partition}:events:{region}:{account}:rule/{name}",
    "AWS::IAM::ManagedPolicy": "arn:{partition}:iam::{account}:policy/{name}",
    "AWS::IAM::Role": "arn:{partition}:iam::{account}:role/{name}",
    "AWS::KMS::Key": "arn:{partition}:kms:{region}:{account}:key/00000000-0000-4000-8000-000000000000",
    "AWS::Lambda::Function": "arn:{partition}:lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "arn:{partition}:logs:{region}:{account}:log-group:{name}:*",
    "AWS::S3::Bucket": "arn:{partition}:s3:::{name}",
    "AWS::SNS::Topic": "arn:{partition}:sns:{region}:{account}:{name}",
    "AWS::SQS::Queue": "arn:{partition}:sqs:{region}:{account}:{name}",
    "AWS::StepFunctions::StateMachine": "arn:{partition}:states:{region}:{account}:stateMachine:{name}",
}
NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
"""Properties that name a resource which the stack names itself."""
CATALOGUED = {"AWS::Glue::Database": "DatabaseInput", "AWS::Glue::Table": "TableInput"}
"""Types whose reference is the name that this property holds."""
REFERRED_TO_BY_ARN = {"AWS::IAM::ManagedPolicy", "AWS::SNS::Topic", "AWS::StepFunctions::StateMachine"}


class _NoValue:
    """AWS::NoValue: what has it is left out."""


@dataclass(frozen=True)
class Place:
    """Where a stack is deployed, and with which parameters."""

    region: str = "eu-west-1"
    partition: str = "aws"
    suffix: str = "amazonaws.com"
    parameters: Mapping[str, str] = field(default_factory=dict)


EXISTING = {
    "ExistingBucketName": "reports-of-another-team",
    "ExistingBucketOwner": OTHER_ACCOUNT,
    "ExistingKeyArn": f"arn:aws:kms:eu-west-1:{OTHER_ACCOUNT}:key/11111111-0000-4000-8000-000000000000",
}
CHAT = {
    "SlackWorkspaceId": "T0123ABCD",
    "SlackChannelId": "C0123ABCD",
    "TeamsTenantId": "11111111-0000-4000-8000-000000000000",
    "TeamsTeamId": "22222222-0000-4000-8000-000000000000",
    "TeamsChannelId": "19%3Aab12%40thread.tacv2",
}
OWNERS = {
    "OwnerTag": "team",
    "OwnerMessages": "ALL",
    "RemediationDays": '{"CRITICAL": 15, "HIGH": 30}',
    "OverdueAlarm": "CRITICAL",
}
REGIONS = {"HomeRegion": "eu-west-1", "Regions": "eu-west-1,us-east-1", "Reports": "FILE"}
CHINA = Place("cn-north-1", "aws-cn", "amazonaws.com.cn", CHAT)
GOV = Place("us-gov-west-1", "aws-us-gov", "amazonaws.com", CHAT)
VARIANTS = {
    "own bucket and key": Place(),
    "existing bucket and key": Place(parameters=EXISTING),
    "opt-in Region": Place(region="me-south-1"),
    "Athena": Place(parameters={"Athena": "ON"}),
    "owners": Place(parameters=OWNERS),
    "chat": Place(parameters=CHAT),
    "Athena on an existing bucket and key": Place(parameters=EXISTING | {"Athena": "ON"}),
    "home Region": Place(parameters=REGIONS),
    "Region beside home": Place(region="us-east-1", parameters=REGIONS),
    "several reports": Place(parameters={"Reports": "FILE"}),
    "China": CHINA,
    "GovCloud": GOV,
}


@dataclass(frozen=True)
class Policy:
    """One policy document: ``kind`` is identity, trust or resource."""

    where: str
    kind: str
    document: Mapping[str, Any]


class Rendered:
    """A template's resources and outputs as they are deployed in a place."""

    def __init__(self, place: Place | None = None, template: Mapping[str, Any] | None = None) -> None:
        self.place = place or Place()
        self._template = transformed(_with_code(dict(template or read_template(TEMPLATE))), self.place.region)
        defaults = {name: str(parameter["Default"]) for name, parameter in self._template["Parameters"].items()}
        self._values = {**defaults, **self.place.parameters}
        self.resources: dict[str, dict[str, Any]] = self._present(self._template["Resources"])
        self.outputs = {name: str(each["Value"]) for name, each in self._present(self._template["Outputs"]).items()}

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of the resources of a type, by logical id."""
        return {name: each["Properties"] for name, each in self.resources.items() if each["Type"] == kind}

    def arn(self, logical_id: str) -> str:
        """A resource's ARN."""
        resource = self._template["Resources"][logical_id]
        named = resource["Properties"].get(NAMES.get(resource["Type"]))
        name = self._filled(named) if named else f"{STACK}-{logical_id}"
        place = {"partition": self.place.partition, "region": self.place.region, "account": ACCOUNT}
        return ARNS[resource["Type"]].format(name=name, **place)

    def policies(self) -> Iterator[Policy]:
        """Every policy of the stack, and every statement that its outputs hold."""
        for name, role in self.of_type("AWS::IAM::Role").items():
            trust = [{**each, "Resource": self.arn(name)} for each in role["AssumeRolePolicyDocument"]["Statement"]]
            yield Policy(f"{name} (trust)", "trust", {**role["AssumeRolePolicyDocument"], "Statement": trust})
            for policy in role.get("Policies", []):
                yield Policy(name, "identity", policy["PolicyDocument"])
        for name, resource in self.resources.items():
            properties = resource["Properties"]
            properties = properties.get("ResourcePolicy", properties)
            kind = "identity" if resource["Type"] == "AWS::IAM::ManagedPolicy" else "resource"
            for key in ("PolicyDocument", "KeyPolicy"):
                if key in properties:
                    yield Policy(name, kind, properties[key])
        for name, text in self.outputs.items():
            if "Statement" in name:
                yield Policy(f"output {name}", "resource", {"Version": "2012-10-17", "Statement": json.loads(f"[{text}]")})

    def _present(self, members: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        there = {name: each for name, each in members.items() if "Condition" not in each or self._holds(each["Condition"])}
        return {name: self._filled(each) for name, each in there.items()}

    def _holds(self, condition: object) -> bool:
        match condition:
            case str():
                return self._holds(self._template["Conditions"][condition])
            case {"Condition": str() as name}:
                return self._holds(name)
            case {"Fn::Equals": [left, right]}:
                return str(self._filled(left)) == str(self._filled(right))
            case {"Fn::Not": [inner]}:
                return not self._holds(inner)
            case {"Fn::And": list() as all_of}:
                return all(map(self._holds, all_of))
            case {"Fn::Or": list() as any_of}:
                return any(map(self._holds, any_of))
        raise ValueError(f"this condition is not understood: {condition}")

    def _filled(self, value: Any) -> Any:
        match value:
            case {"Ref": str() as name}:
                return self._reference(name)
            case {"Fn::GetAtt": [name, attribute]}:
                return self._attribute(name, attribute)
            case {"Fn::Sub": str() as text}:
                return self._substituted(text, {})
            case {"Fn::Sub": [text, names]}:
                return self._substituted(text, self._filled(names))
            case {"Fn::If": [condition, yes, no]}:
                return self._filled(yes if self._holds(condition) else no)
            case {"Fn::FindInMap": [mapping, first, second]}:
                return self._template["Mappings"][mapping][self._filled(first)][self._filled(second)]
            case {"Fn::Join": [separator, parts]}:
                return str(separator).join(self._filled(parts))
            case dict():
                filled = {name: self._filled(each) for name, each in value.items()}
                return {name: each for name, each in filled.items() if not isinstance(each, _NoValue)}
            case list():
                return [each for each in map(self._filled, value) if not isinstance(each, _NoValue)]
        return value

    def _reference(self, name: str) -> Any:
        pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": _NoValue(),
            "AWS::Partition": self.place.partition,
            "AWS::Region": self.place.region,
            "AWS::StackName": STACK,
            "AWS::URLSuffix": self.place.suffix,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self._values:
            is_list = self._template["Parameters"][name]["Type"] == "CommaDelimitedList"
            return self._values[name].split(",") if is_list else self._values[name]
        resource = self._template["Resources"][name]
        if resource["Type"] in CATALOGUED:
            return self._filled(resource["Properties"][CATALOGUED[resource["Type"]]]["Name"])
        if resource["Type"] == "AWS::Athena::WorkGroup":
            return self._filled(resource["Properties"]["Name"])
        return self.arn(name) if resource["Type"] in REFERRED_TO_BY_ARN else f"{STACK}-{name}"

    def _attribute(self, name: str, attribute: str) -> str:
        return self.arn(name) if attribute == "Arn" else f"{STACK}-{name}"

    def _substituted(self, text: str, names: Mapping[str, str]) -> str:
        def value(match: re.Match[str]) -> str:
            name, _, attribute = match[1].partition(".")
            if name in names:
                return str(names[name])
            return str(self._attribute(name, attribute) if attribute else self._reference(name))

        return re.sub(r"\$\{([\w:.]+)\}", value, text).replace("${!", "${")


def transformed(template: dict[str, Any], region: str) -> dict[str, Any]:
    """Apply SAM's transform to a template whose code is in buckets, or in the template."""
    translator = Translator({}, Parser(), boto_session=Session(region_name=region))
    translated: dict[str, Any] = translator.translate(template, {})
    translator.metrics.publish()  # to no one, else it warns that they were not
    return translated


def _with_code(template: dict[str, Any]) -> dict[str, Any]:
    """Name a bucket for each local folder, because SAM's transform takes code from buckets only."""
    for name, resource in template["Resources"].items():
        for key in ("CodeUri", "ContentUri"):
            if key in resource["Properties"]:
                resource["Properties"][key] = f"s3://code/{name}"
        if "DefinitionUri" in resource["Properties"]:
            definition = Path(resource["Properties"].pop("DefinitionUri"))
            resource["Properties"]["Definition"] = json.loads(definition.read_text("utf-8"))
    return template


def main() -> None:
    """Print all policies; equal ones of several variants once."""
    seen: dict[str, dict[str, Any]] = {}
    for variant, place in VARIANTS.items():
        for policy in Rendered(place).policies():
            document = json.dumps(policy.document)
            seen.setdefault(document, {"where": f"{policy.where}, {variant}", "kind": policy.kind, "document": policy.document})
    json.dump(list(seen.values()), sys.stdout)


if __name__ == "__main__":
    main()
