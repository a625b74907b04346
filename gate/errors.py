"""The whole tree of errors that the gate raises on purpose.

::

    GateError                    every error that the gate raises on purpose
    ├── RefusedError             the image, its signatures or its reference are at fault (exit 1)
    │   ├── ReferenceRefusedError   a tag where a digest is demanded, a registry that is not allowed
    │   ├── ImageError           manifest, index, configuration or layer is malformed or ambiguous
    │   ├── SignatureError       no signature, or one that does not verify
    │   ├── AttestationError     a verdict that is missing, old, foreign or FAILED
    │   └── AdmissionRequestError   a request for admission that cannot be understood, or names nothing that can be judged
    ├── UsageError               the request makes no sense (exit 2)
    │   ├── PolicyError          a policy or requirement that is refused whole
    │   └── KeyFileError         a key file or its password
    ├── EvidenceError            evidence was not to be had (exit 3)
    │   ├── RegistryError        the registry, the network, or what they served
    │   ├── ScannerError         a scanner, its binary, its report
    │   ├── DatabaseError        a vulnerability database
    │   └── StorageError         disk, cache, record
    └── InternalError            a defect of the gate (exit 4)

Each error carries a stable reason code; `gate.model.reasons` declares every code once, with its class, text and next step,
and a house test holds the classes here against the classes there. A class names the code that is meant where the raiser
gives none.
Errors survive pickling, because evidence may be gathered in another process.
"""

from __future__ import annotations

from typing import ClassVar


class GateError(Exception):
    """Say what was wrong, what was expected and what was seen.

    `code` is a reason code (upper snake case); `expected`, `seen` and `next_step` are short texts for people and may be
    empty. None of the texts may hold a secret, a credential or raw foreign bytes: whoever raises cuts and escapes.
    """

    default_code: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        expected: str = "",
        seen: str = "",
        next_step: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.expected = expected
        self.seen = seen
        self.next_step = next_step

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.code, self.expected, self.seen, self.next_step))

    def __str__(self) -> str:
        details = [f"expected {self.expected}"] if self.expected else []
        details += [f"saw {self.seen}"] if self.seen else []
        return f"{self.message} ({', '.join(details)})" if details else self.message


def _rebuild(kind: type[GateError], message: str, code: str, expected: str, seen: str, next_step: str) -> GateError:
    return kind(message, code=code, expected=expected, seen=seen, next_step=next_step)


class RefusedError(GateError):
    """The image, its signatures or its reference are at fault: class `fail`."""

    default_code = "IMG_MALFORMED"


class ReferenceRefusedError(RefusedError):
    """The reference is well formed and not acceptable."""

    default_code = "REF_NOT_DIGEST"


class ImageError(RefusedError):
    """A manifest, index, configuration or layer cannot be accepted."""

    default_code = "IMG_MALFORMED"


class SignatureError(RefusedError):
    """No signature, or one that does not verify."""

    default_code = "SIG_INVALID"


class AttestationError(RefusedError):
    """An attestation is missing or does not say what is demanded."""

    default_code = "ATT_MISSING"


class AdmissionRequestError(RefusedError):
    """A request for admission cannot be understood, or has an image where nobody knows of one: it is refused."""

    default_code = "ADM_MALFORMED"


class UsageError(GateError):
    """The request makes no sense: class `usage`."""

    default_code = "USAGE"


class PolicyError(UsageError):
    """A policy or requirement is refused whole."""

    default_code = "POL_MALFORMED"


class KeyFileError(UsageError):
    """A key file cannot be read or its password is wrong."""

    default_code = "KEY_MALFORMED"


class EvidenceError(GateError):
    """Evidence was not to be had: class `error`."""

    default_code = "REG_UNREACHABLE"


class RegistryError(EvidenceError):
    """The registry cannot be asked, or serves what it must not."""

    default_code = "REG_UNREACHABLE"


class ScannerError(EvidenceError):
    """A scanner did not give a report that counts."""

    default_code = "SCAN_FAILED"


class DatabaseError(EvidenceError):
    """A vulnerability database is missing, stale or altered."""

    default_code = "DB_MISSING"


class StorageError(EvidenceError):
    """The disk, the cache or the record cannot be used."""

    default_code = "STORE_UNAVAILABLE"


class InternalError(GateError):
    """A defect of the gate: class `internal`."""

    default_code = "INTERNAL"
