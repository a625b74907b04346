"""The files that a policy points to: read through whoever knows the policy's folder, compared with their digest.

A policy's own digest stands in every verdict, so a file that decides must stand in it with its digest. A file without one
is read, and its name noted: such a policy can judge, and its verdict cannot be signed. Refuses paths that leave the
policy's folder; reading itself is I/O and is handed in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from gate.codec.policy.keys import FILE_KEYS
from gate.errors import PolicyError
from gate.model.digest import Digest
from gate.model.trust import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from gate.codec.yaml_node import Fields, Node
    from gate.model.trust import Trust

T = TypeVar("T")
_PATH: Final = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[\w.+@ -]+(?:/[\w.+@ -]+)*", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MAX_PATH_BYTES: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedRoot:
    """The trusted root of the public Sigstore instance, and the package that ships it, with its version."""

    content: bytes
    package: str


class PolicyFiles(Protocol):
    """Whoever can read files of the policy's folder."""

    def read(self, path: str) -> bytes:
        """Return the bytes of a file, bounded; `path` is relative, with forward slashes, and has no `..`.

        Raises:
            PolicyError: `POL_FILE`, the file is not there, is no plain file, is too large or lies outside the folder.
        """
        ...

    def digest(self, path: str) -> Digest:
        """Return the digest of a file of which nothing but that is asked; raises as `read`."""
        ...

    def public_root(self) -> ShippedRoot:
        """Return the trusted root of the public Sigstore instance, which stands in no policy's folder.

        Raises:
            EvidenceError: `ROOT_*`, it is not to be had.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A file that was read: its path as the policy writes it, its bytes and their digest."""

    path: str
    data: bytes
    digest: Digest


@dataclass(slots=True)
class FileReader:
    """Read the files of one document and note those that are not pinned, in the order of the document.

    `trusts` holds the trusted roots that the document names, read before the signers that use them.
    """

    files: PolicyFiles
    unpinned: list[str] = field(default_factory=list)
    trusts: dict[str, Trust] = field(default_factory=dict)

    def trust(self, name: Node | None, signer: Node) -> Trust:
        """Return the trusted root that a signer names; the public one where it names none.

        Raises:
            PolicyError: `POL_MALFORMED`, the document has no root of this name.
        """
        # Imported late: a document with keys alone needs no certificates.
        from gate.codec.policy.trust import public_trust  # noqa: PLC0415

        wanted = name.text() if name is not None else PUBLIC
        if wanted == PUBLIC and PUBLIC not in self.trusts:
            self.trusts[PUBLIC] = public_trust(self.files.public_root())
        if wanted not in self.trusts:
            known = ", ".join(sorted({PUBLIC, *self.trusts}))
            raise (name or signer).refuse("names no trusted root of spec.trust", expected=known, seen=wanted)
        return self.trusts[wanted]

    def node(self, node: Node) -> PolicyFile:
        """Read `{file, sha256}`."""
        return self.fields(node.fields(FILE_KEYS))

    def fields(self, fields: Fields) -> PolicyFile:
        """Read the file that the keys `file` and `sha256` of a mapping name.

        Raises:
            PolicyError: `POL_FILE`, the file cannot be read or has another digest.
        """
        path = fields.demand("file", _path)
        data = self._asking(fields.values["file"], self.files.read, path)
        return PolicyFile(path=path, data=data, digest=self._compared(fields, path, Digest.of(data)))

    def data_file(self, node: Node) -> tuple[str, Digest]:
        """Return path and digest of the file in `{file, sha256}` whose content is evidence, and read as such elsewhere."""
        fields = node.fields(FILE_KEYS)
        path = fields.demand("file", _path)
        return path, self._compared(fields, path, self._asking(fields.values["file"], self.files.digest, path))

    def _compared(self, fields: Fields, path: str, seen: Digest) -> Digest:
        pinned = fields.get("sha256", read_sha256, None)
        if pinned is None and path not in self.unpinned:
            self.unpinned.append(path)
        if pinned not in {None, seen}:
            node = fields.values["sha256"]
            message = f"is not the digest of {path}"
            raise node.refuse(message, code="POL_FILE", expected=str(pinned), seen=str(seen))
        return seen

    def _asking(self, node: Node, ask: Callable[[str], T], path: str) -> T:
        try:
            return ask(path)
        except PolicyError as error:
            message = f"{node.document}:{node.line}:{node.column}: {node.path}: {error.message}"
            raise PolicyError(message, code=error.code, expected=error.expected, seen=error.seen) from error


def read_sha256(node: Node) -> Digest:
    """Read 64 hexadecimal digits."""
    return Digest.from_hex(node.matching(_HEX, "64 lower-case hexadecimal digits"))


def _path(node: Node) -> str:
    path = node.text(max_bytes=_MAX_PATH_BYTES)
    if not _PATH.fullmatch(path):
        raise node.refuse("is not a path below the policy's folder", expected="a relative path without ..", seen=path)
    return path
