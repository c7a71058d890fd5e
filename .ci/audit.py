"""Ask PyPI for known vulnerabilities of pinned requirements, and say so when it could not be asked.

pip-audit alone calls a package that it could not ask about "no known vulnerability" and ends well.

Usage: audit.py REQUIREMENTS... [--unasked-is-fine]   (in the environment of the group audit)

Ends with 0 when nothing is known against any package, 1 when something is, 2 when a package could not be asked about.
"""

import json
import subprocess
import sys
from typing import Any

TIMEOUT_SECONDS = 300
OPTIONS = ("--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json", "--cache-dir=.uv/cache/audit")
VULNERABLE, UNASKED = 1, 2


def ask(requirements: list[str]) -> tuple[list[dict[str, Any]], str]:
    """Return pip-audit's answer for each package of all files, or no answer and why."""
    command = [sys.executable, "-m", "pip_audit", *OPTIONS, *(f"--requirement={path}" for path in requirements)]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)  # noqa: S603 - no shell, our own words
    except subprocess.TimeoutExpired:
        return [], f"no answer in {TIMEOUT_SECONDS} seconds"
    try:
        packages: list[dict[str, Any]] = json.loads(answer.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [], (answer.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
    return packages, ""


def check(packages: list[dict[str, Any]], trouble: str) -> tuple[list[str], int]:
    """Return what to say, and how to end."""
    lines = [
        f"{package['name']} {package['version']}: {known['id']}, fixed in {', '.join(known['fix_versions']) or 'no release yet'}"
        for package in packages
        for known in package.get("vulns", [])
    ]
    unasked = [package["name"] for package in packages if "skip_reason" in package]
    asked = len(packages) - len(unasked)
    if unasked or not packages:
        lines.append(f"could not be asked about: {', '.join(unasked) or 'any package'} ({trouble or 'the index does not tell'})")
    vulnerable = sum(bool(package.get("vulns")) for package in packages)
    lines.append(f"{asked} packages asked about, {vulnerable} with known vulnerabilities")
    return lines, VULNERABLE if vulnerable else UNASKED if unasked or not packages else 0


if __name__ == "__main__":
    lines, ends = check(*ask([each for each in sys.argv[1:] if not each.startswith("--")]))
    print("\n".join(lines))
    sys.exit(0 if ends == UNASKED and "--unasked-is-fine" in sys.argv else ends)
