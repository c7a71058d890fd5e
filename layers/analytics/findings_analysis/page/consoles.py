"""Links into the AWS console: to a finding, and to the resource that it is on where the console has a page of it.

An address is made of parts of an ARN that were matched as a whole, so nothing else that a report says gets into it.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

CONSOLE_HOSTS: Mapping[str, str] = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
"""By partition, as in the messages' links; in another partition there are no links."""

_PLACE = r"arn:(?P<partition>aws[a-z-]*):{service}:(?P<region>[a-z]{{2,4}}(?:-[a-z]+){{1,3}}-\d{{1,2}}):(?P<account>\d{{12}}):"
_FINDING = re.compile(_PLACE.format(service="inspector2") + r"finding/[\w-]+", re.ASCII)
_INSTANCE = re.compile(r"(?:arn:[\w:-]+:instance/)?(i-[0-9a-f]{1,17})", re.ASCII)
_IMAGE = re.compile(
    _PLACE.format(service="ecr") + r"repository/(?P<name>[a-z0-9][a-z0-9._/-]*?)(?:/(?P<image>sha256:[0-9a-f]{64}))?", re.ASCII
)
_FUNCTION = re.compile(_PLACE.format(service="lambda") + r"function:(?P<name>[\w-]{1,140})(?::[\w$-]+)?", re.ASCII)


def findings_url(arn: str | None) -> str | None:
    """Return the beginning of the addresses of an account's findings in a Region; the ARN, quoted, is their end."""
    found = _FINDING.fullmatch(arn or "")
    console = found and _console(found)
    return f"{console}/inspector/v2/home?region={found['region']}#/findings/" if found and console else None


def resource_url(resource: Mapping[str, Any]) -> str | None:
    """Return the console's page of an EC2 instance, an ECR image or repository, or a Lambda function; None for all else.

    Parameters
    ----------
    resource
        ``resource_type`` and ``resource_id``; and ``finding_arn``, since an instance's id says neither partition nor Region.
    """
    kind, name = resource["resource_type"], resource["resource_id"] or ""
    if kind == "AWS_EC2_INSTANCE":
        instance, place = _INSTANCE.fullmatch(name), _FINDING.fullmatch(resource["finding_arn"] or "")
        path = f"ec2/home?region={place['region']}#InstanceDetails:instanceId={instance[1]}" if instance and place else ""
    elif kind in {"AWS_ECR_CONTAINER_IMAGE", "AWS_ECR_REPOSITORY"}:
        place = _IMAGE.fullmatch(name)
        path = _image_path(place) if place else ""
    elif kind == "AWS_LAMBDA_FUNCTION":
        place = _FUNCTION.fullmatch(name)
        path = f"lambda/home?region={place['region']}#/functions/{place['name']}" if place else ""
    else:
        return None
    console = place and path and _console(place)
    return f"{console}/{path}" if console else None


def _image_path(place: re.Match[str]) -> str:
    image = f"/_/image/{place['image']}/details" if place["image"] else ""
    return f"ecr/repositories/private/{place['account']}/{quote(place['name'], safe='/')}{image}?region={place['region']}"


def _console(place: re.Match[str]) -> str | None:
    console = CONSOLE_HOSTS.get(place["partition"])
    return f"https://{place['region']}.{console}" if console else None
