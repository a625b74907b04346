"""Root file systems of distributions with true package databases, small enough to be judged in a second.

Debian 12 comes from rows and files recorded from a real system (`fixtures/images/debian-base`). Alpine 3.22 and Debian
11 are written here from the facts of their releases, since no registry that keeps old versions carries them. None can
be started: there is no C library. They are for looking at, not for running.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from tools.images.archive import Entry, directory, file, symlink
from tools.images.install import with_parents
from tools.images.layout import AMD64, Platform
from tools.images.parts import FIXTURES

DEBIAN: Final = FIXTURES / "debian-base"
USER: Final = "10001"
_APP_USER: Final = f"app:x:{USER}:{USER}::/srv/app:/usr/sbin/nologin\n"
_APP_GROUP: Final = f"app:x:{USER}:\n"
# An image that carries no C library, as for a static program: none of these sources has an advisory in the demo's
# databases, where Debian itself leaves defects of glibc, zlib, coreutils and others open.
STATIC_PACKAGES: Final = frozenset(
    {"base-files", "base-passwd", "debian-archive-keyring", "gcc-12-base", "ncurses-base", "ncurses-bin", "tzdata"}
)
# Versions of the release 12.0 (June 2023), which their advisories say are defective.
DEBIAN_12_0: Final = {
    "libc6": "2.36-9",
    "libc-bin": "2.36-9",
    "libgnutls30": "3.7.9-2",
    "libssl3": "3.0.9-1",
}
_MERGED: Final = ("bin", "lib", "sbin")

DEBIAN_11_OS: Final = """PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"
NAME="Debian GNU/Linux"
VERSION_ID="11"
VERSION="11 (bullseye)"
VERSION_CODENAME=bullseye
ID=debian
HOME_URL="https://www.debian.org/"
SUPPORT_URL="https://www.debian.org/support"
BUG_REPORT_URL="https://bugs.debian.org/"
"""
# Release 11.11: name, version, architecture.
_DEBIAN_11: Final = (
    ("base-files", "11.1+deb11u11", "amd64"),
    ("base-passwd", "3.5.51", "amd64"),
    ("debian-archive-keyring", "2021.1.1+deb11u1", "all"),
    ("gcc-10-base", "10.2.1-6", "amd64"),
    ("ncurses-base", "6.2+20201114-2+deb11u2", "all"),
    ("tzdata", "2024a-0+deb11u1", "all"),
)
UNKNOWN_OS: Final = """PRETTY_NAME="Shop OS 1"
NAME="Shop OS"
VERSION_ID="1"
ID=shopos
HOME_URL="https://shop.example/"
"""


def debian_12(
    platform: Platform = AMD64,
    *,
    packages: Collection[str] | None = STATIC_PACKAGES,
    versions: Mapping[str, str] | None = None,
) -> list[Entry]:
    """Return a Debian 12 root; `packages` None is all of a minbase, `versions` replace those of the recorded rows.

    `libssl3`, which a minbase lacks, comes with its version in `versions`.
    """
    folder = DEBIAN / platform.architecture
    rows = _stanzas((folder / "status").read_text(encoding="utf-8"))
    changed = versions or {}
    if "libssl3" in changed:
        rows += _stanzas((folder / "libssl3").read_text(encoding="utf-8"))
    kept = [row for row in rows if packages is None or _name(row) in packages]
    common = DEBIAN / "common"
    files = [_recorded(common, path) for path in sorted(common.rglob("*")) if path.is_file()]
    clear = file("usr/bin/clear", (folder / "clear").read_bytes(), mode=0o755)
    return _debian_root([*files, clear, _status(_with_version(row, changed) for row in kept)])


def debian_11() -> list[Entry]:
    """Return a root of a Debian whose support has ended (regular 2024-08-14, LTS 2026-08-31)."""
    rows = [
        f"Package: {name}\nStatus: install ok installed\nPriority: required\nSection: admin\nInstalled-Size: 100\n"
        f"Maintainer: Debian Developers <debian-devel@lists.debian.org>\nArchitecture: {architecture}\n"
        f"{_source(name)}Version: {version}\nDescription: {name} of Debian 11"
        for name, version, architecture in _DEBIAN_11
    ]
    files = [file("etc/debian_version", "11.11\n"), file("usr/lib/os-release", DEBIAN_11_OS), *_accounts()]
    return _debian_root([*files, _status(rows)])


def unknown_os() -> list[Entry]:
    """Return a root with a Debian package database whose `os-release` names a distribution that nobody knows."""
    names = {"etc/debian_version", "usr/lib/os-release", "etc/issue"}
    return [entry for entry in debian_12() if entry.name not in names] + [file("usr/lib/os-release", UNKNOWN_OS)]


def _debian_root(entries: Iterable[Entry]) -> list[Entry]:
    links = [symlink(name, f"usr/{name}") for name in _MERGED]
    folders = [directory(f"usr/{name}") for name in _MERGED]
    folders += [directory("tmp", mode=0o1777), directory("var/tmp", mode=0o1777), directory("root", mode=0o700)]
    folders.append(directory("srv/app"))
    link = symlink("etc/os-release", "../usr/lib/os-release")
    return with_parents([*links, *folders, link, *entries])


def _recorded(root: Path, path: Path) -> Entry:
    name = path.relative_to(root).as_posix()
    added = {"etc/passwd": _APP_USER, "etc/group": _APP_GROUP}.get(name, "")
    return file(name, path.read_bytes() + added.encode())


def _accounts() -> list[Entry]:
    root = "root:x:0:0:root:/root:/bin/sh\n"
    return [file("etc/passwd", root + _APP_USER), file("etc/group", "root:x:0:\n" + _APP_GROUP)]


def _stanzas(text: str) -> list[str]:
    return [part for part in text.split("\n\n") if part.strip()]


def _name(row: str) -> str:
    return row.partition("\n")[0].removeprefix("Package: ")


def _source(name: str) -> str:
    # Where the source has another name; Trivy looks advisories up by it.
    sources = {"gcc-10-base": "gcc-10", "ncurses-base": "ncurses"}
    return f"Source: {sources[name]}\n" if name in sources else ""


def _with_version(row: str, versions: Mapping[str, str]) -> str:
    version = versions.get(_name(row))
    return row if version is None else re.sub(r"(?m)^Version: .*$", f"Version: {version}", row)


def _status(rows: Iterable[str]) -> Entry:
    return file("var/lib/dpkg/status", "".join(f"{row.strip()}\n\n" for row in rows))


ALPINE_RELEASE: Final = "3.22.5"
_ALPINE_OS: Final = f"""NAME="Alpine Linux"
ID=alpine
VERSION_ID={ALPINE_RELEASE}
PRETTY_NAME="Alpine Linux v3.22"
HOME_URL="https://alpinelinux.org/"
BUG_REPORT_URL="https://gitlab.alpinelinux.org/alpine/aports/-/issues"
"""
# Packages of the release 3.22.5's own image: name, version, source package, licence.
_ALPINE: Final = (
    ("alpine-baselayout", "3.7.0-r0", "alpine-baselayout", "GPL-2.0-only"),
    ("alpine-baselayout-data", "3.7.0-r0", "alpine-baselayout", "GPL-2.0-only"),
    ("alpine-keys", "2.5-r0", "alpine-keys", "MIT"),
    ("alpine-release", "3.22.5-r0", "alpine-base", "MIT"),
    ("apk-tools", "2.14.10-r0", "apk-tools", "GPL-2.0-only"),
    ("busybox", "1.37.0-r20", "busybox", "GPL-2.0-only"),
    ("busybox-binsh", "1.37.0-r20", "busybox", "GPL-2.0-only"),
    ("ca-certificates-bundle", "20260611-r0", "ca-certificates", "MPL-2.0 AND MIT"),
    ("libapk2", "2.14.10-r0", "apk-tools", "GPL-2.0-only"),
    ("libcrypto3", "3.5.7-r0", "openssl", "Apache-2.0"),
    ("libssl3", "3.5.7-r0", "openssl", "Apache-2.0"),
    ("musl", "1.2.5-r12", "musl", "MIT"),
    ("musl-utils", "1.2.5-r12", "musl", "MIT AND BSD-2-Clause AND GPL-2.0-or-later"),
    ("scanelf", "1.3.8-r1", "pax-utils", "GPL-2.0-only"),
    ("ssl_client", "1.37.0-r20", "busybox", "GPL-2.0-only"),
    ("zlib", "1.3.2-r0", "zlib", "Zlib"),
)


def alpine_3_22() -> list[Entry]:
    """Return an Alpine 3.22 root; the database's rows own exactly the files that are here."""
    owned = {
        "alpine-baselayout-data": _accounts(),
        "alpine-release": [
            file("etc/alpine-release", f"{ALPINE_RELEASE}\n"),
            file("usr/lib/os-release", _ALPINE_OS),
            symlink("etc/os-release", "../usr/lib/os-release"),
        ],
    }
    rows = "".join(_apk_row(*package, owned.get(package[0], [])) for package in _ALPINE)
    files = [entry for entries in owned.values() for entry in entries]
    folders = [directory("tmp", mode=0o1777), directory("root", mode=0o700), directory("srv/app")]
    return with_parents([*folders, *files, file("lib/apk/db/installed", rows)])


def _apk_row(name: str, version: str, source: str, licence: str, owned: Iterable[Entry]) -> str:
    lines = [f"P:{name}", f"V:{version}", "A:x86_64", f"T:{name} of Alpine {ALPINE_RELEASE}"]
    lines += ["U:https://alpinelinux.org/", f"L:{licence}", f"o:{source}"]
    folder = ""
    for entry in sorted(owned, key=lambda item: item.name):
        parent, _, base = entry.name.rpartition("/")
        if parent != folder:
            folder = parent
            lines.append(f"F:{folder}")
        # apk's checksum is a SHA-1 of the content, for a link of its target (apk-tools, "Installed database").
        content = entry.data or entry.target.encode()
        checksum = base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()
        lines += [f"R:{base}", f"Z:Q1{checksum}"]
    return "\n".join(lines) + "\n\n"
