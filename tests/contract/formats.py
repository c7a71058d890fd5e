"""The formats that a release has closed: what it publishes, and what it leaves for later releases to read.

``formats/<version>.json`` holds those of a release, and is never changed. Its parts:

- ``published``: JSON documents for programs, by the name of their schema in docs: the version, and each member with its kinds.
- ``names``: what people's own configuration names, such as parameters, metrics and columns of tables.
- ``release`` and ``sent by Export All Reports``: what an execution of that workflow, begun before an upgrade, goes on sending. Of the
  other workflow, releases.json has it.
- ``items`` and ``read``: everything that is in the table after a few runs, and what is read of it.
- ``files``: files that a later analysis reads, as text in base64.

``python -m tests.contract.formats 0.2.0`` writes the file of a release that has not been released yet.
"""

import io
import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from moto import mock_aws

from findings_analysis.comparison import identity
from findings_analysis.comparison.baseline import EarlierRun
from findings_analysis.comparison.fingerprint_format import FingerprintReader, FingerprintWriter, Header, Summary
from findings_analysis.output import finding_details
from findings_analysis.output.document import SCHEMA_VERSION
from findings_exporter import RELEASE, notification
from findings_exporter.aws import metrics, outbox, run_store, start_store, summary_store
from findings_exporter.aws.lock import Lock
from findings_exporter.aws.run_store import CleanupMark
from findings_exporter.aws.start_store import Start
from findings_exporter.aws.table import Table
from findings_exporter.model.errors import Failure
from findings_exporter.model.home_messages import MESSAGE_VERSION
from findings_exporter.model.layout import analysis_keys, owner_rules_key, reports_key, run_prefix, summary_keys
from findings_exporter.model.run import Run
from findings_exporter.notification import EVENT_VERSION, OWNER_EVENT_VERSION
from findings_exporter.notification.summary_message import SUMMARY_EVENT_VERSION
from findings_exporter.preflight.message import RESULT_VERSION
from findings_exporter.preview.message import PREVIEW_VERSION
from tests.builders import daily_runs, summaries
from tests.builders.daily_runs import TODAY, finding
from tests.builders.exporter import (
    ACCOUNT,
    REGION,
    REPORT_ID,
    SCHEDULE,
    START,
    FakeStates,
    config,
    delivery,
    ended_run,
    execution,
    headline,
    items,
    make_table,
    minutes,
    planned,
)
from tests.contract.parts import RESOURCES, TEMPLATE, of_type
from tests.contract.releases import shape

FOLDER = Path("tests/contract/formats")
FROZEN: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.json"), key=lambda path: [int(part) for part in path.stem.split(".")])
}
"""By version, the oldest first."""
PUBLISHED = {
    "analysis": SCHEMA_VERSION,
    "export-event": EVENT_VERSION,
    "owner-event": OWNER_EVENT_VERSION,
    "summary-event": SUMMARY_EVENT_VERSION,
    "home-message": MESSAGE_VERSION,
    "setup-check": RESULT_VERSION,
    "preview": PREVIEW_VERSION,
}
"""Documents for programs with their versions, by the name of their schema in docs."""
GIVEN = ("owners", "reports")
"""Files that people write. They have no version: what a release takes, each later one takes."""
ME, FAILED, OTHER = execution("me"), execution("failed", minutes(60)), execution("other", minutes(120))
BROKEN = Failure("Report.INVALID_PERMISSIONS", "Inspector may not write.")
FINDINGS = (
    finding("a", severity="CRITICAL", exploit_available="YES", fix_available="YES", owner="shop"),
    finding("b", status="CLOSED", updated_at=TODAY * 86_400_000),
    finding("c", status="SUPPRESSED", resource_type="AWS_EC2_INSTANCE", resource_name=None, resource_id="i-0abc"),
    finding("d", type="NETWORK_REACHABILITY", vulnerability_id=None, package_names=None, title="Port 22 is reachable",
            resource_type="AWS_EC2_INSTANCE", resource_id="i-0abc", protocol="TCP", port_begin=22, port_end=22),
    finding("e", type="CODE_VULNERABILITY", vulnerability_id=None, package_names=None, title="Injection",
            resource_type="AWS_LAMBDA_FUNCTION", resource_name="resize", detector_name="d", file_paths=["a.py"], start_line=1, end_line=2),
)  # fmt: skip
HEADER = Header(
    "nightly", "me", START.isoformat(), "0123abcd", {}, {daily_runs.ACCOUNT: {"ec2": "on"}}, {daily_runs.ACCOUNT: {"ec2": START}}
)


# ---------------------------------------------------------------------------------------------------------------------
# What is published
# ---------------------------------------------------------------------------------------------------------------------


def published(name: str) -> dict[str, Any]:
    """Return the version of a JSON document, None for a file that people write, and its members as its schema has them now."""
    schema = json.loads(Path(f"docs/{name}.schema.json").read_text(encoding="utf-8"))
    return {"version": PUBLISHED.get(name), "members": dict(sorted(members_of(schema, schema)))}


def members_of(schema: Mapping[str, Any], whole: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Give each member of a schema by its path, with its kinds or its values; ``?`` stands behind one that may be missing.

    Its length, its pattern and its description are left out.
    """
    if "$ref" in schema:
        found: Any = whole
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = {**found, **{name: each for name, each in schema.items() if name != "$ref"}}
    ways = [each for word in ("oneOf", "anyOf", "allOf") for each in schema.get(word, [])]
    for number, way in enumerate(ways):
        yield from members_of(way, whole, f"{path}({number})" if len(ways) > 1 else path)
    if kinds := kinds_of(schema):
        yield path, kinds
    required = schema.get("required", [])
    for name, each in schema.get("properties", {}).items():
        yield from members_of(each, whole, f"{path}.{name}{'' if name in required else '?'}")
    for word, mark in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(schema.get(word), dict):
            yield from members_of(schema[word], whole, path + mark)


def kinds_of(schema: Mapping[str, Any]) -> str:
    """Return the kinds of a value, or the values that there are."""
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " ".join(sorted(map(json.dumps, schema["enum"])))
    kinds = schema.get("type", [])
    return " ".join(sorted([kinds] if isinstance(kinds, str) else kinds))


def lost(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return which members are missing or of other kinds. One of several values may have got more of them."""
    return [
        f"{path}: {kinds}"
        for path, kinds in before.items()
        if path not in now or not (now[path] == kinds or ('"' in kinds and set(kinds.split()) < set(now[path].split())))
    ]


def names() -> dict[str, list[str]]:
    """Return what people's own configuration names, by kind. Each release has the names of those before it."""
    run = ended_run(analysis=headline(owner="shop"))
    given = [("parameters", TEMPLATE["Parameters"]), ("outputs", TEMPLATE["Outputs"])]
    units = [("report", metrics.BY_REPORT), ("report, lowest_severity", metrics.BY_SEVERITY), ("", metrics.BY_STACK)]
    return {
        **{kind: sorted(each) for kind, each in given},
        "values of parameters": sorted(
            f"{name}={value}" for name, each in TEMPLATE["Parameters"].items() for value in each.get("AllowedValues", [])
        ),
        # A resource that is renamed is replaced, and its data or subscriptions are lost.
        "resources": sorted(f"{name}: {each['Type']}" for name, each in RESOURCES.items() if each["Type"] in REPLACED_WITH_LOSS),
        "metrics": sorted(f"{name} ({dimensions}), {unit.value}" for dimensions, each in units for name, unit in each.items()),
        "message attributes": sorted(notification.attributes(run, config())),
        "message attributes to owners": sorted(notification.owner_attributes(run, config())),
        "columns of tables": sorted(columns()),
        "keys": sorted(set(keys())),
    }


REPLACED_WITH_LOSS = {
    "AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::S3::Bucket", "AWS::SNS::Topic", "AWS::SQS::Queue",
    "AWS::Serverless::StateMachine", "AWS::Scheduler::Schedule",
}  # fmt: skip


def columns() -> Iterator[str]:
    """Give the columns of the tables that queries read."""
    for name, table in of_type("AWS::Glue::Table").items():
        stored = table["TableInput"]["StorageDescriptor"]["Columns"]
        yield from (f"{name}.{each['Name']}: {each['Type']}" for each in [*stored, *table["TableInput"]["PartitionKeys"]])


def keys() -> Iterator[str]:
    """Give the keys in the bucket that a run writes, or that people write for it."""
    yield run_prefix("inspector", "nightly", ME)
    yield owner_rules_key("inspector")
    yield reports_key("inspector")
    yield from summary_keys("inspector", START, 0)
    yield from summary_keys("inspector", START, 1)
    for is_regular in (True, False):
        yield from asdict(analysis_keys("inspector", "nightly", ME, is_regular=is_regular)).values()


def sent_by_all_reports() -> Iterator[str]:
    """Give the members of what the workflow of all reports sends to its steps."""
    machine = json.loads(Path("statemachine/export_all_reports.asl.json").read_text(encoding="utf-8"))
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            yield from (f"{name}: {member}" for member in state["Arguments"]["Payload"])


# ---------------------------------------------------------------------------------------------------------------------
# What is left for later releases
# ---------------------------------------------------------------------------------------------------------------------


def written() -> list[dict[str, Any]]:
    """Return the items of a table in which every kind of record was written: of runs, claims, starts, and summaries."""
    with mock_aws():
        table = make_table()
        planned(table, ME, {"notify": True})
        run_store.claim_schedule(table, SCHEDULE, "2026-11-23T03:00:00Z", "{}", ME)
        run_store.note_report(table, ME, REPORT_ID, minutes(1))
        run_store.note_report_ended(table, ME, minutes(11))
        run_store.note(table, ME, "A note.")
        run_store.note_analysis(table, ME, headline(owners_key="inspector/owners.json", owner_message_count=1))
        run_store.record(table, ME, "SUCCEEDED", None, delivery(), minutes(12))
        run_store.claim_notification(table, ME, "notifier", minutes(12), minutes(13))
        run_store.mark_notified(table, ME, minutes(12), owners_due=True)
        run_store.claim_owner(table, ME, "shop", "notifier", minutes(12), minutes(13))
        run_store.mark_owner_notified(table, ME, "shop", minutes(12))
        run_store.close_owners(table, ME, minutes(12))
        planned(table, FAILED)
        run_store.record(table, FAILED, "FAILED", BROKEN, None, minutes(62))
        run_store.keep_cleanup_mark(table, CleanupMark(START.isoformat(), "FAILED", "page-2"))
        lock = Lock(table, ACCOUNT, REGION)
        lock.acquire(FakeStates().client, OTHER, minutes(120))
        lock.mark_creating(OTHER, minutes(121), minutes(120))
        start_store.open_start(table, Start(OTHER, "2026-11-23T05:00:00+00:00", False, (("nightly", "nightly-1"),)))
        start_store.keep_reports(table, ["nightly"], minutes(0))
        outbox.keep(table, summaries.ended(), summaries.NOW)
        summary_store.begin(table, summaries.TIME, summaries.EXPECTED, summaries.NOW)
        summary_store.keep(table, summaries.start(notes=("A note.",)))
        summary_store.keep(table, summaries.failed())
        record = summary_store.find(table, summaries.TIME)
        assert record
        claimed = summary_store.claim(
            table,
            record,
            summaries.EXPECTED,
            ["START#eu-west-1"],
            "notifier",
            summaries.NOW,
            summaries.NOW + timedelta(minutes=1),
        )
        summary_store.mark_sent(table, claimed, summaries.NOW)
        return items(table)


@contextmanager
def filled(stored: list[dict[str, Any]]) -> Iterator[Table]:
    """Give a table that holds such items."""
    with mock_aws():
        table = make_table()
        for item in stored:
            table.client.put_item(TableName=table.name, Item=item)
        yield table


def read(stored: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is read of such items, as JSON."""
    with filled(stored) as table:
        return _json(_read(table))


def run_of(stored: list[dict[str, Any]]) -> Run:
    """Return the run that succeeded, as it is read of such items."""
    with filled(stored) as table:
        return run_store.load(table, ME)


def _read(table: Table) -> dict[str, Any]:
    lines = list(run_store.history(table, "nightly"))
    held = run_store.claim_schedule(table, SCHEDULE, "2026-11-23T03:00:00Z", "{}", OTHER)
    return {
        "run": run_store.load(table, ME),
        "failed run": run_store.load(table, FAILED),
        "open runs": run_store.open_runs(table),
        "claimed": held,
        "notified owners": sorted(run_store.notified_owners(table, ME)),
        "durations": run_store.recent_report_seconds(table, "nightly"),
        "runs to compare with": [EarlierRun.of(line, "later", minutes(600)) for line in lines],
        "lines": lines,
        "cleanup": run_store.cleanup_mark(table),
        "lock": Lock(table, ACCOUNT, REGION).holder(),
        "starts": start_store.open_starts(table),
        "missing reports": start_store.missing_reports(table, minutes(60 * 24 * 9), timedelta(days=1)),
        "messages to home": [item["body"] for item in table.beginning_with(outbox.OUTBOX)],
        "summary": summary_store.find(table, summaries.TIME),
        "open summaries": summary_store.open_times(table),
        "messages of Regions": summary_store.messages(table, summaries.TIME, summaries.NOW),
    }


def files() -> dict[str, str]:
    """Return the files that a later analysis reads."""
    fingerprints, file = daily_runs.records(*FINDINGS), io.BytesIO()
    writer = FingerprintWriter(file.write, HEADER)
    writer.add(sorted(fingerprints))
    writer.finish(Summary(len(fingerprints), {daily_runs.ACCOUNT: {"ec2": 5}}, {}, {identity.owner_hash("shop").hex(): "shop"}))
    return {name: b64encode(each.getvalue()).decode() for name, each in
            (("findings.fingerprints", file), ("findings.names", daily_runs.names_file(*FINDINGS)))}  # fmt: skip


def read_files(stored: Mapping[str, str]) -> dict[str, Any]:
    """Return what is read of such files, as JSON."""
    reader = FingerprintReader(io.BytesIO(b64decode(stored["findings.fingerprints"])))
    fingerprints = [record.hex() for record in chain.from_iterable(reader.blocks())]
    wanted = frozenset(identity.exact_hashes([row["finding_arn"] for row in FINDINGS]))
    found = finding_details.find(io.BytesIO(b64decode(stored["findings.names"])), wanted)
    content = {
        "header": reader.header,
        "fingerprints": fingerprints,
        "summary": reader.whole,
        "names": {arn_hash.hex(): row for arn_hash, row in found.items()},
    }
    return _json(content)


def _json(content: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(json.dumps(content, default=_plain))
    return result


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return (
        sorted(value) if isinstance(value, frozenset | set) else value.isoformat() if hasattr(value, "isoformat") else dict(value)
    )


def missing(before: Any, now: Any, path: str = "") -> list[str]:
    """Return what of a JSON value is not in another one: members may have been added, nothing else."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [each for name, value in before.items() for each in missing(value, now.get(name), f"{path}.{name}")]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [each for number, pair in enumerate(zip(before, now, strict=True)) for each in missing(*pair, f"{path}[{number}]")]
    return [] if before == now else [f"{path}: {before!r} has become {now!r}"]


def attributes_of(stored: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the attributes of items with their kinds, by key; of one that holds JSON, the members of it."""
    return {f"{item['pk']['S']} / {item['sk']['S']}": {name: _kind(value) for name, value in item.items()} for item in stored}


def _kind(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    return shape(json.loads(content)) if kind == "S" and content[:1] in {"{", "["} else kind


# ---------------------------------------------------------------------------------------------------------------------
# The file of a release
# ---------------------------------------------------------------------------------------------------------------------


def closed() -> dict[str, Any]:
    """Return the formats as they are now."""
    stored, kept = written(), files()
    return {
        "published": {name: published(name) for name in (*PUBLISHED, *GIVEN)},
        "names": names(),
        "release": RELEASE,
        "sent by Export All Reports": sorted(sent_by_all_reports()),
        "items": sorted(({name: _sorted(value) for name, value in item.items()} for item in stored), key=str),
        "read": read(stored),
        "files": kept,
        "read files": read_files(kept),
    }


def _sorted(value: dict[str, Any]) -> dict[str, Any]:
    return {kind: sorted(each) if isinstance(each, list | set) else each for kind, each in value.items()}


if __name__ == "__main__":
    path = FOLDER / f"{sys.argv[1]}.json"
    if path.exists():
        sys.exit(f"{path} exists. The formats of a release are closed: write those of the next one.")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(closed(), indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
