"""What logs and timestamp authorities vouch for beside a signature: steps 3 to 6 of the numbered steps, as one.

What is demanded comes from the verifier's own configuration (attack S11); what is there must verify whether it is demanded
or not (attack S03), and without a trusted root nothing can (docs/adr/0004-log-entries-need-trust.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from gate.codec.dsse import pre_authentication_encoding
from gate.errors import EvidenceError, SignatureError
from gate.model.bundle import Envelope, MessageSignature, SimpleSigning
from gate.model.digest import Digest
from gate.model.policy_signers import KeylessSigner

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.bundle import Bundle
    from gate.model.evidence_demand import EvidenceDemand
    from gate.model.policy_signers import Signer
    from gate.model.trust import Trust
    from gate.verification.log import VerifiedEntry
    from gate.verification.timestamps import VerifiedTime

Artifact: TypeAlias = bytes | Digest

_NEEDS_ROOT: Final = (
    "Name a trusted root beside the key (`trust`), or sign without a log (`cosign sign --tlog-upload=false`); see "
    "docs/adr/0004-log-entries-need-trust.md."
)


def require_usable_root(signer: Signer, demand: EvidenceDemand) -> None:
    """Refuse a root in which nothing could vouch, before anything is looked at: nothing is ever skipped (attack S08).

    Raises:
        EvidenceError: `ROOT_EMPTY`.
    """
    root = signer.trust.root if signer.trust is not None else None
    keyless = isinstance(signer, KeylessSigner)
    wanted = (
        (demand.logs > 0, root is not None and root.logs, "transparency log"),
        (demand.timestamps > 0, root is not None and root.timestamp_authorities, "timestamp authority"),
        (keyless, root is not None and root.certificate_authorities, "certificate authority"),
        (keyless and demand.sct, root is not None and root.certificate_logs, "certificate transparency log"),
    )
    for demanded, given, what in wanted:
        if demanded and not given:
            raise EvidenceError(
                f"the trusted root has no {what}, and one is demanded",
                code="ROOT_EMPTY",
                expected=f"at least one {what}",
                seen="none" if root is not None else "no trusted root beside the key",
            )


@dataclass(frozen=True, slots=True)
class Countersignatures:
    """What logs and authorities said: steps 3 to 6."""

    entries: tuple[VerifiedEntry, ...] = ()
    timestamps: tuple[VerifiedTime, ...] = ()

    @property
    def times(self) -> tuple[datetime, ...]:
        """Return every verified time, ascending."""
        promised = [entry.time for entry in self.entries if entry.time is not None]
        return tuple(sorted([*promised, *(stamp.at for stamp in self.timestamps)]))


def verify_vouchers(
    bundle: Bundle,
    trust: Trust | None,
    verifier: bytes,
    artifact: Artifact | None,
    now: datetime,
    demand: EvidenceDemand,
) -> Countersignatures:
    """Verify steps 3 to 6; `verifier` is the DER of the certificate or key that signed.

    `artifact` is what a signature without statement is over: its bytes, or its digest where no more is known.

    Raises:
        SignatureError: the code of the first step that does not hold.
    """
    found = Countersignatures()
    if bundle.timestamps or bundle.entries:
        found = _verified(bundle, _expect_trust(bundle, trust), verifier, artifact, now, demand)
    _expect_enough(len({entry.authority for entry in found.entries}), demand.logs, "logs")
    _expect_enough(len({stamp.authority for stamp in found.timestamps}), demand.timestamps, "timestamp authorities")
    return found


def _verified(
    bundle: Bundle, trust: Trust, verifier: bytes, artifact: Artifact | None, now: datetime, demand: EvidenceDemand
) -> Countersignatures:
    # Only signatures that carry evidence pay for what reads it.
    from gate.verification.log import verify_binding, verify_entry  # noqa: PLC0415
    from gate.verification.timestamps import verify_timestamps  # noqa: PLC0415

    stamps = verify_timestamps(bundle, trust.root, now)  # 3
    times = tuple(stamp.at for stamp in stamps)
    entries = tuple(  # 4
        verify_entry(entry, bundle, trust=trust, inclusion=demand.inclusion, times=times, now=now)
        for entry in bundle.entries
    )
    signed, digest = _signed_bytes(bundle, artifact)
    for entry in bundle.entries:  # 5
        verify_binding(entry, bundle, verifier=verifier, artifact=signed, digest=digest)
    return Countersignatures(entries, stamps)


def _expect_trust(bundle: Bundle, trust: Trust | None) -> Trust:
    """Refuse evidence that nobody can check: an entry that is there must verify (attack S03)."""
    if trust is not None:
        return trust
    if bundle.timestamps:
        raise SignatureError(
            "the signature carries a timestamp, and no trusted root says whose timestamps count",
            code="SIG_TSA_UNTRUSTED",
            expected="no timestamp, or a trusted root",
            seen=f"{len(bundle.timestamps)} timestamps",
            next_step=_NEEDS_ROOT,
        )
    raise SignatureError(
        "the signature carries a log entry, and no trusted root says which log counts",
        code="SIG_TLOG_INVALID",
        expected="no log entry, or a trusted root",
        seen=f"{len(bundle.entries)} entries",
        next_step=_NEEDS_ROOT,
    )


def _expect_enough(seen: int, demanded: int, what: str) -> None:
    """Step 6: authorities are counted, never entries or tokens (attack S09)."""
    if seen < demanded:
        raise SignatureError(
            f"fewer distinct {what} vouch than are demanded",
            code="SIG_THRESHOLD",
            expected=f"{demanded} distinct {what}",
            seen=str(seen),
        )


def _signed_bytes(bundle: Bundle, artifact: Artifact | None) -> tuple[bytes | None, bytes]:
    """Return the bytes that the signature covers, or only their SHA-256 where no more is known."""
    match bundle.content:
        case Envelope(payload_type=kind, payload=payload):
            return pre_authentication_encoding(kind, payload), b""
        case SimpleSigning(payload=payload):
            return payload, b""
        case MessageSignature():
            if isinstance(artifact, Digest):
                return None, bytes.fromhex(artifact.hex)
            return (artifact, b"") if artifact is not None else (None, b"")
        case _ as unreachable:
            assert_never(unreachable)
