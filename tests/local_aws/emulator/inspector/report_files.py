"""Writes a report's file in the form that Inspector's have."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.local_aws.emulator.inspector.findings import Finding

type Timestamps = Literal["iso", "epoch"]
type CsvStyle = Literal["plain", "quoted"]

# fmt: off
CSV_COLUMNS = (
    "AWS Account Id", "Severity", "Fix Available", "Finding Type", "Title", "Description", "Finding ARN",
    "First Seen", "Last Seen", "Last Updated", "Resource ID", "Container Image Tags", "Region", "Platform",
    "Resource Tags", "Affected Packages", "Package Installed Version", "Fixed in Version", "Package Remediation",
    "File Path", "Network Paths", "Age (Days)", "Remediation", "Inspector Score", "Inspector Score Vector",
    "Status", "Vulnerability Id", "Vendor", "Vendor Severity", "Vendor Advisory", "Vendor Advisory Published",
    "NVD CVSS3 Score", "NVD CVSS3 Vector", "NVD CVSS2 Score", "NVD CVSS2 Vector", "Vendor CVSS3 Score",
    "Vendor CVSS3 Vector", "Vendor CVSS2 Score", "Vendor CVSS2 Vector", "Resource Type", "Ami",
    "Resource Public Ipv4", "Resource Private Ipv4", "Resource Ipv6", "Resource Vpc", "Port Range", "Epss Score",
    "Exploit Available", "Last Exploited At", "Lambda Layers", "Lambda Package Type", "Lambda Last Updated At",
    "Reference Urls", "Detector Name", "Package Manager",
)
# fmt: on
"""Seen by third parties: 55 columns, of which AWS' guide names 52."""
NEWER_CSV_COLUMNS = (*CSV_COLUMNS, "Image Last In Use At", "Image In Use Count")
"""What newer files are said to have: none was seen."""


def json_report(findings: Iterable[Finding], timestamps: Timestamps = "iso") -> bytes:
    """Return `{"findings":[...]}` without blanks.

    Parameters
    ----------
    timestamps
        ISO 8601 or epoch seconds. Third parties saw both.
    """
    # One finding at a time: the C encoder holds the interpreter while it runs, so a report of tens of megabytes in one
    # call would block the emulator.
    texts = (
        json.dumps(_with_iso_timestamps(finding) if timestamps == "iso" else finding, ensure_ascii=False, separators=(",", ":"))
        for finding in findings
    )
    return b'{"findings":[' + ",".join(texts).encode() + b"]}"


def csv_report(findings: Iterable[Finding], now: float, style: CsvStyle = "plain", columns: Sequence[str] = CSV_COLUMNS) -> bytes:
    """Return one row a finding, in UTF-8 without a byte-order mark.

    Parameters
    ----------
    now
        The clock, for Age (Days).
    style
        "plain" quotes what must be quoted, ends lines with LF and separates values in a cell by a comma; "quoted"
        quotes everything, ends lines with CR LF and puts a blank after the comma. It is not known which one AWS writes.
    """
    text = io.StringIO()
    quoted = style == "quoted"
    writer = csv.writer(text, lineterminator="\r\n" if quoted else "\n", quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerow(columns)
    for finding in findings:
        cells = _cells(finding, now, ", " if quoted else ",")
        writer.writerow([cells.get(column, "") for column in columns])
    return text.getvalue().encode()


def empty_report(report_format: str, kind: str) -> bytes:
    """Return the file of a report without findings: an "empty_object", a "header_only" or a "malformed" one.

    Seen by third parties: a malformed tiny JSON where nothing was found.
    """
    if kind == "empty_object":
        return b""
    if kind == "header_only":
        return json_report([]) if report_format == "JSON" else csv_report([], 0)
    return b'{"findings":[}' if report_format == "JSON" else b"AWS Account Id,Severity,Fix Av"


def broken(content: bytes) -> bytes:
    """Return a file that ends in the middle of a finding: within the ARN, where neither JSON nor a CSV row can end."""
    mark = b":finding/"
    place = content.find(mark, len(content) // 2)
    if place < 0:
        place = content.rfind(mark)
    return content[: place + len(mark) + 4] if place >= 0 else content[: len(content) // 2]


def iso(epoch: float) -> str:
    """Return a time as `2026-01-31T01:02:03.456Z`."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _with_iso_timestamps(finding: Finding) -> Finding:
    # By their known places: a walk over all members would take half of the time of a large report.
    result = _iso_members(finding, ("firstObservedAt", "lastObservedAt", "updatedAt"))
    for part, names in (
        ("packageVulnerabilityDetails", ("vendorCreatedAt", "vendorUpdatedAt")),
        ("exploitabilityDetails", ("lastKnownExploitAt",)),
    ):
        if part in finding:
            result[part] = _iso_members(finding[part], names)
    times = ("pushedAt", "lastInUseAt", "launchedAt", "lastModifiedAt", "creationDate")
    result["resources"] = [
        {**resource, "details": {kind: _iso_members(details, times) for kind, details in resource.get("details", {}).items()}}
        for resource in finding["resources"]
    ]
    return result


def _iso_members(structure: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {**structure, **{name: iso(structure[name]) for name in names if name in structure}}


def _cells(finding: Finding, now: float, separator: str) -> dict[str, object]:
    join = separator.join
    resource = finding["resources"][0]
    place: dict[str, Any] = next(iter(resource.get("details", {}).values()), {})
    public = [address for address in place.get("ipV4Addresses", ()) if not address.startswith("10.")]
    private = [address for address in place.get("ipV4Addresses", ()) if address.startswith("10.")]
    recommendation = finding.get("remediation", {}).get("recommendation", {})
    cells: dict[str, object] = {
        "AWS Account Id": finding["awsAccountId"],
        "Severity": finding["severity"],
        "Fix Available": finding.get("fixAvailable", ""),
        "Finding Type": finding["type"],
        "Title": finding.get("title", ""),
        "Description": finding["description"],
        "Finding ARN": finding["findingArn"],
        "First Seen": iso(finding["firstObservedAt"]),
        "Last Seen": iso(finding["lastObservedAt"]),
        "Last Updated": _time(finding, "updatedAt"),
        "Age (Days)": int((now - finding["firstObservedAt"]) // 86_400),
        "Remediation": recommendation.get("text", ""),
        "Inspector Score": finding.get("inspectorScore", ""),
        "Inspector Score Vector": finding.get("inspectorScoreDetails", {}).get("adjustedCvss", {}).get("scoringVector", ""),
        "Status": finding["status"],
        "Epss Score": finding.get("epss", {}).get("score", ""),
        "Exploit Available": finding.get("exploitAvailable", ""),
        "Last Exploited At": _time(finding.get("exploitabilityDetails", {}), "lastKnownExploitAt"),
        "Resource ID": resource["id"],
        "Resource Type": resource["type"],
        "Region": resource.get("region", ""),
        "Resource Tags": join(f"{key}:{value}" for key, value in resource.get("tags", {}).items()),
        "Platform": place.get("platform", place.get("runtime", "")),
        "Container Image Tags": join(place.get("imageTags", ())),
        "Image Last In Use At": _time(place, "lastInUseAt"),
        "Image In Use Count": place.get("inUseCount", ""),
        "Ami": place.get("imageId", ""),
        "Resource Public Ipv4": join(public),
        "Resource Private Ipv4": join(private),
        "Resource Ipv6": join(place.get("ipV6Addresses", ())),
        "Resource Vpc": place.get("vpcId", ""),
        "Lambda Layers": join(place.get("layers", ())),
        "Lambda Package Type": place.get("packageType", ""),
        "Lambda Last Updated At": _time(place, "lastModifiedAt"),
    }
    if network := finding.get("networkReachabilityDetails"):
        ports = network["openPortRange"]
        cells["Port Range"] = f"{ports['begin']}-{ports['end']}"
        cells["Network Paths"] = join(step["componentId"] for step in network["networkPath"]["steps"])
    if code := finding.get("codeVulnerabilityDetails"):
        cells["Detector Name"] = code["detectorName"]
        cells["File Path"] = code["filePath"]["filePath"]
        cells["Reference Urls"] = join(code.get("referenceUrls", ()))
    if details := finding.get("packageVulnerabilityDetails"):
        cells |= _package_cells(details, separator)
    return cells


def _package_cells(details: Mapping[str, Any], separator: str) -> dict[str, object]:
    packages = details.get("vulnerablePackages", ())

    def each(name: str) -> str:
        # Packages that lack a value leave no gap: the lists of a row are of unequal lengths, as seen.
        return separator.join(str(package[name]) for package in packages if name in package)

    cells: dict[str, object] = {
        "Vulnerability Id": details["vulnerabilityId"],
        "Vendor": details["source"],
        "Vendor Severity": details.get("vendorSeverity", ""),
        "Vendor Advisory": details.get("sourceUrl", ""),
        "Vendor Advisory Published": _time(details, "vendorCreatedAt"),
        "Affected Packages": each("name"),
        "Package Installed Version": each("version"),
        "Fixed in Version": each("fixedInVersion"),
        "Package Remediation": each("remediation"),
        "File Path": each("filePath"),
        "Package Manager": separator.join(dict.fromkeys(package.get("packageManager", "") for package in packages)),
        "Reference Urls": separator.join(details.get("referenceUrls", ())),
    }
    for score in details.get("cvss", ()):
        column = f"{'NVD' if score['source'] == 'NVD' else 'Vendor'} CVSS{score['version'][0]}"
        cells |= {f"{column} Score": score["baseScore"], f"{column} Vector": score["scoringVector"]}
    return cells


def _time(structure: Mapping[str, Any], name: str) -> str:
    return iso(structure[name]) if name in structure else ""
