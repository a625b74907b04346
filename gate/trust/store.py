"""The trusted roots that are here: kept by digest, read-only, and each name points to one of them.

::

    DIR/roots/HEX.json             trusted roots, by the SHA-256 of their bytes
    DIR/signing/HEX.json           signing configurations, likewise
    DIR/names/NAME.json            name -> root, signing configuration, where both came from and when
    DIR/tuf/NAME/root.json         the root metadata that a person trusted first
    DIR/tuf/NAME/metadata/         what python-tuf keeps; verified anew at each use

`public` is there without any file: the root of the public instance as the `sigstore` package ships it. This module reads and
writes files; it asks nobody. A root that came by TUF is given only after its whole chain of metadata was verified from the
cache, expiry included (attack T05): there is no silent step back to what was shipped.

Specification: formats reference, sections 9.1 to 9.3.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import Fault, JsonValue, ObjectView, canonical_json, parse_object, printable
from gate.codec.times import format_time, parse_time
from gate.disk.content import write_atomically
from gate.disk.regular_file import open_regular
from gate.errors import EvidenceError, StorageError, UsageError
from gate.model.digest import Digest
from gate.model.trust import PUBLIC, TrustSource
from gate.trust.shipped import PUBLIC_TUF, SIGNING_CONFIG, TRUSTED_ROOT, shipped

if TYPE_CHECKING:
    from datetime import datetime

MAX_FILE_BYTES: Final = 1024 * 1024
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_FAULT: Final = Fault(StorageError, "STORE_CORRUPT", "the entry of a trusted root")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustEntry:
    """What a name points to. `taken` is when the root was fetched or imported; None for what is shipped."""

    name: str
    source: TrustSource
    root: Digest
    signing: Digest | None = None
    url: str = ""
    taken: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFiles:
    """The bytes of a root, and of its signing configuration where there is one; both equal to the entry's digests."""

    entry: TrustEntry
    root: bytes
    signing: bytes | None = None


def require_trust_name(name: str) -> str:
    """Return the name of a root; raises UsageError for what could not be the name of a file everywhere."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            "not a name of a trusted root", expected="lower-case letters, digits and dashes", seen=printable(name)
        )
    return name


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The roots below one folder, which is made with mode 0700 when something is first put there."""

    folder: Path

    def names(self) -> tuple[str, ...]:
        """Return every name, sorted; `public` is always among them."""
        found = (path.stem for path in (self.folder / "names").glob("*.json"))
        return tuple(sorted({PUBLIC, *filter(_NAME.fullmatch, found)}))

    def entry(self, name: str) -> TrustEntry:
        """Return what a name points to; raises EvidenceError `ROOT_MISSING`, StorageError `STORE_CORRUPT`."""
        path = self.folder / "names" / f"{require_trust_name(name)}.json"
        if path.exists():
            self._expect_private()
            return _read_entry(name, _read(path))
        if name == PUBLIC:
            return self._shipped().entry
        raise EvidenceError(
            "there is no trusted root of this name",
            code="ROOT_MISSING",
            expected=", ".join(self.names()),
            seen=name,
        )

    def load(self, name: str) -> TrustFiles:
        """Return a root that may be used now, offline.

        Raises:
            EvidenceError: `ROOT_MISSING`; `ROOT_DIGEST` where a file was changed; `ROOT_EXPIRED` and the other codes of TUF.
            StorageError: the files cannot be read.
        """
        entry = self.entry(name)
        if entry.source is TrustSource.SHIPPED:
            return self._shipped()
        root = self._blob("roots", entry.root)
        signing = self._blob("signing", entry.signing) if entry.signing is not None else None
        if entry.source is TrustSource.TUF:
            # Imported late: what uses files and keys alone needs no TUF.
            from gate.trust.tuf_client import verify_cached  # noqa: PLC0415

            targets = {TRUSTED_ROOT: root} | ({SIGNING_CONFIG: signing} if signing is not None else {})
            verify_cached(self.tuf_folder(name), targets)
        return TrustFiles(entry=entry, root=root, signing=signing)

    def put(
        self, name: str, root: bytes, signing: bytes | None, *, source: TrustSource, url: str, now: datetime
    ) -> TrustEntry:
        """Keep a root, and point the name to it; the bytes were parsed before. Raises StorageError."""
        entry = TrustEntry(
            name=require_trust_name(name),
            source=source,
            root=Digest.of(root),
            signing=Digest.of(signing) if signing is not None else None,
            url=url,
            taken=now,
        )
        self.prepare()
        _write(self._blob_path("roots", entry.root), root)
        if signing is not None and entry.signing is not None:
            _write(self._blob_path("signing", entry.signing), signing)
        _write(self.folder / "names" / f"{name}.json", _render_entry(entry))
        return entry

    def prepare(self) -> None:
        """Make the folder, for this user alone; raises StorageError, also where others may write into one that is there."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(self.folder, error.strerror or "") from error
        self._expect_private()

    def _expect_private(self) -> None:
        """Whoever can write here can name whom we trust (attack T01)."""
        seen = self.folder.stat()
        if seen.st_mode & 0o022 or seen.st_uid not in {0, os.geteuid()}:
            raise _unusable(self.folder, f"mode {stat.S_IMODE(seen.st_mode):04o}, owner {seen.st_uid}")

    def tuf_folder(self, name: str) -> Path:
        """Return where a name's TUF metadata is kept."""
        return self.folder / "tuf" / require_trust_name(name)

    def _shipped(self) -> TrustFiles:
        root, signing = shipped(TRUSTED_ROOT), shipped(SIGNING_CONFIG)
        if root is None:
            raise EvidenceError("the sigstore package carries no trusted root", code="ROOT_MISSING")
        entry = TrustEntry(
            name=PUBLIC,
            source=TrustSource.SHIPPED,
            root=Digest.of(root),
            signing=Digest.of(signing) if signing is not None else None,
            url=PUBLIC_TUF,
        )
        return TrustFiles(entry=entry, root=root, signing=signing)

    def _blob_path(self, kind: str, digest: Digest) -> Path:
        return self.folder / kind / f"{digest.hex}.json"

    def _blob(self, kind: str, digest: Digest) -> bytes:
        content = _read(self._blob_path(kind, digest))
        if Digest.of(content) != digest:
            raise EvidenceError(
                "a trusted root was changed on the disk",
                code="ROOT_DIGEST",
                expected=str(digest),
                seen=str(Digest.of(content)),
            )
        return content


def _unusable(folder: Path, seen: str) -> StorageError:
    return StorageError(
        "trusted roots cannot be kept here",
        code="STORE_UNAVAILABLE",
        expected=f"{folder} writable by its owner alone",
        seen=seen,
    )


def _read(path: Path) -> bytes:
    try:
        with open(open_regular(path, follow=False), "rb") as file:  # noqa: PTH123
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise StorageError(
            "a trusted root cannot be read", code="STORE_UNAVAILABLE", expected=str(path), seen=error.strerror or ""
        ) from error
    if len(content) > MAX_FILE_BYTES:
        raise StorageError("the file of a trusted root is too large", code="STORE_CORRUPT", expected=str(path))
    return content


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise StorageError(
            "a trusted root cannot be kept", code="STORE_UNAVAILABLE", expected=str(path), seen=error.strerror or ""
        ) from error


def _render_entry(entry: TrustEntry) -> bytes:
    fields: dict[str, JsonValue] = {"root": str(entry.root), "source": entry.source.value, "url": entry.url}
    if entry.signing is not None:
        fields["signing"] = str(entry.signing)
    if entry.taken is not None:
        fields["taken"] = format_time(entry.taken)
    return canonical_json(fields)


def _read_entry(name: str, content: bytes) -> TrustEntry:
    view = parse_object(content, _FAULT, limit_bytes=MAX_FILE_BYTES)
    view.only(("root", "signing", "source", "taken", "url"))
    return TrustEntry(
        name=name,
        source=_source(view),
        root=view.digest("root"),
        signing=view.digest("signing") if view.has("signing") else None,
        url=view.optional_text("url"),
        taken=parse_time(view.text("taken"), _FAULT, "taken"),
    )


def _source(view: ObjectView) -> TrustSource:
    word = view.text("source")
    if word not in {TrustSource.TUF, TrustSource.FILE}:
        raise view.refuse("source", "is of no known kind", expected="tuf or file", seen=word)
    return TrustSource(word)
