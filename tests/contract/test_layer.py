"""The layers ship what the lock file pins, hash by hash."""

import hashlib
import json
import os
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker

LAYERS = {"layer": "layers/exporter", "analytics": "layers/analytics"}
PROJECT = "inspector-findings-exporter"
LOCK = tomllib.loads(Path("uv.lock").read_text(encoding="utf-8"))


def wanted(entry: dict[str, Any], group: str) -> bool:
    """Whether a dependency counts for a layer's group."""
    return "marker" not in entry or Marker(entry["marker"]).evaluate({"extra": f"group-{len(PROJECT)}-{PROJECT}-{group}"})


def locked(group: str) -> dict[str, dict[str, Any]]:
    """The packages of a layer's group and all that they need, by name, as the lock file has them."""
    packages: list[dict[str, Any]] = LOCK["package"]
    (project,) = [package for package in packages if package["name"] == PROJECT]
    found: dict[str, dict[str, Any]] = {}
    ahead = [entry for entry in project["dev-dependencies"][group] if wanted(entry, group)]
    while ahead:
        entry = ahead.pop()
        (package,) = [
            each
            for each in packages
            if each["name"] == entry["name"] and entry.get("version", each["version"]) == each["version"]
        ]
        if entry["name"] not in found:
            found[entry["name"]] = package
            ahead += [each for each in package.get("dependencies", []) if wanted(each, group)]
    return found


def requirements(group: str) -> str:
    return (Path(LAYERS[group]) / "requirements.txt").read_text(encoding="utf-8")


def required(group: str) -> dict[str, tuple[str, set[str]]]:
    """The requirements: version and hashes by name."""
    entries = re.findall(r"^([a-z0-9-]+)==(\S+) \\\n((?:    --hash=\S+(?: \\)?\n)+)", requirements(group), re.MULTILINE)
    return {name: (version, set(re.findall(r"--hash=(\S+)", hashes))) for name, version, hashes in entries}


@pytest.mark.parametrize("group", LAYERS)
def test_a_layer_ships_the_locked_versions_and_nothing_else(group: str) -> None:
    assert {name: version for name, (version, _) in required(group).items()} == {
        name: package["version"] for name, package in locked(group).items()
    }


@pytest.mark.parametrize("group", LAYERS)
def test_a_layer_takes_only_files_that_the_lock_knows(group: str) -> None:
    packages = locked(group)
    for name, (_, hashes) in required(group).items():
        files = [*packages[name]["wheels"], *([packages[name]["sdist"]] if "sdist" in packages[name] else [])]
        assert hashes == {file["hash"] for file in files}


@pytest.mark.parametrize(
    ("group", "needed"),
    [("layer", {"boto3", "botocore", "aws-lambda-powertools"}), ("analytics", {"msgspec", "arro3-core", "arro3-io"})],
)
def test_every_line_is_understood(group: str, needed: set[str]) -> None:
    entries = [line for line in requirements(group).splitlines() if "==" in line]
    assert len(entries) == len(required(group))
    assert needed <= set(required(group))


@pytest.mark.parametrize("group", ["layer", "analytics"])
def test_every_requirement_has_a_hash(group: str) -> None:
    lines = requirements(group).replace("\\\n", "").splitlines()
    needed = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert [line for line in needed if "--hash=sha256:" not in line] == []


def test_a_build_refuses_a_file_that_the_lock_does_not_know(tmp_path: Path) -> None:
    # pip checks all hashes as soon as one requirement has one; the SAM CLI must not go around that.
    layer, wheels = tmp_path / "layer", tmp_path / "wheels"
    layer.mkdir()
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    known = hashlib.sha256((wheels / "tiny-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    layers = {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "layer"}}
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"Layer": layers | {"Metadata": {"BuildMethod": "python3.13"}}},
    }
    (tmp_path / "template.json").write_text(json.dumps(template), encoding="utf-8")

    def build(analysis: str) -> subprocess.CompletedProcess[str]:
        (layer / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{analysis}\n", encoding="utf-8")
        binaries = Path(".venv-sam/bin").resolve()
        return subprocess.run(
            [binaries / "sam", "build", "--template", "template.json"],
            cwd=tmp_path,
            env={
                "HOME": str(tmp_path),
                "PATH": f"{binaries}:{os.environ['PATH']}",
                "PIP_FIND_LINKS": str(wheels),
                "PIP_NO_INDEX": "1",
                "SAM_CLI_TELEMETRY": "0",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    assert build(known).returncode == 0
    refused = build("0" * 64)
    assert refused.returncode == 1
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in refused.stderr
