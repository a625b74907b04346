"""Which files of an image a package shipped as they are: such a file is in public anyway.

By digest, where the ecosystem keeps digests of installed files: dpkg (`md5sums`, `Conffiles`), apk (`Z:`), rpm (the header's file
digests), wheels (`RECORD`), a Maven repository (`.sha1` beside a file). A file that was changed is the author's own. By place,
where it keeps none: npm, gem, Composer, the source caches of Go and Cargo, npm's own cache; there the folder of a package that
has its manifest or checksum file counts as a whole. What Python compiled counts with the source that a list claims.

All of it is the image's own word: an author who writes such a list can pass a file of his own off as published. What rests on it
must hold even then (`docs/threat-model.md`).
"""

from __future__ import annotations

import base64
import binascii
import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from gate.layers.bodies import Capture
from gate.layers.entry import BodySink, Entry
from gate.layers.rpm import rpm_file_digests
from gate.secrets.file_hashes import FileHashes

_MAX_LIST_BYTES: Final = 64 << 20
_DPKG_LIST: Final = re.compile(rb"var/lib/dpkg/(?:info|status\.d)/([^/]+)\.md5sums")
_DPKG_STATUS: Final = re.compile(rb"var/lib/dpkg/status(?:\.d/[^/]+)?")
_APK: Final = frozenset({b"lib/apk/db/installed", b"usr/lib/apk/db/installed"})
# ucf keeps what packages generate under /etc: its digests, and a copy whose name has a colon for each slash (ucf(1)).
_UCF: Final = b"var/lib/ucf/hashfile"
_UCF_CACHE: Final = b"var/lib/ucf/cache/"
_COMPILED: Final = re.compile(rb"((?:.*/)?)__pycache__/([^/]+?)\.cpython-[0-9]+(?:\.opt-[12])?\.pyc")
_RPM: Final = re.compile(rb"(?:var/lib|usr/lib/sysimage|usr/share)/rpm/(?:rpmdb\.sqlite|Packages|Packages\.db)")
_RECORD: Final = re.compile(rb"(?P<root>.*/)?(?P<name>[^/]+)\.dist-info/RECORD")
_MAVEN_SHA1: Final = re.compile(rb"(.*/(?:repository|coursier/v1/https?)/.+)\.sha1")
# Gradle keeps each file of a repository in a folder that is called by its SHA-1, without leading zeros.
_GRADLE: Final = re.compile(rb"(?:.*/)?caches/modules-2/files-2\.1/[^/]+/[^/]+/[^/]+/([0-9a-f]{30,40})/[^/]+")
# A package of conda: its list of files, each with its digest (conda `paths_data`).
_CONDA: Final = re.compile(rb"((?:.*/)?)conda-meta/([^/]+)\.json")
# A package of R has a list of MD5 digests in its folder (`tools::checkMD5sums`).
_R: Final = re.compile(rb"((?:.*/)?(?:library|site-library)/([^/]+)/)MD5")
_MD5_LINE: Final = re.compile(rb"\\?([0-9a-f]{32})[ \t]+\*?(.+)")
_CONFFILE: Final = re.compile(rb"^ (/\S+) ([0-9a-f]{32})(?: obsolete)?$", re.MULTILINE)
# Of a file in a package that is known by its place: ecosystem, and what must have been seen for the folder to count.
_PLACES: Final = (
    ("npm", re.compile(rb"((?:.*/)?node_modules/(?:@[^/]+/)?[^/]+)/(?!.*node_modules/).+"), (b"%s/package.json",)),
    ("gem", re.compile(rb"((?:.*/)?)gems/([^/]+-[^/-]+)/.+"), (b"%sspecifications/%s.gemspec",)),
    ("composer", re.compile(rb"((?:.*/)?vendor)/(?!composer/|bin/)[^/]+/[^/]+/.+"), (b"%s/composer/installed.json",)),
    ("go", re.compile(rb"((?:.*/)?pkg/mod)/(?!cache/)(.+)@(v[^/]+)/.+"), (b"%s/cache/download/%s/@v/%s.ziphash",)),
    ("cargo", re.compile(rb"((?:.*/)?registry/src/[^/]+/[^/]+-[^/-]+)/.+"), (b"%s/.cargo-ok", b"%s/.cargo-checksum.json")),
    ("npm cache", re.compile(rb"((?:.*/)?_cacache)/content-v2/.+"), (b"",)),
)  # fmt: skip
_MARKS: Final = re.compile(
    rb".*(?:/package\.json|\.gemspec|/composer/installed\.json|\.ziphash|/\.cargo-ok|/\.cargo-checksum\.json)"
)
_MERGED: Final = re.compile(rb"usr/((?:s?bin|lib[^/]*)/.*)")


class PublishedFiles:
    """Keeps what packages say of their files while layers are read; asked once, after the last one."""

    def __init__(self) -> None:
        self._lists: dict[tuple[int, bytes], bytes] = {}
        self._marks: set[bytes] = set()

    def begin(self, entry: Entry, layer: int) -> BodySink | None:
        """Take the body of a list of any layer: also what a later layer changed was published."""
        path = entry.path
        if _MARKS.fullmatch(path):
            self._marks.add(path)
        if not _is_list(path):
            return None

        def deliver(body: bytes | None) -> None:
            self._lists[layer, path] = body or b""

        return Capture(_MAX_LIST_BYTES, deliver)

    def packages_of(self, files: Mapping[bytes, FileHashes | None]) -> dict[bytes, str]:
        """Return for each file that a package shipped which one, in words; files without hashes count by place alone."""
        shipped: dict[bytes, str] = {}
        names = {name: path for path in files for name in _names_of(path)}
        compiled = ((path, _COMPILED.fullmatch(path)) for path in files)
        sources = {found[1] + found[2] + b".py": path for path, found in compiled if found is not None}
        for (_, place), body in self._lists.items() if files else ():
            for package, claimed, digest in _claims(place, body):
                path = names.get(claimed)
                hashes = files[path] if path is not None else None
                if path is not None and hashes is not None and digest in hashes.all:
                    shipped.setdefault(path, package)
                if claimed in sources:
                    shipped.setdefault(sources[claimed], f"{package} (by place)")
        for path, hashes in files.items():
            package = self._by_place(path) or _by_name(path, hashes)
            if package:
                shipped.setdefault(path, package)
        return shipped

    def _by_place(self, path: bytes) -> str:
        for ecosystem, pattern, marks in _PLACES:
            matched = pattern.fullmatch(path)
            if matched is not None and any(not mark or mark % matched.groups() in self._marks for mark in marks):
                return f"{ecosystem} (by place)"
        return ""


def _is_list(path: bytes) -> bool:
    return (
        path in _APK
        or path == _UCF
        or any(one.fullmatch(path) for one in (_DPKG_LIST, _DPKG_STATUS, _RPM, _RECORD, _MAVEN_SHA1, _CONDA, _R))
    )


def _by_name(path: bytes, hashes: FileHashes | None) -> str:
    """Return who shipped a file that lies in a folder called by its digest."""
    matched = _GRADLE.fullmatch(path)
    is_as_named = matched is not None and hashes is not None and hashes.sha1 == matched[1].decode().rjust(40, "0")
    return "Gradle cache" if is_as_named else ""


def _names_of(path: bytes) -> Iterator[bytes]:
    """Yield what a list may call this file: packages of before the merge of `/usr` name `lib/x` for `usr/lib/x`."""
    yield path
    merged = _MERGED.fullmatch(path)
    if merged is not None:
        yield merged[1]


def _claims(place: bytes, body: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Yield package, path without leading slash and digest in hex of each file that a list claims."""
    if matched := _DPKG_LIST.fullmatch(place):
        yield from _md5sums(f"dpkg {_word(matched[1])}", body)
    elif _DPKG_STATUS.fullmatch(place):
        yield from (("dpkg", found[1][1:], found[2].decode()) for found in _CONFFILE.finditer(body))
    elif place == _UCF:
        yield from _ucf(body)
    elif place in _APK:
        yield from _apk(body)
    elif _RPM.fullmatch(place):
        yield from ((f"rpm {name}", path, digest) for name, path, digest in rpm_file_digests(place, body))
    elif matched := _RECORD.fullmatch(place):
        yield from _record(f"wheel {_word(matched['name'])}", matched["root"] or b"", body)
    elif matched := _MAVEN_SHA1.fullmatch(place):
        yield "Maven repository", matched[1], body[:40].decode("ascii", "replace").lower()
    elif matched := _CONDA.fullmatch(place):
        yield from _conda(f"conda {_word(matched[2])}", matched[1], body)
    elif matched := _R.fullmatch(place):
        yield from _under(matched[1], _md5sums(f"R {_word(matched[2])}", body))


def _conda(package: str, root: bytes, body: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Read `paths_data.paths`; a file in which the installer put its own prefix has another digest, and the list names both."""
    try:
        entries = json.loads(body)["paths_data"]["paths"]
        claims = [
            (package, root + str(entry["_path"]).encode(), str(entry[key]))
            for entry in entries
            for key in ("sha256", "sha256_in_prefix")
            if key in entry
        ]
    except (KeyError, TypeError, ValueError, RecursionError):
        return
    yield from claims


def _under(root: bytes, claims: Iterator[tuple[str, bytes, str]]) -> Iterator[tuple[str, bytes, str]]:
    return ((package, root + path, digest) for package, path, digest in claims)


def _md5sums(package: str, body: bytes) -> Iterator[tuple[str, bytes, str]]:
    for line in body.split(b"\n"):
        matched = _MD5_LINE.fullmatch(line)
        if matched is not None:
            yield package, matched[2].removeprefix(b"./").lstrip(b"/"), matched[1].decode()


def _ucf(body: bytes) -> Iterator[tuple[str, bytes, str]]:
    for line in body.split(b"\n"):
        matched = _MD5_LINE.fullmatch(line)
        if matched is not None and matched[2].startswith(b"/"):
            path = matched[2].rstrip()
            yield "dpkg (ucf)", path.lstrip(b"/"), matched[1].decode()
            yield "dpkg (ucf)", _UCF_CACHE + path.replace(b"/", b":"), matched[1].decode()


def _apk(body: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Read `P:` (package), `F:` (folder), `R:` (file) and `Z:` (its SHA-1: `Q1` and base64; apk-tools `src/database.c`)."""
    package, folder, name = "", b"", b""
    for line in body.split(b"\n"):
        kind, value = line[:2], line[2:]
        if kind == b"P:":
            package, folder = f"apk {_word(value)}", b""
        elif kind == b"F:":
            folder = value
        elif kind == b"R:":
            name = folder + b"/" + value if folder else value
        elif kind == b"Z:" and value.startswith(b"Q1"):
            yield package, name, _hex_of(value[2:], base64.b64decode)


def _record(package: str, root: bytes, body: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Read a wheel's `RECORD`: path, `sha256=` and URL-safe base64 without padding, size (PEP 376, PEP 427)."""
    for line in body.split(b"\n"):
        path, _, rest = line.strip().rpartition(b",sha256=")
        digest = rest.partition(b",")[0]
        if path:
            yield (
                package,
                _from(root, path.strip(b'"')),
                _hex_of(digest + b"=" * (-len(digest) % 4), base64.urlsafe_b64decode),
            )


def _from(root: bytes, path: bytes) -> bytes:
    """Return where a path of a `RECORD` leads: programs and data lie outside its folder (`../../../bin/x`, `/usr/share/x`)."""
    return posixpath.normpath(posixpath.join(b"/" + root, path)).lstrip(b"/")


def _hex_of(text: bytes, decode: Callable[[bytes], bytes]) -> str:
    try:
        return decode(text).hex()
    except (binascii.Error, ValueError):
        return ""


def _word(name: bytes) -> str:
    return name.decode("ascii", "replace")[:100]
