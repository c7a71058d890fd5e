"""The formats of a release are closed: a later release publishes them or gives them a new version, and reads what was stored."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from findings_exporter import RELEASE, notification
from tests.builders.exporter import ENVIRONMENT, config
from tests.contract import formats
from tests.contract.formats import FROZEN, GIVEN, PUBLISHED, attributes_of, lost, missing, published

NEWEST = next(reversed(FROZEN.values()))
EVERY_RELEASE = pytest.mark.parametrize("frozen", FROZEN.values(), ids=FROZEN)
EVENT = Draft202012Validator(json.loads(Path("docs/export-event.schema.json").read_text(encoding="utf-8")))
HOW = "(CONTRIBUTING.md, Formats)"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def test_the_release_has_closed_its_formats() -> None:
    version = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert version in FROZEN, f"python -m tests.contract.formats {version} closes the formats of the release {HOW}"


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_published_changes_with_its_version(name: str) -> None:
    frozen, now = NEWEST["published"][name], published(name)
    (major, minor), (major_now, minor_now) = (map(int, each["version"].split(".")) for each in (frozen, now))
    added = sorted(set(now["members"].items()) - set(frozen["members"].items()))
    taken_away = lost(frozen["members"], now["members"])
    if major_now == major:
        taken_away = [each for each in taken_away if ".version" not in each and "schema_version" not in each]
        assert not taken_away, f"{name} {frozen['version']} had {taken_away}: keep it, or write version {major + 1}.0 {HOW}"
    if (major_now, minor_now) == (major, minor):
        assert not added, f"{name} {frozen['version']} did not have {added}: write version {major}.{minor + 1} {HOW}"
    assert (major_now, minor_now) >= (major, minor)


@pytest.mark.parametrize("name", GIVEN)
def test_a_file_that_people_wrote_for_an_earlier_release_is_taken(name: str) -> None:
    frozen, now = NEWEST["published"][name]["members"], published(name)["members"]
    assert not lost(frozen, now), f"docs/{name}.schema.json: what was taken must be taken {HOW}"
    required = [path for path in now if path not in frozen and "?" not in path and path[-1].isalpha()]
    assert not required, f"docs/{name}.schema.json: files of today do not have {required}; make it optional {HOW}"


@pytest.mark.parametrize("kind", NEWEST["names"])
def test_a_name_that_people_use_stays(kind: str) -> None:
    taken_away = sorted(set(NEWEST["names"][kind]) - set(formats.names().get(kind, [])))
    assert not taken_away, f"{kind} of the last release: {taken_away}. Keep them beside what is new {HOW}"


def test_what_export_all_reports_sends_changes_with_the_release() -> None:
    now = sorted(formats.sent_by_all_reports())
    assert now == NEWEST["sent by Export All Reports"] or NEWEST["release"] < RELEASE, f"raise RELEASE {HOW}"


def test_records_have_what_the_last_release_reads() -> None:
    before, now = attributes_of(NEWEST["items"]), attributes_of(formats.written())
    assert not missing(before, now), f"a record lacks what the last release wrote and reads: go on writing it {HOW}"


@EVERY_RELEASE
def test_records_of_earlier_releases_are_read(frozen: dict[str, Any]) -> None:
    assert not missing(frozen["read"], formats.read(frozen["items"])), f"a stored record is not read as before {HOW}"


@EVERY_RELEASE
def test_a_run_that_an_earlier_release_recorded_is_notified_as_a_whole(frozen: dict[str, Any]) -> None:
    message = json.loads(notification.publication(formats.run_of(frozen["items"]), config())["Message"])
    event = json.loads(message["default"])
    EVENT.validate(event)
    assert (event["outcome"], event["analysis"]["open"]) == ("SUCCEEDED", 1204)
    assert "CVE-2021-44228" in message["email"], "it is not the short message"


@EVERY_RELEASE
def test_files_of_earlier_releases_are_read(frozen: dict[str, Any]) -> None:
    assert not missing(frozen["read files"], formats.read_files(frozen["files"])), f"a stored file is not read as before {HOW}"


def test_findings_have_the_fingerprints_that_they_had() -> None:
    now = formats.read_files(formats.files())
    assert now == NEWEST["read files"], f"all findings would be new in the first report after an upgrade {HOW}"
