"""Sign what the gate signs: statements as envelopes in a Sigstore bundle v0.3, by key or by identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.codec.bundle import render_key_bundle
from gate.codec.dsse import IN_TOTO_PAYLOAD, pre_authentication_encoding
from gate.model.bundle import Envelope
from gate.signers.signer import EvidencedSigner

if TYPE_CHECKING:
    from gate.signers.signer import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedStatement:
    """A signed statement: the envelope, and the Sigstore bundle v0.3 around it, as it is recorded and pushed.

    The bundle of a signer by identity holds its certificate and log entries; timestamps also stand beside keys.
    """

    envelope: Envelope
    bundle: bytes


def sign_statement(signer: Signer, payload: bytes) -> SignedStatement:
    """Sign the payload of a statement, as `gate.codec.statement` wrote it; raises as the signer does."""
    signature = signer.sign(pre_authentication_encoding(IN_TOTO_PAYLOAD, payload))
    envelope = Envelope(payload_type=IN_TOTO_PAYLOAD, payload=payload, signature=signature)
    if not isinstance(signer, EvidencedSigner):
        return SignedStatement(envelope=envelope, bundle=render_key_bundle(envelope, signer.public_key))
    # Only signers that bring evidence pay for what writes it.
    from gate.codec.bundle_evidence import render_evidenced_bundle  # noqa: PLC0415

    evidence = signer.vouch(envelope)
    return SignedStatement(envelope=envelope, bundle=render_evidenced_bundle(envelope, evidence, signer.public_key))
