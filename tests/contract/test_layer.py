"""The layer ships what the lock file pins, hash by hash."""

import hashlib
import json
import os
import re
import subprocess
import tomllib
import zipfile
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


def test_every_requirement_has_a_hash() -> None:
    lines = REQUIREMENTS.replace("\\\n", "").splitlines()
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

    def build(digest: str) -> subprocess.CompletedProcess[str]:
        (layer / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{digest}\n", encoding="utf-8")
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
