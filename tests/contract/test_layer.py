"""The layer ships what the lock file pins, hash by hash."""

import re
import tomllib
from pathlib import Path
from typing import Any

from packaging.markers import Marker

GROUP = "layer"
PROJECT = "inspector-findings-exporter"
LOCK = tomllib.loads(Path("uv.lock").read_text(encoding="utf-8"))
REQUIREMENTS = Path("layers/exporter/requirements.txt").read_text(encoding="utf-8")


def wanted(entry: dict[str, Any]) -> bool:
    """Whether a dependency counts for the layer's group."""
    return "marker" not in entry or Marker(entry["marker"]).evaluate({"extra": f"group-{len(PROJECT)}-{PROJECT}-{GROUP}"})


def locked() -> dict[str, dict[str, Any]]:
    """The packages of the layer's group and all that they need, by name, as the lock file has them."""
    packages: list[dict[str, Any]] = LOCK["package"]
    (project,) = [package for package in packages if package["name"] == PROJECT]
    found: dict[str, dict[str, Any]] = {}
    ahead = [entry for entry in project["dev-dependencies"][GROUP] if wanted(entry)]
    while ahead:
        entry = ahead.pop()
        (package,) = [
            each
            for each in packages
            if each["name"] == entry["name"] and entry.get("version", each["version"]) == each["version"]
        ]
        if entry["name"] not in found:
            found[entry["name"]] = package
            ahead += [each for each in package.get("dependencies", []) if wanted(each)]
    return found


def required() -> dict[str, tuple[str, set[str]]]:
    """The requirements: version and hashes by name."""
    entries = re.findall(r"^([a-z0-9-]+)==(\S+) \\\n((?:    --hash=\S+(?: \\)?\n)+)", REQUIREMENTS, re.MULTILINE)
    return {name: (version, set(re.findall(r"--hash=(\S+)", hashes))) for name, version, hashes in entries}


def test_the_layer_ships_the_locked_versions_and_nothing_else() -> None:
    assert {name: version for name, (version, _) in required().items()} == {
        name: package["version"] for name, package in locked().items()
    }


def test_the_layer_takes_only_files_that_the_lock_knows() -> None:
    packages = locked()
    for name, (_, hashes) in required().items():
        files = [*packages[name]["wheels"], *([packages[name]["sdist"]] if "sdist" in packages[name] else [])]
        assert hashes == {file["hash"] for file in files}


def test_every_line_is_understood() -> None:
    entries = [line for line in REQUIREMENTS.splitlines() if "==" in line]
    assert len(entries) == len(required())
    assert {"boto3", "botocore", "aws-lambda-powertools"} <= set(required())
