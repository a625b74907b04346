"""The facts of an image's layers: one reading over all of them, concluded from the merged view.

`BodyReader`s that look at every layer's bodies (a search for secrets) are added beside the gate's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from gate.layers.databases import DatabaseReader
from gate.layers.dropped_entries import dropped_entries
from gate.layers.entry import BodyReader, BodySink, Entry, EntryKind, ImageObserver
from gate.layers.languages import LanguageReader
from gate.layers.layer_reader import KeepTar, LayerReader
from gate.layers.merged_view import MergedView, Node
from gate.layers.meter import LayerMeter
from gate.layers.nested_databases import NestedReader
from gate.layers.os_release import ReleaseReader
from gate.layers.ownership import OwnershipReader, claims_of
from gate.layers.package_forms import FormReader
from gate.layers.passwd import PasswdReader
from gate.layers.redirects import RedirectReader
from gate.model.digest import Digest
from gate.model.evidence import LayerFacts, LayerSummary
from gate.model.image import Descriptor
from gate.model.layer_facts import PrivilegedFile
from gate.model.limits import LayerLimits

# Names under which the scanners look for SBOMs (Trivy `analyzer/sbom`, Syft `sbom-cataloger`), and CycloneDX's own.
_SBOM_NAME = re.compile(rb"(?:^|.*\.)(?:bom|sbom|spdx|cdx)(?:\.[^.]*)?|.*\.syft\.json", re.DOTALL)
_SET_ID_BITS: Final = 0o6000
# On a directory setuid means nothing to Linux; setgid hands the directory's group to all that is made in it.
_SET_GROUP_BIT: Final = 0o2000
# What a runtime makes in every container (runtime-spec, "Default Devices"), and what base images of distributions bring:
# null, zero, full, random, urandom, tty, console, ptmx, and the device 0:0 that stands for a removal in an overlay.
# Source: kernel Documentation/admin-guide/devices.txt. Reviewed 2026-12-01.
_HARMLESS_DEVICES: Final = frozenset(
    f"character {number}" for number in ("0:0", "1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "5:1", "5:2")
)

# Folders that packages of Debian's base and of systemd make for a group of their own, by path and group; the bit there hands the
# group to what its members write, and gives nobody a right (base-files `postinst`, Debian policy 9.1.2, systemd `tmpfiles.d`).
# The number of `systemd-journal` is given out at installation. Reviewed 2026-12-01.
_STAFF, _MAIL, _ANY_GROUP = 50, 8, -1
_PACKAGED_FOLDERS: Final = (
    (re.compile(rb"var/mail|var/spool/mail"), _MAIL),
    (
        re.compile(rb"var/local|usr/local(?:/(?:lib|share|bin|etc|games|include|man|sbin|src)(?:/.*)?)?", re.DOTALL),
        _STAFF,
    ),
    (re.compile(rb"var/log/journal|run/log/journal"), _ANY_GROUP),
)
_OTHERS_WRITE: Final = 0o002


class ImageReading:
    """Read the layers of one image in order, then conclude.

    `not_after` is the newest modification time that is believed. Raises what `LayerReader.read` raises.
    """

    def __init__(
        self,
        limits: LayerLimits,
        *,
        not_after: datetime,
        clock: Callable[[], float],
        check_deadline: Callable[[], None],
        readers: Sequence[BodyReader] = (),
        observers: Sequence[ImageObserver] = (),
        keep: KeepTar | None = None,
    ) -> None:
        self._view = MergedView()
        self._observers = tuple(observers)
        self._databases = DatabaseReader()
        self._nested = NestedReader()
        self._releases = ReleaseReader()
        self._languages = LanguageReader()
        self._passwd = PasswdReader()
        self._forms = FormReader()
        self._ownership = OwnershipReader()
        self._redirects = RedirectReader()
        self._times = _NewestTime(not_after)
        own = (
            self._times,
            self._databases,
            self._nested,
            self._releases,
            self._languages,
            self._passwd,
            self._forms,
            self._ownership,
            self._redirects,
        )
        meter = LayerMeter(limits, clock, check_deadline)
        self._reader = LayerReader(self._view, (*own, *readers), meter, observers=observers, keep=keep)
        self._summaries: list[LayerSummary] = []

    def read(self, blob: Iterable[bytes], descriptor: Descriptor, diff_id: Digest) -> None:
        """Read the next layer."""
        self._summaries.append(self._reader.read(blob, descriptor, diff_id))

    def conclude(self) -> LayerFacts:
        """Return the facts, after the last layer."""
        for observer in self._observers:
            observer.conclude(self._view)
        databases = self._databases.conclude(self._view)
        named = self._languages.conclude(self._view) | self._forms.modules(self._view)
        languages = frozenset(key for key in named if key.version)
        wanted = self._languages.paths(self._view) | self._forms.candidates(self._view)
        wanted |= set(self._languages.unnamed_jars(self._view))
        owners = self._ownership.owners(self._view, wanted)
        distribution = self._releases.conclude(self._view)
        read = frozenset({key.path for key in named} | {database.path for database in databases.databases})
        privileged, sboms, files = self._look_over()
        return LayerFacts(
            layers=tuple(self._summaries),
            distribution=distribution,
            package_databases=databases.databases,
            removed_databases=databases.removed,
            nested_databases=self._nested.conclude(self._view),
            os_packages=databases.packages,
            language_packages=languages,
            package_forms=self._forms.conclude(
                self._view,
                installed=frozenset(key.type for key in languages),
                owners=owners,
                unread=self._languages.unread(self._view),
                jars=self._languages.unnamed_jars(self._view),
            ),
            unversioned=named - languages,
            claims=frozenset(claims_of(owners, databases.packages)),
            dropped_entries=dropped_entries(self._view, self._databases.versions(self._view), self._ownership.lists()),
            redirects=self._redirects.conclude(distribution, read),
            privileged_files=privileged,
            embedded_sboms=sboms,
            users=self._passwd.conclude(self._view),
            newest_file=self._times.newest,
            files=files,
        )

    def _look_over(self) -> tuple[tuple[PrivilegedFile, ...], tuple[str, ...], int]:
        privileged = [
            PrivilegedFile(path=path.decode("utf-8", "backslashreplace"), mode=node.mode, is_directory=True)
            for path, node in self._view.directories()
            if node.mode & _SET_GROUP_BIT and not _is_packaged_folder(path, node)
        ]
        sboms: list[str] = []
        files = 0
        for folder, name, node in self._view.files():
            files += node.kind is EntryKind.FILE
            if _gives_rights(node):
                path = _text(folder, name)
                privileged.append(
                    PrivilegedFile(path=path, mode=node.mode, capabilities=node.capabilities, device=node.device)
                )
            if _SBOM_NAME.fullmatch(name):
                sboms.append(_text(folder, name))
        return tuple(sorted(privileged, key=lambda file: file.path)), tuple(sorted(sboms)), files


def _is_packaged_folder(path: bytes, node: Node) -> bool:
    if node.gid == 0 or node.mode & _OTHERS_WRITE:
        return False
    return any(group in {node.gid, _ANY_GROUP} and place.fullmatch(path) for place, group in _PACKAGED_FOLDERS)


def _gives_rights(node: Node) -> bool:
    if node.kind is EntryKind.DEVICE:
        return bool(node.device) and node.device not in _HARMLESS_DEVICES
    return node.kind is EntryKind.FILE and bool(node.mode & _SET_ID_BITS or node.capabilities)


class _NewestTime:
    """The newest modification time of a regular file that is not in the future."""

    def __init__(self, not_after: datetime) -> None:
        self._not_after = int(not_after.timestamp())
        self._seconds = 0

    def begin(self, entry: Entry, layer: int) -> BodySink | None:  # noqa: ARG002 - looks at times, takes no body
        """Note the time of a file."""
        if self._seconds < entry.mtime <= self._not_after:
            self._seconds = entry.mtime
        return None

    @property
    def newest(self) -> datetime | None:
        """Return the time; None where no file has one after 1970."""
        return datetime.fromtimestamp(self._seconds, UTC) if self._seconds else None


def _text(folder: bytes, name: bytes) -> str:
    return (folder + b"/" + name if folder else name).decode("utf-8", "backslashreplace")
