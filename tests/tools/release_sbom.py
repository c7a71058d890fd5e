"""The SBOM of a release: what its files are made of, in CycloneDX.

The packages are those in the built layers, with their licenses as they declare them. Where they can be downloaded, and with which
hashes, is what uv.lock says; a package that uv.lock does not pin in this version stops the release.
"""

from __future__ import annotations

from importlib.metadata import Distribution, distributions
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.spdx import is_expression
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import NormalizedName, canonicalize_name, parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

NAME = "inspector-findings-exporter"
LICENSE = "Apache-2.0"
SCHEMA = SchemaVersion.V1_6
DECLARED = LicenseAcknowledgement.DECLARED
_NAMESPACE = UUID("6f0e4f0c-8f43-5d0e-9a53-0d6c1f0b7c55")
_PYTHON = (3, 13)
_PLATFORMS = [
    f"manylinux{version}_{processor}" for processor in ("x86_64", "aarch64") for version in ("2014", "_2_17", "_2_24", "_2_28")
]
"""What the layers are built from (layers/analytics/Makefile)."""
_TAGS = {
    *cpython_tags(_PYTHON, abis=["cp313"], platforms=_PLATFORMS),
    *compatible_tags(_PYTHON, interpreter="cp313", platforms=[*_PLATFORMS, "any"]),
}


class UnpinnedPackageError(Exception):
    """A layer has a package that uv.lock does not pin in this version, so that its origin is unknown."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"The built layers have {name} {version}, which uv.lock does not pin. Run make lock, or remove .aws-sam and build again."
        )


def sbom(
    version: str,
    made_at: datetime,
    hashes: Mapping[str, str],
    layers: Mapping[str, Path],
    lock: Mapping[str, Any],
) -> str:
    """Return the SBOM as JSON: the same text for the same release.

    Parameters
    ----------
    version
        Of the release.
    made_at
        The time of the release.
    hashes
        The SHA-256 of each file that is shipped, in hexadecimal digits.
    layers
        Of each file that is a layer, the folder that it was made from.
    lock
        What uv.lock says.

    Raises
    ------
    UnpinnedPackageError
        A package is not the one that uv.lock pins.
    """
    root = Component(
        type=ComponentType.APPLICATION,
        name=NAME,
        version=version,
        bom_ref=NAME,
        licenses=[LicenseFactory().make_from_string(LICENSE)],
    )
    bom = Bom(serial_number=uuid5(_NAMESPACE, "\n".join(f"{name} {sha256}" for name, sha256 in sorted(hashes.items()))))
    bom.metadata.component, bom.metadata.timestamp = root, made_at
    files = {name: _file(name, sha256) for name, sha256 in hashes.items()}
    bom.register_dependency(root, files.values())
    for name, component in files.items():
        bom.components.add(component)
        found = {canonicalize_name(each.name): each for each in _distributions(layers[name])} if name in layers else {}
        packages = {each: _package(distribution, lock) for each, distribution in found.items()}
        bom.components.update(packages.values())
        bom.register_dependency(component, packages.values())
        for each, distribution in found.items():
            bom.register_dependency(packages[each], [packages[needed] for needed in _needed(distribution) if needed in packages])
    return str(make_outputter(bom, OutputFormat.JSON, SCHEMA).output_as_string(indent=2)) + "\n"


def _distributions(layer: Path) -> Iterable[Distribution]:
    return distributions(path=[str(layer / "python")])


def _file(name: str, sha256: str) -> Component:
    return Component(
        type=ComponentType.FILE, name=name, bom_ref=name, hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)]
    )


def _package(distribution: Distribution, lock: Mapping[str, Any]) -> Component:
    name = canonicalize_name(distribution.name)
    pinned = next((each for each in lock["package"] if (each["name"], each.get("version")) == (name, distribution.version)), None)
    if pinned is None:
        raise UnpinnedPackageError(distribution.name, distribution.version)
    purl = PackageURL(type="pypi", name=name, version=distribution.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=distribution.version,
        purl=purl,
        bom_ref=str(purl),
        licenses=_licenses(distribution),
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(wheel["url"]),
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel["hash"].removeprefix("sha256:"))],
            )
            for wheel in pinned.get("wheels", [])
            if parse_wheel_filename(wheel["url"].rsplit("/", 1)[-1])[3] & _TAGS
        ],
    )


def _licenses(distribution: Distribution) -> list[Any]:
    """Return the license as the package declares it: an SPDX expression, else the names of its classifiers, else its own words."""
    metadata = distribution.metadata
    words = metadata.get("License-Expression") or metadata.get("License") or ""
    if words and is_expression(words):
        return [LicenseFactory().make_from_string(words, license_acknowledgement=DECLARED)]
    names = [each.rsplit(" :: ", 1)[-1] for each in metadata.get_all("Classifier", []) if each.startswith("License ::")]
    return [DisjunctiveLicense(name=each, acknowledgement=DECLARED) for each in names or [words] if each]


def _needed(distribution: Distribution) -> list[NormalizedName]:
    requirements = map(Requirement, distribution.requires or [])
    return [canonicalize_name(each.name) for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]
