"""What the release files beside os-release say, and whether it contradicts os-release.

Legitimate pairs: Ubuntu has a `debian_version` of the Debian it came from; Oracle Linux has a `redhat-release` that names Red
Hat; Amazon Linux has a `system-release`. Specification: checks reference, section 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gate.model.releases import find_release

RELEASE_FILES: Final = (
    b"debian_version",
    b"alpine-release",
    b"lsb-release",
    b"redhat-release",
    b"centos-release",
    b"rocky-release",
    b"almalinux-release",
    b"oracle-release",
    b"fedora-release",
    b"system-release",
)

_RELEASE_LINE = re.compile(r"([A-Za-z][A-Za-z ]*?)(?: release)? (\d+)(?:[.\d]*)?(?:[ -].*)?", re.ASCII)
_DEBIAN_NUMBER = re.compile(r"(\d+)(?:\.\d+)?", re.ASCII)
_LSB_LINE = re.compile(r'(DISTRIB_ID|DISTRIB_RELEASE)="?([^"]*)"?')

_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "red hat enterprise linux": "rhel",
        "red hat enterprise linux server": "rhel",
        "centos": "centos",
        "centos linux": "centos",
        "centos stream": "centos",
        "rocky linux": "rocky",
        "almalinux": "almalinux",
        "oracle linux server": "ol",
        "fedora": "fedora",
        "fedora linux": "fedora",
        "amazon linux": "amzn",
        "amazon linux ami": "amzn",
        # `DISTRIB_ID` of lsb-release
        "vmware photon os": "photon",
        "mariner": "mariner",
    }
)


def contradiction(file: str, text: str, distribution: str, version: str) -> str:
    """Say how a release file (untrusted text) contradicts `ID` and `VERSION_ID`; empty where it agrees."""
    line = text.strip()
    match file:
        case "debian_version":
            return _debian(line, distribution, version)
        case "alpine-release":
            agrees = distribution == "alpine" and line == version
            return "" if agrees else _says(line, distribution, version)
        case "lsb-release":
            return _lsb(text, distribution, version)
        case _:
            return _red_hat(file, line, distribution, version)


def _debian(line: str, distribution: str, version: str) -> str:
    if distribution == "ubuntu":
        # Ubuntu names the Debian that it was taken from: `bookworm/sid`.
        return "" if line.endswith("/sid") else _says(line, distribution, version)
    number = _DEBIAN_NUMBER.fullmatch(line)
    release = find_release(distribution, version)
    agrees = number[1] == version if number else release is not None and line == f"{release.codename}/sid"
    return "" if distribution == "debian" and agrees else _says(line, distribution, version)


def _lsb(text: str, distribution: str, version: str) -> str:
    lines = (_LSB_LINE.fullmatch(line.strip()) for line in text.split("\n"))
    values: dict[str, str] = {found[1]: found[2] for found in lines if found}
    name, number = values.get("DISTRIB_ID", ""), values.get("DISTRIB_RELEASE", "")
    same_name = not name or distribution in {name.lower(), _NAMES.get(name.lower())}
    same_number = not number or number == version or number.startswith(version + ".")
    return "" if same_name and same_number else _says(f"{name} {number}", distribution, version)


def _red_hat(file: str, line: str, distribution: str, version: str) -> str:
    found = _RELEASE_LINE.fullmatch(line)
    name = _NAMES.get(found[1].lower(), "") if found else ""
    same_name = name == distribution or (name == "rhel" and distribution == "ol" and file == "redhat-release")
    same_number = found is not None and found[2] == version.partition(".")[0]
    return "" if same_name and same_number else _says(line, distribution, version)


def _says(seen: str, distribution: str, version: str) -> str:
    return f"says {seen[:60]!a}, and os-release says {distribution[:40]} {version[:40]}"
