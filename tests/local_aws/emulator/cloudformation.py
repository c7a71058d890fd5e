"""Gap: CloudFormation ignores some properties without an error.

Buckets lose their encryption and lifecycle, topics their key, functions their dead-letter queue, schedules everything
beyond expression, target and state. This patch passes these properties to the services that support them.

Conditions do not know the Region, the partition or the account: ``!Equals [!Ref AWS::Region, eu-west-1]`` is false everywhere.

Guards: test_a_stack_s_bucket_keeps_its_encryption_and_lifecycle, test_a_stack_s_topic_keeps_its_key,
test_a_stack_s_schedule_keeps_its_time_zone, test_a_stack_s_function_keeps_its_dead_letter_queue,
test_a_condition_knows_the_region.
"""

import json
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc, s3, scheduler, sns
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

type Properties = dict[str, Any]


def _encryption_xml(properties: Properties) -> bytes:
    root = Element("ServerSideEncryptionConfiguration")
    for rule in properties["ServerSideEncryptionConfiguration"]:
        element = SubElement(root, "Rule")
        default = SubElement(element, "ApplyServerSideEncryptionByDefault")
        for name, value in rule["ServerSideEncryptionByDefault"].items():
            SubElement(default, name).text = value
        SubElement(element, "BucketKeyEnabled").text = json.dumps(rule.get("BucketKeyEnabled", False))
    return tostring(root)


def _lifecycle_xml(properties: Properties) -> bytes:
    root = Element("LifecycleConfiguration")
    for rule in properties["Rules"]:
        element = SubElement(root, "Rule")
        SubElement(element, "ID").text = rule.get("Id", "")
        SubElement(element, "Status").text = rule["Status"]
        SubElement(SubElement(element, "Filter"), "Prefix").text = rule.get("Prefix", "")
        days = {
            ("Expiration", "Days"): rule.get("ExpirationInDays"),
            ("NoncurrentVersionExpiration", "NoncurrentDays"): rule.get("NoncurrentVersionExpiration", {}).get(
                "NoncurrentDays", rule.get("NoncurrentVersionExpirationInDays")
            ),
            ("AbortIncompleteMultipartUpload", "DaysAfterInitiation"): rule.get("AbortIncompleteMultipartUpload", {}).get(
                "DaysAfterInitiation"
            ),
        }
        for (action, unit), value in days.items():
            if value is not None:
                SubElement(SubElement(element, action), unit).text = str(value)
    return tostring(root)


def then(resource_type: str, keep: Callable[[str, Properties], None]) -> None:
    """Call a function with the physical id and properties of each created or updated resource."""
    of_type = provisioners._RESOURCE_HANDLERS[resource_type]
    create, update = of_type["create"], of_type["update"]

    def create_and_keep(logical_id: str, properties: Properties, stack: str) -> Any:
        created = create(logical_id, properties, stack)
        keep(created[0], properties)
        return created

    def update_and_keep(physical_id: str, old: Properties, new: Properties, stack: str, *logical_id: str) -> Any:
        updated = update(physical_id, old, new, stack, *logical_id)
        keep(updated[0], new)
        return updated

    of_type.update(create=create_and_keep, update=update_and_keep)


def _keep_topic_key(topic_arn: str, properties: Properties) -> None:
    if "KmsMasterKeyId" in properties:
        sns._topics[topic_arn]["attributes"]["KmsMasterKeyId"] = properties["KmsMasterKeyId"]


def _keep_dead_letter_queue(function_name: str, properties: Properties) -> None:
    if "DeadLetterConfig" in properties:
        lambda_svc._functions[function_name]["config"]["DeadLetterConfig"] = properties["DeadLetterConfig"]


def _keep_schedule(name: str, properties: Properties) -> None:
    status, _, body = scheduler._update_schedule(name, properties)
    if status != 200:
        raise ValueError(f"AWS::Scheduler::Schedule: {json.loads(body)['Message']}")


def _place() -> dict[str, dict[str, str]]:
    values = {"AWS::Region": get_region(), "AWS::AccountId": get_account_id(), "AWS::Partition": "aws"}
    return {name: {"Value": value} for name, value in values.items()}


def install() -> None:
    """Add the dropped properties to the handlers of their resource types, and the place to conditions."""
    evaluate = engine._evaluate_conditions
    for module in (engine, handlers, changesets, stacks):
        if hasattr(module, "_evaluate_conditions"):
            module._evaluate_conditions = lambda template, params: evaluate(template, {**_place(), **params})
    provisioners._S3_BUCKET_CONFIGURATIONS += (
        ("BucketEncryption", _encryption_xml, s3._put_bucket_encryption, s3._delete_bucket_encryption),
        ("LifecycleConfiguration", _lifecycle_xml, s3._put_bucket_lifecycle, s3._delete_bucket_lifecycle),
    )
    then("AWS::SNS::Topic", _keep_topic_key)
    then("AWS::Lambda::Function", _keep_dead_letter_queue)
    then("AWS::Scheduler::Schedule", _keep_schedule)
