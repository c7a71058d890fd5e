"""`make release`: what it refuses, that the same commit gives the same bytes, and what its files say of themselves."""

import hashlib
import json
import os
import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.validation.json import JsonStrictValidator

from tests.builders.cloudformation import read_template
from tests.tools import release
from tests.tools.regions import REPOSITORY, UnusableError
from tests.tools.release_sbom import SCHEMA, sbom
from tests.tools.release_template import code_of

MADE_AT = datetime(2026, 12, 1, 8, 30, 44, tzinfo=UTC)
RELEASE = release.Release("0.1.0", MADE_AT, "# Notes\n")
CHANGELOG = (
    "# Changelog\n\n## [Unreleased]\n\n- Later.\n\n## [1.2.0] - 2026-12-01\n\n- New.\n\n## [1.1.0] - 2026-11-01\n\n- Old.\n"
)
METADATA = """Metadata-Version: 2.4
Name: {name}
Version: {version}
{license}
"""


# ---------------------------------------------------------------------------------------------------------------------
# What it refuses
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A clone with a version and a changelog, all committed."""
    write(tmp_path, {"pyproject.toml": '[project]\nversion = "1.2.0"\n', "CHANGELOG.md": CHANGELOG})
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=first")
    return tmp_path


def git(repository: Path, *arguments: str) -> None:
    who = {f"GIT_{each}_{part}": "x" for each in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    when = {"GIT_COMMITTER_DATE": "1700000000 +0000"}
    subprocess.run(["git", *arguments], cwd=repository, check=True, env={**os.environ, **who, **when})


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def test_a_release_has_the_time_of_its_commit_and_the_notes_of_its_version(repository: Path) -> None:
    read = release.read_release(repository, "1.2.0")
    assert read.made_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert read.prefix == "inspector-findings-exporter/1.2.0/"
    assert "- New." in read.notes
    assert "the tag [`v1.2.0`](../../tree/v1.2.0/docs)" in read.notes
    assert "Later" not in read.notes
    assert "Old" not in read.notes
    assert "trial" not in read.notes


def test_source_date_epoch_comes_before_the_commits_time(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    assert release.read_release(repository, "1.2.0").made_at == datetime.fromtimestamp(1_800_000_000, UTC)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UnusableError, match="SOURCE_DATE_EPOCH is 'yesterday', but must be seconds since 1970"):
        release.read_release(repository, "1.2.0")


def test_it_refuses_another_version_than_that_of_the_tree(repository: Path) -> None:
    with pytest.raises(
        UnusableError, match=r"VERSION is 1\.1\.0, but pyproject\.toml has the version 1\.2\.0\. Use make release"
    ):
        release.read_release(repository, "1.1.0")
    with pytest.raises(UnusableError, match="VERSION is"):
        release.read_release(repository, "1.1.0", trial=True)


@pytest.mark.parametrize(
    "heading", ["## [1.2.0]", "## [1.2.0] - soon", "## [1.2.1] - 2026-12-01", "## [1.2.0] - 2026-12-01\n\n## [1.1]"]
)
def test_it_refuses_a_version_without_a_dated_section_that_says_something(repository: Path, heading: str) -> None:
    write(repository, {"CHANGELOG.md": CHANGELOG.replace("## [1.2.0] - 2026-12-01", heading)})
    git(repository, "commit", "--quiet", "--all", "--message=second")
    with pytest.raises(
        UnusableError, match=r"CHANGELOG\.md has no section of 1\.2\.0 with a date and an entry\. Write ## \[1\.2\.0\] - "
    ):
        release.read_release(repository, "1.2.0")
    trial = release.read_release(repository, "1.2.0", trial=True)
    assert "**This is a trial, not a release.**" in trial.notes
    assert "- Later." in trial.notes
    assert "](" not in trial.notes, "a trial has no tag to lead to"


def test_it_refuses_what_is_not_committed_unless_it_is_a_trial(repository: Path) -> None:
    write(repository, {"new.py": "", "CHANGELOG.md": CHANGELOG + "\n"})
    with pytest.raises(UnusableError, match=r"2 files are not committed \(CHANGELOG\.md, new\.py\)\..*\n.* TRIAL=1"):
        release.read_release(repository, "1.2.0")
    assert "- New." in release.read_release(repository, "1.2.0", trial=True).notes


def test_it_refuses_what_git_ignores_below_the_code_because_it_would_be_shipped(repository: Path) -> None:
    write(repository, {"functions/notify/.env": "SECRET=1", "functions/notify/app.pyc": "", ".git/info/exclude": ".env\n*.pyc\n"})
    with pytest.raises(UnusableError, match=r"1 files that git ignores would be shipped \(functions/notify/\.env\)"):
        release.read_release(repository, "1.2.0")
    assert release.read_release(repository, "1.2.0", trial=True)


@pytest.mark.parametrize("has_earlier", [True, False])
def test_what_was_made_takes_the_place_of_what_was_there(tmp_path: Path, has_earlier: bool) -> None:
    write(tmp_path, {"new/made/file": "new"} | ({"dist/file": "old", "dist/more": "old"} if has_earlier else {}))
    release.replace(tmp_path / "dist", tmp_path / "new/made")
    assert {path.name: path.read_text() for path in (tmp_path / "dist").iterdir()} == {"file": "new"}


def test_a_folder_that_another_release_has_just_written_is_not_mixed_with_ours(tmp_path: Path) -> None:
    write(tmp_path, {"dist/file": "other", "new/earlier/file": "x", "new/made/file": "new"})
    with pytest.raises(UnusableError, match=r"dist/ could not be replaced: .*Is another make release running"):
        release.replace(tmp_path / "dist", tmp_path / "new/made")
    assert (tmp_path / "dist/file").read_text() == "other"


def test_what_was_there_stays_where_it_cannot_be_replaced(tmp_path: Path) -> None:
    write(tmp_path, {"dist/file": "old", "new/other": ""})
    with pytest.raises(UnusableError, match="could not be replaced"):
        release.replace(tmp_path / "dist", tmp_path / "new/made")
    assert (tmp_path / "dist/file").read_text() == "old"


@pytest.mark.parametrize("is_built_meanwhile", [True, False])
def test_a_build_that_changes_while_it_is_read_makes_no_release(
    is_built_meanwhile: bool,
    tmp_path: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(repository, {".gitignore": "/built\n/dist\n/.dist-*\n", "built/Layer/module.py": "x"})
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=ignore")
    for name, value in (("REPOSITORY", repository), ("BUILT", repository / "built"), ("DESTINATION", repository / "dist")):
        monkeypatch.setattr(release, name, value)

    def wrote(_: release.Release, folder: Path) -> None:
        write(folder, {"file": "x"})
        if is_built_meanwhile:
            write(repository, {"built/Layer/module.py": "changed"})

    monkeypatch.setattr(release, "write", wrote)
    assert release.main(["1.2.0"]) == (1 if is_built_meanwhile else 0)
    assert (repository / "dist/file").exists() is not is_built_meanwhile
    assert ("changed while it was read" in capsys.readouterr().err) is is_built_meanwhile


def test_all_faults_are_named_at_once_and_dist_stays(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(repository, {"dist/kept": "", "new.py": ""})
    monkeypatch.setattr(release, "REPOSITORY", repository)
    monkeypatch.setattr(release, "DESTINATION", repository / "dist")
    assert release.main(["2.0.0"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("make release: dist/ was not changed.\n")
    assert printed.count("\n- ") == 3
    assert (repository / "dist/kept").exists()


def test_outside_a_clone_it_says_what_is_missing(repository: Path) -> None:
    shutil.rmtree(repository / ".git")
    with pytest.raises(UnusableError, match=r"git status failed, so that the commit is unknown: .* Run it in a clone"):
        release.read_release(repository, "1.2.0")


# ---------------------------------------------------------------------------------------------------------------------
# Its files
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """What sam build makes, in small: a file in each folder, and the packages of two layers."""
    folder = tmp_path / "built"
    for name in code_of(read_template(REPOSITORY / "template.yaml")):
        write(folder / name, {"python/module.py" if name.endswith("Layer") else "app.py": f'"""{name}"""\n'})
    boto3, jinja2 = pinned("boto3"), pinned("jinja2")
    package(folder / "ExporterLayer", "boto3", boto3["version"], "License: Apache-2.0\nRequires-Dist: botocore; extra == 'x'")
    package(folder / "AnalyticsLayer", "Jinja2", jinja2["version"], "Classifier: License :: OSI Approved :: BSD License")
    return folder


def package(layer: Path, name: str, version: str, license_: str) -> None:
    text = METADATA.format(name=name, version=version, license=license_)
    write(layer, {f"python/{name.lower()}-{version}.dist-info/METADATA": text})


def lock() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "uv.lock").read_text(encoding="utf-8"))


def pinned(name: str) -> dict[str, Any]:
    return next(each for each in reversed(lock()["package"]) if each["name"] == name)


def made(folder: Path, built: Path) -> dict[str, bytes]:
    folder.mkdir()
    release.write(RELEASE, folder, built)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_commit_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    first = made(tmp_path / "first", built)
    copy = tmp_path / "elsewhere/built"
    shutil.copytree(built, copy)  # with other times
    for path in copy.rglob("*.py"):
        path.chmod(0o600)
    write(copy / "NotifyFunction", {"__pycache__/app.cpython-313.pyc": "compiled"})
    assert made(tmp_path / "second", copy) == first
    assert not [name for name, content in first.items() if str(tmp_path).encode() in content]


def test_other_code_has_another_name_and_key(built: Path, tmp_path: Path) -> None:
    first = made(tmp_path / "first", built)
    write(built / "NotifyFunction", {"app.py": "changed"})
    second = made(tmp_path / "second", built)
    (was,), (now,) = [[name for name in files if name.startswith("NotifyFunction-")] for files in (first, second)]
    assert was != now
    assert f"S3Key: inspector-findings-exporter/0.1.0/{now}\n".encode() in second["template.yaml"]
    assert len(set(first) - set(second)) == 1


def test_an_archive_has_sorted_names_the_releases_time_and_readable_files(built: Path) -> None:
    write(built / "NotifyFunction", {"b/c.py": "", "B.py": "", "a.py": "", "b/c.pyc": ""})
    with zipfile.ZipFile(BytesIO(release.archive(built / "NotifyFunction", MADE_AT))) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == ["B.py", "a.py", "app.py", "b/c.py"]
    assert {entry.date_time for entry in entries} == {(2026, 12, 1, 8, 30, 44)}
    assert {oct(entry.external_attr >> 16) for entry in entries} == {"0o100644"}
    assert {entry.create_system for entry in entries} == {3}


def test_the_checksums_are_those_of_every_other_file(built: Path, tmp_path: Path) -> None:
    files = made(tmp_path / "dist", built)
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "dist", capture_output=True, text=True, check=True)
    assert {line.split(": ")[0] for line in checked.stdout.splitlines()} == set(files) - {"SHA256SUMS"}
    assert {"template.yaml", "sbom.cdx.json", "RELEASE_NOTES.md", "LICENSE"} < set(files)


def test_a_folder_that_was_not_built_is_named(built: Path, tmp_path: Path) -> None:
    shutil.rmtree(built / "NotifyFunction")
    with pytest.raises(UnusableError, match=r"The build has no NotifyFunction\. Run make build"):
        made(tmp_path / "dist", built)


def test_the_sbom_is_valid_and_names_what_each_layer_is_made_of(built: Path, tmp_path: Path) -> None:
    files = made(tmp_path / "dist", built)
    assert JsonStrictValidator(SCHEMA).validate_str(files["sbom.cdx.json"].decode()) is None
    written = json.loads(files["sbom.cdx.json"])
    components = {each["bom-ref"]: each for each in written["components"]}
    assert written["metadata"]["component"]["version"] == "0.1.0"
    assert written["metadata"]["timestamp"] == MADE_AT.isoformat()
    for name in set(files) - {"SHA256SUMS", "sbom.cdx.json"}:
        assert components[name]["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(files[name]).hexdigest()}]
    boto3 = components[f"pkg:pypi/boto3@{pinned('boto3')['version']}"]
    assert boto3["purl"] == boto3["bom-ref"]
    assert boto3["licenses"] == [{"license": {"id": "Apache-2.0", "acknowledgement": "declared"}}]
    (wheel,) = pinned("boto3")["wheels"]
    (source,) = boto3["externalReferences"]
    assert (source["url"], f"sha256:{source['hashes'][0]['content']}") == (wheel["url"], wheel["hash"])
    jinja2 = components[f"pkg:pypi/jinja2@{pinned('jinja2')['version']}"]
    assert jinja2["licenses"] == [{"license": {"name": "BSD License", "acknowledgement": "declared"}}]
    needs = {each["ref"].partition("-")[0]: each.get("dependsOn", []) for each in written["dependencies"]}
    assert needs["ExporterLayer"] == [boto3["bom-ref"]]
    assert needs["AnalyticsLayer"] == [jinja2["bom-ref"]]


def test_a_wheel_of_another_platform_or_python_is_no_source_of_the_layer(tmp_path: Path) -> None:
    package(tmp_path, "msgspec", pinned("msgspec")["version"], "License-Expression: BSD-3-Clause")
    written = json.loads(sbom("0.1.0", MADE_AT, {"layer.zip": "0" * 64}, {"layer.zip": tmp_path}, lock()))
    (found,) = [each for each in written["components"] if each["name"] == "msgspec"]
    names = [each["url"].rpartition("/")[2] for each in found["externalReferences"]]
    assert names
    assert all("-cp313-cp313-manylinux" in name and ("x86_64" in name or "aarch64" in name) for name in names)


def test_a_license_that_a_package_does_not_declare_is_not_guessed(tmp_path: Path) -> None:
    package(tmp_path, "six", pinned("six")["version"], "Summary: nothing of a license")
    written = json.loads(sbom("0.1.0", MADE_AT, {"layer.zip": "0" * 64}, {"layer.zip": tmp_path}, lock()))
    (found,) = [each for each in written["components"] if each["name"] == "six"]
    assert "licenses" not in found


def test_a_package_that_the_lock_does_not_pin_stops_the_release(built: Path, tmp_path: Path) -> None:
    package(built / "ExporterLayer", "six", "0.0.1", "License: MIT")
    with pytest.raises(UnusableError, match=r"The built layers have six 0\.0\.1, which uv\.lock does not pin"):
        made(tmp_path / "dist", built)
