"""How three readers name one distribution: os-release, Trivy and Grype.

Names and the parts of the version that must agree: `checks` reference, section 3.1, and runs of both scanners on images of each
family (`tests/integration/test_distributions.py`). A scanner
that names another distribution, or none, judged another system than the one in the image (attacks L01, L02).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.model.finding import Tool

if TYPE_CHECKING:
    from gate.model.evidence import Distribution, ScannedDistribution


@dataclass(frozen=True, slots=True)
class _Names:
    """The scanners' names of a distribution, and how many parts of the version must agree; 0 for rolling ones."""

    trivy: str
    grype: str
    version_parts: int


_NAMES: Final = {
    "debian": _Names("debian", "debian", 1),
    "ubuntu": _Names("ubuntu", "ubuntu", 2),
    "alpine": _Names("alpine", "alpine", 2),
    "wolfi": _Names("wolfi", "wolfi", 0),
    "chainguard": _Names("chainguard", "chainguard", 0),
    "rhel": _Names("redhat", "redhat", 1),
    "centos": _Names("centos", "centos", 1),
    "rocky": _Names("rocky", "rockylinux", 1),
    "almalinux": _Names("alma", "almalinux", 1),
    "ol": _Names("oracle", "oraclelinux", 1),
    "amzn": _Names("amazon", "amazonlinux", 1),
    "mariner": _Names("cbl-mariner", "mariner", 2),
    "azurelinux": _Names("azurelinux", "azurelinux", 2),
    "opensuse-leap": _Names("opensuse-leap", "opensuseleap", 1),
    "sles": _Names("sles", "sles", 2),
    # Trivy names it and has no advisories for it: it can be judged by Grype alone.
    "fedora": _Names("fedora", "fedora", 1),
    "photon": _Names("photon", "photon", 1),
}


def is_known(distribution: Distribution) -> bool:
    """Say whether both scanners can judge this distribution at all."""
    return distribution.id in _NAMES


def agrees(distribution: Distribution, scanned: ScannedDistribution | None, tool: Tool) -> bool:
    """Say whether a scanner saw the same distribution and release as the gate."""
    names = _NAMES.get(distribution.id)
    if names is None or scanned is None:
        return False
    expected = names.trivy if tool is Tool.TRIVY else names.grype
    same_release = _release(distribution.version_id, names) == _release(scanned.version, names)
    return scanned.name.lower() == expected and same_release


def _release(version: str, names: _Names) -> tuple[str, ...]:
    return tuple(version.split(".")[: names.version_parts])
