"""A finding as the API and the JSON report have it [AWS: Inspector API, Finding], and how it is flattened.

Only what a column needs is declared: msgspec skips the rest, which is what makes it fast. What the API calls required is
optional here, unless nothing could be counted without it. What is optional and cannot be read is None and counted, by its
column or, where several columns are read from it, by its own name: see :mod:`findings_analysis.reading.lenient_json`.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from findings_analysis.reading.bounded_cache import Remembered
from findings_analysis.reading.json_elements import UNDECODABLE, ElementError, parse
from findings_analysis.reading.lenient_json import Take, taker
from findings_analysis.reading.resource_names import owner, resource_names
from findings_analysis.reading.schema import REQUIRED_NAMES, Batch, Ragged
from findings_analysis.reading.timestamps import Timestamp, epoch_ms, epoch_ms_column
from findings_exporter.model.taxonomy import REACHABILITY_UNKNOWN, REACHABLE

type Text = Annotated[str, msgspec.Meta(min_length=1)]
type _Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)] | None
"""What a column of whole numbers can hold [AWS: a port is 0 to 65,535]."""
type _Count = Annotated[int, msgspec.Meta(ge=0, lt=2**31)] | None
_NO_RAW = msgspec.Raw(b"null")
EXPANSION = 16
"""A byte of JSON takes at most about as much once it is decoded: a text of one letter is four bytes there, and sixty here."""


class _Part(msgspec.Struct, gc=False, rename="camel"):
    """Of a finding. None has cycles, so the collector need not visit them."""


class _Epss(_Part):
    score: float | None = None


class _Recommendation(_Part):
    text: str | None = None


class _Remediation(_Part):
    recommendation: _Recommendation | None = None


class _Exploitability(_Part):
    last_known_exploit_at: Timestamp = None


class _AdjustedCvss(_Part):
    score_source: str | None = None
    scoring_vector: str | None = None


class _ScoreDetails(_Part):
    adjusted_cvss: _AdjustedCvss | None = None


class _Cvss(_Part):
    base_score: float | None = None
    scoring_vector: str | None = None
    source: str | None = None
    version: str | None = None


class _Package(_Part):
    name: str | None = None
    version: str | None = None
    fixed_in_version: str | None = None
    package_manager: str | None = None
    file_path: str | None = None
    purl: str | None = None
    source_layer_hash: str | None = None
    runtime_reachability: str | None = None
    runtime_reachability_reason: str | None = None


class _Packages(_Part):
    vulnerability_id: str | None = None
    source: str | None = None
    source_url: str | None = None
    vendor_severity: str | None = None
    vendor_created_at: Timestamp = None
    vendor_updated_at: Timestamp = None
    reference_urls: list[str] | None = None
    cvss: msgspec.Raw = _NO_RAW
    vulnerable_packages: list[_Package] | None = None


class _CodePath(_Part):
    file_path: str | None = None
    start_line: _Int32 = None
    end_line: _Int32 = None


class _Code(_Part):
    detector_name: str | None = None
    detector_id: str | None = None
    rule_id: str | None = None
    file_path: _CodePath | None = None
    reference_urls: list[str] | None = None


class _Ports(_Part):
    begin: _Int32 = None
    end: _Int32 = None


class _NetworkStep(_Part):
    component_id: str | None = None


class _NetworkPath(_Part):
    steps: list[_NetworkStep] | None = None


class _Network(_Part):
    open_port_range: _Ports | None = None
    protocol: str | None = None
    network_path: _NetworkPath | None = None


class _FunctionNetwork(_Part):
    vpc_id: str | None = None


class _Place(_Part):
    """Details of a resource of any kind; no member means one thing in one kind and another in another."""

    platform: str | None = None
    # an instance, a machine image
    image_id: str | None = None
    machine_image_id: str | None = None
    vpc_id: str | None = None
    # a container image
    repository_name: str | None = None
    image_tags: list[str] | None = None
    image_hash: str | None = None
    image_digest: str | None = None
    in_use_count: _Count = None
    last_in_use_at: Timestamp = None
    # a function
    function_name: str | None = None
    serverless_function_name: str | None = None
    runtime: str | None = None
    vpc_config: _FunctionNetwork | None = None
    # another provider's instance or function
    network_id: str | None = None


class _Details(_Part):
    """By kind. A kind that is not known here is skipped, whatever its members are."""

    aws_ecr_container_image: _Place | None = None
    aws_ec2_instance: _Place | None = None
    aws_lambda_function: _Place | None = None
    machine_image: _Place | None = None
    image: _Place | None = None
    vm: _Place | None = None
    serverless_function: _Place | None = None


class _Resource(_Part):
    type: str | None = None
    id: str | None = None
    region: str | None = None
    tags: dict[str, str | None] | None = None
    details: _Details | None = None


class _Finding(_Part):
    """What all columns need."""

    finding_arn: Text
    type: Text
    severity: Text
    status: Text
    first_observed_at: Text | float
    aws_account_id: str | None = None
    title: str | None = None
    description: str | None = None
    remediation: _Remediation | None = None
    last_observed_at: Timestamp = None
    updated_at: Timestamp = None
    fix_available: str | None = None
    exploit_available: str | None = None
    exploitability_details: _Exploitability | None = None
    inspector_score: float | None = None
    inspector_score_details: _ScoreDetails | None = None
    epss: _Epss | None = None
    package_vulnerability_details: _Packages | None = None
    code_vulnerability_details: _Code | None = None
    network_reachability_details: _Network | None = None
    resources: msgspec.Raw = _NO_RAW


# Words that are known here come as one object each, which is quicker to make, to hash and to compare than a text. A report
# with a newer word is read as texts.
type _Severity = Literal["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNTRIAGED"]
type _Type = Literal["PACKAGE_VULNERABILITY", "NETWORK_REACHABILITY", "CODE_VULNERABILITY"]
type _Status = Literal["ACTIVE", "SUPPRESSED", "CLOSED"]
type _Fix = Literal["YES", "NO", "PARTIAL"] | None
type _Exploit = Literal["YES", "NO"] | None


class _KnownFinding(_Finding):
    type: _Type
    severity: _Severity
    status: _Status
    fix_available: _Fix = None
    exploit_available: _Exploit = None


# What stands for a part that is absent, so that a column is one expression.
_EPSS = _Epss()
_REMEDIATION, _RECOMMENDATION, _EXPLOIT = _Remediation(), _Recommendation(), _Exploitability()
_SCORE_DETAILS, _ADJUSTED, _CVSS = _ScoreDetails(), _AdjustedCvss(), _Cvss()
_PACKAGES, _CODE, _CODE_PATH, _NETWORK, _PORTS, _PATH = _Packages(), _Code(), _CodePath(), _Network(), _Ports(), _NetworkPath()
_RESOURCE, _PLACE, _FUNCTION_NETWORK = _Resource(), _Place(), _FunctionNetwork()

RAW_MEMBERS: Mapping[str, Any] = {"resources": list[_Resource] | None, "cvss": list[_Cvss] | None}
"""What is in the members that are decoded later, since their contents repeat."""
_decode_resources: Callable[[bytes], list[_Resource] | None] = msgspec.json.Decoder(RAW_MEMBERS["resources"]).decode
_decode_cvss: Callable[[bytes], list[_Cvss] | None] = msgspec.json.Decoder(RAW_MEMBERS["cvss"]).decode
_encode_tags = msgspec.json.Encoder(order="sorted").encode


_COLUMN_OF = {
    ("_Finding", "aws_account_id"): "account_id",
    ("_Finding", "epss"): "epss_score",
    ("_Epss", "score"): "epss_score",
    ("_Finding", "exploitability_details"): "last_known_exploit_at",
    ("_Remediation", "recommendation"): "remediation",
    ("_Recommendation", "text"): "remediation",
    ("_Cvss", "base_score"): "nvd_cvss3_score",
    ("_Cvss", "scoring_vector"): "nvd_cvss3_vector",
    ("_Package", "name"): "package_names",
    ("_Package", "version"): "package_versions",
    ("_Package", "fixed_in_version"): "fixed_in_versions",
    ("_Package", "package_manager"): "package_managers",
    ("_Package", "file_path"): "file_paths",
    ("_Package", "purl"): "package_purls",
    ("_Package", "source_layer_hash"): "source_layer_hashes",
    ("_Code", "file_path"): "file_paths",
    ("_CodePath", "file_path"): "file_paths",
    ("_NetworkPath", "steps"): "network_path",
    ("_NetworkStep", "component_id"): "network_path",
    ("_Ports", "begin"): "port_begin",
    ("_Ports", "end"): "port_end",
    ("_Resource", "type"): "resource_type",
    ("_Resource", "id"): "resource_id",
    ("_Resource", "tags"): "resource_tags",
    ("_Place", "machine_image_id"): "image_id",
    ("_Place", "image_hash"): "image_id",
    ("_Place", "image_digest"): "image_id",
    ("_Place", "serverless_function_name"): "function_name",
    ("_Place", "vpc_config"): "vpc_id",
    ("_Place", "network_id"): "vpc_id",
}
"""Columns whose name is not the member's own."""


@cache
def _taker(of: Any, name: str = "") -> Take:  # noqa: ANN401 - a type
    return taker(msgspec.inspect.type_info(of), _COLUMN_OF, name)


class FindingDecoder:
    """Makes columns of findings; see :class:`~findings_analysis.reading.json_elements.Decoder`.

    Parameters
    ----------
    unreadable
        Takes, by column, how many values could not be read.
    """

    def __init__(self, unreadable: Counter[str]) -> None:
        self._unreadable = unreadable
        self._decode_one = msgspec.json.Decoder(_Finding).decode
        self._decode: Callable[[memoryview | bytes], Sequence[_Finding]] = msgspec.json.Decoder(list[_KnownFinding]).decode
        self._decode_any = msgspec.json.Decoder(list[_Finding]).decode

    def batch(self, array: memoryview | bytes) -> tuple[int, Batch]:
        """Return the number of an array's findings, and their columns."""
        try:
            findings = self._decode(array)
        except msgspec.ValidationError:
            findings = self._decode_any(array)
            # There is a newer word: the rest of the report is read as texts, too.
            self._decode = self._decode_any
        return len(findings), self.of(findings)

    def one(self, finding: bytes) -> _Finding:
        """Return a finding; what is optional and unreadable is None."""
        try:
            read = self._decode_one(finding)
        except UNDECODABLE:
            try:
                read = _taker(_Finding)(parse(finding), self._unreadable)
            except (ValueError, RecursionError) as error:
                raise ElementError(str(error)) from None
        try:
            epoch_ms(read.first_observed_at)
        except ValueError as error:
            raise ElementError(f"its firstObservedAt: {error}") from None
        return read

    def of(self, findings: Sequence[_Finding]) -> Batch:
        """Return the findings' columns."""
        return _columns(findings, self._unreadable)


def _columns(findings: Sequence[_Finding], unreadable: Counter[str]) -> Batch:
    adjusted = [(f.inspector_score_details or _SCORE_DETAILS).adjusted_cvss or _ADJUSTED for f in findings]
    details = [f.package_vulnerability_details or _PACKAGES for f in findings]
    package_lists = [d.vulnerable_packages or () for d in details]
    package_counts = list(map(len, package_lists))
    packages = list(chain.from_iterable(package_lists))
    cvss = _nvd_cvss3.of([bytes(d.cvss) for d in details])
    code = [f.code_vulnerability_details or _CODE for f in findings]
    network = [f.network_reachability_details or _NETWORK for f in findings]
    ports = [n.open_port_range or _PORTS for n in network]
    code_paths = [c.file_path or _CODE_PATH for c in code]
    resources = _Resources(*zip(*_resources.of([bytes(f.resources) for f in findings]), strict=True))
    unreadable.update(chain.from_iterable(resources.unreadable))
    unreadable.update(chain.from_iterable(each.unreadable for each in cvss))
    reference_urls = [d.reference_urls or c.reference_urls or () for d, c in zip(details, code, strict=True)]
    file_paths = Ragged([p.file_path or None for p in packages], package_counts)
    if any(c is not _CODE for c in code):
        file_paths = Ragged.of([paths or _code_path(c) for paths, c in zip(file_paths, code, strict=True)])
    reachability = [*map(_reachability, package_lists)]
    moments = _moments(
        {
            "first_observed_at": [f.first_observed_at for f in findings],
            "last_observed_at": [f.last_observed_at for f in findings],
            "updated_at": [f.updated_at for f in findings],
            "last_known_exploit_at": [(f.exploitability_details or _EXPLOIT).last_known_exploit_at for f in findings],
            "vendor_created_at": [d.vendor_created_at for d in details],
            "vendor_updated_at": [d.vendor_updated_at for d in details],
        },
        unreadable,
    )
    return {
        "finding_arn": [f.finding_arn for f in findings],
        "account_id": [f.aws_account_id or owner(f.finding_arn)[0] for f in findings],
        "region": [r or owner(f.finding_arn)[1] for f, r in zip(findings, resources.region, strict=True)],
        "type": [f.type for f in findings],
        "severity": [f.severity for f in findings],
        "status": [f.status for f in findings],
        "title": [f.title or None for f in findings],
        "description": [f.description or None for f in findings],
        "remediation": [((f.remediation or _REMEDIATION).recommendation or _RECOMMENDATION).text or None for f in findings],
        "first_observed_at": moments["first_observed_at"],
        "last_observed_at": moments["last_observed_at"],
        "updated_at": moments["updated_at"],
        "fix_available": [f.fix_available or None for f in findings],
        "exploit_available": [f.exploit_available or None for f in findings],
        "last_known_exploit_at": moments["last_known_exploit_at"],
        "inspector_score": [f.inspector_score for f in findings],
        "score_source": [a.score_source or None for a in adjusted],
        "scoring_vector": [a.scoring_vector or None for a in adjusted],
        "epss_score": [(f.epss or _EPSS).score for f in findings],
        "vulnerability_id": [d.vulnerability_id or None for d in details],
        "source": [d.source or None for d in details],
        "source_url": [d.source_url or None for d in details],
        "vendor_severity": [d.vendor_severity or None for d in details],
        "vendor_created_at": moments["vendor_created_at"],
        "vendor_updated_at": moments["vendor_updated_at"],
        "reference_urls": Ragged([*chain.from_iterable(reference_urls)], list(map(len, reference_urls))),
        "nvd_cvss3_score": [each.score for each in cvss],
        "nvd_cvss3_vector": [each.vector for each in cvss],
        "package_names": Ragged([p.name or None for p in packages], package_counts),
        "package_versions": Ragged([p.version or None for p in packages], package_counts),
        "fixed_in_versions": Ragged([p.fixed_in_version or None for p in packages], package_counts),
        "package_managers": Ragged([p.package_manager or None for p in packages], package_counts),
        "package_purls": Ragged([p.purl or None for p in packages], package_counts),
        "package_reachabilities": Ragged([p.runtime_reachability or None for p in packages], package_counts),
        "source_layer_hashes": Ragged([p.source_layer_hash or None for p in packages], package_counts),
        "file_paths": file_paths,
        "package_count": package_counts,
        "runtime_reachability": [word for word, _ in reachability],
        "runtime_reachability_reason": [reason for _, reason in reachability],
        "detector_name": [c.detector_name or None for c in code],
        "detector_id": [c.detector_id or None for c in code],
        "rule_id": [c.rule_id or None for c in code],
        "start_line": [p.start_line for p in code_paths],
        "end_line": [p.end_line for p in code_paths],
        "resource_type": resources.type,
        "resource_id": resources.id,
        "resource_name": resources.name,
        "resource_tags": resources.tags,
        "resource_count": resources.count,
        "further_resource_ids": Ragged.of(resources.further_ids),
        "platform": resources.platform,
        "image_id": resources.image_id,
        "repository_name": resources.repository,
        "image_tags": Ragged.of(resources.image_tags),
        "in_use_count": resources.in_use_count,
        "last_in_use_at": resources.last_in_use_at,
        "vpc_id": resources.vpc_id,
        "function_name": resources.function,
        "runtime": resources.runtime,
        "port_begin": [p.begin for p in ports],
        "port_end": [p.end for p in ports],
        "protocol": [n.protocol or None for n in network],
        "network_path": Ragged.of([[s.component_id for s in (n.network_path or _PATH).steps or ()] for n in network]),
    }


def _moments(columns: dict[str, list[Timestamp]], unreadable: Counter[str]) -> dict[str, Sequence[int | None]]:
    """Return columns of timestamps as epoch milliseconds: all in one call, since each call costs as much as fifty values."""
    rows = len(columns["first_observed_at"])
    try:
        times = epoch_ms_column([*chain.from_iterable(columns.values())])
    except ValueError:
        return {name: _readable_moments(name, values, unreadable) for name, values in columns.items()}
    return {name: times[number * rows : (number + 1) * rows] for number, name in enumerate(columns)}


def _readable_moments(name: str, values: Sequence[Timestamp], unreadable: Counter[str]) -> list[int | None]:
    times: list[int | None] = []
    for value in values:
        try:
            times.append(epoch_ms(value))
        except ValueError as error:
            if name in REQUIRED_NAMES:
                raise msgspec.ValidationError(f"{name}: {error}") from None
            # An advisory's odd date is no reason to lose the run's analysis.
            unreadable[name] += 1
            times.append(None)
    return times


def _reachability(packages: Sequence[_Package]) -> tuple[str | None, str | None]:
    """Return the runtime reachability of a finding from that of its packages, and Inspector's reason.

    One package that is reachable makes the finding reachable. It is not reachable only if no package can be.
    """
    words = {p.runtime_reachability or None for p in packages}
    mixed = REACHABLE if REACHABLE in words else REACHABILITY_UNKNOWN
    word = mixed if len(words) > 1 else next(iter(words), None)
    for p in packages if word else ():
        if p.runtime_reachability == word and p.runtime_reachability_reason:
            return word, p.runtime_reachability_reason
    return word, None


class _Resources(NamedTuple):
    """What the columns say of a finding's resources; of many findings' when each member is a column."""

    count: Any
    type: Any
    id: Any
    region: Any
    name: Any
    tags: Any
    further_ids: Any
    platform: Any
    image_id: Any
    repository: Any
    image_tags: Any
    in_use_count: Any
    last_in_use_at: Any
    vpc_id: Any
    function: Any
    runtime: Any
    unreadable: Any


def _listed[Part](
    of: type[Part], decode: Callable[[bytes], list[Part] | None], json: bytes, name: str
) -> tuple[list[Part], Counter[str]]:
    """Return a list of structures, and by name how much of it is unreadable."""
    unreadable: Counter[str] = Counter()
    try:
        return decode(json) or [], unreadable
    except UNDECODABLE:
        pass
    try:
        parsed = parse(json)
        return [] if parsed in (None, "") else _taker(list[of], name)(parsed, unreadable), unreadable  # type: ignore[valid-type]
    except (ValueError, ElementError):
        return [], Counter([name])


def _read_resources(json: bytes) -> _Resources:
    resources, unreadable = _listed(_Resource, _decode_resources, json, "resources")
    # Inspector states no order: sorted, the same finding is of the same resource, and owner, in each report.
    resources = sorted(resources, key=lambda resource: (not resource.id, resource.id or "")) if len(resources) > 1 else resources
    first = resources[0] if resources else _RESOURCE
    place, names = _place(first.details) if first.details else _PLACE, resource_names(first.id)
    return _Resources(
        count=len(resources),
        type=first.type or None,
        id=first.id or None,
        region=first.region or None,
        name=names.name,
        tags=_encode_tags(first.tags).decode() if first.tags else None,
        further_ids=[resource.id for resource in resources[1:]],
        platform=place.platform or None,
        image_id=place.image_id or place.image_hash or place.image_digest or place.machine_image_id or names.digest,
        repository=names.repository or place.repository_name or None,
        image_tags=place.image_tags or [],
        in_use_count=place.in_use_count,
        last_in_use_at=_readable_moments("last_in_use_at", [place.last_in_use_at], unreadable)[0],
        vpc_id=place.vpc_id or (place.vpc_config or _FUNCTION_NETWORK).vpc_id or place.network_id or None,
        function=names.function or place.function_name or place.serverless_function_name or None,
        runtime=place.runtime or None,
        unreadable=tuple(unreadable.elements()),
    )


_resources = Remembered(_read_resources, size=lambda json: EXPANSION * len(json))
"""What a finding's resources say; remembered, since a resource has some dozen findings."""


def _place(details: _Details) -> _Place:
    return (
        details.aws_ecr_container_image
        or details.aws_ec2_instance
        or details.aws_lambda_function
        or details.machine_image
        or details.image
        or details.vm
        or details.serverless_function
        or _PLACE
    )


class _NvdCvss3(NamedTuple):
    score: float | None = None
    vector: str | None = None
    unreadable: tuple[str, ...] = ()


def _read_nvd_cvss3(json: bytes) -> _NvdCvss3:
    """Return score and vector of NVD's first CVSS of version 3."""
    found, unreadable = _listed(_Cvss, _decode_cvss, json, "cvss")
    for cvss in found:
        if cvss.source == "NVD" and cvss.version and cvss.version[0] == "3":
            return _NvdCvss3(cvss.base_score, cvss.scoring_vector or None, tuple(unreadable.elements()))
    return _NvdCvss3(unreadable=tuple(unreadable.elements()))


_nvd_cvss3 = Remembered(_read_nvd_cvss3, size=lambda json: EXPANSION * len(json))
"""Remembered, since a vulnerability has some findings."""


def _code_path(code: _Code) -> list[str] | None:
    path = (code.file_path or _CODE_PATH).file_path
    return [path] if path else None
