"""Two releases to upgrade between: the last one that was released, and the one that would come after it.

The last release is the newest tag ``v…`` in the history of the commit; where git has none, it is the commit itself. Its code is taken
from git. The next one is the working tree, with the release number after the last one's and with changed records (:data:`APPENDED`).
Both have the libraries of this working tree's ``sam build``, whatever the last release was shipped with.
"""

import io
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.builders.cloudformation import read_template
from tests.tools.regions import REPOSITORY
from tests.tools.release import BUILT
from tests.tools.release_template import code_of

SOURCES = ("functions", "layers", "statemachine", "template.yaml")
NUMBER = "layers/exporter/findings_exporter/__init__.py"
MACHINES = ("statemachine/export_findings.asl.json", "statemachine/export_all_reports.asl.json")
APPENDED = {
    # A field of a stored plan has another name. The earlier one is still read, and still written for the release before.
    "layers/exporter/findings_exporter/model/plan.py": """

_to_json, _from_json = Plan.to_json, Plan.from_json.__func__


def _to_next_json(plan: Plan) -> str:
    fields = json.loads(_to_json(plan))
    return json.dumps(fields | {"ends_at": fields["deadline_at"]})


def _from_next_json(cls: type[Plan], text: str) -> Plan:
    fields = json.loads(text)
    return _from_json(cls, json.dumps(fields | {"deadline_at": fields.get("ends_at") or fields["deadline_at"]}))


Plan.to_json, Plan.from_json = _to_next_json, classmethod(_from_next_json)
""",
    # A line in a report's history has a new field.
    "layers/exporter/findings_exporter/aws/run_store.py": """

_line = history_line


def history_line(run: Run) -> dict[str, str | int]:
    return _line(run) | {"added_by_next": 1}
""",
}
"""What the next release has at the end of its modules: changes as a release makes them."""


def last_release() -> str:
    """Return what git calls the last release: its tag, or the commit where there is no tag."""
    found = _git("describe", "--tags", "--abbrev=0", "--match=v[0-9]*", check=False).stdout.decode().strip()
    return found or "HEAD"


def source_of(commit: str, folder: Path) -> Path:
    """Write the sources of a commit into a folder, and return it."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit, *SOURCES).stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def source_of_next(last: Path, folder: Path) -> Path:
    """Write the sources of the release after the last one into a folder, and return it."""
    for name in SOURCES:
        if (path := REPOSITORY / name).is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder / name)
    number = number_of(last) + 1
    if number_of(folder) not in {number - 1, number}:
        raise AssertionError(f"RELEASE is {number_of(folder)}, but may be raised once since the last release, to {number}")
    _replace(folder / NUMBER, r"^RELEASE = \d+$", f"RELEASE = {number}")
    for machine in MACHINES:
        _replace(folder / machine, r'"release": \d+', f'"release": {number}')
    for module, text in APPENDED.items():
        with (folder / module).open("a", encoding="utf-8") as file:
            file.write(text)
    return folder


def number_of(source: Path) -> int:
    """Return the release number of sources."""
    found = re.search(r"^RELEASE = (\d+)$", (source / NUMBER).read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return int(found[1])


def build_of(source: Path, folder: Path) -> Path:
    """Return a folder like the one of sam build: the code of the sources, with links to the libraries of this tree's build."""
    for logical_id, place in code_of(read_template(source / "template.yaml")).items():
        if place.endswith(".json"):
            continue
        if not logical_id.endswith("Layer"):
            shutil.copytree(source / place, folder / logical_id)
            continue
        (packages := folder / logical_id / "python").mkdir(parents=True)
        for library in (BUILT / logical_id / "python").iterdir():
            # The embedded AWS runs on x86_64; the arm64 libraries are half of the analytics layer.
            if any(library.rglob("*aarch64*")):
                ignored = shutil.ignore_patterns("*aarch64*")
                shutil.copytree(library, packages / library.name, copy_function=os.symlink, ignore=ignored)
            else:
                (packages / library.name).symlink_to(library)
        for own in (source / place).iterdir():
            if own.is_dir():
                (packages / own.name).unlink(missing_ok=True)
                shutil.copytree(own, packages / own.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _replace(path: Path, pattern: str, text: str) -> None:
    changed, count = re.subn(pattern, text, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert count == 1, f"{path.name} has {pattern} {count} times"
    path.write_text(changed, encoding="utf-8")


def _git(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, check=check)
