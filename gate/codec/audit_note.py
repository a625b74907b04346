"""Checkpoints and proofs of the record's tree: C2SP tlog-checkpoint and tlog-proof, signed as Ed25519 notes.

    note = render_checkpoint(origin, tree.size, tree.root)       # the text that is signed
    signed = sign_note(note, origin, private_key)                # with its signature line
    checkpoint = verify_note(signed, keys)                       # read, and signed by one of these keys

A verifier key is `NAME+HINT+BASE64(01 || 32 bytes)`, the hint being the first four bytes of SHA-256(NAME || 0a 01 || key) (C2SP
signed-note). Specification: C2SP signed-note, tlog-checkpoint, tlog-proof; formats reference, sections 8.5 and 14.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gate.codec.signed_note import parse_checkpoint
from gate.errors import SignatureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from gate.codec.signed_note import Checkpoint

# A row is the largest part of it; one holds names and digests and no evidence.
MAX_PROOF_BYTES: Final = 16 * 1024 * 1024
_MAX_HASHES: Final = 63
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")
PROOF_HEAD: Final = "c2sp.org/tlog-proof@v1"
_ALGORITHM: Final = b"\x01"
_NAME: Final = re.compile(r"[^\s+]{1,200}")
_KEY: Final = re.compile(r"([^\s+]{1,200})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKey:
    """A key that verifies notes: the name that it signs under and its 32 bytes."""

    name: str
    key: bytes

    @property
    def hint(self) -> bytes:
        """Return the four bytes that name the key in a signature line."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ALGORITHM + self.key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.hint.hex()}+{base64.b64encode(_ALGORITHM + self.key).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeProof:
    """A proof that stands alone: which leaf, the hashes up to the root, the signed checkpoint, and the leaf's own bytes."""

    index: int
    hashes: tuple[bytes, ...]
    note: str
    leaf: bytes = b""


def parse_note_key(text: str) -> NoteKey:
    """Parse a verifier key; raises SignatureError `SIG_INCLUSION` where its parts do not fit each other."""
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise _refused("the verifier key is malformed", "NAME+HINT+KEY", text[:80])
    try:
        content = base64.b64decode(match[3], validate=True)
    except binascii.Error as error:
        raise _refused("the verifier key is malformed", "base64", text[:80]) from error
    key = NoteKey(name=match[1], key=content[1:])
    if content[:1] != _ALGORITHM or len(key.key) != 32 or key.hint.hex() != match[2]:
        raise _refused("the verifier key's hint is not that of its key", key.hint.hex(), match[2])
    return key


def note_key_of(name: str, private: Ed25519PrivateKey) -> NoteKey:
    """Return the key that verifies what a private key signs under this name."""
    return NoteKey(name=name, key=private.public_key().public_bytes_raw())


def render_checkpoint(origin: str, size: int, root: bytes) -> str:
    """Return the text of a checkpoint, which is then signed.

    Raises:
        ValueError: a name that a note cannot carry: a defect of whoever chose it.
    """
    if not _NAME.fullmatch(origin) or len(root) != 32 or size < 0:
        raise ValueError("a checkpoint has a name without spaces and plus signs, a size and a root of 32 bytes")
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def sign_note(text: str, name: str, private: Ed25519PrivateKey) -> str:
    """Return the note: the text, an empty line and the signature."""
    signature = note_key_of(name, private).hint + private.sign(text.encode())
    return f"{text}\n\u2014 {name} {base64.b64encode(signature).decode()}\n"


def verify_note(note: str, keys: Sequence[NoteKey]) -> Checkpoint:
    """Return a checkpoint that one of these keys signed.

    Raises:
        SignatureError: `SIG_INCLUSION`, it is malformed; `SIG_INVALID`, no key signed it, or a signature under a key's hint is
            wrong.
    """
    checkpoint = parse_checkpoint(note)
    for key in keys:
        if key.name != checkpoint.origin:
            continue
        for line in checkpoint.signatures:
            if (line.name, line.hint) == (key.name, key.hint):
                _require_signature(key, line.signature, checkpoint.text)
                return checkpoint
    known = ", ".join(str(key) for key in keys) or "no key"
    seen = f"{checkpoint.origin} {', '.join(line.hint.hex() for line in checkpoint.signatures)}"
    raise SignatureError("no accepted key signed the checkpoint", code="SIG_INVALID", expected=known, seen=seen)


def _require_signature(key: NoteKey, signature: bytes, text: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, text)
    except (InvalidSignature, ValueError) as error:
        raise SignatureError("the checkpoint's signature is wrong", code="SIG_INVALID", seen=key.name) from error


def render_proof(proof: TreeProof) -> str:
    """Return a proof as a file: head, the leaf as extra data, index, hashes, an empty line, the checkpoint."""
    hashes = "".join(f"{base64.b64encode(item).decode()}\n" for item in proof.hashes)
    extra = f"extra {base64.b64encode(proof.leaf).decode()}\n" if proof.leaf else ""
    return f"{PROOF_HEAD}\n{extra}index {proof.index}\n{hashes}\n{proof.note}"


def parse_proof(text: str) -> TreeProof:
    """Parse an untrusted proof; raises SignatureError `SIG_INCLUSION`."""
    if len(text) > MAX_PROOF_BYTES:
        raise _refused("the proof is too large", f"at most {MAX_PROOF_BYTES} bytes", f"{len(text)} bytes")
    head, separator, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    extra = lines.pop(0).removeprefix("extra ") if lines and lines[0].startswith("extra ") else ""
    index = _INDEX.fullmatch(lines[0]) if lines else None
    if not separator or first != PROOF_HEAD or index is None or len(lines) > _MAX_HASHES + 1:
        raise _refused("the proof is malformed", f"{PROOF_HEAD}, index and hashes", first[:80])
    try:
        leaf, *hashes = (base64.b64decode(line, validate=True) for line in (extra, *lines[1:]))
    except (binascii.Error, ValueError) as error:
        raise _refused("the proof is malformed", "hashes in base64", "other text") from error
    if any(len(item) != 32 for item in hashes):
        raise _refused("the proof is malformed", "hashes of 32 bytes", "others")
    return TreeProof(index=int(index[1]), hashes=tuple(hashes), note=note, leaf=leaf)


def _refused(message: str, expected: str, seen: str) -> SignatureError:
    return SignatureError(message, code="SIG_INCLUSION", expected=expected, seen=ascii(seen)[1:-1])
