"""The flattened form of a report: one row a finding, the same columns whether it came as JSON or as CSV.

Readers give batches: a dict from column name to its values, as long as each other, at most :data:`BATCH_ROWS` findings.
Every batch of one reading has the same columns in the order of :data:`COLUMNS`.

What holds for all of them:

- ``None`` is the one form of "no value": an absent member, ``null``, an empty cell, an empty text, an empty list.
- Timestamps are whole milliseconds since 1970 in UTC.
- A list holds one entry a package (a tag, an address). From JSON the lists of packages are aligned, with ``None`` where a
  package lacks the value; in a CSV they are of unequal lengths (seen by third parties), so only their sets mean something.
- Columns of the resource are of the finding's first one by its id. Exactly one was ever seen; several are allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import Any, Literal, cast, overload

from arro3.core import Array, ChunkedArray, DataType

type Batch = dict[str, Sequence[Any]]
"""Column name to values; all values of one row stand at the same index."""

type ColumnType = Literal["string", "double", "int", "bigint", "timestamp", "array<string>"]
"""Glue's names, which Athena shares. In a batch: str, float, int, int, int (epoch milliseconds), list of str or None."""

type TextList = list[str | None] | None

BATCH_ROWS = 4096
"""A batch has at most as many rows; readers mostly give fewer."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the flattened form.

    Attributes
    ----------
    name
        In batches, in Parquet and in Athena.
    type
        See :data:`ColumnType`.
    meaning
        One sentence for people who query it.
    json
        Where a JSON report has it, from the finding on; ``[0]`` is the first, ``[]`` each, ``|`` the first that has a value.
    csv
        The CSV report's column, and what is done to its cell; empty where a CSV does not have it.
    counted
        Whether counting needs it.
    """

    name: str
    type: ColumnType
    meaning: str
    json: str
    csv: str = ""
    counted: bool = False


class Ragged(Sequence[TextList]):
    """The values of a column of lists, one behind the other: what Arrow wants, without a list for each row.

    Parameters
    ----------
    values
        Of all rows.
    lengths
        How many of them are each row's. A row without any is None.
    """

    __slots__ = ("lengths", "offsets", "values")

    def __init__(self, values: list[str | None], lengths: Sequence[int]) -> None:
        self.values = values
        self.lengths = lengths
        self.offsets = list(accumulate(lengths, initial=0))

    @classmethod
    def of(cls, rows: Sequence[Sequence[str | None] | None]) -> Ragged:
        """Make it of a list, or None, for each row."""
        return cls([value for row in rows if row for value in row], [len(row or ()) for row in rows])

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[TextList]:
        return (self.values[begin:end] or None for begin, end in pairwise(self.offsets))

    @overload
    def __getitem__(self, place: int) -> TextList: ...
    @overload
    def __getitem__(self, place: slice) -> Ragged: ...
    def __getitem__(self, place: int | slice) -> TextList | Ragged:
        if isinstance(place, slice):
            return Ragged.of([self[row] for row in range(*place.indices(len(self)))])
        row = range(len(self))[place]
        return self.values[self.offsets[row] : self.offsets[row + 1]] or None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment] # mutable, as a list is

    def __repr__(self) -> str:
        return repr(list(self))


class ArrowColumn(Sequence[Any]):
    """The values of a column that came as an Arrow array: Python's are made only when they are used.

    Parameters
    ----------
    array
        Of the column's type.
    """

    __slots__ = ("_values", "array")

    def __init__(self, array: Array) -> None:
        self.array = array
        self._values: list[Any] | None = None

    @property
    def values(self) -> list[Any]:
        """The values as a batch has them."""
        if self._values is None:
            array = self.array.cast(DataType.int64()) if DataType.is_timestamp(self.array.type) else self.array
            self._values = list(array.to_pylist())
        return self._values

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    @overload
    def __getitem__(self, place: int) -> Any: ...  # noqa: ANN401 - as the column is
    @overload
    def __getitem__(self, place: slice) -> ArrowColumn: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            begin, end, step = place.indices(len(self))
            assert step == 1, "Arrow cuts out what stands side by side"
            return ArrowColumn(self.array.slice(begin, max(end - begin, 0)))
        return (self._values or self.values)[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self.values == list(other)

    __hash__ = None  # type: ignore[assignment] # as of a list

    def __repr__(self) -> str:
        return repr(self.values)


def joined(batches: Sequence[Batch]) -> Batch:
    """Return batches, at least one, as one."""
    if len(batches) == 1:
        return batches[0]
    return {name: _joined_column([batch[name] for batch in batches]) for name in batches[0]}


def _joined_column(parts: Sequence[Sequence[Any]]) -> Sequence[Any]:
    if all(isinstance(part, Ragged) for part in parts):
        lists = cast("Sequence[Ragged]", parts)
        return Ragged([value for part in lists for value in part.values], [length for part in lists for length in part.lengths])
    if all(isinstance(part, ArrowColumn) for part in parts):
        return ArrowColumn(ChunkedArray([part.array for part in cast("Sequence[ArrowColumn]", parts)]).combine_chunks())
    return [*chain.from_iterable(parts)]


# fmt: off
COLUMNS = (
    Column("finding_arn", "string", "Inspector's identity of the finding; a rebuilt image gets new ones.",
           "findingArn", "Finding ARN"),
    Column("account_id", "string", "Account that owns the resource.",
           "awsAccountId | the finding's ARN", "AWS Account Id | the finding's ARN", counted=True),
    Column("region", "string", "Region of the resource.",
           "resources[0].region | the finding's ARN", "Region | the finding's ARN"),
    Column("type", "string", "PACKAGE_VULNERABILITY, NETWORK_REACHABILITY, CODE_VULNERABILITY, or newer.",
           "type", "Finding Type", counted=True),
    Column("severity", "string", "CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL, UNTRIAGED, or newer.",
           "severity", "Severity", counted=True),
    Column("status", "string", "ACTIVE, SUPPRESSED, CLOSED, or newer.",
           "status", "Status", counted=True),
    Column("title", "string", "For a package: vulnerability id and package names.",
           "title", "Title"),
    Column("description", "string", "Text of the vulnerability, at most 1,024 characters, perhaps with line breaks.",
           "description", "Description"),
    Column("remediation", "string", "What to do; mostly 'None Provided'.",
           "remediation.recommendation.text", "Remediation"),
    Column("first_observed_at", "timestamp", "When Inspector first observed the finding; starts again for a rebuilt image.",
           "firstObservedAt", "First Seen", counted=True),
    Column("last_observed_at", "timestamp", "When Inspector last observed it.",
           "lastObservedAt", "Last Seen"),
    Column("updated_at", "timestamp", "When Inspector last changed it.",
           "updatedAt", "Last Updated"),
    Column("fix_available", "string", "YES, NO, PARTIAL; empty for network and code findings.",
           "fixAvailable", "Fix Available", counted=True),
    Column("exploit_available", "string", "YES, NO; empty for network and code findings.",
           "exploitAvailable", "Exploit Available", counted=True),
    Column("last_known_exploit_at", "timestamp", "When an exploit was last seen.",
           "exploitabilityDetails.lastKnownExploitAt", "Last Exploited At"),
    Column("inspector_score", "double", "Inspector's score, 0 to 10; absent in 11 to 71 % of real findings.",
           "inspectorScore", "Inspector Score"),
    Column("score_source", "string", "Whose base score Inspector's score is based on.",
           "inspectorScoreDetails.adjustedCvss.scoreSource"),
    Column("scoring_vector", "string", "Vector of Inspector's score.",
           "inspectorScoreDetails.adjustedCvss.scoringVector", "Inspector Score Vector"),
    Column("epss_score", "double", "Probability, 0 to 1, that the vulnerability is exploited within 30 days.",
           "epss.score", "Epss Score", counted=True),
    Column("vulnerability_id", "string", "CVE, GHSA and the like; empty for network and code findings.",
           "packageVulnerabilityDetails.vulnerabilityId", "Vulnerability Id", counted=True),
    Column("source", "string", "Who published the vulnerability, such as NVD or REDHAT_CVE.",
           "packageVulnerabilityDetails.source", "Vendor"),
    Column("source_url", "string", "The source's page about it.",
           "packageVulnerabilityDetails.sourceUrl", "Vendor Advisory"),
    Column("vendor_severity", "string", "The source's own severity: free text of any case.",
           "packageVulnerabilityDetails.vendorSeverity", "Vendor Severity"),
    Column("vendor_created_at", "timestamp", "When the source published it.",
           "packageVulnerabilityDetails.vendorCreatedAt", "Vendor Advisory Published"),
    Column("vendor_updated_at", "timestamp", "When the source last changed it.",
           "packageVulnerabilityDetails.vendorUpdatedAt"),
    Column("reference_urls", "array<string>", "Where to read more; up to 105 were seen.",
           "packageVulnerabilityDetails.referenceUrls | codeVulnerabilityDetails.referenceUrls",
           "Reference Urls, cut before each http:// and https://, since an address may hold commas"),
    Column("nvd_cvss3_score", "double", "NVD's CVSS base score of version 3, 0 to 10.",
           "packageVulnerabilityDetails.cvss[source NVD, version 3…][0].baseScore", "NVD CVSS3 Score"),
    Column("nvd_cvss3_vector", "string", "Vector of NVD's score.",
           "packageVulnerabilityDetails.cvss[source NVD, version 3…][0].scoringVector", "NVD CVSS3 Vector"),
    Column("package_names", "array<string>", "The vulnerable packages.",
           "packageVulnerabilityDetails.vulnerablePackages[].name", "Affected Packages, cut at commas", counted=True),
    Column("package_versions", "array<string>", "Their installed versions, without epoch and release.",
           "packageVulnerabilityDetails.vulnerablePackages[].version", "Package Installed Version, cut at commas"),
    Column("fixed_in_versions", "array<string>", "Versions that fix them; 'NotAvailable' was seen where there is none.",
           "packageVulnerabilityDetails.vulnerablePackages[].fixedInVersion", "Fixed in Version, cut at commas"),
    Column("package_managers", "array<string>", "OS, JAR, NODEPKG and the like; a CSV names each only once.",
           "packageVulnerabilityDetails.vulnerablePackages[].packageManager", "Package Manager, cut at commas"),
    Column("package_purls", "array<string>", "Their package URLs (purl); empty from a CSV.",
           "packageVulnerabilityDetails.vulnerablePackages[].purl"),
    Column("package_reachabilities", "array<string>", "Runtime reachability of each: REACHABLE, NOT_REACHABLE, UNKNOWN, or newer;"
           " empty from a CSV.",
           "packageVulnerabilityDetails.vulnerablePackages[].runtimeReachability"),
    Column("source_layer_hashes", "array<string>", "The image layers that they are in; Inspector does not say which layers are"
           " those of the base image. Empty from a CSV.",
           "packageVulnerabilityDetails.vulnerablePackages[].sourceLayerHash"),
    Column("file_paths", "array<string>", "Where the packages or the code are; operating system packages have none.",
           "packageVulnerabilityDetails.vulnerablePackages[].filePath | codeVulnerabilityDetails.filePath.filePath",
           "File Path, cut at commas"),
    Column("package_count", "int", "How many packages; 0 for network and code findings.",
           "number of packageVulnerabilityDetails.vulnerablePackages", "number of Affected Packages"),
    Column("runtime_reachability", "string", "REACHABLE if one of the packages is; NOT_REACHABLE, or newer, if all are; else"
           " UNKNOWN. Empty if Inspector said nothing, and from a CSV.",
           "made from packageVulnerabilityDetails.vulnerablePackages[].runtimeReachability"),
    Column("runtime_reachability_reason", "string", "Inspector's evidence for it, such as PROCESS_OBSERVED_IN_EC2_RUNTIME;"
           " empty from a CSV.",
           "packageVulnerabilityDetails.vulnerablePackages[the first with runtime_reachability].runtimeReachabilityReason"),
    Column("detector_name", "string", "What found a weakness in code.",
           "codeVulnerabilityDetails.detectorName", "Detector Name"),
    Column("detector_id", "string", "Id of what found a weakness in code.",
           "codeVulnerabilityDetails.detectorId"),
    Column("rule_id", "string", "Id of the rule that a weakness in code breaks.",
           "codeVulnerabilityDetails.ruleId"),
    Column("start_line", "int", "First line of a weakness in code.",
           "codeVulnerabilityDetails.filePath.startLine"),
    Column("end_line", "int", "Last line of a weakness in code.",
           "codeVulnerabilityDetails.filePath.endLine"),
    Column("resource_type", "string", "AWS_EC2_INSTANCE, AWS_ECR_CONTAINER_IMAGE, AWS_LAMBDA_FUNCTION, or newer.",
           "resources[0].type", "Resource Type", counted=True),
    Column("resource_id", "string", "The resource's id or ARN; an image's holds its digest.",
           "resources[0].id", "Resource ID", counted=True),
    Column("resource_name", "string", "Name of the repository, function or instance; stays the same for a rebuilt image.",
           "made from resources[0].id", "made from Resource ID"),
    Column("resource_tags", "string", "Tags of the resource. From JSON an object in JSON, for json_extract_scalar.",
           "resources[0].tags", "Resource Tags as it stands, key:value,key:value, since a value may hold commas"),
    Column("resource_count", "int", "Number of resources in the finding.",
           "number of resources", ""),
    Column("further_resource_ids", "array<string>", "Ids of the resources after the first; none were ever seen.",
           "resources[1:].id", "", counted=True),
    Column("platform", "string", "Operating system of an instance or image.",
           "resources[0].details.*.platform", "Platform of a row that is of no function"),
    Column("image_id", "string", "An instance's machine image, or a container image's digest.",
           "resources[0].details.awsEc2Instance.imageId | .awsEcrContainerImage.imageHash | .image.imageDigest"
           " | .machineImage.machineImageId",
           "Ami | the analysis in Resource ID"),
    Column("repository_name", "string", "A container image's repository.",
           "made from resources[0].id | resources[0].details.awsEcrContainerImage.repositoryName | .image.repositoryName",
           "made from Resource ID"),
    Column("image_tags", "array<string>", "A container image's tags.",
           "resources[0].details.awsEcrContainerImage.imageTags | .image.imageTags", "Container Image Tags, cut at commas"),
    Column("in_use_count", "int", "In how many ECS tasks or EKS pods a container image runs; 0 does not exclude other places."
           " Empty from an older CSV.",
           "resources[0].details.awsEcrContainerImage.inUseCount | .image.inUseCount",
           "Image In Use Count, which only newer files are said to have"),
    Column("last_in_use_at", "timestamp", "When a container image last ran in an ECS task or EKS pod; empty from an older CSV.",
           "resources[0].details.awsEcrContainerImage.lastInUseAt | .image.lastInUseAt",
           "Image Last In Use At, which only newer files are said to have"),
    Column("vpc_id", "string", "Network of an instance or function.",
           "resources[0].details.awsEc2Instance.vpcId | .awsLambdaFunction.vpcConfig.vpcId | .vm.networkId"
           " | .serverlessFunction.networkId",
           "Resource Vpc"),
    Column("function_name", "string", "A function's name, without version.",
           "made from resources[0].id | resources[0].details.awsLambdaFunction.functionName"
           " | .serverlessFunction.serverlessFunctionName",
           "made from Resource ID"),
    Column("runtime", "string", "A function's runtime.",
           "resources[0].details.awsLambdaFunction.runtime | .serverlessFunction.runtime", "Platform of a function's row"),
    Column("port_begin", "int", "First port that is reachable.",
           "networkReachabilityDetails.openPortRange.begin", "Port Range, before the dash"),
    Column("port_end", "int", "Last port that is reachable.",
           "networkReachabilityDetails.openPortRange.end", "Port Range, after the dash"),
    Column("protocol", "string", "TCP or UDP.",
           "networkReachabilityDetails.protocol"),
    Column("network_path", "array<string>", "Components on the way to the port, from the gateway on.",
           "networkReachabilityDetails.networkPath.steps[].componentId", "Network Paths, cut at commas"),
)
# fmt: on
"""A CSV has neither ``score_source``, ``vendor_updated_at``, ``detector_id``, ``rule_id``, ``start_line``, ``end_line``,
``protocol``, ``resource_count``, ``package_purls``, ``source_layer_hashes`` nor anything of reachability; the forms that were
seen (55 columns) lack ``in_use_count`` and ``last_in_use_at``, and older ones (52) ``epss_score``, ``detector_name`` and
``package_managers`` too."""

RUN_STARTED_AT = Column(
    "run_started_at", "timestamp", "When the run of this row started; distinguishes the runs of a day.", "the run's own"
)
"""What Parquet has beside the finding's columns, and batches do not: a file's name does not say the order of runs."""
OWNER_COLUMN = Column(
    "owner", "string", "Who fixes it, by the rules or the tag of owners; empty where there are none.", "made from the rules"
)
"""What a batch gets after it was read."""
FINDING_KEY = Column(
    "finding_key", "bigint", "Stands for the ARN in the table of due dates.", "made from findingArn", "made from Finding ARN"
)
TABLE_COLUMNS = (*COLUMNS, RUN_STARTED_AT, OWNER_COLUMN, FINDING_KEY)
"""The columns of a Parquet file, and of the table in Athena."""

NAMES = tuple(column.name for column in COLUMNS)
COUNTED_NAMES = tuple(column.name for column in COLUMNS if column.counted)
REQUIRED_NAMES = ("finding_arn", "type", "severity", "status", "first_observed_at")
"""A finding without one of these is malformed: it could not be counted."""
