"""Maven coordinates that a jar states about itself: `META-INF/maven/**/pom.properties`.

Reads the jar in memory with bounds and never opens jars within it: what is read must be right, not complete, because the
gate only demands that the scanners together see at least this. Specification: Maven Archiver; checks reference, section 3.3.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from typing import Final

from gate.codec.purl import key_of
from gate.model.finding import PackageKey

MAX_JAR_BYTES: Final = 32 * 1024 * 1024
# What a zip file without Zip64 can count; each costs some hundred bytes of memory before the first can be looked at.
_MAX_MEMBERS: Final = 65_535
_MAX_COORDINATES: Final = 2000
_DIRECTORY_ENTRY: Final = b"PK\x01\x02"
_MAX_PROPERTIES_BYTES: Final = 64 * 1024
_PROPERTIES = re.compile(r"META-INF/maven/[^/]+/[^/]+/pom\.properties")
_COORDINATE = re.compile(r"[A-Za-z0-9._+-]{1,200}", re.ASCII)
# What zipfile raises over hostile bytes, by its own source; NotImplementedError: encryption or a method it lacks.
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError,
    OverflowError, IndexError,
)  # fmt: skip


def parse_jar(body: bytes, path: str) -> tuple[PackageKey, ...]:
    """Return the coordinates in a jar from an image (untrusted); empty where it states none or cannot be read."""
    if body.count(_DIRECTORY_ENTRY) > _MAX_MEMBERS:
        return ()
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as jar:
            members = [info for info in jar.infolist() if _PROPERTIES.fullmatch(info.filename)]
            texts = [_read(jar, info) for info in members[:_MAX_COORDINATES]]
    except _UNREADABLE:
        return ()
    return tuple(key for text in texts if (key := _coordinates(text, path)) is not None)


def has_classes(body: bytes) -> bool:
    """Say whether an archive from an image (untrusted) holds compiled Java, so that it is somebody's software."""
    if body.count(_DIRECTORY_ENTRY) > _MAX_MEMBERS:
        return True
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as jar:
            return any(name.endswith(".class") for name in jar.namelist())
    except _UNREADABLE:
        return False


def _read(jar: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    with jar.open(info) as member:
        data = member.read(_MAX_PROPERTIES_BYTES + 1)
    return data.decode("latin-1") if len(data) <= _MAX_PROPERTIES_BYTES else ""


def _coordinates(text: str, path: str) -> PackageKey | None:
    values: dict[str, str] = {}
    for line in text.splitlines():
        if not line.lstrip().startswith(("#", "!")):
            key, _, value = line.partition("=")
            values[key.strip()] = value.strip()
    group, artifact, version = (values.get(key, "") for key in ("groupId", "artifactId", "version"))
    if not all(_COORDINATE.fullmatch(part) for part in (group, artifact, version)):
        return None
    return key_of("maven", group, artifact, version, "", path)
