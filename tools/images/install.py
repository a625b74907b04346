"""What installing a part leaves in a root file system: the files of wheels, npm packages and jars as layer entries.

Nothing of a part is run. The archives are pinned by digest, so their names are taken as they are.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator

from tools.images.archive import Entry, directory, file

SITE_PACKAGES = "usr/local/lib/python3.11/site-packages"
NODE_MODULES = "srv/app/node_modules"
JARS = "srv/app/lib"


def wheel_entries(data: bytes, folder: str = SITE_PACKAGES) -> Iterator[Entry]:
    """Return the files that pip unpacks from a wheel, with the `INSTALLER` that it adds."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for item in archive.infolist():
            if not item.is_dir():
                yield file(f"{folder}/{item.filename}", archive.read(item))
                if item.filename.endswith(".dist-info/METADATA"):
                    yield file(f"{folder}/{item.filename.removesuffix('METADATA')}INSTALLER", "pip\n")


def npm_entries(data: bytes, name: str, folder: str = NODE_MODULES) -> Iterator[Entry]:
    """Return the files of an npm tarball under `node_modules/<name>`, without its own first folder."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                yield file(f"{folder}/{name}/{member.name.partition('/')[2]}", content.read())


def jar_entry(data: bytes, file_name: str, folder: str = JARS) -> Entry:
    """Return the jar as one file."""
    return file(f"{folder}/{file_name}", data)


def with_parents(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries and the directories above them that are not among them."""
    listed = list(entries)
    known = {entry.path for entry in listed}
    wanted = {parent for entry in listed for parent in _parents(entry.path)}
    return [directory(path) for path in sorted(wanted - known)] + listed


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
