"""Entries of transparency logs: in a trusted log, and about this very signature, key and digest.

Steps 4 and 5 of the numbered steps. A promise (SET) gives a time, a proof with the log's checkpoint gives inclusion; what
is there must verify, whatever else does (attack S03), and every part of the entry is compared on every path (attacks S01,
S02). Which log it is comes from the trusted root by the key's own id; nothing is asked of the log (attack T04).

Specification: formats reference, sections 7.1, 7.2 and 8.3 to 8.5.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from gate.codec.encodings import encode_base64
from gate.codec.log_body import LoggedHash, LoggedSignature, parse_log_body
from gate.codec.signed_note import Checkpoint, NoteSignature, parse_checkpoint
from gate.codec.strict_json import printable
from gate.codec.times import format_time
from gate.errors import SignatureError
from gate.model.bundle import Bundle, Envelope, LogEntry, SignatureFormat
from gate.model.evidence_demand import Inclusion
from gate.verification.merkle import leaf_hash, proves_inclusion
from gate.verification.raw_signature import verify_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gate.model.bundle import InclusionProof
    from gate.model.trust import TransparencyLog, Trust, Witness

# Formats 8.1: how far a log's or authority's clock may be before ours.
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
_VERSION_2: Final = frozenset({("hashedrekord", "0.0.2"), ("dsse", "0.0.2")})
_LEGACY: Final = frozenset({SignatureFormat.LEGACY_SIGNATURE, SignatureFormat.LEGACY_ATTESTATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedEntry:
    """An entry that a trusted log vouches for; `time` is the log's word where it promised, `included` says that it proved.

    `authority` names who runs the log.
    """

    authority: str
    url: str
    index: int
    kind: str
    included: bool
    time: datetime | None = None


def verify_entry(
    entry: LogEntry, bundle: Bundle, *, trust: Trust, inclusion: Inclusion, times: Sequence[datetime], now: datetime
) -> VerifiedEntry:
    """Verify step 4 of one entry: `times` are those of trusted timestamps, `inclusion` whether a promise is enough.

    Raises:
        SignatureError: `SIG_TLOG_INVALID`, `SIG_INCLUSION` or `SIG_TLOG_KIND`.
    """
    logs = [log for log in trust.root.logs if log.log_id == entry.log_id]
    if not logs:
        raise _invalid("the entry is of a log that is not trusted", f"a log of {trust.name!r}", entry.log_id.hex()[:16])
    log = logs[0]
    time = _promised_time(entry, log, now)
    _expect_evidence(entry, bundle, inclusion=inclusion)
    if entry.proof is not None:
        _verify_proof(entry, entry.proof, log, trust)
    # Without a promise the time is that of the timestamps; without either only a log that counts now can be believed.
    _expect_log_in_window(logs, (time,) if time is not None else tuple(times) or (now,))
    return VerifiedEntry(
        authority=log.authority,
        url=log.url,
        index=entry.log_index,
        kind=f"{entry.kind} {entry.version}",
        included=entry.proof is not None,
        time=time,
    )


def _promised_time(entry: LogEntry, log: TransparencyLog, now: datetime) -> datetime | None:
    """Verify the promise; without one, the integrated time is nobody's word (attack S05)."""
    if not entry.promise:
        return None
    try:
        verify_bytes(log.key, entry.promise, _promised_bytes(entry))
    except SignatureError as error:
        raise _invalid("the log's promise does not verify", f"a signature by {log.url or 'the log'}", "") from error
    try:
        time = datetime.fromtimestamp(entry.integrated_time, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise _invalid("the log's time is impossible", "a date", str(entry.integrated_time)) from error
    if time > now + CLOCK_TOLERANCE:
        raise _invalid("the log's time is in the future", f"not after {format_time(now)}", format_time(time))
    return time


def _promised_bytes(entry: LogEntry) -> bytes:
    """Return what the log signs: RFC 8785, which for these four fields is what `json` writes (formats 8.3)."""
    fields = {
        "body": encode_base64(entry.body),
        "integratedTime": entry.integrated_time,
        "logID": entry.log_id.hex(),
        "logIndex": entry.log_index,
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def _expect_evidence(entry: LogEntry, bundle: Bundle, *, inclusion: Inclusion) -> None:
    """Demand a proof, or a promise where the verifier takes promises; a bundle's own version says nothing (attack S11)."""
    if entry.proof is not None:
        return
    legacy = inclusion is Inclusion.BUNDLES and bundle.format in _LEGACY
    if legacy or inclusion is Inclusion.PROMISE:
        if entry.promise:
            return
        raise _invalid("the entry carries neither promise nor proof", "a signed entry timestamp", "nothing")
    raise _not_included("the entry carries no proof", "an inclusion proof with a checkpoint")


def _verify_proof(entry: LogEntry, proof: InclusionProof, log: TransparencyLog, trust: Trust) -> None:
    if not proof.checkpoint:
        raise _not_included("the proof carries no checkpoint", "a checkpoint signed by the log")
    # Nothing but the promise signs the global index; version 2 has neither, and one number for both (formats 7.2).
    if not entry.promise and (entry.kind, entry.version) in _VERSION_2 and entry.log_index != proof.log_index:
        raise _not_included("the entry and its proof name two places", f"leaf {proof.log_index}")
    checkpoint = parse_checkpoint(proof.checkpoint)
    _verify_checkpoint(checkpoint, log)
    _expect_witnesses(checkpoint, trust)
    if (checkpoint.root, checkpoint.size) != (proof.root_hash, proof.tree_size):
        raise _not_included("the proof is about another tree than the checkpoint", f"a tree of {checkpoint.size}")
    if not proves_inclusion(
        leaf=leaf_hash(entry.body),
        index=proof.log_index,
        size=proof.tree_size,
        proof=proof.hashes,
        root=proof.root_hash,
    ):
        raise _not_included("the proof does not lead from the entry to the root", f"leaf {proof.log_index}")


def _verify_checkpoint(checkpoint: Checkpoint, log: TransparencyLog) -> None:
    """Demand the log's own line; others by other keys say nothing, one with its hint that does not verify refuses."""
    own = [line for line in checkpoint.signatures if line.hint == log.hint]
    if not own:
        raise _not_included("the checkpoint is not signed by the log", f"a signature by {log.name or log.url}")
    for line in own:
        if line.name != checkpoint.origin and not checkpoint.origin.startswith(f"{line.name} - "):
            raise _not_included("the checkpoint is by another log", f"origin {printable(line.name)}")
        try:
            verify_bytes(log.key, line.signature, checkpoint.text)
        except SignatureError as error:
            raise _not_included("the checkpoint's signature does not verify", f"one by {log.name}") from error


def _expect_witnesses(checkpoint: Checkpoint, trust: Trust) -> None:
    """Count distinct witnesses, each once; only those that the verifier's own configuration names."""
    seen = {
        witness.name
        for witness in trust.witnesses
        if any(_is_cosigned(line, witness, checkpoint) for line in checkpoint.signatures)
    }
    if len(seen) < trust.witnessed:
        raise SignatureError(
            "too few witnesses cosigned the log's checkpoint",
            code="SIG_INCLUSION",
            expected=f"{trust.witnessed} of {', '.join(witness.name for witness in trust.witnesses)}",
            seen=", ".join(sorted(seen)) or "none",
        )


def _is_cosigned(line: NoteSignature, witness: Witness, checkpoint: Checkpoint) -> bool:
    if (line.name, line.hint) != (witness.name, witness.hint) or len(line.signature) != 8 + 64:
        return False
    time = int.from_bytes(line.signature[:8], "big")
    try:
        verify_bytes(witness.key, line.signature[8:], b"cosignature/v1\ntime %d\n" % time + checkpoint.text)
    except SignatureError:
        return False
    return True


def _expect_log_in_window(logs: Sequence[TransparencyLog], times: Sequence[datetime]) -> None:
    for time in times:
        if not any(log.validity.covers(time) for log in logs):
            raise _invalid("the log's key does not count at this time", "a time in its window", format_time(time))


def verify_binding(entry: LogEntry, bundle: Bundle, *, verifier: bytes, artifact: bytes | None, digest: bytes) -> None:
    """Verify step 5: the entry is about this signature, by this key, over these bytes.

    `verifier` is the DER of the certificate or key that signed; `artifact` are the signed bytes, None where only their
    SHA-256 `digest` is known.

    Raises:
        SignatureError: `SIG_TLOG_MISMATCH`, `SIG_TLOG_KIND` or `SIG_MALFORMED`.
    """
    logged = parse_log_body(entry.body)
    _expect_equal((logged.kind, logged.version) == (entry.kind, entry.version), "kind")
    _expect_equal(logged.verifier == verifier, "key or certificate")
    content = bundle.content
    if logged.signed is not None:
        _expect_equal(_is_hash_of(logged.signed, artifact, digest), "digest")
    elif not isinstance(content, Envelope):
        raise _mismatch("format")
    if isinstance(content, Envelope):
        _verify_envelope_hashes(logged, bundle, content)
    if logged.signature is not None:
        _expect_equal(logged.signature == content.signature, "signature")
    elif bundle.format is not SignatureFormat.LEGACY_ATTESTATION:
        # Outside a `.att` layer nothing in this kind of entry binds the signature (formats 7.1).
        raise SignatureError(
            "the log entry is of a kind that does not bind the signature",
            code="SIG_TLOG_KIND",
            expected="hashedrekord, dsse or intoto 0.0.2",
            seen=f"{logged.kind} {logged.version}",
        )


def _verify_envelope_hashes(logged: LoggedSignature, bundle: Bundle, content: Envelope) -> None:
    if logged.payload is not None:
        _expect_equal(_is_hash_of(logged.payload, content.payload, b""), "payload")
    # Only a `.att` layer is the envelope as it was uploaded; a bundle does not hold those bytes.
    if bundle.format is SignatureFormat.LEGACY_ATTESTATION and logged.envelope is not None:
        _expect_equal(_is_hash_of(logged.envelope, bundle.raw, b""), "envelope")


def _is_hash_of(logged: LoggedHash, data: bytes | None, digest: bytes) -> bool:
    if data is not None:
        return hashlib.new(logged.algorithm, data).digest() == logged.value
    return logged.algorithm == "sha256" and logged.value == digest


def _expect_equal(same: bool, what: str) -> None:  # noqa: FBT001
    if not same:
        raise _mismatch(what)


def _mismatch(what: str) -> SignatureError:
    return SignatureError(
        f"the log entry is about another {what}", code="SIG_TLOG_MISMATCH", expected=f"the {what} of this signature"
    )


def _invalid(message: str, expected: str, seen: str) -> SignatureError:
    return SignatureError(message, code="SIG_TLOG_INVALID", expected=expected, seen=seen)


def _not_included(message: str, expected: str) -> SignatureError:
    return SignatureError(message, code="SIG_INCLUSION", expected=expected)
