"""Read the files that a policy points to, from the policy's own folder and nowhere else.

Refuses a path that leaves the folder, by `..` or by a symbolic link (one that stays inside is followed: Kubernetes mounts
its volumes that way), what is no plain file, and more than `MAX_FILE_BYTES`. Whether the bytes are the pinned ones is
compared by whoever asked.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import printable
from gate.disk.named import read_named
from gate.errors import EvidenceError, PolicyError
from gate.model.digest import Digest

if TYPE_CHECKING:
    from gate.codec.policy.files import ShippedRoot

# The largest file that a policy points to is the daily EPSS file: 9 MB in 2025.
MAX_FILE_BYTES: Final = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PolicyFolder:
    """The folder of one policy; fits `gate.codec.policy.files.PolicyFiles`."""

    folder: Path

    @classmethod
    def of(cls, policy: Path) -> PolicyFolder:
        """Return the folder of a policy file; a link to the policy counts where it stands, not where it leads."""
        return cls(policy.absolute().parent)

    def read(self, path: str) -> bytes:
        """Return the bytes of a file, by its path relative to the folder.

        Raises:
            PolicyError: `POL_FILE`.
        """
        try:
            real = (self.folder / path).resolve(strict=True)
            if not real.is_relative_to(self.folder.resolve(strict=True)):
                raise _refusal(path, "it lies outside the policy's folder")
            return _read_plain(real, path)
        except (OSError, RuntimeError, ValueError) as error:
            raise _refusal(path, _reason(error)) from error

    def digest(self, path: str) -> Digest:
        """Return the digest of a file, by its path relative to the folder; raises as `read`."""
        return Digest.of(self.read(path))

    def public_root(self) -> ShippedRoot:
        """Return the trusted root of the public Sigstore instance, as the `sigstore` package of this installation ships it.

        A policy that wants another one, such as what `gate trust update` fetched, names its file under `spec.trust`: then
        its digest stands in every verdict.

        Raises:
            EvidenceError: `ROOT_MISSING`.
        """
        # Imported late: policies with keys alone need none.
        from importlib.metadata import version  # noqa: PLC0415

        from gate.codec.policy.files import ShippedRoot as Shipped  # noqa: PLC0415
        from gate.trust.shipped import TRUSTED_ROOT, shipped  # noqa: PLC0415

        root = shipped(TRUSTED_ROOT)
        if root is None:
            raise EvidenceError("the sigstore package carries no trusted root", code="ROOT_MISSING")
        return Shipped(content=root, package=f"sigstore {version('sigstore')}")


def document_name(path: Path) -> str:
    """Return a policy's or requirement's name for messages: its path, cut and printable."""
    return printable(str(path), 200)


def read_document(path: Path) -> bytes:
    """Return the bytes of the policy or requirement that the user named, a file or a pipe; links are followed.

    Raises:
        PolicyError: `POL_MALFORMED`, the file cannot be read.
    """
    return read_named(path, f"the document {document_name(path)}", limit_bytes=MAX_FILE_BYTES, fault=PolicyError)


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else "the path cannot be followed"


def _read_plain(real: Path, path: str) -> bytes:
    # Not blocking, so that a pipe cannot hold the gate; not following, so that the checked path is the opened one.
    descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refusal(path, "it is no plain file")
        data = stream.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise _refusal(path, f"it has more than {MAX_FILE_BYTES} bytes")
    return data


def _refusal(path: str, reason: str) -> PolicyError:
    return PolicyError(
        f"the file {path!a}, which the policy points to, cannot be read",
        code="POL_FILE",
        expected="a plain file in the policy's folder",
        seen=reason,
    )
