"""The analysis as a good engineer would first write it in pandas: ``python -m benchmarks.pandas_step WAY REPORT [BASELINE]``.

It is what production is measured against, so it does the same work: it flattens a report to the same columns, types them and
splits their lists, writes Parquet (zstd), counts the same statistics, ranks the same priorities, and compares with the
baseline by merges on ARN and identity, with the first-seen days carried over and the names of what changed. It leaves a
document, and the table that the next run is compared with. It does less in three things: it neither asks whether Inspector
scans everything, nor renders a page, nor bears a malformed report.

Of two ways to flatten JSON it takes the quicker one, a function from a finding to its row; ``json_normalize``, which ``narrow``
takes, makes some 150 columns of the same report.

``narrow`` reads a report and writes it as it is, and nothing else.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd

NOW = pd.Timestamp(1_780_000_000, unit="s", tz="UTC")
FOLDER = Path(__file__).resolve().parents[1] / ".bench"
SHOWN, LISTED, RANKED = 20, 300, 10
SEVERITIES = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNTRIAGED"]
NO_VALUE = "NO_VALUE"
TIMES = [
    "first_observed_at",
    "last_observed_at",
    "updated_at",
    "last_known_exploit_at",
    "vendor_created_at",
    "vendor_updated_at",
    "last_in_use_at",
]
NUMBERS = ["package_count", "start_line", "end_line", "resource_count", "port_begin", "port_end", "in_use_count"]
IMAGE = r"arn:[^:]*:ecr:[^:]*:[^:]*:repository/(.+)/(sha256:[0-9a-f]+)"
FUNCTION = r"arn:[^:]*:lambda:[^:]*:[^:]*:function:([^:]+)(?::[^:]*)?"
RESOURCE = ["account_id", "region", "resource_type", "resource"]
IDENTITY = [*RESOURCE, "vulnerability", "what"]
NAMES = ["finding_arn", "title", "vulnerability_id", "package_names", "resource_id", "first_seen"]
KEPT = [*IDENTITY, "status", "severity", "exploit_available", "fix_available", *NAMES]
"""Of a finding for the next run."""
FIXES = {"PARTIAL": 2, "YES": 3}
SCORES = {"CRITICAL": 40, "HIGH": 30, "MEDIUM": 15, "UNTRIAGED": 10, "LOW": 5}
CSV_COLUMNS = {
    "finding_arn": "Finding ARN",
    "account_id": "AWS Account Id",
    "region": "Region",
    "type": "Finding Type",
    "severity": "Severity",
    "status": "Status",
    "title": "Title",
    "description": "Description",
    "remediation": "Remediation",
    "first_observed_at": "First Seen",
    "last_observed_at": "Last Seen",
    "updated_at": "Last Updated",
    "fix_available": "Fix Available",
    "exploit_available": "Exploit Available",
    "last_known_exploit_at": "Last Exploited At",
    "inspector_score": "Inspector Score",
    "scoring_vector": "Inspector Score Vector",
    "epss_score": "Epss Score",
    "vulnerability_id": "Vulnerability Id",
    "source": "Vendor",
    "source_url": "Vendor Advisory",
    "vendor_severity": "Vendor Severity",
    "vendor_created_at": "Vendor Advisory Published",
    "reference_urls": "Reference Urls",
    "nvd_cvss3_score": "NVD CVSS3 Score",
    "nvd_cvss3_vector": "NVD CVSS3 Vector",
    "package_names": "Affected Packages",
    "package_versions": "Package Installed Version",
    "fixed_in_versions": "Fixed in Version",
    "package_managers": "Package Manager",
    "file_paths": "File Path",
    "detector_name": "Detector Name",
    "resource_type": "Resource Type",
    "resource_id": "Resource ID",
    "resource_tags": "Resource Tags",
    "platform": "Platform",
    "image_id": "Ami",
    "image_tags": "Container Image Tags",
    "vpc_id": "Resource Vpc",
    "port_begin": "Port Range",
    "network_path": "Network Paths",
}
CSV_LISTS = [
    "package_names",
    "package_versions",
    "fixed_in_versions",
    "package_managers",
    "file_paths",
    "image_tags",
    "network_path",
]
NOT_IN_CSV = [
    "score_source",
    "vendor_updated_at",
    "detector_id",
    "rule_id",
    "start_line",
    "end_line",
    "resource_count",
    "protocol",
    "further_resource_ids",
    "package_purls",
    "package_reachabilities",
    "source_layer_hashes",
    "runtime_reachability",
    "runtime_reachability_reason",
    "in_use_count",
    "last_in_use_at",
]
"""The benchmark's file is of the form with 55 columns."""


# ---- reading


def read_json(path: Path) -> pd.DataFrame:
    """Return a report's findings, flattened."""
    with path.open(encoding="utf-8") as file:
        findings = json.load(file)["findings"]
    return pd.DataFrame([row_of(finding) for finding in findings])


def row_of(finding: dict[str, Any]) -> dict[str, Any]:
    """Return a finding's columns."""
    resources = finding["resources"]
    resource = resources[0]
    details = resource.get("details", {})
    instance, image = details.get("awsEc2Instance", {}), details.get("awsEcrContainerImage", {})
    function = details.get("awsLambdaFunction", {})
    vulnerability, code = finding.get("packageVulnerabilityDetails", {}), finding.get("codeVulnerabilityDetails", {})
    network = finding.get("networkReachabilityDetails", {})
    packages, place = vulnerability.get("vulnerablePackages", []), code.get("filePath", {})
    adjusted = finding.get("inspectorScoreDetails", {}).get("adjustedCvss", {})
    scores = [each for each in vulnerability.get("cvss", []) if each["source"] == "NVD" and each["version"][0] == "3"]
    nvd = scores[0] if scores else {}
    words = {each.get("runtimeReachability") for each in packages}
    mixed = "REACHABLE" if "REACHABLE" in words else "UNKNOWN"
    reachability = mixed if len(words) > 1 else next(iter(words), None)
    reasons = [each.get("runtimeReachabilityReason") for each in packages if each.get("runtimeReachability") == reachability]
    return {
        "finding_arn": finding["findingArn"],
        "account_id": finding["awsAccountId"],
        "region": resource.get("region"),
        "type": finding["type"],
        "severity": finding["severity"],
        "status": finding["status"],
        "title": finding.get("title"),
        "description": finding["description"],
        "remediation": finding["remediation"].get("recommendation", {}).get("text"),
        "first_observed_at": finding["firstObservedAt"],
        "last_observed_at": finding["lastObservedAt"],
        "updated_at": finding.get("updatedAt"),
        "fix_available": finding.get("fixAvailable"),
        "exploit_available": finding.get("exploitAvailable"),
        "last_known_exploit_at": finding.get("exploitabilityDetails", {}).get("lastKnownExploitAt"),
        "inspector_score": finding.get("inspectorScore"),
        "score_source": adjusted.get("scoreSource"),
        "scoring_vector": adjusted.get("scoringVector"),
        "epss_score": finding.get("epss", {}).get("score"),
        "vulnerability_id": vulnerability.get("vulnerabilityId"),
        "source": vulnerability.get("source"),
        "source_url": vulnerability.get("sourceUrl"),
        "vendor_severity": vulnerability.get("vendorSeverity"),
        "vendor_created_at": vulnerability.get("vendorCreatedAt"),
        "vendor_updated_at": vulnerability.get("vendorUpdatedAt"),
        "reference_urls": vulnerability.get("referenceUrls") or code.get("referenceUrls"),
        "nvd_cvss3_score": nvd.get("baseScore"),
        "nvd_cvss3_vector": nvd.get("scoringVector"),
        "package_names": [each["name"] for each in packages] or None,
        "package_versions": [each.get("version") for each in packages] or None,
        "fixed_in_versions": [each.get("fixedInVersion") for each in packages] or None,
        "package_managers": [each.get("packageManager") for each in packages] or None,
        "file_paths": [each.get("filePath") for each in packages] or ([place["filePath"]] if place else None),
        "package_purls": [each.get("purl") for each in packages] or None,
        "package_reachabilities": [each.get("runtimeReachability") for each in packages] or None,
        "source_layer_hashes": [each.get("sourceLayerHash") for each in packages] or None,
        "package_count": len(packages),
        "runtime_reachability": reachability,
        "runtime_reachability_reason": next(filter(None, reasons), None),
        "detector_name": code.get("detectorName"),
        "detector_id": code.get("detectorId"),
        "rule_id": code.get("ruleId"),
        "start_line": place.get("startLine"),
        "end_line": place.get("endLine"),
        "resource_type": resource["type"],
        "resource_id": resource["id"],
        "resource_tags": json.dumps(resource["tags"]) if resource.get("tags") else None,
        "resource_count": len(resources),
        "further_resource_ids": [each["id"] for each in resources[1:]] or None,
        "platform": instance.get("platform") or image.get("platform"),
        "image_id": instance.get("imageId") or image.get("imageHash"),
        "image_tags": image.get("imageTags"),
        "in_use_count": image.get("inUseCount"),
        "last_in_use_at": image.get("lastInUseAt"),
        "vpc_id": instance.get("vpcId") or function.get("vpcConfig", {}).get("vpcId"),
        "runtime": function.get("runtime"),
        "port_begin": network.get("openPortRange", {}).get("begin"),
        "port_end": network.get("openPortRange", {}).get("end"),
        "protocol": network.get("protocol"),
        "network_path": [step["componentId"] for step in network.get("networkPath", {}).get("steps", [])] or None,
    }


def read_csv(path: Path) -> pd.DataFrame:
    """Return a report's findings, flattened."""
    texts = {"AWS Account Id": str, "Port Range": str}
    read = pd.read_csv(path, usecols=list(CSV_COLUMNS.values()), dtype=texts, keep_default_na=False, na_values=[""])
    findings = read.rename(columns={theirs: ours for ours, theirs in CSV_COLUMNS.items()})
    for name in CSV_LISTS:
        findings[name] = findings[name].str.split(",")
    findings["reference_urls"] = findings["reference_urls"].str.split(r",(?=https?://)", regex=True)
    findings["package_count"] = findings["package_names"].str.len().fillna(0)
    ports = findings["port_begin"].str.split("-", expand=True).reindex(columns=[0, 1])
    findings["port_begin"], findings["port_end"] = ports[0], ports[1].fillna(ports[0])
    is_function = findings["resource_type"] == "AWS_LAMBDA_FUNCTION"
    findings["runtime"] = findings["platform"].where(is_function)
    findings["platform"] = findings["platform"].mask(is_function)
    return findings.assign(**dict.fromkeys(NOT_IN_CSV))


def typed(findings: pd.DataFrame) -> pd.DataFrame:
    """Type the columns, name the resources, and take each ARN once."""
    for name in TIMES:
        findings[name] = pd.to_datetime(findings[name], utc=True, format="ISO8601")
    for name in NUMBERS:
        findings[name] = pd.to_numeric(findings[name]).astype("Int32")
    image = findings["resource_id"].str.extract(IMAGE)
    findings["repository_name"], findings["image_id"] = image[0], findings["image_id"].fillna(image[1])
    findings["function_name"] = findings["resource_id"].str.extract(FUNCTION)[0]
    findings["resource_name"] = image[0].fillna(findings["function_name"]).fillna(findings["resource_id"])
    findings["run_started_at"] = NOW
    return findings.drop_duplicates("finding_arn")


# ---- statistics and priorities


def statistics_of(findings: pd.DataFrame, still_open: pd.DataFrame) -> dict[str, Any]:
    """Count a report."""
    days = (NOW - still_open["first_observed_at"]).dt.days
    ages = pd.cut(days, [-1_000_000, 7, 30, 90, 1_000_000], labels=["0-7", "8-30", "31-90", ">90"])
    bands = ["<0.01", "0.01-0.1", "0.1-0.5", ">=0.5"]
    scores = pd.cut(still_open["epss_score"], [-1, 0.01, 0.1, 0.5, 2], right=False, labels=bands)
    crossed = pd.crosstab(ages, still_open["severity"])
    kinds = ("severity", "type", "resource_type", "fix_available", "exploit_available")
    resources = pd.concat([still_open["resource_id"], still_open["further_resource_ids"].explode().dropna()])
    return {
        "total": len(findings),
        "open": len(still_open),
        "by_status": counts(findings["status"]),
        **{f"by_{kind}": counts(still_open[kind]) for kind in kinds},
        "by_account": counts(still_open["account_id"]),
        "by_age": counts(ages),
        "by_age_and_severity": {band: dict(row) for band, row in crossed.to_dict("index").items()},
        "by_epss": counts(scores.cat.add_categories(NO_VALUE)),
        "top": {
            "resources": top(resources),
            "repositories": top(still_open["repository_name"]),
            "vulnerabilities": top(still_open["vulnerability_id"]),
            "packages": top(still_open["package_names"].explode()),
        },
    }


def counts(values: pd.Series) -> dict[str, int]:
    """Return how often each value stands."""
    return {str(name): int(count) for name, count in values.fillna(NO_VALUE).value_counts().items()}


def top(values: pd.Series) -> list[dict[str, Any]]:
    """Return the most frequent values; equally frequent ones by name."""
    counted = values.value_counts().rename_axis("name").reset_index(name="findings")
    first = counted.sort_values(["findings", "name"], ascending=[False, True]).head(SHOWN)
    entries: list[dict[str, Any]] = first.to_dict("records")
    return entries


def priorities_of(still_open: pd.DataFrame) -> list[dict[str, Any]]:
    """Rank vulnerabilities by their worst finding and the number of their resources."""
    score = still_open["severity"].map(SCORES).fillna(0)
    score += still_open["exploit_available"].eq("YES") * 25
    score += (20 * still_open["epss_score"].fillna(0).clip(0, 1)).round()
    score += (still_open["runtime_reachability"].eq("REACHABLE") | still_open["in_use_count"].fillna(0).gt(0)) * 10
    score -= still_open["runtime_reachability"].eq("NOT_REACHABLE") * 10
    score += still_open["fix_available"].map({"YES": 10, "PARTIAL": 5}).fillna(0)
    resources = still_open.drop_duplicates(["vulnerability", *RESOURCE])["vulnerability"].value_counts()
    worst = (
        still_open.assign(score=score)
        .sort_values(["score", "finding_arn"], ascending=[False, True])
        .drop_duplicates("vulnerability")
        .assign(resources=lambda each: each["vulnerability"].map(resources))
    )
    doubled = worst["resources"].map(lambda count: min(2 * (int(count).bit_length() - 1), 10))
    worst["priority_score"] = (worst["score"] + doubled).astype(int)
    ranked = worst.sort_values(["priority_score", "resources", "vulnerability"], ascending=[False, False, True]).head(RANKED)
    shown = ["vulnerability", "priority_score", "resources", "finding_arn", "severity", "title"]
    listed: list[dict[str, Any]] = ranked[shown].to_dict("records")
    return listed


# ---- the comparison with the baseline


def with_identity(findings: pd.DataFrame) -> pd.DataFrame:
    """Add what a finding has whatever its ARN: resource, vulnerability and what distinguishes it there."""
    findings["resource"] = findings["resource_name"].fillna(findings["resource_id"])
    findings["vulnerability"] = findings["vulnerability_id"].fillna(findings["title"])
    packages = findings["package_names"].map(lambda names: ",".join(sorted(set(names))), na_action="ignore")
    others = packages.isna()
    details = ["detector_name", "file_paths", "start_line", "port_begin", "port_end", "protocol", "network_path"]
    findings["what"] = packages.astype(object)
    rows = findings.loc[others, details].itertuples(index=False)
    findings.loc[others, "what"] = ["|".join(map(str, row)) for row in rows]
    findings["first_seen"] = findings["first_observed_at"].dt.floor("D")
    return findings


def compared(before: pd.DataFrame, now: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return this report's findings with the first-seen days that survive, and what happened to each finding of both."""
    first_seen = pd.concat([before, now])[[*IDENTITY, "first_seen"]].groupby(IDENTITY, as_index=False, dropna=False).min()
    before, now = (each.drop(columns="first_seen").merge(first_seen, on=IDENTITY, how="left") for each in (before, now))
    both = before.merge(now, on="finding_arn", how="outer", suffixes=("_before", ""), indicator="side")
    was, status, in_both = both["status_before"], both["status"], both["side"] == "both"
    was_open, is_open = was.eq("ACTIVE"), status.eq("ACTIVE")
    both["kind"] = None
    both.loc[in_both & was_open & is_open, "kind"] = "still_open"
    both.loc[in_both & was_open & (status == "SUPPRESSED"), "kind"] = "suppressed"
    both.loc[in_both & (was == "SUPPRESSED") & is_open, "kind"] = "unsuppressed"
    both.loc[in_both & (was == "CLOSED") & is_open, "kind"] = "reopened"
    closed = in_both & was_open & (status == "CLOSED")
    missing = pd.concat([of_before(both[closed]), of_before(both[(both["side"] == "left_only") & was_open])])
    came = both[(both["side"] == "right_only") & is_open]
    by = [*IDENTITY, "number"]
    paired = numbered(missing).merge(numbered(came), on=by, how="outer", suffixes=("_before", ""), indicator="pair")
    paired["kind"] = "unchanged_new_arn"
    fresh, ended = paired[paired["pair"] == "right_only"].copy(), paired[paired["pair"] == "left_only"].copy()
    fresh["kind"] = "new"
    fresh.loc[among(fresh, before[before["status"] == "CLOSED"], IDENTITY), "kind"] = "reopened"
    fresh.loc[among(fresh, before[before["status"] == "ACTIVE"], IDENTITY), "kind"] = "additional_resource"
    ended["kind"] = "resource_removed"
    ended.loc[among(ended, now, RESOURCE), "kind"] = "no_longer_reported"
    ended.loc[ended["finding_arn_before"].isin(both.loc[closed, "finding_arn"]), "kind"] = "closed"
    ended.loc[among(ended, now[now["status"] == "ACTIVE"], IDENTITY), "kind"] = "one_fewer_resource"
    stayed_or_turned = both[both["kind"].notna()]
    return now, pd.concat([stayed_or_turned, paired[paired["pair"] == "both"], fresh, ended], ignore_index=True)


def of_before(both: pd.DataFrame) -> pd.DataFrame:
    """Return the baseline's side of some findings."""
    columns = {f"{name}_before": name for name in KEPT if name != "finding_arn"}
    return both[["finding_arn", *columns]].rename(columns=columns)


def numbered(findings: pd.DataFrame) -> pd.DataFrame:
    """Return findings with a number among those of the same identity: they are paired one to one."""
    chosen = findings[KEPT]
    return chosen.assign(number=chosen.groupby(IDENTITY, dropna=False).cumcount())


def among(findings: pd.DataFrame, others: pd.DataFrame, by: list[str]) -> pd.Series:
    """Tell of each finding whether others have the same values in some columns."""
    found = findings[by].merge(others[by].drop_duplicates(), on=by, how="left", indicator="found")["found"]
    return (found == "both").set_axis(findings.index)


def changes_of(changes: pd.DataFrame) -> dict[str, Any]:
    """Count changes by kind and severity, and list the first ones of each kind with their names."""
    both = changes["severity"].notna() & changes["severity_before"].notna()
    changes["latest_severity"] = changes["severity"].fillna(changes["severity_before"])
    rank = {severity: place for place, severity in enumerate(SEVERITIES)}
    place, place_before = changes["severity"].map(rank), changes["severity_before"].map(rank)
    stayed = both & changes["kind"].isin(["still_open", "unchanged_new_arn"])
    has_exploit, had_exploit = changes["exploit_available"].eq("YES"), changes["exploit_available_before"].eq("YES")
    fix, fix_before = changes["fix_available"].map(FIXES), changes["fix_available_before"].map(FIXES).fillna(1)
    marks = {
        "severity_raised": stayed & (place < place_before),
        "severity_lowered": stayed & (place > place_before),
        "exploit_became_available": stayed & has_exploit & ~had_exploit,
        "fix_became_available": stayed & (fix > fix_before),
    }
    listed = changes[changes["kind"] != "still_open"].copy()
    for name in NAMES:
        listed[name] = listed[name].where(listed[name].notna(), listed[f"{name}_before"])
    listed["rank"] = listed["latest_severity"].map(rank)
    listed = listed.sort_values(["rank", "first_seen"]).groupby("kind").head(LISTED)
    shown = ["kind", *IDENTITY, *NAMES, "latest_severity"]
    return {
        "counts": counts(changes["kind"]) | {kind: int(each.sum()) for kind, each in marks.items()},
        "by_severity": {kind: counts(each["latest_severity"]) for kind, each in changes.groupby("kind")}
        | {kind: counts(changes.loc[each, "latest_severity"]) for kind, each in marks.items()},
        "lists": json.loads(listed[shown].to_json(orient="records", date_format="iso")),
    }


# ---- the whole


def whole(path: Path, baseline: str) -> dict[str, Any]:
    """Analyze a report, and compare it with the baseline that :func:`before` has left."""
    return analyzed(path, kept_of(path, baseline), path.with_suffix(f"{path.suffix}.kept.parquet"))


def before(path: Path, baseline: str) -> dict[str, Any]:
    """Analyze the baseline, and leave what the next run is compared with."""
    return analyzed(path.with_stem(path.stem.replace("now", baseline)), None, kept_of(path, baseline))


def kept_of(path: Path, baseline: str) -> Path:
    """Return where the baseline's table lies."""
    return path.with_suffix(f"{path.suffix}-{baseline}.kept.parquet")


def analyzed(path: Path, earlier: Path | None, kept: Path) -> dict[str, Any]:
    """Analyze a report and leave its files."""
    findings = typed(read_csv(path) if path.suffix == ".csv" else read_json(path))
    findings.to_parquet(path.with_suffix(f"{path.suffix}.findings.parquet"), compression="zstd")
    findings = with_identity(findings)
    still_open = findings[~findings["status"].isin(["SUPPRESSED", "CLOSED"])]
    document = {"statistics": statistics_of(findings, still_open), "priorities": priorities_of(still_open), "changes": None}
    current = findings[KEPT]
    if earlier:
        current, changes = compared(pd.read_parquet(earlier), current)
        document["changes"] = changes_of(changes)
    current.to_parquet(kept, compression="zstd")
    written = path.with_suffix(f"{path.suffix}.pandas.json")
    written.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
    return {"document": str(written)}


def narrow(path: Path, _: str) -> dict[str, Any]:
    """Read the report and write it to Parquet, as it is."""
    written = path.with_suffix(f"{path.suffix}.narrow.parquet")
    if path.suffix == ".csv":
        pd.read_csv(path, dtype={"AWS Account Id": str}).to_parquet(written)
    else:
        with path.open(encoding="utf-8") as file:
            pd.json_normalize(json.load(file)["findings"]).to_parquet(written)
    return {}


def peak_mib() -> float:
    """Return the most memory that this process had."""
    peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    assert peak
    return int(peak[1]) / 1024


WAYS = {way.__name__: way for way in (whole, before, narrow)}

if __name__ == "__main__":
    result = WAYS[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
    json.dump({"result": result, "peak_mib": peak_mib()}, sys.stdout)
