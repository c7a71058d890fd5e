"""`make release VERSION=…`: the files of a release in dist/, from which a stack is deployed without make, Python and SAM.

The same commit gives the same bytes: files have the commit's time and fixed permissions, and lie in the archives in the order of
their names. Each file with code has the beginning of its SHA-256 in its name, so that CloudFormation sees in the template which
code has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.builders.cloudformation import read_template
from tests.tools.regions import REPOSITORY, UnusableError
from tests.tools.release_sbom import NAME, UnpinnedPackageError, sbom
from tests.tools.release_template import MAX_BYTES, code_of, release_template, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BUILT = REPOSITORY / ".aws-sam/build"
DESTINATION = REPOSITORY / "dist"
TEMPLATE, SBOM, NOTES, SUMS = "template.yaml", "sbom.cdx.json", "RELEASE_NOTES.md", "SHA256SUMS"
UNRELEASED = "Unreleased"
DIGITS_IN_NAME = 12
FILE_MODE = stat.S_IFREG | 0o644
"""Lambda's user must be able to read each file."""
UNIX = 3
COMPRESSION = zipfile.ZIP_DEFLATED


@dataclass(frozen=True)
class Release:
    """What is released.

    Attributes
    ----------
    made_at
        The time that all files have, in whole seconds.
    notes
        What CHANGELOG.md says of the version, as Markdown.
    """

    version: str
    made_at: datetime
    notes: str

    @property
    def prefix(self) -> str:
        """Where the files lie in an artifact bucket."""
        return f"{NAME}/{self.version}/"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the files, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("version", help="as in pyproject.toml, such as 0.1.0")
    parser.add_argument(
        "--trial", action="store_true", help="also with changes that are not committed, or without a dated section"
    )
    chosen = parser.parse_args(arguments)
    try:
        release = read_release(REPOSITORY, chosen.version, trial=chosen.trial)
        with TemporaryDirectory(dir=REPOSITORY, prefix=".dist-") as folder:
            made = Path(folder) / "dist"
            made.mkdir()
            before = state_of(BUILT)
            write(release, made)
            if state_of(BUILT) != before:
                raise UnusableError(
                    f"- {BUILT.relative_to(REPOSITORY)} changed while it was read: another make in this folder builds. Run it again when"
                    " that has ended."
                )
            replace(DESTINATION, made)
    except UnusableError as error:
        print(f"make release: dist/ was not changed.\n{error}", file=sys.stderr)
        return 1
    files = list(DESTINATION.iterdir())
    size_mb = sum(path.stat().st_size for path in files) / 1e6
    print(f"dist/ has {release.version}{' (a trial)' if chosen.trial else ''}: {len(files)} files, {size_mb:.1f} MB.")
    print(f"Upload them to each Region's bucket: aws s3 cp dist/ s3://<prefix>-<Region>/{release.prefix} --recursive")
    return 0


# ---------------------------------------------------------------------------------------------------------------------
# What is released
# ---------------------------------------------------------------------------------------------------------------------


def read_release(repository: Path, version: str, *, trial: bool = False) -> Release:
    """Return what a commit releases.

    Parameters
    ----------
    trial
        Whether uncommitted changes, and a section of the changelog that has no date yet, are fine.

    Raises
    ------
    UnusableError
        It is not ready to be released; with one line for each fault.
    """
    found = []
    written = str(tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
    if version != written:
        found.append(
            f"- VERSION is {version}, but pyproject.toml has the version {written}. Use make release VERSION={written}, or change"
            " version in pyproject.toml, run make lock, and commit both."
        )
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    notes = notes_of(changelog, version) or (trial and notes_of(changelog, UNRELEASED))
    if not notes:
        found.append(
            f"- CHANGELOG.md has no section of {version} with a date and an entry. Write ## [{version}] - YYYY-MM-DD above what is new"
            f" in it; what is still to come is in ## [{UNRELEASED}]."
        )
    changes = _git(repository, "status", "--porcelain")
    if changes and not trial:
        listed = ", ".join(line[3:] for line in changes.splitlines()[:5])
        found.append(
            f"- {len(changes.splitlines())} files are not committed ({listed}). A release is made from a commit. Commit or stash them."
        )
    if not trial and (ignored := [each for each in _ignored(repository) if not each.endswith(".pyc")]):
        listed = ", ".join(ignored[:5])
        found.append(
            f"- {len(ignored)} files that git ignores would be shipped ({listed}), but are not in the commit. Delete them, or run it in a"
            " fresh clone."
        )
    if found:
        advice = [] if trial else [f"To try the files before the release: make release VERSION={written} TRIAL=1"]
        raise UnusableError("\n".join([*found, *advice]))
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or _git(repository, "log", "-1", "--format=%ct")
    if not re.fullmatch(r"\d{1,11}", epoch, re.ASCII):
        raise UnusableError(
            f"- SOURCE_DATE_EPOCH is {epoch!r}, but must be seconds since 1970. Remove it to use the commit's time."
        )
    heading = f"# Inspector Findings Exporter {version}\n"
    warning = "\n**This is a trial, not a release.**\n" if trial else ""
    after = AFTER_NOTES.format(documents="the same commit" if trial else f"the tag [`v{version}`](../../tree/v{version}/docs)")
    return Release(version, datetime.fromtimestamp(int(epoch), UTC), f"{heading}{warning}\n{notes}\n{after}")


AFTER_NOTES = """
## Deploy

`docs/deploying.md` at {documents} has the steps for the console, the AWS CLI, SAM, StackSets, Terraform, the CDK and CI. Check the files first: `sha256sum -c SHA256SUMS`.
"""
"""The link leads from the page of the release on GitHub, `<repository>/releases/tag/<tag>`, to the documents of its tag."""


def notes_of(changelog: str, version: str) -> str:
    """Return what the changelog says of a version; nothing where it has no section of it with a date, or an empty one."""
    head = re.escape(version) + ("" if version == UNRELEASED else r"\] - \d{4}-\d{2}-\d{2}")
    found = re.search(rf"^## \[{head}\]?\n(.*?)(?=^## |^\[[^]]+\]: |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def _ignored(repository: Path) -> list[str]:
    """Return what lies in the folders of the code, but is in no commit: the git settings of a person can ignore it."""
    return _git(repository, "ls-files", "--others", "--ignored", "--exclude-standard", "--", "functions", "layers").splitlines()


def _git(repository: Path, *arguments: str) -> str:
    try:
        ended = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UnusableError(f"- git {arguments[0]} failed, so that the commit is unknown: {error}. Run it in a clone.") from error
    return ended.stdout.rstrip()


# ---------------------------------------------------------------------------------------------------------------------
# Its files
# ---------------------------------------------------------------------------------------------------------------------


def write(release: Release, folder: Path, built: Path = BUILT, repository: Path = REPOSITORY) -> None:
    """Write the files of a release into an empty folder.

    Parameters
    ----------
    built
        What sam build made of this commit.
    repository
        Where the template and the workflows are.

    Raises
    ------
    UnusableError
        There is no build, or it holds what should not be shipped.
    """
    source = read_template(repository / TEMPLATE)
    contents = code(source, built, release.made_at, repository)
    names = {logical_id: name for logical_id, (name, _) in contents.items()}
    for name, content in contents.values():
        (folder / name).write_bytes(content)
    template = text_of(release_template(source, {each: release.prefix + name for each, name in names.items()}, release.version))
    if len(template.encode()) > MAX_BYTES:
        raise UnusableError(
            f"- The template has {len(template.encode())} bytes, but CloudFormation takes {MAX_BYTES}. Shorten it."
        )
    (folder / TEMPLATE).write_text(template, encoding="utf-8")
    (folder / NOTES).write_text(release.notes, encoding="utf-8")
    shutil.copyfile(REPOSITORY / "LICENSE", folder / "LICENSE")
    layers = {
        names[each]: built / each for each, found in source["Resources"].items() if found["Type"].endswith("::LayerVersion")
    }
    lock = tomllib.loads((REPOSITORY / "uv.lock").read_text(encoding="utf-8"))
    try:
        text = sbom(release.version, release.made_at, hashes(folder), layers, lock)
    except UnpinnedPackageError as error:
        raise UnusableError(f"- {error}") from error
    (folder / SBOM).write_text(text, encoding="utf-8")
    sums = "".join(f"{sha256}  {name}\n" for name, sha256 in hashes(folder).items())
    (folder / SUMS).write_text(sums, encoding="utf-8")
    for path in folder.iterdir():
        os.utime(path, (release.made_at.timestamp(),) * 2)


def code(
    template: Mapping[str, Any], built: Path, made_at: datetime, repository: Path = REPOSITORY
) -> dict[str, tuple[str, bytes]]:
    """Return the file of each resource that has code: its name and content, by logical id.

    Raises
    ------
    UnusableError
        A folder of the build is missing.
    """
    found = {}
    for logical_id, place in code_of(template).items():
        path = built / logical_id if not place.endswith(".json") else repository / place
        if not path.exists():
            raise UnusableError(f"- The build has no {logical_id}. Run make build.")
        content = archive(path, made_at) if path.is_dir() else path.read_bytes()
        ending = "zip" if path.is_dir() else "asl.json"
        found[logical_id] = (f"{logical_id}-{hashlib.sha256(content).hexdigest()[:DIGITS_IN_NAME]}.{ending}", content)
    return found


def archive(folder: Path, made_at: datetime) -> bytes:
    """Return the files of a folder as an archive, without compiled Python."""
    buffer = io.BytesIO()
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*", recurse_symlinks=True) if path.is_file()}
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, path in sorted(files.items()):
            if path.suffix != ".pyc":
                entry = zipfile.ZipInfo(name, made_at.timetuple()[:6])
                entry.create_system, entry.external_attr, entry.compress_type = UNIX, FILE_MODE << 16, COMPRESSION
                zipped.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of each file in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.as_posix(): (found.st_size, found.st_mtime_ns) for path in files for found in [path.stat()]}


def replace(folder: Path, made: Path) -> None:
    """Put what was made into the place of a folder.

    Raises
    ------
    UnusableError
        The folder cannot be replaced.
    """
    try:
        if folder.exists():
            folder.rename(made.parent / "earlier")
        try:
            made.rename(folder)
        except OSError:
            with suppress(OSError):
                (made.parent / "earlier").rename(folder)
            raise
    except OSError as error:
        raise UnusableError(f"- {folder.name}/ could not be replaced: {error}. Is another make release running?") from error


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a folder, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


if __name__ == "__main__":
    sys.exit(main())
