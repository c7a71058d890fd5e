"""Resources as people name them, read from their ids: so that a CSV gives the same names as a JSON report."""

import re
from typing import NamedTuple

from findings_analysis.reading.bounded_cache import Remembered

_ECR_IMAGE = re.compile(r"arn:[^:]*:ecr:[^:]*:[^:]*:repository/(?P<repository>.+)/(?P<digest>sha256:[0-9a-f]+)")
"""An image's resource id, as seen in real findings."""
_FUNCTION = re.compile(r"arn:[^:]*:lambda:[^:]*:[^:]*:function:(?P<function>[^:]+)(?::[^:]*)?")
"""A function's resource id: its ARN with its version [AWS: Lambda's ARN format]."""
_DIGEST = re.compile(r"[@/](?P<digest>sha256:[0-9a-f]+)$")
_FINDING = re.compile(r"arn:[^:]*:inspector2:(?P<region>[^:]+):(?P<account>[^:]+):finding/")


class ResourceNames(NamedTuple):
    """What a resource's id says."""

    name: str | None
    repository: str | None = None
    function: str | None = None
    digest: str | None = None


def resource_names(resource_id: str | None) -> ResourceNames:
    """Return what :func:`read_names` returns; remembered, since resources come back finding after finding."""
    return _remembered[resource_id]


def read_names(resource_id: str | None) -> ResourceNames:
    """Return what a resource's id says; the name of an id of unknown form is the id without an image's digest."""
    if not resource_id:
        return ResourceNames(None)
    if image := _ECR_IMAGE.fullmatch(resource_id):
        return ResourceNames(image["repository"], repository=image["repository"], digest=image["digest"])
    if function := _FUNCTION.fullmatch(resource_id):
        return ResourceNames(function["function"], function=function["function"])
    if (digest := _DIGEST.search(resource_id)) and digest.start():
        return ResourceNames(resource_id[: digest.start()], digest=digest["digest"])
    return ResourceNames(resource_id)


_remembered = Remembered(read_names)


def owner(finding_arn: str) -> tuple[str | None, str | None]:
    """Return account and Region of a finding's ARN; None where it is none of Inspector's."""
    arn = _FINDING.match(finding_arn)
    return (arn["account"], arn["region"]) if arn else (None, None)
